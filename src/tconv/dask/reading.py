"""What blocks read, by its places: the array in chunks, and which chunks, or rims of chunks, each block needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

from dask._task_spec import TaskRef

from tconv.arguments import Layout
from tconv.cached import cached_property
from tconv.dask.along import Along, Chunks, Range
from tconv.dask.gathering import Box

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Grid:
    """A Dask array that is read, in chunks of whole channels."""

    name: str
    batches: Chunks | None  #: None without a batch axis
    chunks: tuple[Chunks, ...]  #: of the axes of size
    channels: int
    layout: Layout

    def key(self, name: str, batch: tuple[int, ...], block: tuple[int, ...]) -> Key:
        """The key of a block, in an array of this form."""
        return (name, *batch, *block, 0) if self.layout == "channels_last" else (name, *batch, 0, *block)

    @property
    def images(self) -> list[tuple[int, ...]]:
        """The places of a key before those of the channels and sizes, for each chunk of images."""
        return [()] if self.batches is None else [(i,) for i in range(len(self.batches))]

    def split(self, key: Key) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The places of the images and of the block from a key."""
        first = 1 if self.batches is None else 2
        inner = key[first:-1] if self.layout == "channels_last" else key[first + 1 :]
        return key[1:first], inner

    def shape(self, batch: tuple[int, ...], channels: int, size: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a block of so many channels and cells."""
        images = () if self.batches is None else (self.batches[batch[0]],)
        return (*images, *size, channels) if self.layout == "channels_last" else (*images, channels, *size)


class Reading:
    """Which chunks, and rims of chunks, blocks take their pieces from.

    It is found out where tasks are made, which may be in a scheduler elsewhere.
    """

    def __init__(self, grid: Grid, rims: str, axes: tuple[tuple[Along, ...], ...]) -> None:
        #: `rims`: the name of the layer of rims; "": all of the chunks stay in memory anyway.
        self.grid, self.rims, self.axes = grid, rims, axes
        self._boxes: dict[Any, tuple[Box, ...]] = {}
        self._through: dict[Any, list[bool]] = {}
        self._sources: dict[Any, TaskRef] = {}

    def __reduce__(self) -> Any:
        return Reading, (self.grid, self.rims, self.axes)

    def without_rims(self) -> Reading:
        """The same from chunks alone."""
        return Reading(self.grid, "", self.axes)

    @cached_property
    def cuts(self) -> list[list[tuple[int, tuple[Range, ...]]]]:
        """For each axis and chunk, its length and all that blocks read of it."""
        return [_cuts(chunks, along) for chunks, along in zip(self.grid.chunks, self.axes, strict=True)]

    def boxes(self, chunk: tuple[int, ...]) -> tuple[Box, ...]:
        """The boxes in the rim of a chunk: those of less than half of it, if together they are so little too."""
        if not self.rims:
            return ()
        cuts = tuple(self.cuts[axis][number] for axis, number in enumerate(chunk))
        if cuts not in self._boxes:
            whole = prod(length for length, _ in cuts)
            small = [box for box in product(*(ranges for _, ranges in cuts)) if 2 * _cells(box) < whole]
            self._boxes[cuts] = tuple(small) if 2 * sum(map(_cells, small)) < whole else ()
        return self._boxes[cuts]

    def sources(self, batch: tuple[int, ...], along: tuple[Along, ...]) -> list[TaskRef]:
        """What a block reads, piece by piece."""
        chunks = list(product(*(one.chunks for one in along)))
        form = tuple((id(one.part), *(id(self.cuts[axis][n]) for n in one.chunks)) for axis, one in enumerate(along))
        through = self._through.get(form)
        if through is None:
            boxes = product(*([piece.cells for piece in one.part.pieces] for one in along))
            through = [box in self.boxes(chunk) for chunk, box in zip(chunks, boxes, strict=True)]
            self._through[form] = through
        return [self._source(batch, chunk, by) for chunk, by in zip(chunks, through, strict=True)]

    def _source(self, batch: tuple[int, ...], chunk: tuple[int, ...], through: bool) -> TaskRef:
        """The rim of a chunk, or itself: one object for all the blocks around it, which are 27 in a volume."""
        found = self._sources.get((batch, chunk, through))
        if found is None:
            key = self.grid.key(self.rims if through else self.grid.name, batch, chunk)
            found = self._sources[batch, chunk, through] = TaskRef(key)
        return found


def _cuts(chunks: Chunks, blocks: tuple[Along, ...]) -> list[tuple[int, tuple[Range, ...]]]:
    found: list[dict[Range, None]] = [{} for _ in chunks]
    for block in blocks:
        for number, piece in zip(block.chunks, block.part.pieces, strict=True):
            found[number][piece.cells] = None
    known: dict[Any, Any] = {}
    made = [(length, tuple(ranges)) for length, ranges in zip(chunks, found, strict=True)]
    return [known.setdefault(cuts, cuts) for cuts in made]


def _cells(box: Box) -> int:
    return prod(stop - start for start, stop in box)
