"""A small program of generated code with its arrays, run through `launch.run`, and what it must give."""

from __future__ import annotations

import ctypes

import numpy as np

import tconv
from tconv.jit.kernels import linking
from tconv.jit.machine import isa, launch
from tconv.jit.schedules import layouts
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.registry import program_of
from tconv.methods.base import Problem

#: The most threads that the scratch of a call has room for.
THREADS = 8


def has_openmp() -> bool:
    """Whether the system has an OpenMP runtime to load."""
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        return False
    return True


def aligned(size: int) -> np.ndarray:
    """So many bytes, at the start of a cache line."""
    raw = np.empty(size + 64, np.uint8)
    return raw[-raw.ctypes.data % 64 :][:size]


class SmallProgram:
    """Compiled and packed; calls may come from many threads."""

    def __init__(self, stride: int = 2, batch: int = 8) -> None:
        shape = {"stride": stride, "padding": 1}
        geometry = tconv.Geometry.conv_transpose((32, 32), (3, 3), **shape)
        problem = Problem("conv_transpose", geometry, batch, 16, 8, 1, "float32")
        schedule = pixels.make(problem, layouts.layout_of(problem, False), isa.current())
        self.program = program_of(schedule, THREADS)
        self.machine = linking.linked(schedule.code, isa.current())
        rng = np.random.default_rng(stride)
        self.x = rng.standard_normal((batch, 16, 32, 32), np.float32)
        w = rng.standard_normal((16, 8, 3, 3), np.float32)
        self.reference = tconv.conv_transpose(self.x, w, **shape, method="phases")
        self.packed = aligned(self.program.packed)
        start, count = self.program.blocks
        blocks = self.program.address + 8 * start
        arrays = (w.ctypes.data, 0, self.packed.ctypes.data)
        assert launch.pack(self.machine, self.program.address, blocks, count, *arrays, 1)

    def __call__(self, threads: int, **how: bool) -> np.ndarray:
        """Run into a poisoned array, with scratch for `threads` threads and not one more."""
        y, scratch = np.full_like(self.reference, np.nan), aligned(self.program.scratch * threads)
        addresses = (a.ctypes.data for a in (self.x, self.packed, y, scratch))
        launch.run(self.machine, self.program.address, *addresses, threads, **how)
        return y

    def check(self, threads: int, **how: bool) -> None:
        """The result is right."""
        np.testing.assert_allclose(self(threads, **how), self.reference, rtol=1e-4, atol=1e-4)


def compute(threads: int) -> int:
    """What a worker process does: compute with the default, then with so many threads; returns the default."""
    small, default = SmallProgram(), tconv.get_num_threads()
    small.check(min(default, THREADS))
    tconv.set_num_threads(threads)
    small.check(threads)
    tconv.set_num_threads(None)
    return default
