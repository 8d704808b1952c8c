"""Memory formats: which one a result gets, and how its elements lie.

The rule is PyTorch's: in two and three axes channels are innermost in the result if they are in the input or in the
weights; in one axis never. (In three axes PyTorch itself keeps to it where oneDNN computes.)
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tconv.jit.machine import transposing

_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class Format(NamedTuple):
    """Whether channels are innermost in memory, rather than the cells of the last axis."""

    last: bool


def of(x: Tensor, w: Tensor) -> Format:
    """The format of the result of a transposed convolution."""
    return Format(x.dim() in _LAST and 0 not in x.shape and (suggests_last(x) or suggests_last(w)))


def suggests_last(t: Tensor) -> bool:
    """What PyTorch reads from the strides, also where sizes of 1 leave them open (its `suggest_memory_format`)."""
    shape, stride = t.shape, t.stride()
    if stride[1] == 0:
        return False
    least = 0
    for axis in (1, *range(t.dim() - 1, 1, -1), 0):
        if shape[axis] == 0 or stride[axis] < least or (axis == 0 and least == stride[1]):
            return False
        least = stride[axis] * max(1, shape[axis])
    return True


def lies(x: Tensor, order: Format) -> bool:
    """Whether a tensor lies in memory as a format says."""
    if not order.last:
        return x.is_contiguous()
    return x.permute(0, *range(2, x.dim()), 1).is_contiguous()


def copied(x: Tensor, order: Format) -> Tensor:
    """A copy of a tensor that lies in memory as a format says."""
    if not order.last:
        return x.contiguous()
    y = x.permute(0, *range(2, x.dim()), 1).contiguous()
    return y.permute(0, x.dim() - 1, *range(1, x.dim() - 1))


def laid(x: Tensor, wanted: tuple[int, ...]) -> Tensor:
    """A tensor with exactly these strides, along axes of 1 too, which `copied` leaves as they are."""
    return x if x.stride() == wanted else x.new_empty_strided(x.shape, wanted).copy_(x)


def is_in_order(x: Tensor) -> bool:
    """Whether a tensor has the strides of PyTorch's default order, along axes of 1 too.

    Contiguous are others as well: of one channel, channels last. Of those PyTorch's operators return now these strides,
    now those.
    """
    return x.stride() == strides(x.shape, Format(False))


def is_ambiguous(shape: Sequence[int], given: tuple[int, ...]) -> bool:
    """Whether strides are others than those of the default order, but along axes of 1 only."""
    first = strides(shape, Format(False))
    return given != first and all(a == b or n == 1 for n, a, b in zip(shape, given, first, strict=True))


def strides(shape: Sequence[int], order: Format) -> tuple[int, ...]:
    """The strides of a new tensor of this shape."""
    axes = (0, *range(2, len(shape)), 1) if order.last else range(len(shape))
    found, step = [0] * len(shape), 1
    for axis in reversed(tuple(axes)):
        found[axis] = step
        step = step * max(shape[axis], 1)
    return tuple(found)


def is_dense(t: Tensor) -> bool:
    """Whether the elements fill a piece of memory, each once, in whatever order of axes."""
    expected = 1
    for step, size in sorted((step, size) for step, size in zip(t.stride(), t.shape, strict=True) if size > 1):
        if step != expected:
            return False
        expected *= size
    return True


class Weights(NamedTuple):
    """How weights lie in memory."""

    dense: bool
    transposer: (
        tuple[transposing.Transposer, int, int] | None
    )  #: brings them into PyTorch's default order, and what it takes

    @classmethod
    def of(cls, w: Tensor, dtype: str, *, by_engine: bool) -> Weights:
        """How the weights of a tensor lie; there is code that transposes them only where the engine computes."""
        return cls(is_dense(w), _transposer(w, dtype) if by_engine and not w.is_contiguous() else None)

    def contiguous(self, w: Tensor) -> Tensor:
        """Weights in PyTorch's default order; a copy unless they lie so, good until this thread asks for another.

        They are in the dtype of the computation, of which `halves.widened` does not change how they lie.
        """
        if self.transposer is None:
            return w.contiguous()
        function, matrices, columns = self.transposer
        result = _workspace(w)
        function(w.data_ptr(), result.data_ptr(), matrices, columns)
        return result


class _Local(threading.local):
    """Memory of one thread that is kept from call to call: fresh memory costs page faults."""

    memory = torch.empty(0, dtype=torch.uint8)


_local = _Local()


def _workspace(w: Tensor) -> Tensor:
    """Room for as many elements."""
    size = w.numel() * w.element_size()
    if _local.memory.numel() < size:
        _local.memory = torch.empty(size, dtype=torch.uint8)
    return _local.memory[:size].view(w.dtype)


def _transposer(w: Tensor, dtype: str) -> tuple[transposing.Transposer, int, int] | None:
    """A faster way than PyTorch's from channels innermost."""
    taps = prod(w.shape[2:])
    if taps > transposing.MOST_ROWS or not lies(w, Format(True)):
        return None
    return transposing.function(dtype, taps), w.shape[0], w.shape[1]


#: Bytes of a result from which huge pages are asked for, as NumPy does for its arrays.
LARGE = 4 << 20


def ask_for_huge_pages(fresh: Tensor) -> None:
    """A result in fresh memory costs a fault a page; with pages of 2 MiB that is a tenth of the time or less."""
    size, advise = fresh.numel() * fresh.element_size(), _madvise()
    if size >= LARGE and advise is not None:
        address = fresh.data_ptr()
        start = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
        advise(start, address + size - start, mmap.MADV_HUGEPAGE)


@lru_cache(maxsize=1)
def _madvise() -> Any:
    """The call of the system; None where it has none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    found = ctypes.CDLL(None).madvise
    found.argtypes, found.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
    return found
