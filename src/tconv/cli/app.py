"""The commands, gathered into one typer application, and what is made of their errors."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tconv._version import __version__
from tconv.cli.accelerate import accelerate
from tconv.cli.bench import bench
from tconv.cli.cache import cache
from tconv.cli.convert import convert
from tconv.cli.demo import demo
from tconv.cli.errors import Failure, UsageError
from tconv.cli.explain import explain
from tconv.cli.explore import explore
from tconv.cli.inspect import inspect
from tconv.cli.pictures import animate, draw
from tconv.cli.size import size
from tconv.cli.solve import solve
from tconv.cli.upsample import upsample

app = typer.Typer(
    name="tconv",
    help="Transposed convolution: exact and explained.",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    size,
    explain,
    draw,
    animate,
    explore,
    solve,
    convert,
    upsample,
    demo,
    inspect,
    accelerate,
    cache,
    bench,
):
    app.command()(command)

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
    name = " ".join(["tconv", *arguments[:1]] if arguments and arguments[0] in commands() else ["tconv"])
    try:
        code = app(arguments, prog_name="tconv", standalone_mode=False)
    except UsageError as error:
        return _complain(name, str(error), 2)
    except _TyperError as error:
        return _complain(name, error.format_message(), 2)
    except Failure as failure:
        return _complain(name, str(failure), 1) if str(failure) else 1
    except typer.Abort:
        return _complain(name, "interrupted", 130)
    except OSError as error:
        return _complain(name, _said(error), 1)
    return code if isinstance(code, int) else 0


def commands() -> list[str]:
    """The names of the commands."""
    return [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


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
