"""Minimal filtering on the engine: a tile of results from fewer products than results times taps.

A 3x3 kernel takes 16 products for 2x2 results where the definition has 36 (`kernels/filtering.py`). What is added
up are not the products of the definition, though, and some of it cancels, so that results differ by more than the
rounding of a sum: by 1e-6 to 1e-5 of the largest value in float32. Only who asks for it gets it. Where a result is not
finite, a NaN, an Inf or an overflow may have met neighbours on the way: then the engine computes by the definition.

S. Winograd, "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, arXiv:1509.09308.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import ClassVar

from tconv.finishing import Finishing
from tconv.methods import parts
from tconv.methods.base import Cost
from tconv.methods.jit import Jit, convolved
from tconv.problem import Array, Operation, Problem

#: The time of the engine that it takes, roughly: kernels of 3x3 take 0.3 to 0.7 of it, rows of 3 to 11 taps 0.5 to 0.6.
SHARE = 0.5
#: Seconds in which a weight is transformed, in every call that packs it (AMD Zen 4).
TRANSFORM = 1e-8
#: Weights that are transformed and packed take so many times the room of weights at most.
GROWN = 16


class Winograd(Jit):
    """Generated kernels that take fewer products."""

    name = "winograd"
    summary = "minimal filtering on the engine: fewer products, with more rounding; only if asked for by name"
    operations: ClassVar[tuple[Operation, ...]] = ("conv_transpose", "conv")
    exact = False

    def cost(self, problem: Problem) -> Cost:
        """A share of what the engine takes, the transform of the weights, and room for what they become."""
        found, weights = super().cost(problem), prod(problem.w_shape)
        return Cost(SHARE * found.seconds + TRANSFORM * weights, found.scratch + GROWN * weights * problem.itemsize)

    def limit(self, problem: Problem) -> str:
        """Why it cannot compute a problem: beside what the engine says, where filters are not worth their rounding."""
        if problem.operation not in self.operations:
            return f"computes {' and '.join(self.operations)} only, not {problem.operation}"
        reason = super().limit(problem)
        if reason or any(self._filters(parts.real_problem(problem), last) for last in (False, True)):
            return reason
        g, size = problem.geometry, "x".join(map(str, problem.geometry.coarse))
        window = f"kernel {g.kernel}, stride {g.stride}, dilation {g.dilation}"
        channels = f"{problem.in_channels} -> {problem.out_channels} channels"
        if problem.operation == "conv":
            channels = f"{problem.out_channels} -> {problem.in_channels} channels"
        return f"saves too little for {window} and {channels} on a coarse grid of {size}"

    def has_kernels(self, problem: Problem, channels_last: bool) -> bool:
        """Not in every layout."""
        return super().has_kernels(problem, channels_last) and self._filters(problem, channels_last)

    def _convolve(
        self, problem: Problem, x: Array, w: Array, y: Array, bias: Array | None, finishing: Finishing | None
    ) -> None:
        """Run the kernels; those of the definition where what is not finite has met neighbours."""
        if not convolved(problem, x, w, y, bias, finishing, filtered=True):
            super()._convolve(problem, x, w, y, bias, finishing)

    def _filters(self, problem: Problem, channels_last: bool) -> bool:
        from tconv.jit import engine

        return engine.can_filter(replace(problem, batch=max(1, problem.batch)), channels_last)
