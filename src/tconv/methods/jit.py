"""The engine: kernels generated for the shape and the processor, through LLVM (`tconv.jit`)."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.methods.base import Cost, Method, add_bias
from tconv.methods.taps import run_tap_by_tap
from tconv.problem import Array, Problem

#: What a plan may assume of the tables, panels and blocks of a thread; packed weights come on top.
SCRATCH = 4 << 20


class Jit(Method):
    """Generated kernels."""

    name = "jit"
    summary = "kernels generated for the shape and the processor at hand, through LLVM (llvmlite)"
    operations = ("conv_transpose", "conv")

    def cost(self, problem: Problem) -> Cost:
        """The arithmetic at most of the peak, the arrays once through memory, and the weights packed."""
        from tconv.jit import engine, isa, launch

        if self.limit(problem):
            return Cost(float("inf"), 0)
        threads = launch.setting()
        seconds = engine.expected_seconds(problem, isa.current(), threads)
        weights = prod(problem.w_shape) * problem.itemsize
        return Cost(seconds + weights / engine.PACKING, 2 * weights + SCRATCH * threads)

    def limit(self, problem: Problem) -> str:
        """No weight_gradient, only floating point, and only where code can be generated."""
        from tconv.jit import engine

        return engine.limit(problem)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Pack the weights and run the kernels; arrays that are contiguous in neither layout are copied."""
        self._run(problem, x, w, y, None)

    def run_with_bias(self, problem: Problem, x: Array, w: Array, y: Array, bias: Array) -> None:
        """Likewise, with the bias in the sums from the start."""
        self._run(problem, x, w, y, np.ascontiguousarray(bias))

    def _run(self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None) -> None:
        from tconv.jit import engine

        read, written = (x, y) if problem.written == "y" else (y, x)
        last, first = engine.is_channels_last(written), written.flags.c_contiguous
        channels_last = last and not (first and engine.is_channels_first(read))
        ready = engine.ready(problem, channels_last, once=True)
        target = written if channels_last or first else np.empty(written.shape, written.dtype)
        # Names for the copies, which must live until the kernels are done.
        read, weights = _in_layout(read, channels_last), np.ascontiguousarray(w)
        if not ready.once(read.ctypes.data, weights, bias, target.ctypes.data):
            # Kernels multiply the zeros around x by a NaN or an Inf.
            run_tap_by_tap(problem, x, w, y)
            if bias is not None:
                add_bias(written, bias)
        elif target is not written:
            written[...] = target


def _in_layout(read: Array, channels_last: bool) -> Array:
    """The array itself where it lies as the kernels want it, else a copy that does."""
    if not channels_last:
        return np.ascontiguousarray(read)
    # Nothing is copied where the array is channels last already.
    return np.ascontiguousarray(read.transpose(0, *range(3, read.ndim), 1, 2))
