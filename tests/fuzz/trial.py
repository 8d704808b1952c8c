"""A problem posed to schedules: interpreted, and as machine code between inaccessible pages.

Arrays hold small whole numbers other than 0, so every sum is exact in any order: a result is right in every bit or
wrong, and nothing hides behind rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from guarded import aligned, guarded, placed
from lowered import target
from running import given, in_layout, is_gradient, out_of_layout, shapes, written

from tconv.activations import Activation
from tconv.finishing import Finishing
from tconv.jit.kernels import linking
from tconv.jit.kernels.abi import Given
from tconv.jit.machine import launch
from tconv.jit.programs.program import Program
from tconv.jit.reference.interpret import NOTHING, interpret
from tconv.jit.schedules.registry import program_of
from tconv.methods.taps import run_tap_by_tap
from tconv.problem import Problem
from tests.fuzz import boxes
from tests.fuzz.caches import caches

#: The values of arrays.
VALUES = np.array([-3, -2, -1, 1, 2, 3])
#: What follows: nothing, a residual, an activation, both; "prelu" has a slope for each channel. All of it is exact.
THEN = ("", "residual", "relu", "leaky_relu", "prelu", "residual, relu", "residual, prelu")


def as_packed(schedule: Any, w: np.ndarray) -> np.ndarray:
    """Weights as a schedule packs them: transformed, where it is by minimal filtering."""
    transformed = schedule.transformed(w.ctypes.data)
    return w if transformed is None else transformed


class Wrong(AssertionError):
    """A result that is not the definition's."""


@dataclass(frozen=True)
class Trial:
    """A problem in a layout, for a set of instructions and a number of threads; arrays come from the seed."""

    problem: Problem
    channels_last: bool
    isa: str
    threads: int = 1
    with_bias: bool = True
    seed: int = 0
    small: bool = False  #: caches are taken to be as small as problems
    spoiled: str = ""  #: which of x, w and bias holds a NaN or an Inf
    then: str = ""  #: what is done with the result: one of `THEN`

    @cached_property
    def target(self) -> Any:
        """What schedules are made and kernels compiled for."""
        return target(self.isa)

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """What is read, w and the bias, channels first; of a weight gradient w is the coarse grid."""
        p, rng = self.problem, np.random.default_rng(self.seed)
        read, result = shapes(p)
        factor = (p.in_channels, p.cout, *p.geometry.kernel)
        if is_gradient(p):
            factor = (p.batch, p.in_channels, *p.geometry.coarse)
        x, w = (rng.choice(VALUES, shape).astype(p.dtype) for shape in (read, factor))
        bias = rng.choice(VALUES, result[1]).astype(p.dtype)
        if self.spoiled:
            one = {"x": x, "w": w, "bias": bias}[self.spoiled].reshape(-1)
            one[rng.integers(one.size)] = rng.choice([np.nan, np.inf, -np.inf])
        return x, w, bias if self.with_bias and not is_gradient(p) else None

    @cached_property
    def finishing(self) -> Finishing | None:
        """What is done with the result, the residual channels first; of a weight gradient nothing."""
        if not self.then or is_gradient(self.problem):
            return None
        shape, rng = shapes(self.problem)[1], np.random.default_rng(self.seed + 1)
        residual = rng.choice(VALUES, shape).astype(self.problem.dtype) if "residual" in self.then else None
        name = self.then.removeprefix("residual").removeprefix(", ")
        slopes = {"leaky_relu": 0.5, "prelu": rng.choice([0.25, 0.5, 2.0, -1.0], shape[1])}
        given = {"slope": slopes[name]} if name in slopes else {}
        return Finishing(Activation(name, **given) if name else None, residual)

    @cached_property
    def finishing_here(self) -> Finishing | None:
        """Likewise, in the layout."""
        found = self.finishing
        if found is None or found.residual is None:
            return found
        return found._replace(residual=in_layout(found.residual, self.channels_last))

    @cached_property
    def exact(self) -> np.ndarray:
        """The result by the definition, in float64, channels first."""
        result, finishing = self._sums, self.finishing
        if finishing is None:
            return result
        result = result if finishing.residual is None else result + finishing.residual
        return result if finishing.activation is None else finishing.activation(result)

    @cached_property
    def _sums(self) -> np.ndarray:
        """What is finished, tap by tap."""
        p, (x, w, bias) = self.problem, self.arrays
        of_grids = {"x": p.x_shape, "w": p.w_shape, "y": p.y_shape}
        of_names = {"conv_transpose": (x, w, None), "conv": (None, w, x), "weight_gradient": (w, None, x)}
        given_ones = zip("xwy", of_names[p.operation], strict=True)
        arrays = {
            name: np.zeros(of_grids[name]) if a is None else np.float64(a).reshape(of_grids[name])
            for name, a in given_ones
        }
        run_tap_by_tap(p, **arrays)
        result = arrays[p.written].reshape(shapes(p)[1])
        return result if bias is None else result + np.float64(bias).reshape(-1, *[1] * p.geometry.ndim)

    def check(self, result: np.ndarray) -> None:
        """A result in the layout is exact in every element."""
        result = out_of_layout(self.problem, result, self.channels_last)
        if not np.array_equal(result, self.exact, equal_nan=True):
            places = np.argwhere((result != self.exact) & ~(np.isnan(result) & np.isnan(self.exact)))
            at = tuple(int(i) for i in places[0])
            raise Wrong(
                f"{len(places)} of {result.size} elements are wrong, the first at {at}: "
                f"{result[at]} instead of {self.exact[at]}"
            )

    def _check(self, y: np.ndarray) -> None:
        """A result in its memory is exact, and nothing beside it was written."""
        shape, (_, steps) = written(self.problem, self.channels_last), self._steps
        self.check(boxes.view(y, shape, steps))
        if not boxes.untouched(y, shape, steps):
            raise Wrong("something is written between the elements of a box")

    @property
    def _steps(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """Elements from one to the next along the axes of what is read and written; None: they fill their memory."""
        within = self.problem.within
        if within is None:
            return None, None
        return tuple(boxes.in_order(steps, self.channels_last) for steps in within[:2])  # type: ignore[return-value]

    @property
    def _room(self) -> int:
        """Elements of the memory of the result."""
        return boxes.room(written(self.problem, self.channels_last), self._steps[1])

    def _read(self, x: np.ndarray) -> np.ndarray:
        """What is read in its memory, NaN between the elements of a box."""
        x = in_layout(x, self.channels_last)
        flat = np.full(boxes.room(x.shape, self._steps[0]), np.nan, x.dtype)
        boxes.view(flat, x.shape, self._steps[0])[...] = x
        return flat

    def _program(self, schedule: Any) -> Program:
        with caches(small=self.small):
            finishing = self.finishing
            return program_of(schedule, self.threads, finishing and finishing.epilogue)

    def interpreted(self, schedule: Any) -> None:
        """By the interpreter, which checks every access."""
        x, w, bias = self.arrays
        y = np.full(self._room, np.nan, self.problem.dtype)
        w = in_layout(w, self.channels_last) if is_gradient(self.problem) else as_packed(schedule, w)
        finishing = self.finishing_here or NOTHING
        interpret(self._program(schedule), self._read(x), w, bias, y, finishing)
        self._check(y)

    def _given(self, packed: np.ndarray, y: np.ndarray, end: str) -> tuple[list[np.ndarray], np.ndarray]:
        """What stands for packed weights where an epilogue follows, and the arrays that it points to."""
        finishing = self.finishing_here or NOTHING
        words, at = np.zeros(len(Given), np.int64), y.ctypes.data
        if packed.dtype == np.int64:  # weights that are packed on the way
            words[: len(packed)] = packed
        else:
            words[Given.WEIGHTS] = packed.ctypes.data
        parameters = placed(finishing.parameters(self.problem.dtype), end)
        kept = [packed, parameters]
        if finishing.residual is not None:
            kept.append(placed(finishing.residual, end))
            words[Given.RESIDUAL] = kept[-1].ctypes.data - at
        words[Given.PARAMETERS], words[Given.Y] = parameters.ctypes.data, at
        words[Given.CHANNELS] = shapes(self.problem)[1][1]
        return kept, placed(words, end)

    def compiled(self, schedule: Any, end: str = "high") -> None:
        """As machine code, every array against an inaccessible page at one of its ends."""
        p, (x, w, bias) = self.problem, self.arrays
        program = self._program(schedule)
        machine, words = linking.linked(program.code, self.target), placed(program.words, "high")
        scratch, address = aligned(program.scratch * self.threads), words.ctypes.data
        w = placed(in_layout(w, self.channels_last) if is_gradient(p) else as_packed(schedule, w), end)
        bias = None if bias is None else placed(bias, end)
        if is_gradient(p):
            packed = w
        elif program.on_the_fly:
            packed = placed(given(w, bias), end)
        else:
            packed, (first, count) = aligned(program.packed), program.blocks
            weights = (w.ctypes.data, 0 if bias is None else bias.ctypes.data, packed.ctypes.data)
            if machine.pack(0, address, address + 8 * first, count, *weights, 1, 0):
                raise Wrong("packing finds weights that are not finite")
        y, x = guarded(self._room * p.itemsize, end).view(p.dtype), placed(self._read(x), end)
        kept, packed = self._given(packed, y, end) if program.finishes else ([], packed)
        launch.run(machine, address, *(a.ctypes.data for a in (x, packed, y, scratch)), self.threads)
        del kept  # by here
        self._check(y)
