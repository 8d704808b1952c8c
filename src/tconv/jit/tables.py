"""Writes the program of a schedule: what is the same for every kind. Subclasses add weights, copies and ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from tconv.jit.kernels.abi import Context, Header, Piece
from tconv.jit.program import PIECES, Program, Writer, finer, shares, spans


class Tables(ABC):
    """The tables of a schedule, for a number of threads."""

    #: The schedule, with chunks small enough for the threads; each subclass knows its own.
    s: Any
    #: Bytes of an element.
    size: int
    #: Bytes of scratch for weights that are packed on the way.
    window = 0

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
        self.writer = Writer(self.size, schedule.lanes)
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
        """Write the blocks of the weights of a group, and the tiles with the first."""

    @abstractmethod
    def copies(self, box: tuple[range, ...]) -> None:
        """Write the ops that fill the panel for a chunk."""

    @abstractmethod
    def ops(self, box: tuple[range, ...], later: tuple[range, ...], moved: int) -> None:
        """Write the ops that compute a chunk; a thread's next is probably `later`, `moved` bytes further in x."""

    def bias(self, g: int) -> int:
        """Write the block of the bias of a group; returns where it begins in the packed weights."""
        written, w = self.s.written, self.writer
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
        chunks = list(self._chunks())
        for g in range(groups):
            self.weights(g)
        group = self.writer.packed // groups
        parts = 1 if self.threads == 1 else -(-PIECES * self.threads // (len(chunks) * groups))
        for chunk, g, part in product(chunks, range(groups), shares(range(self.number_of_tiles), parts)):
            x, y, *ops = chunk
            words = [x + g * s.layout.x_group, g * group, y + g * s.layout.y_group, *ops, part.start, part.stop]
            self.writer.piece(dict(zip(Piece, words, strict=True)))
        return self.writer.finish(self.code, self.header(), self.sizes(), s.panel, s.block, self.window)

    def _chunks(self) -> Iterator[tuple[int, ...]]:
        """For each chunk its offsets in x and y, its copies and its ops.

        Chunks of one image each are alike: they share their copies and ops.
        """
        s, w = self.s, self.writer
        cuts = [spans(span, n) for span, n in zip(s.spans, s.box, strict=True)]
        images = cuts[0] if s.box[0] == 1 else cuts[0][:1]
        if s.box[0] == 1:
            cuts[0] = cuts[0][:1]
        found, boxes = [], list(product(*cuts))
        for number, box in enumerate(boxes):
            start = w.here
            self.copies(box)
            middle = w.here
            self.ops(box, *self._later(boxes, number))
            if w.here > middle:
                found.append((start, middle, middle, w.here))
        batch = s.layout.lines[0]
        for image, ops in product(images, found):
            yield image.start * batch.x_step, image.start * batch.y_step, *ops

    def _later(self, boxes: list[tuple[range, ...]], number: int) -> tuple[tuple[range, ...], int]:
        """The chunk that a thread will probably do next, after those that the others do, and where its x begins."""
        s = self.s
        if s.problem.groups > 1:
            return boxes[number], self.threads * s.layout.x_group
        images, number = divmod(number + self.threads, len(boxes))
        return boxes[number], images * s.layout.lines[0].x_step
