"""One schedule run as the engine runs it, on arrays that hold rubbish wherever something is to be written."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from definition import links

import tconv
from tconv.finishing import Finishing
from tconv.jit.kernels import linking
from tconv.jit.kernels.abi import Given, UnpackedWeights
from tconv.jit.machine import isa, launch
from tconv.jit.schedules.layouts import channels_of
from tconv.jit.schedules.registry import program_of
from tconv.problem import Problem

#: Sets of instructions of this kind of processor, by name; tests of those that it lacks are skipped.
ISAS = [
    pytest.param(
        name, marks=pytest.mark.skipif(name not in isa.available(), reason=f"this processor does not run {name}")
    )
    for name, target in isa.ISAS.items()
    if target.triple in {isa.ISAS[runs].triple for runs in isa.available()}
]
#: The best of them that this processor runs, where one is enough.
BEST = [each for each in ISAS if each.values[0] in isa.available()[:1]]
DTYPES = ("float32", "float64")
#: Sets of instructions and dtypes beside the best in float32.
OTHERS = [
    pytest.param(*each.values, dtype, marks=each.marks)
    for dtype in DTYPES
    for each in ISAS
    if dtype != DTYPES[0] or each not in BEST
]


def problem_of(geometry, dtype="float32", *, batch=2, cin=4, cout=6, groups=1, operation="conv_transpose") -> Problem:
    """An operation on a geometry."""
    return Problem(operation, geometry, batch, cin, cout, groups, dtype)


def shapes(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the array that is read and of the one that is written, channels first.

    Of a weight gradient the fine grid and the weights; the coarse grid stands where the weights do otherwise.
    """
    x = (problem.batch, problem.in_channels, *problem.geometry.coarse)
    y = (problem.batch, problem.out_channels, *problem.geometry.fine)
    w = (problem.in_channels, problem.cout, *problem.geometry.kernel)
    return {"conv_transpose": (x, y), "conv": (y, x), "weight_gradient": (y, w)}[problem.operation]


def is_gradient(problem: Problem) -> bool:
    """Whether weights are what is written."""
    return problem.operation == "weight_gradient"


def in_layout(a: np.ndarray, channels_last: bool) -> np.ndarray:
    """An array of a grid, channels first, as one of a layout."""
    return np.ascontiguousarray(np.moveaxis(a, 1, -1) if channels_last else a)


def out_of_layout(problem: Problem, result: np.ndarray, channels_last: bool) -> np.ndarray:
    """What is written, channels first; weights have one order only."""
    return np.moveaxis(result, -1, 1) if channels_last and not is_gradient(problem) else result


def written(problem: Problem, channels_last: bool) -> tuple[int, ...]:
    """The shape of what is written, in a layout."""
    first, second, *size = shapes(problem)[1]
    return (first, *size, second) if channels_last and not is_gradient(problem) else (first, second, *size)


def compute(problem: Problem, x, w, bias=None, **keywords) -> np.ndarray:
    """What the public function gives for the arrays of a problem."""
    keywords = {**problem.geometry.keywords, "groups": problem.groups, **keywords}
    if is_gradient(problem):
        return tconv.weight_gradient(w, x, problem.geometry.kernel, **keywords)
    return getattr(tconv, problem.operation)(x, w, bias, **keywords)


def poisoned(size: int) -> np.ndarray:
    """So many bytes from a cache line on, every element of any floating dtype a NaN."""
    raw = np.full(size + 64, 0xFF, np.uint8)
    return raw[-raw.ctypes.data % 64 :][:size]


def arrays(problem: Problem, seed: int = 0, *, with_bias: bool = True):
    """What is read, w and bias of a problem, shaped as in a call, channels first, in its dtype."""
    p, rng = problem, np.random.default_rng(seed)
    read, result = shapes(p)
    factor = (p.in_channels, p.cout, *p.geometry.kernel)
    if is_gradient(p):
        factor, with_bias = (p.batch, p.in_channels, *p.geometry.coarse), False
    x, w, bias = (rng.uniform(-1, 1, shape).astype(p.dtype) for shape in (read, factor, result[1]))
    return x, w, bias if with_bias else None


def given(w, bias=None) -> np.ndarray:
    """What a program that packs weights on the way is given for packed ones."""
    words = np.zeros(len(UnpackedWeights), np.int64)
    words[UnpackedWeights.WEIGHTS], words[UnpackedWeights.BIAS] = w.ctypes.data, 0 if bias is None else bias.ctypes.data
    return words


def with_epilogue(ready, y) -> np.ndarray:
    """What a program with an epilogue is given for packed weights; what it points to is kept in `ready`."""
    p, finishing, words = ready.problem, ready.finishing, np.zeros(len(Given), np.int64)
    if ready.program.on_the_fly:
        words[: len(UnpackedWeights)] = ready.packed
    else:
        words[Given.WEIGHTS] = ready.packed.ctypes.data
    parameters, residual = finishing.parameters(p.dtype), finishing.residual
    if residual is not None:
        residual = in_layout(residual, ready.last)
        words[Given.RESIDUAL] = residual.ctypes.data - y.ctypes.data
    ready.kept = parameters, residual
    words[Given.PARAMETERS], words[Given.Y] = parameters.ctypes.data, y.ctypes.data
    words[Given.CHANNELS] = shapes(p)[1][1]
    return words


class Ready:
    """A schedule compiled for an ISA, its weights packed; those of a weight gradient are cells, read as they are."""

    def __init__(
        self, problem: Problem, schedule, target, w, bias=None, *, threads: int = 1, finishing: Finishing | None = None
    ) -> None:
        self.problem, self.last, self.threads = problem, schedule.layout.channels_last, threads
        self.finishing = finishing  # with a residual of the shape of the result, channels first
        self.program = program_of(schedule, threads, finishing and finishing.epilogue)
        self.machine = linking.linked(self.program.code, target)
        self.weights = np.ascontiguousarray(w), bias  # which are read in each call where they are packed on the way
        self.pack()

    def pack(self) -> None:
        """Bring the weights, as they are now, into the order of the kernels."""
        w, bias = self.weights
        if self.program.on_the_fly or is_gradient(self.problem):
            self.packed = in_layout(w, self.last) if is_gradient(self.problem) else given(w, bias)
            self.packed_finite = True
            return
        self.packed = poisoned(self.program.packed)
        first, count = self.program.blocks
        self.packed_finite = launch.pack(
            self.machine,
            self.program.address,
            self.program.address + 8 * first,
            count,
            w.ctypes.data,
            0 if bias is None else bias.ctypes.data,
            self.packed.ctypes.data,
            self.threads,
        )

    @property
    def finite(self) -> bool:
        """Whether no weight is a NaN or an Inf; known after a call where they are packed on the way."""
        if self.program.on_the_fly:
            return not self.packed[UnpackedWeights.SPOILED]
        return is_gradient(self.problem) or self.packed_finite

    def __call__(self, x) -> np.ndarray:
        """Compute y from x, both channels first, through arrays of the layout of the schedule."""
        p, x = self.problem, in_layout(x, self.last)
        y, scratch = np.full(written(p, self.last), np.nan, p.dtype), poisoned(self.program.scratch * self.threads)
        packed = self.packed if self.finishing is None else with_epilogue(self, y)
        addresses = (a.ctypes.data for a in (x, packed, y, scratch))
        launch.run(self.machine, self.program.address, *addresses, self.threads)
        return out_of_layout(p, y, self.last)


class Truth:
    """What a problem gives, by the sparse matrix in float64, and how far a result may be off."""

    def __init__(self, problem: Problem, x, w, bias=None) -> None:
        self.problem = problem
        self.exact = self._by_matrix(x, w, bias)
        # Whatever the order of the sums: n eps sum |x| |w|, for n terms (N. Higham, "Accuracy and Stability of
        # Numerical Algorithms", section 3.1).
        terms, limits = channels_of(problem).read * problem.taps + 2, np.finfo(problem.dtype)
        if is_gradient(problem):
            terms = problem.batch * problem.coarse_cells
        magnitude = self._by_matrix(np.abs(x), np.abs(w), None if bias is None else np.abs(bias))
        self.bound = terms * limits.eps * magnitude + limits.tiny

    def _by_matrix(self, x, w, bias) -> np.ndarray:
        bias = None if bias is None else bias.astype(np.float64)
        return compute(self.problem, x.astype(np.float64), w.astype(np.float64), bias, method="matrix")

    def check(self, result) -> None:
        """The result, channels first, is that up to rounding, and no element is left as it was."""
        assert not np.isnan(result).any()
        worst = np.abs(result - self.exact) - self.bound
        assert (worst <= 0).all(), f"off by {worst.max()} more than rounding at {np.argwhere(worst > 0)[:5].tolist()}"


@lru_cache(maxsize=256)
def reached_from(axis: tconv.Axis, cell: int, operation: str = "conv_transpose") -> frozenset[int]:
    """The fine positions of an axis that some tap ties to a coarse cell; of `conv` the other way round.

    Of a weight gradient the taps that tie a fine position to some cell.
    """
    if operation == "weight_gradient":
        return frozenset(t for _, t, o in links(axis) if o == cell)
    if operation == "conv":
        return frozenset(c for c, _, o in links(axis) if o == cell)
    return frozenset(o for c, _, o in links(axis) if c == cell)


def tied(problem: Problem, place: tuple[int, ...]) -> np.ndarray:
    """Which elements that are written depend on the one that is read at a place (image, channel, *cell)."""
    p, channels = problem, channels_of(problem)
    image, channel, *cell = place
    mask = np.zeros(shapes(p)[1], bool)
    group = channel // channels.read
    reached = [sorted(reached_from(axis, c, p.operation)) for axis, c in zip(p.geometry.axes, cell, strict=True)]
    of_group = range(group * channels.written, (group + 1) * channels.written)
    places = (of_group, [channel % channels.read]) if is_gradient(p) else ([image], of_group)
    mask[np.ix_(*places, *reached)] = True
    return mask
