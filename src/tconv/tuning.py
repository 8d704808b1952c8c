"""`tconv.tune`: measures schedules of one problem against each other, and remembers the best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from tconv import arguments, arrays, checks
from tconv.arguments import Layout
from tconv.jit import engine
from tconv.jit.choice import tuned
from tconv.jit.choice.model import by_model, offered
from tconv.jit.choice.search import variations
from tconv.jit.engine import Engine
from tconv.jit.machine import cache, launch, roofline
from tconv.jit.machine import isa as isas
from tconv.jit.machine.address import address
from tconv.jit.machine.isa import Isa
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.registry import sizes
from tconv.measuring.rounds import shuffled, timed
from tconv.methods import parts
from tconv.plan import Plan, make_plan, shape_of
from tconv.problem import OPERATIONS, Array, Operation
from tconv.resolve import Ints, PaddingLike

#: Turns that each candidate has at least, seconds of one, and how many times as long as the quickest takes who then
#: has no more of them.
ROUNDS, TURN, BEHIND = 3, 0.002, 1.5
#: Kinds that take longer than the best by more than this are not varied.
PROMISING = 1.3
#: The model's own choice stays unless another one takes less than this share of its time: less may be noise.
BETTER = 0.98


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schedule that was measured."""

    schedule: Schedule
    seconds: float  #: of its quickest call
    share: float  #: of the peak that was measured meanwhile, likewise the best of some


@dataclass(frozen=True, slots=True)
class Tuned:
    """What `tconv.tune` measured and chose; `print` shows it as a table."""

    plan: Plan
    isa: str
    threads: int
    candidates: tuple[Candidate, ...]  #: the fastest first
    model: Candidate  #: what is used without tuning
    chosen: Candidate
    kept: str  #: the folder where the choice was kept for other processes, "" if it could not be

    @property
    def speedup(self) -> float:
        """How much faster the choice is than what is used without tuning."""
        return self.model.seconds / self.chosen.seconds

    def __str__(self) -> str:
        p, operation = self.plan, self.plan.problem.operation
        grid = f"conv, y {p.y_shape}" if operation == "conv" else f"x {p.x_shape}"
        grid = f"weight_gradient, {grid}" if operation == "weight_gradient" else grid
        shapes = f"{grid}, w {p.w_shape}, {p.dtype}, {p.layout}"
        rows = [(_said(c.schedule), f"{c.seconds * 1e3:.4g}", f"{c.share:.1%}", self._mark(c)) for c in self.candidates]
        width = max(len(row[0]) for row in rows)
        where = f"in this process and in {self.kept}" if self.kept else "in this process only"
        return "\n".join([
            f"{shapes}; {self.isa}, {checks.count(self.threads, 'thread')}",
            f"  {'candidate':<{width}}{'ms':>10}{'of peak':>10}",
            *(f"  {name:<{width}}{ms:>10}{share:>10}{mark}" for name, ms, share, mark in rows),
            f"{self.speedup:.2f} times as fast as the model's choice; remembered {where}",
        ])  # fmt: skip

    def _mark(self, candidate: Candidate) -> str:
        marks = ["< chosen"] if candidate is self.chosen else []
        marks += ["the model's choice"] if candidate is self.model else []
        return f"  {', '.join(marks)}" if marks else ""


def tune(
    x_shape: Any,
    w_shape: Any,
    *,
    operation: Operation = "conv_transpose",
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    dtype: Any = "float32",
    threads: int | None = None,
    seconds: float = 1.0,
) -> Tuned:
    """Measure which schedule of the engine is the fastest for these shapes on this machine, and use it from now on.

    Without tuning, a model of the processor chooses. Every kind of schedule that can serve the problem is measured, and
    variations of the promising ones: other tiles, other chunks. They take turns on the same arrays of random whole
    numbers, which stay in the caches as far as they fit, and must agree in every bit; the quickest call of each counts.
    The best is remembered for this problem, layout and set of instructions: in this process, and, where the cache of
    compiled kernels can be written, in later ones. `tconv cache clear` forgets it.

    Calls of every kind use the choice from the next one on: of the functions, of a `tconv.ConvTranspose`, of layers of
    `tconv.torch`. Another schedule may add in another order, so that results may differ in rounding.

    Args:
        x_shape, w_shape: shapes (or arrays) as `tconv.conv_transpose` takes them, and so are the other keywords.
        operation: "conv_transpose"; "conv", for which the first shape is that of y; or "weight_gradient", of the
            conv_transpose with these shapes.
        threads: how many to measure with; None: as many as `tconv.get_num_threads` says. Other calls of the process
            compute with as many meanwhile.
        seconds: how long to measure, a few turns of each at least. Compiling comes on top: tens of milliseconds a
            candidate.

    Raises:
        ValueError, TypeError, MemoryError: as `tconv.plan` with method "jit".
        RuntimeError: a candidate gives another result than the model's choice: a fault of tconv.
    """
    with checks.explained("tune"):
        checks.choice("operation", operation, OPERATIONS)
        checks.choice("layout", layout, arguments.LAYOUTS)
        name = arrays.dtype_name("dtype", dtype)
        if name in parts.REAL:
            checks.wrong(f"dtype must be a real one: kernels compute {name} as {parts.REAL[name]}; got {name}")
        window = arguments.window(stride, padding, output_padding, output_size, groups, dilation)
        shapes = shape_of("x_shape", x_shape), shape_of("w_shape", w_shape)
        plan = _plan(operation, *shapes, name, window, layout)
        if plan.problem.batch == 0:
            checks.wrong(f"x_shape must have at least 1 image to measure with; got {plan.x_shape}")
        if threads is not None:
            threads = launch.checked("threads", threads)
        number = checks.seconds("seconds", seconds)
        with _with_threads(threads):
            return _Tuning(plan, isas.current()).run(number)


def _plan(
    operation: Operation, first: tuple[int, ...], w: tuple[int, ...], dtype: str, window: arguments.Window,
    layout: Layout,
) -> Plan:  # fmt: skip
    """The plan of the operation; of a weight gradient from the shapes of x and of the gradient itself."""
    if operation != "weight_gradient":
        return make_plan(operation, first, w, None, dtype, window, layout, "jit")
    forward = make_plan("conv_transpose", first, w, None, dtype, window, layout, "jit")
    fixed = window._replace(output_padding=None, output_size=None)  # both grids say it
    return make_plan(operation, first, forward.y_shape, w[2:], dtype, fixed, layout, "jit")


@contextmanager
def _with_threads(threads: int | None) -> Iterator[None]:
    before = launch.setting()
    if threads in (None, before):
        yield
        return
    launch.set_num_threads(threads)
    try:
        yield
    finally:
        launch.set_num_threads(before)


class _Tuning:
    """The arrays of a problem, named as the engine does (x is read, y written), and engines that compute it on them.

    Of a weight gradient, x is the fine grid, the coarse one is in the place of packed weights, and y is the gradient.
    """

    def __init__(self, plan: Plan, isa: Isa) -> None:
        self.plan, self.isa, self.problem = plan, isa, plan.problem
        self.channels_last = plan.layout == "channels_last"
        read = plan.x_shape if self.problem.operation == "conv_transpose" else plan.y_shape
        self.gradient = self.problem.operation == "weight_gradient"
        second = plan.x_shape if self.gradient else plan.w_shape
        self.x, self.w = (_whole_numbers(shape, self.problem.dtype) for shape in (read, second))
        self.y = engine.empty(plan.result_shape, np.dtype(self.problem.dtype))
        self.expected: Array | None = None
        self.packed: dict[Any, Array] = {}
        self.weights: dict[int, int] = {}  # by the address of the program
        self.engines: dict[Schedule, Engine] = {}
        self.first: dict[Schedule, float] = {}
        self.peaks: list[float] = []

    def run(self, seconds: float) -> Tuned:
        """Measure, choose, remember."""
        given = self.problem, self.channels_last, self.isa, launch.setting()
        model = by_model(*given)
        self.prepare(model)
        for kind in offered(*given):
            self.prepare(kind.make())
        best = min(self.first.values())
        for schedule in [s for s, took in self.first.items() if took <= PROMISING * best]:
            for other in variations(schedule, self.isa):
                self.prepare(other)
        return self.chosen(model, self.race(seconds))

    def race(self, seconds: float) -> dict[Schedule, float]:
        """Seconds of the quickest call of each, in rounds in another order each time; who is far behind is left out.

        The quickest, not the median: other work on the machine makes calls slower, never quicker.
        """
        quickest, end, number = dict(self.first), perf_counter() + seconds, 0
        while number < ROUNDS or perf_counter() < end:
            self.peaks.append(roofline.peak(self.isa, self.problem.dtype))
            near = [s for s, took in quickest.items() if number < ROUNDS or took < BEHIND * min(quickest.values())]
            for schedule in shuffled(near, number):
                quickest[schedule] = min(quickest[schedule], self.turn(self.engines[schedule]))
            number += 1
        return quickest

    def turn(self, made: Engine) -> float:
        """The quickest of as many calls as a turn holds, after an untimed one that brings its data near."""
        self.call(made)
        took, end = timed(lambda: self.call(made)), perf_counter() + TURN
        while perf_counter() < end:
            took = min(took, timed(lambda: self.call(made)))
        return took

    def prepare(self, schedule: Schedule) -> None:
        """Compile a schedule, compare its result with that of the first one, and see how long a call takes."""
        if schedule in self.engines:
            return
        made = engine.build(schedule, self.problem, self.isa, launch.setting())
        # Looked up once: of many groups, telling the order of the weights takes longer than a call.
        self.weights[made.address] = self.packed_for(made)
        self.y.fill(np.nan)
        self.call(made)
        if self.expected is None:
            self.expected = self.y.copy()
        elif not np.array_equal(self.y, self.expected):
            raise RuntimeError(
                f"tune: {_said(schedule)} gives another result than {_said(next(iter(self.engines)))}, on {self.plan}"
            )
        self.engines[schedule] = made
        self.first[schedule] = min(timed(lambda: self.call(made)) for _ in range(2))

    def call(self, made: Engine) -> None:
        """One call with the weights packed."""
        made.run(address(self.x), self.weights[made.address], address(self.y))

    def packed_for(self, made: Engine) -> int:
        """Where an engine finds its weights; engines that want them in the same order share them."""
        if self.gradient:
            return address(self.w)
        key = made.program.packing
        if key not in self.packed:
            self.packed[key] = engine.aligned(made.program.packed)
            made.pack(self.w, None, self.packed[key])
        return address(self.packed[key])

    def chosen(self, model: Schedule, times: dict[Schedule, float]) -> Tuned:
        """The verdict, remembered."""
        threads = max(made.threads for made in self.engines.values())
        most = max(self.peaks) * threads
        work = self.problem.work.flops
        measured = {s: Candidate(s, t, work / t / most) for s, t in times.items()}
        best = min(measured.values(), key=lambda candidate: candidate.seconds)
        chosen = best if best.seconds < BETTER * measured[model].seconds else measured[model]
        on_disk = tuned.remember(self.problem, self.channels_last, self.isa, chosen.schedule)
        engine.forget()
        ranked = tuple(sorted(measured.values(), key=lambda candidate: candidate.seconds))
        kept = str(cache.place()) if on_disk else ""
        return Tuned(self.plan, self.isa.name, threads, ranked, measured[model], chosen, kept)


def _whole_numbers(shape: tuple[int, ...], dtype: str) -> Array:
    """Small ones, so that sums are exact in any order."""
    numbers: Array = np.random.default_rng(0).integers(-3, 4, shape).astype(dtype)
    aligned = engine.empty(shape, np.dtype(dtype))
    aligned[...] = numbers
    return aligned


def _said(schedule: Schedule) -> str:
    return f"{schedule.kind}: {sizes(schedule)}"
