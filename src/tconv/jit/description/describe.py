"""Finds out what a schedule does, what it needs, and how fast it is expected to be."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tconv import checks
from tconv.geometry import Work
from tconv.jit import expected
from tconv.jit import isa as isas
from tconv.jit.channels import ChannelSchedule
from tconv.jit.choose import Schedule, choose, kinds
from tconv.jit.count import Counted, count, counted
from tconv.jit.description import GRADIENTS, Ceiling, Description, Tile
from tconv.jit.gradient import GradientSchedule
from tconv.jit.isa import Isa
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.folded import Folded
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.kinds import kind_of, problem_of
from tconv.jit.taps import TapSchedule
from tconv.problem import Problem

if TYPE_CHECKING:
    from tconv.jit.engine import Engine

#: What is assumed of one core where nothing was measured: multiply-adds it can begin in a turn of the clock, turns a
#: second, and bytes a second to and from memory. Those of one core of an AMD Zen 5 (a virtual machine with two), where
#: `roofline.py` measured 236 GFLOP/s for float32 with AVX-512, 2 * 16 lanes * 2 * 3.7e9, and copies of 64 MB at
#: 15.6 GB/s.
MULTIPLY_ADDS, CLOCK, BANDWIDTH = 2, 3.7e9, 15.6e9
#: Share of the peak that the best kernels reach: what is expected where the model of `choose.py` gives none.
BEST = 0.93

#: Kinds for which the shares in `choose.py` are no shares of the peak.
DEPTHWISE = ("planes", "own", "own gradient")
#: What runs along the lanes, by kind of schedule.
LANES = {
    "pixels": "pixels: vectors run along the last axis of both grids, weights are broadcast",
    "channels": "output channels: elements of {read} are broadcast",
    "phases": "(channel, phase) pairs of the last axis: elements of {read} are broadcast",
    "planes": "pixels of one channel: its weights stay in registers",
    "own": "channels, each with its own channel of {read}",
    "gradient": "channels of x: elements of y are broadcast, {by}",
    "own gradient": "channels of x, each with its own channel of y",
    "taps": "(output channel, tap) pairs: elements of {read} are broadcast, and products added where taps land",
}
#: The loops over a chunk, and those within a tile, from the outermost inwards; what is not named is unrolled.
_ROWS = {
    **dict.fromkeys(("pixels", "channels", "phases", "own"), ("phases and rows", "pixels")),
    **dict.fromkeys(GRADIENTS, ("tiles of y",)),
    "planes": ("phases of the outer axes", "rows", "pixels"),
    "taps": ("parts of the taps", "cells"),
}
_WITHIN: dict[str, tuple[str, ...]] = {
    "pixels": ("rows of {read} and their taps", "input channels"),
    "channels": ("taps", "input channels"),
    "phases": ("taps", "input channels"),
    "planes": (),
    "own": ("taps",),
    **dict.fromkeys(GRADIENTS, ("rows of x", "cells")),
    "taps": ("input channels",),
}


def describe(
    schedule: Schedule,
    isa: Isa | None,
    *,
    threads: int = 1,
    ceiling: Ceiling | None = None,
    counts: Counted | None = None,
) -> Description:
    """Describe a schedule for a processor; None: not known, so that nothing is said of registers and speed.

    `ceiling` is what was measured, for all threads together; without it constants are assumed. `counts` saves writing
    the program again.
    """
    kind, problem = kind_of(schedule), problem_of(schedule)
    counts = counts or counted(schedule, threads)
    work, read = problem.work, "x" if problem.written == "y" else "y"
    by = "channels side by side" if getattr(schedule, "by_channel", False) else "taps side by side"
    executed = 2 * counts.products
    ceiling = ceiling or assumed(schedule.lanes, threads)
    return Description(
        kind,
        f"vectors of {schedule.lanes}" if isa is None else isa.name,
        threads,
        LANES[kind].format(read=read, by=by),
        _tile(schedule, None if isa is None else isa.registers),
        schedule.box,
        tuple(map(len, schedule.spans)),
        counts.pieces,
        tuple(loop.format(read=read) for loop in _order(kind, counts.tiles_outside, _parts(schedule))),
        counts.in_place,
        schedule.panel,
        counts.direct,
        schedule.block,
        schedule.cells,
        getattr(schedule, "streaming", False),
        counts.packed,
        counts.scratch,
        counts.tables,
        expected.first(counts.tables),
        work.flops,
        executed,
        work.bytes,
        ceiling,
        None if isa is None else _expected(schedule, isa, work, executed, ceiling),
        read,
        problem.written,
    )


def of_problem(
    problem: Problem, channels_last: bool, *, threads: int | None = None, ceiling: Ceiling | None = None
) -> Description:
    """Describe what the engine would do on this machine, on so many threads; None: on as many as it would take."""
    from tconv.jit import engine, launch

    target = isas.current()
    wanted = threads or launch.setting()
    schedule = choose(problem, channels_last, target, wanted, engine.generation)
    counts = counted(schedule, wanted)
    used = min(wanted, counts.pieces) if threads else engine.threads_for(problem, target, wanted, counts.pieces)
    return describe(schedule, target, threads=used, ceiling=ceiling, counts=counts)


def announce(engine: Engine, problem: Problem, isa: Isa) -> None:
    """Print what an engine will do to the error stream: what TCONV_DEBUG=plan asks for."""
    counts = count(engine.program)
    layout = "channels last" if engine.schedule.layout.last else "channels first"
    p = problem
    groups = f", groups {p.groups}" if p.groups > 1 else ""
    print(
        f"{p.operation}, batch {p.batch}, channels {p.in_channels} -> {p.out_channels}{groups}, {p.dtype}, {layout}: "
        f"{p.geometry}",
        file=sys.stderr,
    )
    print(describe(engine.schedule, isa, threads=engine.threads, counts=counts), file=sys.stderr)


def text(schedule: Schedule) -> str:
    """What `str(schedule)` gives: for the processor in use, if its vectors are those of the schedule."""
    return str(describe(schedule, _matching(schedule)))


def assumed(lanes: int, threads: int = 1) -> Ceiling:
    """What is assumed of so many cores whose vectors have so many lanes."""
    return Ceiling(2.0 * lanes * MULTIPLY_ADDS * CLOCK * threads, BANDWIDTH * threads, measured=False)


# ---- the parts of a description


def _matching(schedule: Schedule) -> Isa | None:
    try:
        current = isas.current()
    except checks.Rejected:  # no kernels for this processor, or none by the name in TCONV_ISA
        return None
    return current if current.lanes(schedule.problem.itemsize) == schedule.lanes else None


def _tile(schedule: Schedule, registers: int | None) -> Tile:
    """Of the largest of the kernels that multiply."""
    return max((_tile_of(k, schedule, registers) for k in schedule.code.kernels), key=lambda tile: tile.sums)


def _tile_of(kernel: Any, schedule: Schedule, registers: int | None) -> Tile:
    wide = kernel.lanes * getattr(kernel, "vectors", 0)
    if isinstance(kernel, Pixels | Planes | Folded):
        channels, phases = getattr(kernel, "channels", 1), kernel.phases * kernel.rows
        return Tile(wide, channels, phases, kernel.vectors, channels * phases * kernel.vectors, registers)
    if not isinstance(kernel, Channels):
        return Tile(0, 0, 0, 0, 0, registers)
    pixels = kernel.rows * kernel.pixels
    sums = pixels * kernel.vectors
    if isinstance(schedule, GradientSchedule):
        of = "output channel" if schedule.by_channel else "tap"
        return Tile(pixels, min(wide, schedule.written), 1, kernel.vectors, sums, registers, of)
    if isinstance(schedule, TapSchedule):
        return Tile(pixels, schedule.channels, 1, kernel.vectors, sums, registers)
    assert isinstance(schedule, ChannelSchedule)
    channels = min(wide, schedule.written)
    if schedule.in_lanes == "channels":
        return Tile(pixels, channels, 1, kernel.vectors, sums, registers)
    phases = min(wide, schedule.last.stride)
    if schedule.layout.last:
        phases = max(1, min(wide, schedule.run) // schedule.written)
    else:
        channels = max(1, min(wide // schedule.last.stride, schedule.written))
    return Tile(pixels, channels, phases, kernel.vectors, sums, registers)


def _order(kind: str, tiles_outside: bool, parts: int) -> tuple[str, ...]:
    lanes = "channels of x" if kind in GRADIENTS else "output channels"
    tiles, rows = (lanes,), (*(("parts of the input channels",) if parts > 1 else ()), *_ROWS[kind])
    return ("chunk", *((*tiles, *rows) if tiles_outside else (*rows, *tiles)), *_WITHIN[kind])


def _parts(schedule: Schedule) -> int:
    return -(-schedule.read // schedule.part) if isinstance(schedule, ChannelSchedule) else 1


def _expected(schedule: Schedule, isa: Isa, work: Work, executed: int, ceiling: Ceiling) -> float | None:
    """The share of the roofline, at most what is of use of all that is executed. None where nothing is computed."""
    if not work.flops:
        return None
    of_use = work.flops / executed
    rate = min(_share(schedule, isa) or BEST * of_use, of_use) * ceiling.peak
    return min(1.0, rate / min(ceiling.peak, work.flops / work.bytes * ceiling.bandwidth))


@lru_cache(maxsize=256)
def _share(schedule: Schedule, isa: Isa) -> float | None:
    """The share of the peak that the model gives to schedules of this kind; None where it only ranks them."""
    if kind_of(schedule) in DEPTHWISE or schedule.layout.joined:
        return None
    layout = schedule.spread if isinstance(schedule, TapSchedule) else schedule.layout
    for kind in kinds(problem_of(schedule), layout, isa):
        if kind_of(kind.make()) == kind_of(schedule):
            return kind.share
    return None
