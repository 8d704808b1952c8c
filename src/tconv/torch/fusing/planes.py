"""A kernel that goes through a tensor plane by plane, prepared for one shape: normalization, residual, activation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from tconv.finishing import Epilogue
from tconv.jit.kernels import by_plane
from tconv.jit.kernels.by_plane import ByPlane, Words
from tconv.jit.machine import isa, launch
from tconv.jit.machine.address import address
from tconv.jit.machine.ir import ELEMENTS
from tconv.torch.engine import DTYPES, threads

#: Seconds for an element on one thread, about: what is cheapest decides whether threads are worth waking.
ELEMENT = 2.5e-10


class Planes:
    """A kernel for contiguous tensors (N, C, *size) of a shape; `groups` of channels have statistics, 0: none."""

    __slots__ = ("_given", "groups", "kernel", "neutral", "threads")

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, groups: int, epilogue: Epilogue | None) -> None:
        name, epilogue = DTYPES[dtype], epilogue or Epilogue()
        batch, channels, *size = shape
        self.groups = groups or channels
        made = ByPlane(ELEMENTS[name], groups > 0, epilogue.activation, epilogue.parameter, epilogue.residual)
        self.kernel = by_plane.function(made, isa.current())
        self.neutral = torch.ones(channels, dtype=dtype), torch.zeros(channels, dtype=dtype)
        self._given = np.zeros(len(Words), np.int64)
        self._given[Words.ALL : Words.SIZE + 1] = (
            batch * self.groups, self.groups, channels // self.groups, prod(size)
        )  # fmt: skip
        self.threads = min(threads(), launch.useful(prod(shape) * ELEMENT, batch * self.groups))

    def run(
        self, x: int, y: int, parameters: int = 0, scale: int = 0, shift: int = 0, eps: float = 0.0, residual: int = 0
    ) -> None:
        """Write y from x, given addresses; those of no scale and no shift are 0. y may be any of what is read."""
        given = self._given.copy()  # a name: this frame keeps it
        pool, count, start = launch.starting(min(self.threads, threads()), False, True)
        given[: Words.EPS] = (
            pool, 0, x, y, residual, parameters,
            scale or self.neutral[0].data_ptr(), shift or self.neutral[1].data_ptr(),
        )  # fmt: skip
        given[Words.EPS : Words.EPS + 1].view(np.float64)[0] = eps
        self.kernel(address(given), count, start)
