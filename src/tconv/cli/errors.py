"""What a command raises on purpose, and how the library's errors are said in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tconv import checks

#: Arguments of the library that are options of the same name.
_OPTIONS = frozenset(
    {"coarse", "fine", "kernel", "stride", "padding", "output_padding", "output_size", "groups", "dilation", "scale"}
    | {"step", "lang", "theme", "width", "seconds"}
    | {"in_channels", "out_channels", "output", "limit", "max_kernel", "max_pixels", "ndim", "page"}
)
#: Those that are no words of a sentence; in quotes, or before a value, they are names of parameters and stay.
_ANYWHERE = re.compile(rf"""(?<![-\w"'])({"|".join(sorted(name for name in _OPTIONS if "_" in name))})(?![\w"'=])""")
#: An entry of a sequence, and in a pair of paddings the end.
_ENTRY = re.compile(rf"^({'|'.join(sorted(_OPTIONS))})\[(\d+)\](?:\[([01])\])?")
#: How the library's errors begin: with the call that refuses its arguments.
_CALL = re.compile(r"^[A-Za-z_.]+: ")


class UsageError(Exception):
    """The command was used wrongly: exit code 2."""


class Failure(Exception):
    """The command found no answer, and this is why: exit code 1."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Errors of the library about its arguments become usage errors: the arguments are what the user typed."""
    try:
        yield
    except checks.Rejected as rejected:
        error = UsageError(in_options(str(rejected)))
    except MemoryError as refusal:
        error = UsageError(in_options(str(refusal)) or "out of memory")
    except (ValueError, TypeError) as refusal:
        if not _CALL.match(str(refusal)):
            raise  # nothing the library said about its arguments, so a fault to be seen in full
        error = UsageError(in_options(str(refusal)))
    else:
        return
    raise error from None


def in_options(message: str) -> str:
    """The library's sentence without the name of the Python call, its arguments written as the options they are.

    >>> in_options("Axis.conv: output_padding must be less than 2; got 3")
    '--output-padding must be less than 2; got 3'
    >>> in_options("Geometry.conv: padding[0] must leave at least 1 cell; got -9")
    '--padding of axis 0 must leave at least 1 cell; got -9'
    """
    sentence = _CALL.sub("", message.partition("\n  called with ")[0])
    sentence = _ANYWHERE.sub(_option, _ENTRY.sub(_of_axis, sentence))
    word = re.match(r"[a-z_]+", sentence)
    return f"--{sentence}" if word and word[0] in _OPTIONS else sentence


def _option(name: re.Match[str]) -> str:
    return f"--{name[0].replace('_', '-')}"


def _of_axis(entry: re.Match[str]) -> str:
    name, axis, end = entry.groups()
    return f"{name} of axis {axis}" + ("" if end is None else f" ({('low', 'high')[int(end)]} end)")
