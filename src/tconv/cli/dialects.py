"""Dialects as the command line names them."""

from __future__ import annotations

from tconv.cli.errors import UsageError
from tconv.conventions import DIALECTS, Dialect
from tconv.conventions.registry import find

NAMES = ", ".join(DIALECTS)


def dialect(option: str, name: str) -> Dialect:
    """The dialect that an option names, by its own name or another that people have for it."""
    found = find(name)
    if found is None:
        raise UsageError(f"{option} must be one of {NAMES}; got {name!r}")
    return found
