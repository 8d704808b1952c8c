"""Memory for results of blocks, which comes back when Dask has let go of them, and is lent again.

New memory has to be cleared by the system, page by page: glibc keeps blocks of up to 32 MB, other allocators less, and
larger ones are new each time. A result that somebody keeps stays what it is: its memory comes back when nothing refers
to it any more, neither itself nor a view of it.
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from tconv.jit.engine import aligned
from tconv.problem import Array

#: Bytes that are kept for later at most, those of a few blocks. Larger blocks are in no cache anyway.
MOST = 128 << 20
#: Bytes below which memory is left to NumPy: the allocator of the system keeps such pieces itself.
LEAST = 128 << 10


class Lender:
    """Keeps memory of results that are gone. Any thread may ask, and anywhere may a result be let go.

    Results are let go in the middle of whatever runs, in this class too where the garbage collector does it. So nothing
    waits for the lock: who does not get it at once takes new memory, or gives the piece back to the system.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: list[Array] = []  # the oldest first
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of any values, aligned to a cache line unless it is small."""
        size = prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        return np.asarray(_Loan(self._found(size), self))[:size].view(dtype).reshape(shape)

    def take_back(self, memory: Array) -> None:
        """Keep memory that nothing refers to, and no more than the bound: what came first goes."""
        if len(memory) <= self.most and self._lock.acquire(blocking=False):
            try:
                self._kept.append(memory)
                while self.kept > self.most:
                    del self._kept[0]
            finally:
                self._lock.release()

    @property
    def kept(self) -> int:
        """Bytes that are kept for later."""
        return sum(map(len, self._kept))

    def _found(self, size: int) -> Array:
        """The piece that came last and is as large, but hardly larger: it may be kept for long. Or a new one."""
        if self._lock.acquire(blocking=False):
            try:
                for place in reversed(range(len(self._kept))):
                    if size <= len(self._kept[place]) <= size + size // 4:
                        return self._kept.pop(place)
            finally:
                self._lock.release()
        return aligned(size)


class _Loan:
    """What an array and all its views refer to in the end; when they are gone it is, and gives its memory back."""

    __slots__ = ("__array_interface__", "lender", "memory")

    def __init__(self, memory: Array, lender: Lender) -> None:
        self.memory, self.lender, self.__array_interface__ = memory, lender, memory.__array_interface__

    def __del__(self) -> None:
        self.lender.take_back(self.memory)


#: That of the blocks of all graphs.
lender = Lender()
