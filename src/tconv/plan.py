"""What to do, computed from shapes alone: which method runs on which geometry, why, and what it is expected to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, prod
from typing import Any, NamedTuple

from tconv import arguments, arrays, checks, wrapping
from tconv.activations import Activation
from tconv.arguments import LAYOUTS, Layout, Window
from tconv.finishing import Epilogue, checked
from tconv.forks import uninterrupted
from tconv.geometry import Geometry
from tconv.hints import remarks
from tconv.methods import METHODS, OPERATIONS, Cost, Operation, Problem, parts
from tconv.resolve import Ints, PaddingLike


class Candidate(NamedTuple):
    """A method that was considered: its cost, and the reason why it cannot run, if there is one."""

    method: str
    cost: Cost
    excluded: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How one call will run. Frozen, hashable, without arrays; `print(plan)` shows what was picked and why."""

    problem: Problem
    dtype: str  #: of the arrays
    layout: Layout
    batched: bool  #: False where x and y come without a batch axis
    method: str
    why: str
    candidates: tuple[Candidate, ...]  #: all methods that were considered
    epilogue: Epilogue | None = None  #: what is done with the result
    operands: tuple[str, str] | None = None  #: the dtypes of those that are cast; None: the dtype of the arrays

    @property
    def geometry(self) -> Geometry:
        """The sizes and the window."""
        return self.problem.geometry

    @property
    def cost(self) -> Cost:
        """The expected time and the scratch memory of the method that was picked."""
        return next(candidate.cost for candidate in self.candidates if candidate.method == self.method)

    @property
    def sums(self) -> str:
        """Whether sums of integers fit into the dtype of the result, or wrap around; "" for other numbers."""
        return wrapping.said(self.problem, self.operands or (self.dtype, self.dtype), self.dtype)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of x, on the coarse grid, in the layout of the call."""
        return self._shape(self.problem.in_channels, self.geometry.coarse)

    @property
    def w_shape(self) -> tuple[int, ...]:
        """The shape of the weights: (Cin, Cout / groups, *kernel) in both layouts."""
        return (self.problem.in_channels, self.problem.cout, *self.geometry.kernel)

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of y, on the fine grid, in the layout of the call."""
        return self._shape(self.problem.out_channels, self.geometry.fine)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """The shape of what is returned: y of conv_transpose, x of conv, w of weight_gradient."""
        written = self.problem.written
        return self.y_shape if written == "y" else self.x_shape if written == "x" else self.w_shape

    @property
    def remarks(self) -> tuple[str, ...]:
        """What fits and looks as if it were not meant, such as a picture whose channels are last; mostly nothing."""
        last, written = self.layout == "channels_last", self.problem.written
        grids = [(name, shape) for name, shape in (("x", self.x_shape), ("y", self.y_shape)) if name != written]
        found = [remarks.of_grid(name, shape, self.batched, last) for name, shape in grids]
        if written != "w":
            found.append(remarks.of_weights(self.w_shape))
        return tuple(remark for remark in found if remark)

    @property
    def is_for_kernels(self) -> bool:
        """Whether kernels compute with the arrays as they are: neither in another dtype, nor by parts of numbers."""
        if self.dtype != self.problem.dtype or self.problem.batch == 0:
            return False
        return METHODS[self.method].has_kernels(self.problem, self.layout == "channels_last")

    @property
    def is_filtered(self) -> bool:
        """Whether kernels are those of minimal filtering."""
        return not METHODS[self.method].exact

    def _shape(self, channels: int, size: tuple[int, ...]) -> tuple[int, ...]:
        inner = (channels, *size) if self.layout == "channels_first" else (*size, channels)
        return (self.problem.batch, *inner) if self.batched else inner

    def __str__(self) -> str:
        p = self.problem
        work = p.work
        groups = f", groups {p.groups}" if p.groups > 1 else ""
        lines = [
            f"{p.operation} by {self.method}: {self.why}",
            f"  x {self.x_shape}, w {self.w_shape}, y {self.y_shape}{groups}, {self.dtype}, {self.layout}",
            f"  {self.geometry}",
            *(f"  note: {remark}" for remark in self.remarks),
            f"  {work.multiplications:,} multiplications of use; zero insertion wastes {work.wasted:,} more",
            *([f"  {self.sums}"] if self.sums else []),
            *([f"  then {self._finished()}"] if self.epilogue else []),
            f"  {'method':<16}{'expected time':>16}{'scratch memory':>18}",
        ]
        for name, cost, excluded in sorted(self.candidates, key=lambda candidate: candidate.cost.seconds):
            mark = " <" if name == self.method else f"  {excluded}" if excluded else ""
            lines.append(f"  {name:<16}{_time(cost.seconds):>16}{checks.memory(cost.scratch):>18}{mark}")
        return "\n".join([*lines, *self._engine()])

    def _engine(self) -> list[str]:
        """What the engine would do, where it computes. It is asked only now: its tables take milliseconds to write."""
        if not METHODS[self.method].by_engine or self.problem.batch == 0:
            return []
        with uninterrupted:
            from tconv.jit import engine

        try:
            limit = METHODS[self.method].limit(self.problem)
            real, last = parts.real_problem(self.problem), self.layout == "channels_last"
            said = [limit] if limit else engine.described(real, last, filtered=self.is_filtered).lines()
        except checks.Rejected as rejected:  # such as a wrong TCONV_ISA
            said = [str(rejected)]
        return [f"  the engine: {said[0]}", f"    {'arrays':<10}{self._arrays()}", *(f"  {line}" for line in said[1:])]

    def _finished(self) -> str:
        """How the result is finished."""
        fused = METHODS[self.method].fuses(self.problem)
        return f"{self.epilogue}, {'while results are near' if fused else 'by NumPy, once the result is complete'}"

    def _arrays(self) -> str:
        if self.dtype != self.problem.dtype:
            copied = "x and y" if self.problem.operation == "weight_gradient" else "x and w"
            return f"{copied} are copied as {self.problem.dtype}, the result is rounded once"
        if self.dtype in parts.REAL:
            return f"real and imaginary parts are channels of {parts.REAL[self.dtype]}, twice as many"
        if not METHODS[self.method].has_kernels(self.problem, self.layout == "channels_last"):
            return f"x and y are brought from {self.layout} into the other layout, for which there are kernels"
        return f"x and y are used in place where they are contiguous in {self.layout}; other strides are copied once"


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def check_words(layout: object, method: object) -> None:
    """The two words of a call; checked before they become part of a key, which must be hashable."""
    checks.choice("layout", layout, LAYOUTS)
    checks.choice("method", method, ("auto", *METHODS))


def make_plan(
    operation: Operation,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_size: Any,
    dtype: str,
    window: Window,
    layout: Layout,
    method: str,
    packed: bool = False,
) -> Plan:
    """The plan of a call from the shapes of its operands; raises `checks.Rejected`.

    `packed`: the engine has its weights packed already, which costs it most in small calls. "auto" is the engine then
    wherever it can compute, but for kernels so large that spectra are quicker; nothing else is considered.
    """
    with uninterrupted:
        from tconv.jit import engine

    packed = packed and method == "auto" and dtype not in parts.REAL
    # What the engine is expected to take depends on what is set: threads, instructions.
    return planned(operation, first, second, kernel_size, dtype, window, layout, method, packed, engine.state())


@lru_cache(maxsize=4096)
def planned(
    operation: Operation,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_size: Any,
    dtype: str,
    window: Window,
    layout: Layout,
    method: str,
    packed: bool,
    state: object,
) -> Plan:
    """The plan of a call, by what it depends on: kept as long as the `state` of the engine is the same."""
    problem, batched = arguments.problem(operation, first, second, kernel_size, dtype, window, layout)
    with uninterrupted:  # the engine is imported for the first of them
        if packed:
            packs, spectra = (_candidate(name, problem, *_memory(problem, dtype)) for name in ("jit", "fft"))
            if not packs.excluded and packs.cost.seconds <= spectra.cost.seconds:
                return Plan(problem, dtype, layout, batched, "jit", "weights are packed once", (packs,))
        candidates = _candidates(problem, dtype, method)
    if method == "auto":
        able = [candidate for candidate in candidates if not candidate.excluded]
        if not able:
            raise checks.Rejected(MemoryError, "no method has the scratch memory it needs at these sizes")
        method, why = min(able, key=lambda candidate: candidate.cost.seconds).method, "the lowest expected time"
    else:
        why = "asked for by name"
        asked = next(candidate for candidate in candidates if candidate.method == method)
        if asked.excluded:
            kind = MemoryError if asked.excluded.startswith(_NEEDS) else ValueError
            raise checks.Rejected(kind, f'method "{method}" {asked.excluded}')
    return Plan(problem, dtype, layout, batched, method, why, candidates)


#: How the reason begins where memory is what is missing.
_NEEDS = "needs"
#: Why a method that is not exact is not considered: nor is it asked what it would take.
ASKED_FOR = "only if asked for by name: it adds up other products"


def _candidates(problem: Problem, dtype: str, asked: str) -> tuple[Candidate, ...]:
    memory = _memory(problem, dtype)
    return tuple(
        _candidate(name, problem, *memory)
        if METHODS[name].exact or name == asked
        else Candidate(name, Cost(inf, 0), ASKED_FOR)
        for name in METHODS
    )


def _memory(problem: Problem, dtype: str) -> tuple[int, int]:
    """Bytes that the result leaves, and those of copies: arrays of another dtype than that of the computation."""
    result_bytes = prod(problem.written_shape) * problem.itemsize
    checks.fits_memory("the result", result_bytes)
    if dtype == problem.dtype:
        return checks.physical_memory() - result_bytes, 0
    copied = sum(map(prod, (problem.x_shape, problem.w_shape, problem.y_shape)))
    return checks.physical_memory() - result_bytes, problem.itemsize * copied


def _candidate(name: str, problem: Problem, room: int, copies: int) -> Candidate:
    excluded = METHODS[name].limit(problem)
    cost = Cost(inf, 0) if excluded else METHODS[name].cost(problem)
    cost = cost._replace(scratch=cost.scratch + copies)
    if not excluded and cost.scratch > room:
        excluded = f"{_NEEDS} {checks.memory(cost.scratch)} of scratch memory; the result leaves {checks.memory(room)}"
    return Candidate(name, cost, excluded)


def plan(
    first: Any,
    second: Any,
    *,
    operation: Operation = "conv_transpose",
    kernel_size: Ints | None = None,
    dtype: Any = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints | None = None,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    activation: str | Activation | None = None,
    residual: bool = False,
) -> Plan:
    """Say how a call would run, from shapes alone.

    `first` and `second` are the shapes (or arrays) of the operands: x and w for operation "conv_transpose", y and w for
    "conv", x and y for "weight_gradient", which needs `kernel_size` too. `dtype` defaults to that of `first` if it is
    an array, else to float32. `sums` says whether those of integers fit into it. `residual` says whether one is given.
    The other arguments and the errors are those of the operation.

    Expected times come from a cost model of one machine: their order decides, not their size.

    >>> import tconv
    >>> plan = tconv.plan((1, 64, 32, 32), (64, 32, 2, 2), stride=2)
    >>> plan.result_shape, plan.method, plan.why
    ((1, 32, 64, 64), 'jit', 'the lowest expected time')
    """
    with checks.explained("plan"):
        checks.choice("operation", operation, OPERATIONS)
        check_words(layout, method)
        name = arrays.dtype_name("dtype", getattr(first, "dtype", "float32") if dtype is None else dtype)
        shapes = shape_of("first", first), shape_of("second", second)
        window = arguments.window(stride, padding, output_padding, output_size, groups, dilation)
        kernel = arguments.freeze("kernel_size", kernel_size)
        made = make_plan(operation, *shapes, kernel, name, window, layout, method)
        if (epilogue := _epilogue(made, activation, residual)) is not None:
            made = replace(made, epilogue=epilogue)
        own = arrays.name_of(getattr(first, "dtype", name)), arrays.name_of(getattr(second, "dtype", name))
        return made if own == (name, name) else replace(made, operands=own)


def _epilogue(made: Plan, activation: Any, residual: Any) -> Epilogue | None:
    """What is to be done with the result of a plan."""
    given = checks.truth("residual", residual)
    if activation is None and not given:
        return None
    problem = made.problem
    if problem.operation == "weight_gradient":
        name, value = ("residual", residual) if activation is None else ("activation", activation)
        checks.wrong(f'{name} must be left out of operation "weight_gradient"; got {checks.shorten(value)}')
    channels = problem.out_channels if problem.written == "y" else problem.in_channels
    found = checked(activation, None, "x", made.dtype, made.result_shape, channels)
    return replace(found.epilogue if found else Epilogue(), residual=given)


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """A shape, or that of an array."""
    shape = getattr(value, "shape", value)
    if not checks.is_sequence(shape):
        checks.wrong_type(
            f"{name} must be a shape or an array; got {checks.shorten(value)} of type {type(value).__name__}"
        )
    return checks.shape(name, shape)
