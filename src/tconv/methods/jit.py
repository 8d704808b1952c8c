"""The engine: kernels generated for the shape and the processor, through LLVM (`tconv.jit`)."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.finishing import Finishing
from tconv.jit.machine.address import address
from tconv.methods import cost, parts
from tconv.methods.base import Cost, Method, add_bias, is_finite, limit_of_dtype
from tconv.methods.taps import run_tap_by_tap
from tconv.problem import Array, Problem

#: What a plan may assume of the tables, panels and blocks of a thread; packed weights come on top.
SCRATCH = 4 << 20


class Jit(Method):
    """Generated kernels."""

    name = "jit"
    summary = "kernels generated for the shape and the processor at hand, through LLVM (llvmlite)"
    by_engine = True

    def cost(self, problem: Problem) -> Cost:
        """The arithmetic at most of the peak, the arrays once through memory, the weights packed, a share of tables.

        What is weighed is a call of a size that comes again and again.
        """
        from tconv.jit.choice import expected
        from tconv.jit.machine import isa, launch

        real, threads = parts.real_problem(problem), launch.setting()
        seconds = expected.seconds(real, isa.current(), threads)
        weights = prod(real.w_shape) * real.itemsize
        seconds += expected.packing(real) + expected.first() / expected.CALLS
        scratch = 2 * weights + SCRATCH * threads
        if real is not problem:
            moved = prod(real.x_shape) + prod(real.y_shape) + prod(real.w_shape)
            seconds += cost.copy(real, moved, problem.geometry.fine[-1], 2) + cost.calls(10)
            scratch += moved * real.itemsize
        return Cost(seconds, scratch)

    def limit(self, problem: Problem) -> str:
        """Why the engine cannot compute a problem (its dtype, its sizes, no machine code here); "" where it can."""
        from tconv.jit import engine

        return limit_of_dtype(problem) or engine.limit(parts.real_problem(problem))

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Pack the weights and run the kernels; arrays that are contiguous in neither layout are copied."""
        self._run(problem, x, w, y, None)

    def run_with_bias(self, problem: Problem, x: Array, w: Array, y: Array, bias: Array) -> None:
        """Pack the weights and run the kernels, with the bias in the sums from the start."""
        self._run(problem, x, w, y, np.ascontiguousarray(bias))

    def has_kernels(self, problem: Problem, channels_last: bool) -> bool:
        """They compute with real numbers, in both layouts."""
        return problem.dtype not in parts.REAL

    def fuses(self, problem: Problem) -> bool:
        """Kernels add a residual and apply an activation, but not to complex numbers, which they compute by parts."""
        return problem.dtype not in parts.REAL and problem.operation != "weight_gradient"

    def run_finished(
        self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None, finishing: Finishing
    ) -> None:
        """Pack the weights and run the kernels, that of the epilogue among them."""
        self._convolve(problem, x, w, y, None if bias is None else np.ascontiguousarray(bias), finishing)

    def _run(self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None) -> None:
        if problem.dtype in parts.REAL:
            parts.run(self._run, problem, x, w, y, bias)
        elif problem.operation == "weight_gradient":
            weight_gradient(problem, x, w, y)
        else:
            self._convolve(problem, x, w, y, bias, None)

    def _convolve(
        self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None, finishing: Finishing | None
    ) -> None:
        """Run the kernels of conv_transpose or conv; tap by tap where the weights hold a NaN or an Inf."""
        if convolved(problem, x, w, y, bias, finishing):
            return
        run_tap_by_tap(problem, x, w, y)  # kernels multiply the zeros around x by what is not finite
        written = y if problem.written == "y" else x
        if bias is not None:
            add_bias(written, bias)
        if finishing is not None:
            finishing.apply(written)


def convolved(
    problem: Problem, x: Array, w: Array, y: Array, bias: Array | None, finishing: Finishing | None,
    filtered: bool = False,
) -> bool:  # fmt: skip
    """Run the kernels of conv_transpose or conv; returns whether the result is what it should be.

    `filtered`: those of minimal filtering, in a layout that has them.
    """
    from tconv.jit import engine

    read, written = (x, y) if problem.written == "y" else (y, x)
    last = _channels_last(written, read)
    if filtered and not engine.can_filter(problem, last):
        last = not last
    epilogue = finishing and finishing.epilogue
    ready = engine.ready(problem, last, once=True, epilogue=epilogue, filtered=filtered)
    result = _ordered(written, last)
    target = result if result.flags.carray else np.empty(result.shape, result.dtype)
    # Names for the copies, which must live until the kernels are done.
    read, weights = np.ascontiguousarray(_ordered(read, last)), np.ascontiguousarray(w)
    given, _kept = engine.NO_ADDRESSES, None
    if finishing is not None:
        residual = finishing.residual
        given, _kept = engine.addresses(
            finishing.parameters(problem.dtype), None if residual is None else _ordered(residual, last)
        )
    right = ready.once(address(read), weights, bias, address(target), given)
    if right and target is not result:
        result[...] = target
    return right


def weight_gradient(
    problem: Problem, x: Array, w: Array, y: Array, most: int | None = None, openmp: bool = False
) -> None:
    """Run the kernels on x and y in the layout of y, on at most so many threads; see whether a NaN or an Inf spread.

    The smaller of x and the result tells: padded zeros spread only what is not finite in x, and leave a NaN there.
    `openmp`: threads are those of PyTorch.
    """
    from tconv.jit import engine
    from tconv.jit.machine import launch

    last = _channels_last(y, x)
    ready = engine.ready(problem, last, most=most or launch.MOST_THREADS, openmp=openmp)
    x_there, y_there = (np.ascontiguousarray(_ordered(grid, last)) for grid in (x, y))
    by_x = x.size < w.size
    if ready.spreads and by_x and not is_finite(x_there):
        run_tap_by_tap(problem, x, w, y)
        return
    target = w if w.flags.carray else np.empty(w.shape, w.dtype)
    ready.run(address(y_there), address(x_there), address(target))
    if ready.spreads and not by_x and not is_finite(target) and not is_finite(x_there):
        run_tap_by_tap(problem, x, w, y)
    elif target is not w:
        w[...] = target


def _channels_last(*grids: Array) -> bool:
    """Whether the channels of arrays (N, groups, C / groups, *size) lie closer together than their cells.

    The first that has several of both tells. Arrays that are contiguous in the layout of a call are found to be in it,
    and so are parts of such arrays, with any steps between their elements.
    """
    for grid in grids:
        steps = [(abs(step), size) for step, size in zip(grid.strides, grid.shape, strict=True)]
        channels, cells = ([step for step, size in part if size > 1] for part in (steps[1:3], steps[3:]))
        if channels and cells:
            return min(channels) < min(cells)
    return False


def _ordered(grid: Array, channels_last: bool) -> Array:
    """A view with the axes in the order of a layout."""
    return grid.transpose(0, *range(3, grid.ndim), 1, 2) if channels_last else grid
