"""Finds out what a schedule does, what it needs, and how fast it is expected to be."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache

from tconv import checks
from tconv.finishing import Epilogue
from tconv.geometry import Work
from tconv.jit.choice import expected
from tconv.jit.description.description import Ceiling, Description
from tconv.jit.kernels.finish import Finish
from tconv.jit.machine import isa as isas
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.count import Counted, count
from tconv.jit.programs.program import Program
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.kind import RegisterTile
from tconv.jit.schedules.registry import kind_of, program_of
from tconv.problem import Problem

#: What is assumed of one core where nothing was measured: multiply-adds it can begin in a cycle, cycles a
#: second, and bytes a second to and from memory. Those of one core of an AMD Zen 5 (a virtual machine with two), where
#: `roofline.py` measured 236 GFLOP/s for float32 with AVX-512, 2 * 16 lanes * 2 * 3.7e9, and copies of 64 MB at
#: 15.6 GB/s.
MULTIPLY_ADDS, CLOCK, BANDWIDTH = 2, 3.7e9, 15.6e9
#: Share of the peak that the best kernels reach: what is expected where the model gives none.
BEST = 0.93


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
    kind, problem = kind_of(schedule), schedule.posed
    counts = counts or counted(schedule, threads)
    work, read = problem.work, "x" if problem.written == "y" else "y"
    executed = 2 * counts.products
    ceiling = ceiling or assumed(schedule.lanes, threads)
    return Description(
        kind.name,
        f"vectors of {schedule.lanes}" if isa is None else isa.name,
        threads,
        kind.lanes.format(read=read, s=schedule),
        replace(_tile(schedule), registers=None if isa is None else isa.registers),
        schedule.cache_block,
        tuple(map(len, schedule.spans)),
        counts.pieces,
        tuple(loop.format(read=read) for loop in _order(schedule, counts.tiles_outside)),
        counts.in_place,
        schedule.panel,
        counts.direct,
        schedule.block,
        schedule.cells,
        schedule.streaming,
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


@lru_cache(maxsize=256)
def counted(schedule: Schedule, threads: int) -> Counted:
    """What the program of a schedule amounts to. Writing it takes as long as for a first call: 5 to 400 ms."""
    return count(program_of(schedule, threads))


def announce(
    schedule: Schedule, program: Program, threads: int, problem: Problem, isa: Isa, epilogue: Epilogue | None = None
) -> None:
    """Print what an engine will do to the error stream: what TCONV_DEBUG=plan asks for."""
    layout = "channels last" if schedule.layout.channels_last else "channels first"
    p = problem
    groups = f", groups {p.groups}" if p.groups > 1 else ""
    print(
        f"{p.operation}, batch {p.batch}, channels {p.in_channels} -> {p.out_channels}{groups}, {p.dtype}, {layout}: "
        f"{p.geometry}",
        file=sys.stderr,
    )
    print(describe(schedule, isa, threads=threads, counts=count(program)), file=sys.stderr)
    if epilogue:
        last = any(isinstance(kernel, Finish) for kernel in program.code.kernels)
        print(f"  {'then':<10}{epilogue}, {'row by row in the caches' if last else 'in registers'}", file=sys.stderr)


def text(schedule: Schedule) -> str:
    """A schedule in words: for the processor in use, if its vectors are those of the schedule."""
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


def _tile(schedule: Schedule) -> RegisterTile:
    """The tile of the largest of the kernels that multiply."""
    kind = kind_of(schedule)
    tiles = (kind.tile(kernel, schedule) for kernel in schedule.code.kernels)
    return max((tile for tile in tiles if tile), key=lambda tile: tile.sums)


def _order(schedule: Schedule, tiles_outside: bool) -> tuple[str, ...]:
    """The loops from the outermost inwards."""
    kind = kind_of(schedule)
    tiles = "channels of x" if kind.coarse_in_lanes else "output channels"
    parts = ("parts of the input channels",) if schedule.parts_of_read > 1 else ()
    chunk = (*parts, *kind.chunk)
    return ("chunk", *((tiles, *chunk) if tiles_outside else (*chunk, tiles)), *kind.tile_loops)


def _expected(schedule: Schedule, isa: Isa, work: Work, executed: int, ceiling: Ceiling) -> float | None:
    """The share of the roofline, at most what is of use of all that is executed.

    None where nothing is computed, or by fewer products than the definition has, which may be beyond the roofline.
    """
    if not (work.flops and kind_of(schedule).exact):
        return None
    of_use = work.flops / executed
    rate = min(_share(schedule, isa) or BEST * of_use, of_use) * ceiling.peak
    return min(1.0, rate / min(ceiling.peak, work.flops / work.bytes * ceiling.bandwidth))


@lru_cache(maxsize=256)
def _share(schedule: Schedule, isa: Isa) -> float | None:
    """The share of the peak that the model gives to schedules of this kind; None where it only ranks them."""
    kind = kind_of(schedule)
    if kind.ranked or schedule.layout.joined:
        return None
    return kind.share(schedule.posed, schedule.posed_layout, isa, 1)
