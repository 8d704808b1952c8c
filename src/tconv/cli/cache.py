"""`tconv cache`: the compiled kernels kept on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from tconv import checks
from tconv.cli import options, output
from tconv.cli.errors import UsageError
from tconv.jit.machine import cache as kept


def cache(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help="info: where, how much, in use. clear: remove all.",
            autocompletion=options.among(("info", "clear")),
        ),
    ],
    *,
    json: options.Json = False,
) -> None:
    """The compiled kernels that are kept on disk from one process to the next.

    They lie in $TCONV_CACHE_DIR, or else in a folder tconv where the system keeps caches, with what `tconv.tune` chose.
    Removing them loses nothing but the time to compile and measure again.

        tconv cache info
        tconv cache clear
    """
    if action not in ("info", "clear"):
        raise UsageError(f"ACTION must be info or clear; got {checks.shorten(action)}")
    if action == "info":
        _info(json)
    else:
        _clear(json)


def _info(json: bool) -> None:
    found = kept.info()
    if json:
        whole = {"folder": _path(found), "entries": found.entries, "bytes": found.bytes}
        output.as_json({**whole, "in_use": found.in_use, "reason": found.reason})
        return
    entries = f"{checks.count(found.entries, 'entry', 'entries')}, {checks.memory(found.bytes)}"
    use = "yes" if found.in_use else f"no: {found.reason}"
    output.facts([("folder", _path(found) or "none"), ("kept", entries), ("in use", use)], output.console())


def _clear(json: bool) -> None:
    found, removed = kept.info(), kept.clear()
    if json:
        output.as_json({"folder": _path(found), "removed": removed})
        return
    where = "" if found.folder is None else f" from {found.folder}"
    output.console().print(f"{checks.count(removed, 'entry', 'entries')} removed{where}", soft_wrap=True)


def _path(found: kept.Info) -> str | None:
    return None if found.folder is None else str(found.folder)
