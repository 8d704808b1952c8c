"""A kernel that goes through tensors plane by plane, prepared for one shape: a normalization, and an activation."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.autograd.profiler import record_function

from tconv.finishing import Epilogue
from tconv.jit.call import PreparedCall
from tconv.jit.kernels import by_plane
from tconv.jit.kernels.by_plane import ByPlane, Words
from tconv.jit.machine import isa, launch
from tconv.jit.machine.address import address
from tconv.jit.machine.elementary import OF_TWO
from tconv.jit.machine.ir import ELEMENTS
from tconv.torch.engine import DTYPES, MOST_CALLS, Call, profiled, threads
from tconv.torch.fusing.runs import Follower, finishing_of
from tconv.torch.halves import HALVES

#: Seconds for an element on one thread, about: whether threads are worth waking.
ELEMENT = 2.5e-10


def serves(dtype: torch.dtype) -> bool:
    """Whether kernels are for a dtype."""
    return dtype in DTYPES and dtype not in HALVES


#: Kernels by what they depend on.
_known: dict[Hashable, Planes] = {}


def prepared(
    shape: Sequence[int], dtype: torch.dtype, groups: int, follower: Follower | None, adds: bool = False
) -> Planes | None:
    """The kernel for contiguous tensors (N, C, *size); `groups` of channels have statistics of their own, 0: none.

    An activation of two parameters is given the second one as the scale, and nothing is normalized.
    None where there are no kernels on this machine.
    """
    words = None if follower is None else (*follower[:2], follower.slope is None or follower.slope.shape)
    key = shape, dtype, groups, words, adds
    known = _known.get(key)
    if known is None or not known.is_current():
        if not by_plane.available():
            return None
        if len(_known) >= MOST_CALLS:
            _known.clear()
        known = _known[key] = Planes(shape, dtype, groups, follower, adds)
    return known


class Planes(PreparedCall):
    """A kernel for tensors of a shape."""

    __slots__ = ("_at", "_dense", "_held", "_kernel", "_name", "_sizes", "_threads")
    current = staticmethod(Call.current)

    def __init__(
        self, shape: Sequence[int], dtype: torch.dtype, groups: int, follower: Follower | None, adds: bool
    ) -> None:
        super().__init__()
        name, (batch, channels, *size) = DTYPES[dtype], shape
        of_two = follower is not None and follower.name in OF_TWO
        finishing = None if follower is None or of_two else finishing_of(follower)
        does = Epilogue() if finishing is None else finishing.epilogue
        activation = (follower.name, "channels") if follower and of_two else (does.activation, does.parameter)
        made = ByPlane(ELEMENTS[name], groups > 0, *activation, adds)
        self._kernel = by_plane.function(made, isa.current())
        # Where a call has none: the number that the activation has, and a scale and a shift that do nothing.
        parameter = np.zeros(1) if finishing is None else finishing.parameters(name)
        self._held = parameter, np.ones(channels, name), np.zeros(channels, name)
        self._at = [address(each) for each in self._held]
        parts = groups or channels
        self._sizes = batch * parts, parts, channels // parts, prod(size)
        self._dense = prod(size) * dtype.itemsize
        self._threads = launch.useful(prod(shape) * ELEMENT, batch * parts)
        self._name = "tconv::normalization" if groups else "tconv::activation"

    def run(
        self, x: Tensor, y: Tensor, slope: Tensor | None = None, scale: Tensor | None = None,
        shift: Tensor | None = None, eps: float = 0.0, residual: Tensor | None = None, step: int = 0,
    ) -> None:  # fmt: skip
        """Write y from x, which may be the same; all of them lie in memory as they are read.

        `step`: bytes from one channel of x to the next, 0 where they follow each other.
        """
        if profiled():
            with record_function(self._name):
                self._run(x, y, (slope, scale, shift), eps, residual, step)
        else:
            self._run(x, y, (slope, scale, shift), eps, residual, step)

    def _run(
        self, x: Tensor, y: Tensor, others: tuple[Tensor | None, ...], eps: float, residual: Tensor | None, step: int
    ) -> None:
        pool, count, start = 0, 1, 0
        if self._threads > 1:
            pool, count, start = launch.starting(min(self._threads, threads()), False, True)
        at = [known if t is None else t.data_ptr() for t, known in zip(others, self._at, strict=True)]
        added = 0 if residual is None else residual.data_ptr()
        given = _Given(pool, 0, x.data_ptr(), step or self._dense, y.data_ptr(), added, *at, _bits(eps), *self._sizes)
        self._kernel(given, count, start)


_Given = ctypes.c_int64 * len(Words)


@lru_cache(maxsize=64)
def _bits(number: float) -> int:
    """The bits of a double."""
    return int.from_bytes(struct.pack("<d", number), "little", signed=True)
