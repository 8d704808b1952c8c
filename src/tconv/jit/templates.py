"""Ops that differ in nothing but where they read and write: written once, and repeated by NumPy for all their places.

Otherwise tables would be written by a loop of Python for every row of a grid. What an op does depends on which taps
meet x, and on how a tile is cut; rows between the borders have that in common. So a `Draft` takes the words of the ops
of one row, each with the offset that moves it from row to row, and a `Template` gives them for many:

    draft.op(kernel, 3, (x, READ), (y, WRITTEN))       words 3, x and y; x and y move
    draft.template().at(reads, writes)                 for each i the op with x + reads[i] and y + writes[i]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

#: The offsets that move a word: what is read, and what is written. Of several rows, those of row n are 2 n further.
READ, WRITTEN = 1, 2
#: A word, or a word and the offset that moves it.
Word: TypeAlias = int | tuple[int, int]


class Template(NamedTuple):
    """The words of some ops, and by which of the offsets each is moved, counted from 1; 0: by none."""

    words: Ints
    moved: NDArray[np.intp]

    def at(self, *offsets: Ints) -> Ints:
        """The ops at so many places, one row a place; of each offset there is one for every place."""
        table = np.zeros((len(offsets[0]), 1 + len(offsets)), np.int64)
        for number, offset in enumerate(offsets, 1):
            table[:, number] = offset
        return self.words + table[:, self.moved]

    def along(self, count: int, *steps: int) -> Template:
        """The ops so many times, each offset so much further every time."""
        if count == 1:
            return self
        table = np.zeros((count, 1 + len(steps)), np.int64)
        table[:, 1:] = np.arange(count)[:, None] * steps
        return Template((self.words + table[:, self.moved]).reshape(-1), np.tile(self.moved, count))


def joined(parts: Sequence[Template]) -> Template:
    """One after the other."""
    if len(parts) == 1:
        return parts[0]
    return Template(*(np.concatenate(each) for each in zip(*parts, strict=True)))


class Draft:
    """Collects the words of a template."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self.moved: list[int] = []

    def op(self, kernel: int, *words: Word) -> None:
        """Append an op."""
        self.words += (kernel, 8 * (len(words) + 2))
        self.words += [word if type(word) is int else word[0] for word in words]  # type: ignore[index]
        self.moved += (0, 0)
        self.moved += [0 if type(word) is int else word[1] for word in words]  # type: ignore[index]

    def template(self) -> Template:
        """What was collected."""
        return Template(np.array(self.words, np.int64), np.array(self.moved, np.intp))


def places(ranges: Sequence[range], steps: Sequence[int], origin: Sequence[int]) -> Ints:
    """Offsets of the points of a box in their order, the last axis innermost, from that of the origin."""
    total = np.zeros(1, np.int64)
    for numbers, step, first in zip(ranges, steps, origin, strict=True):
        along = np.arange(numbers.start - first, numbers.stop - first, dtype=np.int64) * step
        total = along + total[0] if len(total) == 1 else (total[:, None] + along).reshape(-1)
    return total
