"""One operation of a stream: the last cells that were read are its state, and results are computed from them at once.

No partial sums are kept: a result is computed in one piece, when the last cell that it reads has come, by the layer
that would also compute the whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from tconv.streaming.pace import Ladder, Pace


class Layer(ABC):
    """An operation on arrays of some library, cut along one axis, counted from the end."""

    pace: Pace
    axis: int
    finite: bool  #: whether zeros beside the grid do no harm: they do where a weight is not finite

    @abstractmethod
    def check(self, cells: Any) -> None:
        """These are cells that it reads, any number of them; raises `Rejected`."""

    @abstractmethod
    def run(self, cells: Any) -> Any:
        """The units that these cells give."""

    @abstractmethod
    def exact(self, cells: Any, start: int, stop: int, first: int, read: int) -> Any:
        """The results [start, stop), from the cells [first, read), with no zero beside the grid."""

    @abstractmethod
    def none(self, cells: Any) -> Any:
        """No results, in the shape that those of such cells have."""

    @abstractmethod
    def kept(self, cells: Any) -> Any:
        """A copy that keeps no other cells alive."""

    @abstractmethod
    def zeros(self, like: Any, count: int) -> Any:
        """So many cells of zeros beside others."""

    @abstractmethod
    def joined(self, parts: list[Any]) -> Any:
        """Cells after others, in a new array."""

    def length(self, cells: Any) -> int:
        """How many cells there are."""
        return int(cells.shape[self.axis])

    def others(self, cells: Any) -> tuple[int, ...]:
        """All sizes but the number of cells."""
        place = cells.ndim + self.axis
        return (*cells.shape[:place], *cells.shape[place + 1 :])

    def cut(self, cells: Any, start: int, stop: int) -> Any:
        """Some of them, without a copy."""
        return cells[(..., slice(start, stop), *[slice(None)] * (-1 - self.axis))]


class Stage:
    """The state of one operation: the cells that later results read, and how many have come and gone."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._sizes = Ladder()
        self.reset()

    def reset(self) -> None:
        """Forget all cells: the next one is the first."""
        self.held: Any = None
        self.read = self.done = 0

    def push(self, cells: Any, *, last: bool = False) -> Any:
        """The results that these cells finish; after the last cells, all that are left."""
        layer, pace = self.layer, self.layer.pace
        read = self.read + layer.length(cells)
        stop = pace.total(read) if last else pace.finished(read)
        cells = layer.joined([cells] if self.held is None else [self.held, cells])
        result = layer.none(cells) if stop <= self.done else self._computed(cells, self.done, stop, read)
        # Only now, so that an error in between leaves all as it was.
        self.read, self.done = read, max(self.done, stop)
        held = layer.length(cells)
        gone = max(0, min(held, pace.first(self.done) - read + held))
        self.held = layer.kept(layer.cut(cells, gone, held))
        return result

    def _computed(self, cells: Any, start: int, stop: int, read: int) -> Any:
        """The results [start, stop) from all cells that are held, the last of which is the last that was read."""
        layer, pace = self.layer, self.layer.pace
        first_held = read - layer.length(cells)
        if not layer.finite:
            return layer.exact(cells, start, stop, first_held, read)
        first, units, offset = pace.units(start, stop)
        end = first + pace.cells(self._sizes.at_least(units))
        inner = layer.cut(cells, max(0, first - first_held), max(0, min(end, read) - first_held))
        before = max(0, min(-first, end - first))
        after = end - first - before - layer.length(inner)
        if before or after:
            inner = layer.joined([layer.zeros(cells, before), inner, layer.zeros(cells, after)])
        result = layer.run(inner)
        if (offset, stop - start) == (0, layer.length(result)):
            return result
        return layer.kept(layer.cut(result, offset, offset + stop - start))
