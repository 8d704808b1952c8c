"""Writes the program of a schedule: what is the same for every kind. Subclasses add weights, copies and ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from tconv.finishing import Epilogue
from tconv.jit.kernels import Code
from tconv.jit.kernels.abi import Context, Header, Piece, Tile
from tconv.jit.kernels.finish import Finish
from tconv.jit.kernels.in_registers import QUICK
from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.cuts import PIECES, finer, shares
from tconv.jit.programs.packing import PACKINGS, Packer, Packing
from tconv.jit.programs.program import Program, Scratch, program


class Tables(ABC):
    """The tables of a schedule, for a number of threads."""

    #: The schedule, with chunks small enough for the threads; each subclass knows its own.
    s: Any
    #: The kernel of the epilogue; 0 where there is none.
    finish: int = 0
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

    def finishes(self) -> list[int]:
        """For each tile the number of whole channels that are written when it is done: those that an epilogue meets."""
        return PACKINGS.of(self.layer, self._packing).tiles[:, Tile.COUNT].tolist()  # type: ignore[no-any-return]

    def write(self, epilogue: Epilogue | None = None) -> Program:
        """The program."""
        s, groups = self.s, self.s.problem.groups
        packing = PACKINGS.of(self.layer, self._packing)
        code, finishes = self.code, list[int]()
        if epilogue and epilogue.alone in QUICK and s.completes:
            code = self.code.activated(epilogue.alone)
        elif epilogue:
            code, finishes = self._with_epilogue(epilogue, packing), self.finishes()
        self.finish = len(self.code.kernels) if finishes else 0
        chunks, ops = self.chunks()
        parts = 1 if self.threads == 1 else -(-PIECES * self.threads // (len(chunks) * groups))
        # A channel is finished by the last of the tiles that write it: no thread has only some of them.
        ends = [number + 1 for number, channels in enumerate(finishes) if channels] or range(
            1, self.number_of_tiles + 1
        )
        starts = [0, *ends]
        tiles = [range(starts[part.start], starts[part.stop]) for part in shares(range(len(ends)), parts)]
        pieces = np.zeros((len(chunks), groups, len(tiles), len(Piece)), np.int64)
        pieces[..., : Piece.TILE] = chunks[:, None, None]
        group = np.arange(groups)[:, None]
        pieces[..., Piece.X] += group * s.layout.x_group
        pieces[..., Piece.W] = group * (packing.size // groups)
        pieces[..., Piece.Y] += group * s.layout.y_group
        pieces[..., Piece.TILE] = [part.start for part in tiles]
        pieces[..., Piece.TILE_END] = [part.stop for part in tiles]
        scratch = Scratch.of(s.panel, s.block, packing.window)
        arrays = packing, scratch, pieces, ops
        return program(code, self.header(), self.sizes(), *arrays, s.layout.y_channel, finishes)

    def _packing(self) -> Packing:
        for g in range(self.s.problem.groups):
            self.weights(g)
        return self.packer.packing()

    def _with_epilogue(self, epilogue: Epilogue, packing: Packing) -> Code:
        """Behind the other kernels that of the epilogue, for each variant of a tile: an op calls that of its tile."""
        element, lanes = self.code.element, self.code.lanes
        innermost = self.s.layout.y_channel == self.size
        words = innermost, epilogue.activation, epilogue.parameter, epilogue.residual
        variants = 1 + int(packing.tiles[:, Tile.VARIANT].max())
        # What is done with results finds them in the caches.
        kernels = [
            replace(each, streaming=False) if getattr(each, "streaming", False) else each for each in self.code.kernels
        ]
        return Code(element, lanes, (*kernels, *[Finish(element, lanes, *words)] * variants))
