"""Writes the program of a schedule: what is the same for every kind. Subclasses add weights, copies and ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv.jit.kernels.abi import Context, Header, Piece
from tconv.jit.lines import meets
from tconv.jit.packing import Packer, Packing, kept
from tconv.jit.program import PIECES, Program, Scratch, Writer, dot, finer, flat, shares, spans


class Tables(ABC):
    """The tables of a schedule, for a number of threads."""

    #: The schedule, with chunks small enough for the threads; each subclass knows its own.
    s: Any
    #: Bytes of an element.
    size: int

    def __init__(self, schedule: Any, threads: int, tiles: int) -> None:
        problem = schedule.problem
        # Weights that are packed on the way would be so for every chunk.
        fresh = getattr(schedule, "fresh", False)
        box = (
            schedule.box
            if fresh
            else finer(schedule.box, [len(span) for span in schedule.spans], problem.groups, tiles, threads)
        )
        self.s = replace(schedule, box=box)
        self.threads, self.number_of_tiles, self.size = threads, tiles, problem.itemsize
        self.writer = Writer(self.size, schedule.layout.y_channel)
        self.packer = Packer(self.size, schedule.lanes)
        self.code = self.s.code
        self.copy = len(self.code.kernels) - 1  #: the last kernel of every schedule fills the panel

    @abstractmethod
    def header(self) -> dict[Header, int]:
        """Where kernels read and write, and the order of loops."""

    @abstractmethod
    def sizes(self) -> dict[Context, int]:
        """The sizes that all ops share."""

    @abstractmethod
    def weights(self, g: int) -> None:
        """Write the blocks of the weights of a group, and the tiles with the first; all follows from `s.layer`."""

    @abstractmethod
    def copies(self, box: tuple[range, ...]) -> None:
        """Write the ops that fill the panel for a chunk."""

    @abstractmethod
    def ops(self, box: tuple[range, ...], later: tuple[range, ...] | None, moved: int) -> None:
        """Write the ops that compute a chunk; a thread's next is probably `later`, `moved` bytes further in x.

        Offsets in x and y count from where the chunk begins (`bases`).
        """

    def bias(self, g: int) -> int:
        """Write the block of the bias of a group; returns where it begins in the packed weights."""
        written, w = self.s.written, self.packer
        at = w.reserve(w.room(1, written))
        w.block(at, [range(written)], source=g * written, bias=True)
        return at

    def first_weight(self, g: int) -> int:
        """The number of the first weight of a group."""
        p = self.s.problem
        return int(g * p.cin * p.cout * p.taps)

    def bases(self, box: Sequence[range]) -> tuple[int, int]:
        """Where a chunk begins in x and in y: the offsets of its ops count from there."""
        lines, s = self.s.layout.lines, self.s
        x = dot([q.start for q in box], [line.read_step for line in lines])
        return x, dot([q.start for q in box], [line.pixel_step for line in lines]) - s.origin * s.last.y_step

    def write(self) -> Program:
        """The program."""
        s, w, groups = self.s, self.writer, self.s.problem.groups
        packing = kept(s.layer, self._packing)
        chunks = self._chunks()
        parts = 1 if self.threads == 1 else -(-PIECES * self.threads // (len(chunks) * groups))
        tiles = shares(range(self.number_of_tiles), parts)
        w.pieces = pieces = np.zeros((len(chunks), groups, len(tiles), len(Piece)), np.int64)
        pieces[..., : Piece.TILE] = chunks[:, None, None]
        group = np.arange(groups)[:, None]
        pieces[..., Piece.X] += group * s.layout.x_group
        pieces[..., Piece.W] = group * (packing.size // groups)
        pieces[..., Piece.Y] += group * s.layout.y_group
        pieces[..., Piece.TILE] = [part.start for part in tiles]
        pieces[..., Piece.TILE_END] = [part.stop for part in tiles]
        scratch = Scratch.of(s.panel, s.block, packing.window)
        return w.finish(self.code, self.header(), self.sizes(), packing, scratch)

    def _packing(self) -> Packing:
        for g in range(self.s.problem.groups):
            self.weights(g)
        return self.packer.packing()

    def _chunks(self) -> NDArray[np.int64]:
        """For each chunk, but for those with nothing to compute, the words of its pieces up to those of tiles.

        Chunks that have to do with the ends of all axes alike share their copies and ops, which are written once.
        """
        s, lines = self.s, self.s.layout.lines
        cuts = [spans(span, n) for span, n in zip(s.spans, s.box, strict=True)]
        kinds = [
            _numbered([meets(line, q, origin) for q in cut])
            for line, cut, origin in zip(lines, cuts, s.origins, strict=True)
        ]
        shape, steps = [len(cut) for cut in cuts], [(line.read_step, line.pixel_step) for line in lines]
        found = np.zeros((*shape, Piece.TILE), np.int64)
        for axis, (cut, (x, y)) in enumerate(zip(cuts, steps, strict=True)):
            along = np.array([q.start for q in cut]).reshape(-1, *[1] * (len(cuts) - 1 - axis))
            found[..., Piece.X] += along * x
            found[..., Piece.Y] += along * y
        found[..., Piece.Y] -= s.origin * s.last.y_step
        spans_of_ops = range(Piece.COPIES, Piece.TILE)
        for of_axes in product(*kinds):
            first = [members[0] for members in of_axes]
            found[np.ix_(*of_axes, spans_of_ops)] = self._written(cuts, first)
        flat = found.reshape(-1, Piece.TILE)
        return flat[flat[:, Piece.OPS_END] > flat[:, Piece.OPS]]

    def _written(self, cuts: list[list[range]], which: list[int]) -> tuple[int, int, int, int]:
        """Write the copies and the ops of a chunk; their spans."""
        box, start = tuple(cut[n] for cut, n in zip(cuts, which, strict=True)), self.writer.here
        self.copies(box)
        middle = self.writer.here
        self.ops(box, *self._later(cuts, which))
        return start, middle, middle, self.writer.here

    def _later(self, cuts: list[list[range]], which: list[int]) -> tuple[tuple[range, ...] | None, int]:
        """The chunk that a thread will probably do next, after those that the others do, and how much further in x.

        None after the last one.
        """
        box, shape = tuple(cut[n] for cut, n in zip(cuts, which, strict=True)), [len(cut) for cut in cuts]
        if self.s.problem.groups > 1:
            return box, self.threads * self.s.layout.x_group
        number = flat(which, shape) + self.threads
        if number >= prod(shape):
            return None, 0
        there = np.unravel_index(number, shape)
        return tuple(cut[n] for cut, n in zip(cuts, there, strict=True)), 0


def _numbered(keys: list[tuple[int, ...]]) -> list[list[int]]:
    """The numbers of equal keys, together."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return list(found.values())
