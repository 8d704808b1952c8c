"""Tiles of pixels that span rows: which rows each reaches, and ops of different lengths put into their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.program import balanced
from tconv.jit.templates import Ints, Template


class Spanning:
    """The tiles of so many rows, `pitch` elements apart in the flat panel, of `cells` elements in all."""

    def __init__(self, cells: int, pitch: int, rows: int, lanes: int, most: int) -> None:
        self.vectors = np.array(balanced(-(-cells // lanes), most), np.int64)  #: of each tile
        ends = np.cumsum(self.vectors) * lanes
        self.at = ends - self.vectors * lanes  #: the first element of each
        self.first = self.at // pitch  #: the first row of each, and the last
        self.last = np.minimum((ends - 1) // pitch, rows - 1)
        self.rows = self.last - self.first + 1

    @cached_property
    def reached(self) -> tuple[Ints, Ints]:
        """Every pair of a tile and a row that it spans."""
        which = np.repeat(np.arange(len(self.at)), self.rows)
        before = np.cumsum(self.rows) - self.rows
        return which, np.arange(len(which)) - before[which] + self.first[which]


class Segments:
    """The segments of tiles, in their order: of which tile each is, its words, and whether it has any lane."""

    def __init__(self, which: Ints, words: Ints, exist: NDArray[np.bool_], tiles: int) -> None:
        self.words = words[exist]
        self.count = np.bincount(which[exist], minlength=tiles)  #: of each tile
        self.start = np.cumsum(self.count) - self.count

    def of(self, tiles: Ints) -> Ints:
        """Those of some tiles that have equally many, a row for each."""
        numbers = self.start[tiles][:, None] + np.arange(self.count[tiles[0]])
        words: Ints = self.words[numbers].reshape(len(tiles), -1)
        return words


class Ragged:
    """Ops of different lengths, put into the order of what they are for."""

    def __init__(self, count: int) -> None:
        self.length = np.zeros(count, np.int64)
        self.parts: list[tuple[Ints, Ints, NDArray[np.intp]]] = []

    def put(self, which: Ints, ops: Ints, moved: NDArray[np.intp]) -> None:
        """Ops for some of them, and what moves each of their words."""
        self.length[which] = ops.shape[1]
        self.parts.append((which, ops, moved))

    def template(self) -> Template:
        """All of them."""
        start = np.cumsum(self.length) - self.length
        template = Template(np.empty(self.length.sum(), np.int64), np.empty(self.length.sum(), np.intp))
        for which, ops, moved in self.parts:
            at = start[which][:, None] + np.arange(ops.shape[1])
            template.words[at], template.moved[at] = ops, moved
        return template
