"""The kind with taps in lanes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.program import Program
from tconv.jit.schedules.kind import Kind, RegisterTile
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.jit.schedules.taps import schedule
from tconv.jit.schedules.taps.schedule import TapSchedule
from tconv.problem import Problem

#: The share that the best kernels reach, and products that it costs to add a run of taps to y.
IN_TAPS, ADDED = 0.85, 200.0


def _share(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    """The share of the peak: what is beside y is in vain, and adding a run costs much."""
    if not schedule.able(problem, layout, isa):
        return None
    last, cells, lanes = layout.axes[-1], prod(line.read for line in layout.axes), isa.lanes(problem.itemsize)
    landing = problem.multiplications / max(1, cells * problem.taps * problem.cin * problem.cout * problem.groups)
    run = min(lanes, last.kernel if last.dilation == 1 else 1)
    return IN_TAPS * landing * schedule.filled(problem, layout, lanes) * problem.cin / (problem.cin + ADDED / run)


def _make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> TapSchedule:
    return schedule.make(problem, layout, isa)


def _program(s: TapSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.taps.tables import TapTables

    return TapTables(s, threads).write(epilogue)


def _variations(s: TapSchedule, budget: int) -> Iterator[dict[str, Any]]:
    yield from ({"vectors": n, "pixels": min(budget // n, len(s.spans[-1]))} for n in (1, 2, 3, 4))
    yield from ({"channels": min(s.written, n)} for n in (1, s.channels - 1, s.channels + 1, 2 * s.channels))


def _allowed(s: TapSchedule, isa: Isa) -> bool:
    whole = s.cache_block == (1, len(s.spans[-1]))
    return whole and s.channels <= s.written and s.vectors * s.pixels <= isa.registers


def _tile(kernel: Kernel, s: TapSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Channels):
        return None
    pixels = kernel.rows * kernel.pixels
    return RegisterTile(pixels, s.channels, 1, kernel.vectors, pixels * kernel.vectors)


TAPS = Kind(
    name="taps",
    title="taps in lanes",
    lanes="(output channel, tap) pairs: elements of {read} are broadcast, and products added where taps land",
    chunk=("parts of the taps", "cells"),
    tile_loops=("input channels",),
    free=("vectors", "pixels", "channels", "cache_block"),
    share=_share,
    make=_make,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
)
