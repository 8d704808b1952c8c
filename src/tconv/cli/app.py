"""The commands as one typer application, and what is made of their errors."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from tconv._version import __version__
from tconv.cli.commands import COMMANDS, SETTINGS, Commands
from tconv.cli.errors import Failure, UsageError

app = typer.Typer(name="tconv", cls=Commands, **SETTINGS)

#: The class of what typer raises about arguments it cannot read; its base class covers the rest of them.
_TyperError: Any = typer.BadParameter.__mro__[2]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tconv {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Transposed convolution: exact and explained."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # An encoding without a sign such as ᵀ prints a question mark; a traceback would help nobody.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    name = " ".join(["tconv", *arguments[:1]] if arguments and arguments[0] in COMMANDS else ["tconv"])
    try:
        code = app(arguments, prog_name="tconv", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:  # typer ends so where nobody reads on, and after a completion
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        return _unread()
    except BrokenPipeError:
        return _unread()
    except UsageError as error:
        return _complain(name, str(error), 2)
    except _TyperError as error:
        return _complain(name, _wrong_use(error), 2)
    except Failure as failure:
        return _complain(name, str(failure), 1) if str(failure) else 1
    except typer.Abort:
        return _complain(name, "interrupted", 130)
    except OSError as error:
        return _complain(name, _said(error), 1)
    return code if isinstance(code, int) else 0


def _unread() -> int:
    """Whoever read what is printed has seen enough, as `head` does: that is no failure, and nothing more is written."""
    with suppress(OSError, ValueError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _wrong_use(error: Any) -> str:
    """What typer says of arguments that it cannot read; of one that is missing what commands say."""
    if (option := getattr(error, "option_name", "")) in ("--input", "--input-size", "--in"):
        return f"No such option: {option}; a transposed convolution goes from --coarse to --fine, a convolution back"
    parameter = getattr(error, "param", None)
    if parameter is None or type(error).__name__ != "MissingParameter":
        return str(error.format_message())
    option = parameter.param_type_name == "option"
    return f"{max(parameter.opts, key=len) if option else parameter.metavar} must be given"


def _complain(name: str, message: str, code: int) -> int:
    print(f"{name}: {message}", file=sys.stderr)
    if code == 2:
        print(f"Try '{name} --help'.", file=sys.stderr)
    return code


def _said(error: OSError) -> str:
    """The file first, as the shell's own tools say it, and no number."""
    if not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
