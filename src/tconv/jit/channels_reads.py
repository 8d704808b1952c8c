"""Rows of pixels and the taps that they have, with channels in lanes: which of them are computed together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple, TypeVar

from tconv.jit.program import balanced

T = TypeVar("T")


class Tap(NamedTuple):
    """How a row of pixels reads: through which block of weights, under which mask (-1: none), how far along it."""

    number: int
    mask: int
    shift: int


class Read(NamedTuple):
    """A row of pixels: the taps it has, each with the offset in the source of the first column, and its target."""

    taps: dict[Tap, int]
    target: int


def cut(taps: list[Tap], most: int) -> Iterator[list[Tap]]:
    """Lists of at most so many taps."""
    at = 0
    for size in balanced(len(taps), most) if taps else ():
        yield taps[at : at + size]
        at += size


def together(rows: list[T], most: int) -> list[list[T]]:
    """As many rows as a tile has together, and those that are left alone."""
    whole = len(rows) // most * most
    return [rows[n : n + most] for n in range(0, whole, most)] + [[row] for row in rows[whole:]]


def alike(rows: list[Read], most: int) -> list[list[Read]]:
    """Likewise, of rows that have the same taps."""
    if most == 1:
        return together(rows, 1)
    found: dict[tuple[Tap, ...], list[Read]] = {}
    for row in rows:
        found.setdefault(tuple(row.taps), []).append(row)
    return list(chain.from_iterable(together(same, most) for same in found.values()))
