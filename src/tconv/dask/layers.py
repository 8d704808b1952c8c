"""The graph: layers whose tasks are made when they are asked for, so that a slice of a result costs what is in it.

    chunks of the grid  ->  rims: what neighbours need of a chunk  ->  blocks

A block takes the chunks that it needs most of, and of others the boxes near their faces, which a task has copied: those
chunks can be forgotten, and what travels between workers is small. The weights are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from itertools import product
from typing import Any

from dask._task_spec import Task, TaskRef
from dask.highlevelgraph import Layer, MaterializedLayer

from tconv.cached import cached_property
from tconv.dask.along import bounds
from tconv.dask.blocks import Gradient, blank, computed, partial_gradient, stored, stored_blank
from tconv.dask.gathering import rim
from tconv.dask.reading import Key, Reading
from tconv.dask.target import Place


class TasksLater(Layer):
    """A layer of one task for each key, made when it is asked for."""

    has_legacy_tasks = False  # or Dask would look at all of them

    def __init__(self, name: str, reading: Reading, keys: list[Key]) -> None:
        super().__init__()
        self.name, self.reading, self._keys = name, reading, dict.fromkeys(keys)
        self._tasks: dict[Key, Task] = {}

    def task(self, key: Key) -> Task:
        """The task of a key."""
        raise NotImplementedError

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
        """All keys, in the order of the blocks."""
        return self._keys.keys()

    def cull(self, keys: set[Any], all_hlg_keys: Any) -> tuple[Layer, dict[Any, set[Any]]]:
        """The tasks of some keys, and what they need."""
        tasks = {key: self[key] for key in self._keys if key in keys}
        return MaterializedLayer(tasks, annotations=self.annotations), {
            k: set(t.dependencies) for k, t in tasks.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tasks": {}}


class Rims(TasksLater):
    """What the blocks around each chunk need of it. Where that is nothing, no block asks for the task."""

    def __init__(self, name: str, reading: Reading) -> None:
        grid = reading.grid
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
    """The blocks of conv_transpose or conv; weights, the residual and the target are named, "" where there is none."""

    def __init__(
        self, name: str, reading: Reading, weights: str, channels: int, residual: str, target: str = ""
    ) -> None:
        grid = reading.grid
        blocks = list(product(*(range(len(axis)) for axis in reading.axes)))
        super().__init__(name, reading, [grid.key(name, batch, block) for batch in grid.images for block in blocks])
        self.weights, self.channels, self.residual, self.target = weights, channels, residual, target

    def stored(self, name: str, target: str, *, rims: bool) -> Blocks:
        """The layer of tasks that compute the same blocks where they belong; without rims where chunks stay anyway."""
        reading = self.reading if rims else self.reading.without_rims()
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
        sizes = [bounds(tuple(one.part.size for one in axis)) for axis in self.reading.axes]
        batches = self.reading.grid.batches
        return sizes if batches is None else [bounds(batches), *sizes]


class Gradients(TasksLater):
    """The weight gradients of the blocks of x, which are to be added up; those that read nothing of y are left out."""

    def __init__(self, name: str, reading: Reading, x: str, task: Gradient) -> None:
        grid = reading.grid
        inner = [[i for i, one in enumerate(axis) if one.part.pieces] for axis in reading.axes]
        images = [batch for batch in grid.images if grid.batches is None or grid.batches[batch[0]]]
        super().__init__(name, reading, [grid.key(name, batch, block) for batch in images for block in product(*inner)])
        self.x, self.gradient = x, task

    def task(self, key: Key) -> Task:
        """Gather what the block of x meets in y."""
        grid = self.reading.grid
        batch, block = grid.split(key)
        along = tuple(axis[i] for axis, i in zip(self.reading.axes, block, strict=True))
        x = TaskRef(grid.key(self.x, batch, block))
        parts = tuple(one.part for one in along)
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
