"""Memory that checks every access: what interpreted kernels (`meaning.py`) read and write."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from tconv.problem import Array

#: How many elements, and bytes from one to the next.
Extent: TypeAlias = tuple[int, int]


class OutOfBounds(IndexError):
    """An access beside the memory it is meant for; the text says which."""


class Offsets(NamedTuple):
    """Distances from some place to elements, and the least and the greatest of them in bytes."""

    elements: Array
    low: int
    high: int


@lru_cache(maxsize=256)  # as many as repeat within a program; those of a large one are large
def along(axes: tuple[Extent, ...], size: int) -> Offsets:
    """Offsets of the elements along each of the axes; of one element without axes."""
    offsets = np.zeros((), np.int64)
    for count, step in axes:
        offsets = offsets[..., None] + np.arange(count) * step
    return apart(offsets, size)


def apart(offsets: Array, size: int) -> Offsets:
    """Offsets of elements so many bytes away."""
    if (offsets % size).any():
        raise OutOfBounds(f"steps between elements of {size} bytes by {offsets[offsets % size != 0][0]}")
    return Offsets(offsets // size, int(offsets.min(initial=0)), int(offsets.max(initial=0)))


class Memory(NamedTuple):
    """Elements that lie side by side, addressed by bytes."""

    name: str
    elements: Array

    def check(self, start: int, offsets: Offsets, verb: str) -> None:
        """All elements that lie there have to exist."""
        size, low, high = self.elements.itemsize, start + offsets.low, start + offsets.high
        if offsets.elements.size and (low < 0 or high + size > self.elements.nbytes or start % size):
            raise OutOfBounds(f"{verb} {self.name} from byte {low} to {high + size} of {self.elements.nbytes}")


class Pointer(NamedTuple):
    """A place in memory. It may lie outside as long as nothing is read or written there."""

    memory: Memory
    offset: int = 0

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return self.memory.elements.itemsize

    def at(self, offset: int) -> Pointer:
        """The place so many bytes further on."""
        return Pointer(self.memory, self.offset + offset)

    def read(self, *axes: Extent) -> Array:
        """The elements from here along each of the axes, as an array; one element without axes."""
        elements, offsets = self.memory.elements, along(axes, self.size)
        self.memory.check(self.offset, offsets, "reads")
        counts, steps = tuple(zip(*axes, strict=True)) or ((), ())
        start = self.offset if offsets.elements.size else 0
        # A copy of what lies so: making the numbers of all elements takes three times as long.
        return np.ndarray(counts, elements.dtype, elements, start, steps).copy()

    def gather(self, offsets: Array) -> Array:
        """The elements so many bytes further on."""
        further = apart(offsets, self.size)
        self.memory.check(self.offset, further, "reads")
        found: Array = self.memory.elements[self.offset // self.size + further.elements]
        return found

    def write(self, values: Array, *axes: Extent) -> None:
        """Write an array along each of the axes, its last axis first: what is written twice holds what came last."""
        offsets = along(axes, self.size)
        self.memory.check(self.offset, offsets, "writes")
        where = self.offset // self.size + offsets.elements
        self.memory.elements[where.ravel()] = values.ravel()
