"""The graph: layers whose tasks are made when they are asked for, so that a slice of a result costs what is in it.

    chunks of the grid  ->  rims: what neighbours need of a chunk  ->  blocks

A block takes the chunks that it needs most of, and of others the boxes near their faces, which a task has copied: those
chunks can be forgotten, and what travels between workers is small. The weights are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

from dask._task_spec import Task, TaskRef
from dask.highlevelgraph import Layer, MaterializedLayer

from tconv.arguments import Layout
from tconv.cached import cached_property
from tconv.dask.along import Along, Chunks, Part, Range, bounds
from tconv.dask.blocks import Box, Gradient, blank, computed, partial_gradient, rim, stored, stored_blank
from tconv.dask.target import Place

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
    """Which chunks, and rims of chunks, blocks take their pieces from."""

    def __init__(self, grid: Grid, rims: str, axes: tuple[tuple[Along, ...], ...]) -> None:
        #: `rims`: the layer of rims; "": all of the chunks stay in memory anyway.
        self.grid, self.rims, self.axes = grid, rims, axes
        #: For each axis and chunk, its length and all that blocks read of it.
        self.cuts = [_cuts(chunks, along) for chunks, along in zip(grid.chunks, axes, strict=True)]
        self._boxes: dict[Any, tuple[Box, ...]] = {}
        self._through: dict[Any, list[bool]] = {}
        self._sources: dict[Any, TaskRef] = {}

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


class TasksLater(Layer):
    """A layer of one task for each key, made when it is asked for."""

    has_legacy_tasks = False  # or Dask would look at all of them

    def __init__(self, name: str, reading: tuple[Any, ...], keys: list[Key]) -> None:
        super().__init__()
        self.name, self._made_of, self._keys = name, reading, dict.fromkeys(keys)
        self._tasks: dict[Key, Task] = {}

    def task(self, key: Key) -> Task:
        """The task of a key."""
        raise NotImplementedError

    @cached_property
    def reading(self) -> Reading:
        """What blocks read; it is found out where tasks are made, which may be in a scheduler elsewhere."""
        return Reading(*self._made_of)

    @property
    def names(self) -> list[Key]:
        """All keys, in the order of the blocks."""
        return list(self._keys)

    def __getitem__(self, key: Any) -> Task:
        if key not in self._tasks:
            if key not in self._keys:
                raise KeyError(key)
            self._tasks[key] = self.task(key)
        return self._tasks[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def is_materialized(self) -> bool:
        """Whether all tasks are made."""
        return False

    def get_output_keys(self) -> Set[Any]:
        """All keys."""
        return self._keys.keys()

    def cull(self, keys: set[Any], all_hlg_keys: Any) -> tuple[Layer, dict[Any, set[Any]]]:
        """The tasks of some keys, and what they need."""
        tasks = {key: self[key] for key in self._keys if key in keys}
        return MaterializedLayer(tasks, annotations=self.annotations), {
            k: set(t.dependencies) for k, t in tasks.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "reading"}
        return {**state, "_tasks": {}}


class Rims(TasksLater):
    """What the blocks around each chunk need of it. Where that is nothing, no block asks for the task."""

    def __init__(self, name: str, reading: tuple[Any, ...]) -> None:
        grid = reading[0]
        chunks = list(product(*(range(len(chunks)) for chunks in grid.chunks)))
        super().__init__(name, reading, [grid.key(name, batch, chunk) for batch in grid.images for chunk in chunks])

    def task(self, key: Key) -> Task:
        """Cut the boxes off."""
        grid = self.reading.grid
        batch, chunk = grid.split(key)
        return Task(key, rim, TaskRef(grid.key(grid.name, batch, chunk)), self.reading.boxes(chunk), grid.layout)


class Apart(Task):
    """A task that Dask does not fuse with the one after it, such as that which stores a block.

    A fused task orders all that it needs each time it runs, the rims of 26 chunks here: half a millisecond a block.
    """

    __slots__ = ()

    @property
    def block_fusion(self) -> bool:
        """Whether Dask leaves it alone."""
        return True


class Blocks(TasksLater):
    """The blocks of conv_transpose or conv."""

    def __init__(
        self, name: str, reading: tuple[Any, ...], weights: str, channels: int, residual: str, target: str = ""
    ) -> None:
        grid, _, axes = reading
        blocks = list(product(*(range(len(axis)) for axis in axes)))
        super().__init__(name, reading, [grid.key(name, batch, block) for batch in grid.images for block in blocks])
        self.weights, self.channels, self.residual, self.target = weights, channels, residual, target

    @property
    def reads(self) -> str:
        """The name of the array that is read."""
        return self._made_of[0].name

    def stored(self, name: str, target: str, *, rims: bool) -> Blocks:
        """The layer of tasks that compute the same blocks where they belong; without rims where chunks stay anyway."""
        grid, of_rims, axes = self._made_of
        reading = grid, of_rims if rims else "", axes
        return Blocks(name, reading, self.weights, self.channels, self.residual, target)

    def task(self, key: Key) -> Task:
        """Gather what the block reads, and compute it; the residual is in chunks of the result."""
        batch, block = self.reading.grid.split(key)
        along = tuple(axis[i] for axis, i in zip(self.reading.axes, block, strict=True))
        parts = tuple(one.part for one in along)
        residual = TaskRef((self.residual, *key[1:])) if self.residual else None
        weights, nothing = TaskRef(self.weights), not all(part.pieces for part in parts)
        if self.target:
            there = TaskRef(self.target), self._place(batch, block)
            if nothing:
                return Task(key, stored_blank, *there, weights, residual)
            return Apart(key, stored, *there, weights, residual, parts, *self.reading.sources(batch, along))
        if nothing:
            shape = self.reading.grid.shape(batch, self.channels, tuple(part.size for part in parts))
            return Task(key, blank, weights, residual, shape)
        return Apart(key, computed, weights, residual, parts, *self.reading.sources(batch, along))

    def _place(self, batch: tuple[int, ...], block: tuple[int, ...]) -> Place:
        """Where a block belongs in the result."""
        images = [slice(*self._ends[0][i : i + 2]) for i in batch]
        cells = [slice(*ends[i : i + 2]) for ends, i in zip(self._ends[-len(block) :], block, strict=True)]
        return (*images, *cells) if self.reading.grid.layout == "channels_last" else (*images, slice(None), *cells)

    @cached_property
    def _ends(self) -> list[list[int]]:
        """Where the blocks begin along the batch, if there is one, and each axis of size."""
        grid, _, axes = self._made_of
        sizes = [bounds(tuple(one.part.size for one in axis)) for axis in axes]
        return sizes if grid.batches is None else [bounds(grid.batches), *sizes]


class Gradients(TasksLater):
    """The weight gradients of the blocks of x, which are to be added up; those that read nothing of y are left out."""

    def __init__(self, name: str, reading: tuple[Any, ...], x: str, task: Gradient) -> None:
        grid, _, axes = reading
        inner = [[i for i, one in enumerate(axis) if one.part.pieces] for axis in axes]
        images = [batch for batch in grid.images if not batch or grid.batches[batch[0]]]
        super().__init__(name, reading, [grid.key(name, batch, block) for batch in images for block in product(*inner)])
        self.x, self.gradient = x, task

    def task(self, key: Key) -> Task:
        """Gather what the block of x meets in y."""
        grid = self.reading.grid
        batch, block = grid.split(key)
        along = tuple(axis[i] for axis, i in zip(self.reading.axes, block, strict=True))
        x = TaskRef(grid.key(self.x, batch, block))
        parts: tuple[Part, ...] = tuple(one.part for one in along)
        return Task(key, partial_gradient, self.gradient, parts, x, *self.reading.sources(batch, along))


#: Weight gradients that are added up by one task.
ADDED = 8


def sums(
    name: str, keys: list[Key], last: Key, total: Callable[..., Any], dtypes: tuple[str, str]
) -> MaterializedLayer:
    """Tasks that add up, in the order of the keys, a few at a time; the last has a key of its own."""
    tasks: dict[Any, Task] = {}
    level = 0
    while len(keys) > ADDED:
        above = []
        for start in range(0, len(keys), ADDED):
            key = (name, level, start // ADDED)
            tasks[key] = Task(key, total, dtypes[0], *map(TaskRef, keys[start : start + ADDED]))
            above.append(key)
        keys, level = above, level + 1
    tasks[last] = Task(last, total, dtypes[1], *map(TaskRef, keys))
    return MaterializedLayer(tasks)
