"""Rows of x on their way into the panel, as an array: a row for each, of the words in `SOURCE` to `BEHIND`.

SOURCE, TARGET   bytes, of the first element, in x and in the panel
LENGTH           elements
BEFORE, BEHIND   zeros on both sides
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tconv.jit.lines import Line
from tconv.jit.templates import Ints

SOURCE, TARGET, LENGTH, BEFORE, BEHIND = range(5)


class Cells:
    """The cells of the outer axes that a chunk reads, in the order of its panel; those beside x among them."""

    def __init__(self, lines: Sequence[Line], box: Sequence[range], slots: Sequence[int]) -> None:
        cells = [np.array(line.cells(q), np.int64) for line, q in zip(lines, box, strict=False)]
        self.exist: NDArray[np.bool_] = np.ones(1, bool)  #: which of them are cells of x
        self.source: Ints = np.zeros(1, np.int64)  #: bytes from the first cell of x
        self.slot: Ints = np.zeros(1, np.int64)  #: the number of a row of the panel
        for along, line, n in zip(cells, lines, slots, strict=True):
            exist = (along >= 0) & (along < line.read)
            self.exist = (self.exist[:, None] & exist).reshape(-1)
            self.source = (self.source[:, None] + along * line.x_step).reshape(-1)
            self.slot = (self.slot[:, None] * n + np.arange(len(along))).reshape(-1)


def rows_of(source: Ints, target: Ints, length: int, before: int, behind: int) -> Ints:
    """Rows that are alike but for where they lie."""
    rows = np.empty((len(source), 5), np.int64)
    rows[:, SOURCE], rows[:, TARGET] = source, target
    rows[:, LENGTH:] = length, before, behind
    return rows


def joined(rows: Ints, itemsize: int, cell: int) -> Ints:
    """Rows that follow each other, in x and `cell` bytes a cell in the panel too, as one that is longer."""
    length, apart = rows[:-1, LENGTH], np.diff(rows[:, :LENGTH], axis=0)
    follows = (apart[:, 0] == length * itemsize) & (apart[:, 1] == length * cell)
    follows &= (rows[:-1, BEHIND] == 0) & (rows[1:, BEFORE] == 0)
    if not follows.any():
        return rows
    starts = np.flatnonzero(np.append(True, ~follows))
    found = rows[starts]
    found[:, LENGTH] = np.add.reduceat(rows[:, LENGTH], starts)
    found[:, BEHIND] = rows[np.append(starts[1:], len(rows)) - 1, BEHIND]
    return found


def evenly(places: Ints, alike: Ints | None = None) -> Iterator[tuple[int, int, list[int]]]:
    """Runs of entries that are evenly spaced, and alike: the first, how many, and how far apart; 0 for one alone."""
    steps = np.diff(places, axis=0)
    changes = np.any(steps[1:] != steps[:-1], axis=1)
    same = np.ones(len(steps), bool) if alike is None else ~np.any(alike[1:] != alike[:-1], axis=1)
    # Steps between which a run may go on: equal ones, between entries that are alike.
    breaks = np.flatnonzero(changes | (same[1:] != same[:-1])) + 1
    start, ends = 0, iter([*breaks.tolist(), len(steps)])
    end = next(ends)
    while start < len(places):
        while end <= start and end < len(steps):
            end = next(ends)
        if start == len(places) - 1 or not same[start]:
            yield start, 1, [0] * places.shape[1]
            start += 1
        else:
            yield start, end + 1 - start, steps[start].tolist()
            start = end + 1
