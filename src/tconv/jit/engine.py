"""One problem made ready: schedule, tables, machine code, and the calls that use them: pack weights, run, gradient."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv import checks
from tconv.finishing import Epilogue
from tconv.forks import uninterrupted
from tconv.jit.choice import expected
from tconv.jit.choice.choose import choose
from tconv.jit.choice.model import by_filter
from tconv.jit.kernels.abi import UnpackedWeights
from tconv.jit.kernels.linking import linked
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import debug, isa, launch
from tconv.jit.machine.address import address
from tconv.jit.machine.entry_points import EntryPoints
from tconv.jit.machine.environment import forced_isa
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.packing import LINE
from tconv.jit.programs.program import Program
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.layouts import innermost
from tconv.jit.schedules.registry import kind_of, program_of
from tconv.problem import Array, Problem

if TYPE_CHECKING:
    from tconv.jit.description.description import Ceiling, Description

#: Rows of a grid, at most: tables have an entry for each chunk of rows, and take up to 15 MB and half a second here.
MOST_ROWS = 1 << 24
#: Larger kernels and strides than this, all axes together, are not for generated code: tables list taps and phases.
LONGEST = 1 << 14
DTYPES = tuple(ELEMENTS)
#: Fine cells that the window of a weight gradient may span, all axes together: they are copied into scratch.
WIDEST = 1 << 17


class Addresses(NamedTuple):
    """What an epilogue is given: the addresses of contiguous arrays of the dtype of y; 0 where there is none."""

    residual: int = 0  #: in the layout of y
    parameters: int = 0  #: of the activation: one number, or one for each channel (`Finishing.parameters`)


NO_ADDRESSES = Addresses()


def addresses(parameters: Array, residual: Array | None) -> tuple[Addresses, tuple[Array, Array | None]]:
    """Those of arrays, residuals in the layout of y, and the arrays themselves: who runs the engine keeps them."""
    if residual is not None:
        residual = np.ascontiguousarray(residual)
    found = Addresses(0 if residual is None else address(residual), address(parameters))
    return found, (parameters, residual)


@dataclass(frozen=True)
class Engine:
    """A problem made ready for arrays of one layout and a number of threads."""

    schedule: Schedule
    program: Program
    code: EntryPoints
    threads: int
    address: int  #: of the program
    scratch: int  #: bytes that all threads need together
    brief: bool = False  #: too little to wake threads for
    openmp: bool = False  #: threads are those of PyTorch, for calls between its operations
    channels: int = 0  #: of y, where an epilogue follows

    @property
    def spreads(self) -> bool:
        """Of a weight gradient, whether cells of x meet zeros beside y: a NaN or an Inf would reach untied weights."""
        return self.schedule.spreads

    def pack(self, w: Array, bias: Array | None, packed: NDArray[np.uint8]) -> bool:
        """Bring contiguous weights into the order of the kernels; returns whether all of them are finite."""
        return self.pack_at(address(w), 0 if bias is None else address(bias), address(packed))

    def pack_at(self, w: int, bias: int, packed: int) -> bool:
        """As `pack`, given the addresses of the arrays; that of no bias is 0."""
        transformed = self.schedule.transformed(w)
        if transformed is not None:
            w = address(transformed)
        first, count = self.program.blocks
        blocks = self.address + 8 * first
        threads = launch.useful(self.program.packed / expected.PACKING, count) if self.threads > 1 else 1
        return launch.pack(self.code, self.address, blocks, count, w, bias, packed, threads, openmp=self.openmp)

    def once(self, x: int, w: Array, bias: Array | None, y: int, finishing: Addresses = NO_ADDRESSES) -> bool:
        """Compute y from x with contiguous weights that serve this call; returns whether y is what it should be.

        It is not where a weight is not finite, nor where `run` says so.
        """
        return self.once_at(x, address(w), 0 if bias is None else address(bias), y, finishing)

    def once_at(self, x: int, w: int, bias: int, y: int, finishing: Addresses = NO_ADDRESSES) -> bool:
        """As `once`, given the addresses of the arrays; that of no bias is 0."""
        if not self.program.on_the_fly:
            workspace = _local.packed  # a name, so that this frame keeps the memory: see `_Workspaces`
            packed = workspace.of(self.program.packed)
            return self.pack_at(w, bias, packed) and self.run(x, packed, y, finishing)
        given = self._given(w, bias, y, finishing) if self.channels else np.zeros(len(UnpackedWeights), np.int64)
        given[UnpackedWeights.WEIGHTS], given[UnpackedWeights.BIAS] = w, bias
        self._run(x, address(given), y)
        return not given[UnpackedWeights.SPOILED]

    def run(self, x: int, packed: int, y: int, finishing: Addresses = NO_ADDRESSES) -> bool:
        """Compute y from x, as `axes.py` names them, given the addresses of contiguous arrays in its layout.

        Of a weight gradient these are the fine grid, the coarse one (`packed`), and the weights. `finishing`: what the
        epilogue is given, where one follows. Returns whether y is what the definition says: by minimal filtering it is
        not where a result is not finite, and has to be computed by an exact engine.
        """
        if not self.channels:
            self._run(x, packed, y)
            return True
        given = self._given(packed, 0, y, finishing)  # a name: this frame keeps it
        self._run(x, address(given), y)
        return not given[UnpackedWeights.SPOILED]

    def _given(self, weights: int, bias: int, y: int, finishing: Addresses) -> NDArray[np.int64]:
        """What stands for packed weights where an epilogue follows."""
        residual = finishing.residual - y if finishing.residual else 0
        return np.array([weights, bias, 0, residual, finishing.parameters, y, self.channels], np.int64)

    def _run(self, x: int, packed: int, y: int) -> None:
        workspace = _local.scratch  # a name, likewise
        scratch = workspace.of(self.scratch)
        if self.threads == 1:
            self.code.run(0, self.address, x, packed, y, scratch, 1, 0)
        else:
            program, threads = self.address, self.threads
            launch.run(self.code, program, x, packed, y, scratch, threads, brief=self.brief, openmp=self.openmp)


def limit(problem: Problem) -> str:
    """Why the engine cannot compute a problem; "" where it can."""
    if problem.dtype not in DTYPES:
        return f"computes {' and '.join(DTYPES)} only, not {problem.dtype}"
    geometry = problem.geometry
    grids = (
        {"y": geometry.fine} if problem.operation == "conv_transpose" else {"y": geometry.fine, "x": geometry.coarse}
    )
    for name, size in grids.items():
        if prod(size[:-1]) * max(1, problem.batch) > MOST_ROWS and geometry.ndim > 1:
            return f"computes at most {MOST_ROWS} rows of {name}"
    if max(problem.taps, prod(geometry.stride)) > LONGEST:
        return f"computes kernels and strides up to {LONGEST} only, all axes together"
    if problem.operation == "weight_gradient" and window(problem) > WIDEST:
        return f"computes weight gradients of kernels that span up to {WIDEST} fine cells only"
    if not isa.available():
        return "has no kernels for this processor"
    missing = compiler.available()
    return f"cannot generate kernels: {missing}" if missing else ""


def can_filter(problem: Problem, channels_last: bool) -> bool:
    """Whether minimal filtering (`jit/kernels/filtering.py`) is quicker for a problem that the engine computes."""
    last = innermost(problem, channels_last)
    return by_filter(problem, last, isa.current()) is not None


def window(problem: Problem) -> int:
    """Fine cells from the first that a coarse cell meets to the last, with the zeros beside a row."""
    axes = problem.geometry.axes
    spans = [axis.dilation * (axis.kernel - 1) + 1 for axis in axes]
    return prod(spans[:-1]) * (spans[-1] + sum(map(abs, axes[-1].padding)))


def ready(
    problem: Problem,
    channels_last: bool,
    *,
    once: bool = False,
    most: int = launch.MOST_THREADS,
    openmp: bool = False,
    epilogue: Epilogue | None = None,
    filtered: bool = False,
) -> Engine:
    """The engine of a problem for the processor and the number of threads in use, or at most so many.

    `once`: for `Engine.once`, rather than for `run`. `openmp`: its threads are those of PyTorch. `epilogue`: what is
    done with the result, of anything but a weight gradient. `filtered`: by minimal filtering, where `can_filter`.
    """
    try:
        threads = min(launch.setting(), most)
        last, target = innermost(problem, channels_last), isa.current()
        return _ready(problem, last, target, threads, once and not filtered, openmp, epilogue, filtered, generation)
    except checks.Rejected as rejected:  # a variable of the environment is wrong, which may change after the plan
        raise rejected.kind(f"{problem.operation}: {rejected}") from None


@lru_cache(maxsize=512)
def _ready(
    problem: Problem, channels_last: bool, target: Isa, threads: int, once: bool, openmp: bool,
    epilogue: Epilogue | None, filtered: bool, generation: int,
) -> Engine:  # fmt: skip
    with uninterrupted:
        chosen = choose(problem, channels_last, target, threads, generation, filtered)
        schedule = kind_of(chosen).once(chosen) if once else chosen
        if once and schedule is chosen:
            return _ready(problem, channels_last, target, threads, False, openmp, epilogue, filtered, generation)
        made = build(schedule, problem, target, threads, openmp, epilogue)
        if debug.wants("plan"):
            from tconv.jit.description.describe import announce

            announce(schedule, made.program, made.threads, problem, target, epilogue)
        return made


def build(
    schedule: Schedule, problem: Problem, target: Isa, threads: int, openmp: bool = False,
    epilogue: Epilogue | None = None,
) -> Engine:  # fmt: skip
    """The engine that runs a schedule of a problem on at most so many threads."""
    program = program_of(schedule, threads, epilogue) if epilogue else program_of(schedule, threads)
    threads = threads_for(problem, target, threads, program.runs)
    code = linked(program.code, target)
    brief = expected.seconds(problem, target, 1) < launch.BRIEF
    channels = prod(problem.written_shape[1:3]) if program.finishes else 0
    scratch = program.scratch * threads
    return Engine(schedule, program, code, threads, program.address, scratch, brief, openmp, channels)


def described(
    problem: Problem, channels_last: bool, *, threads: int | None = None, ceiling: Ceiling | None = None,
    filtered: bool = False,
) -> Description:  # fmt: skip
    """What the engine would do on this machine, on so many threads; None: on as many as it would take.

    `filtered`: by minimal filtering, in the layout that has it.
    """
    from tconv.jit.description.describe import counted, describe

    target = isa.current()
    wanted = threads or launch.setting()
    if filtered and not can_filter(problem, channels_last):
        channels_last = not channels_last
    schedule = choose(problem, channels_last, target, wanted, generation, filtered)
    counts = counted(schedule, wanted)
    used = min(wanted, counts.pieces) if threads else threads_for(problem, target, wanted, counts.pieces)
    return describe(schedule, target, threads=used, ceiling=ceiling, counts=counts)


def threads_for(problem: Problem, target: Isa, threads: int, pieces: int) -> int:
    """How many threads are worth starting, at most so many, for work in so many pieces."""
    return launch.useful(expected.seconds(problem, target, 1), min(threads, pieces))


#: How often engines were forgotten: who keeps one asks whether it is still the one to use. It is looked up before the
#: engine is made, and kept with it: what changes meanwhile makes it one of the past.
generation = 0


def state() -> tuple[int, object, int] | None:
    """What engines depend on beside their problem: threads, instructions, and what `tconv.tune` has found.

    Who keeps what depends on an engine compares. None: a setting is wrong, which `ready` explains.
    """
    try:
        return launch.setting(), forced_isa(), generation
    except checks.Rejected:
        return None


def forget() -> None:
    """Make engines anew when they are next asked for: another schedule may have been chosen."""
    global generation
    with uninterrupted:
        generation += 1
    choose.cache_clear()
    _ready.cache_clear()


#: Room for scratch beyond what a call needs, in parts of it: untouched it costs nothing, and sizes grow by little.
SPARE = 0.5


class _Workspace:
    """Memory that is kept from call to call; its contents are anything."""

    __slots__ = ("address", "memory", "size", "spare")

    def __init__(self, spare: float = 0.0) -> None:
        self.memory, self.address, self.size, self.spare = np.empty(0, np.uint8), 0, 0, spare

    def of(self, size: int) -> int:
        """Where there is room for so many bytes."""
        if self.size < size:
            self.memory = aligned(size + int(self.spare * size))
            self.address, self.size = address(self.memory), len(self.memory)
        return self.address


class _Workspaces(threading.local):
    """The workspaces of one thread: for weights that are packed for one call, and for the scratch of kernels.

    When the interpreter goes down it clears modules, caches and what threads have of their own, while daemon threads
    still run kernels. What the frames of these hold it never frees. So whatever kernels read or write is held by name
    in a frame below: arrays by who hands on their addresses, the program through `self`, and these here.
    """

    def __init__(self) -> None:
        self.packed, self.scratch = _Workspace(), _Workspace(SPARE)


_local = _Workspaces()


#: Elements from which a result is worth aligning: it takes a microsecond.
ALIGN_FROM = 16384


def aligned(size: int) -> NDArray[np.uint8]:
    """New memory, aligned to a cache line: vectors stored across two lines take twice as long."""
    memory = np.empty(size + LINE, np.uint8)
    start = -address(memory) % LINE
    return memory[start : start + size]


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A new array, aligned to a cache line unless it is small."""
    if prod(shape) < ALIGN_FROM:
        return np.empty(shape, dtype)
    result: Array = aligned(prod(shape) * dtype.itemsize).view(dtype).reshape(shape)
    return result
