"""Writes the program of a schedule: what is the same for every kind. Subclasses add weights, copies and ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from tconv.jit.kernels.abi import Context, Header, Piece
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.cuts import PIECES, finer, shares
from tconv.jit.programs.packing import PACKINGS, Packer, Packing
from tconv.jit.programs.program import Program, Scratch, program


class Tables(ABC):
    """The tables of a schedule, for a number of threads."""

    #: The schedule, with chunks small enough for the threads; each subclass knows its own.
    s: Any
    #: Bytes of an element.
    size: int

    def __init__(self, schedule: Any, threads: int, tiles: int) -> None:
        problem = schedule.problem
        # Weights that are packed on the fly would be so for every chunk.
        cache_block = schedule.cache_block
        if not schedule.on_the_fly:
            cache_block = finer(cache_block, [len(span) for span in schedule.spans], problem.groups, tiles, threads)
        self.s = schedule if cache_block == schedule.cache_block else replace(schedule, cache_block=cache_block)
        self.threads, self.number_of_tiles, self.size = threads, tiles, problem.itemsize
        self.packer = Packer(self.size, schedule.lanes)
        self.code, self.layer = self.s.code, self.s.layer
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
    def chunks(self) -> tuple[Ints, Ints]:
        """For each chunk the words of its pieces up to those of tiles; and the copies and ops of all.

        Chunks with nothing to compute are left out. Offsets of ops count from where the chunk begins.
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

    def write(self) -> Program:
        """The program."""
        s, groups = self.s, self.s.problem.groups
        packing = PACKINGS.of(self.layer, self._packing)
        chunks, ops = self.chunks()
        parts = 1 if self.threads == 1 else -(-PIECES * self.threads // (len(chunks) * groups))
        tiles = shares(range(self.number_of_tiles), parts)
        pieces = np.zeros((len(chunks), groups, len(tiles), len(Piece)), np.int64)
        pieces[..., : Piece.TILE] = chunks[:, None, None]
        group = np.arange(groups)[:, None]
        pieces[..., Piece.X] += group * s.layout.x_group
        pieces[..., Piece.W] = group * (packing.size // groups)
        pieces[..., Piece.Y] += group * s.layout.y_group
        pieces[..., Piece.TILE] = [part.start for part in tiles]
        pieces[..., Piece.TILE_END] = [part.stop for part in tiles]
        scratch = Scratch.of(s.panel, s.block, packing.window)
        return program(self.code, self.header(), self.sizes(), packing, scratch, pieces, ops, s.layout.y_channel)

    def _packing(self) -> Packing:
        for g in range(self.s.problem.groups):
            self.weights(g)
        return self.packer.packing()
