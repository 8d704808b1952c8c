"""Which combinations of ways a schedule takes, in words that can be counted and compared with a table."""

from __future__ import annotations

from typing import Any

from tconv.jit.machine.isa import Isa

#: Kinds whose tiles are columns of a row, by name.
_OF_PIXELS = ("pixels", "planes")


def combination(schedule: Any, target: Isa) -> tuple[str, ...]:
    """(operation, layout, kind, where x is read, rows of a tile, vectors, set of instructions)."""
    s = schedule
    return (
        s.problem.operation,
        "last" if s.layout.channels_last else "first",
        _kind(s),
        "in-place" if getattr(s, "in_place", False) else "copied",
        "several-rows" if _spans_rows(s) else "one-row",
        "masked" if _in_part(s) else "whole",
        target.name,
    )


def _kind(s: Any) -> str:
    """The kind, and what makes its tables or its kernels others."""
    words = {
        "joined": s.layout.joined,
        "on-the-fly": getattr(s, "on_the_fly", False),
        "at-once": getattr(s, "at_once", False),
        "folded": getattr(s, "fold", 0) > 0,
        "by-channel": getattr(s, "by_channel", False),
        "gathered": getattr(s, "gathered", False),
    }
    return "+".join([s.kind.replace(" ", "-"), *(word for word, holds in words.items() if holds)])


def _spans_rows(s: Any) -> bool:
    """Whether a tile has pixels of several rows."""
    if s.kind == "planes":
        return bool(s.fold > 1)
    return bool(s.flat if s.kind == "pixels" else getattr(s, "rows", 1) > 1)


def _in_part(s: Any) -> bool:
    """Whether some vectors have lanes that stand for nothing."""
    kind = s.kind
    if kind in _OF_PIXELS:
        lanes = s.cache_block[-1]
    elif kind == "taps":
        lanes = s.channels * s.taps
    else:
        lanes = s.run * s.runs if kind == "phases" else s.written
    return bool(lanes % s.lanes)
