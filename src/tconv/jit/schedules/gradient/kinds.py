"""The kinds of weight gradients: of any layer, and of depthwise ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.program import Program
from tconv.jit.schedules.gradient import schedule
from tconv.jit.schedules.gradient.schedule import GradientSchedule
from tconv.jit.schedules.kind import Kind, RegisterTile
from tconv.jit.schedules.lane_tiles import MOST_ROWS
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.jit.schedules.shares import IN_CHANNELS, filled
from tconv.problem import Problem


def _share(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    if problem.operation != "weight_gradient":
        return None
    return IN_CHANNELS * filled(problem.cin, isa.lanes(problem.itemsize))


def _share_of_depthwise(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    depthwise = problem.cin == problem.cout == 1 and not layout.joined
    return 1.0 if problem.operation == "weight_gradient" and depthwise else None


def _make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> GradientSchedule:
    return schedule.make(problem, layout, isa)


def _depthwise(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> GradientSchedule:
    return schedule.make(problem, layout, isa, depthwise=True)


def _program(s: GradientSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.gradient.tables import GradientTables

    return GradientTables(s, threads).write()


def _variations(s: GradientSchedule, budget: int) -> Iterator[dict[str, Any]]:
    neighbours = s.read if s.by_channel else s.last.kernel
    for vectors in range(1, min(4, -(-s.written // s.lanes)) + 1):
        pixels = max(1, min(neighbours, budget // vectors))
        yield {"vectors": vectors, "pixels": pixels, "rows": max(1, min(MOST_ROWS, budget // (vectors * pixels)))}
    yield from ({"outputs": min(s.read, n)} for n in (2 * s.outputs, -(-s.outputs // 2)) if not s.depthwise)
    yield from ({"run_tiles": min(len(s.tiles), n)} for n in (2 * s.run_tiles, -(-s.run_tiles // 2)))


def _allowed(s: GradientSchedule, isa: Isa) -> bool:
    fits = s.rows <= MOST_ROWS and s.rows * s.pixels * s.vectors <= isa.registers
    return fits and s.outputs <= s.read and s.run_tiles <= len(s.tiles) and (s.gathered or s.readable)


def _tile(kernel: Kernel, s: GradientSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Channels):
        return None
    pixels, channels = kernel.rows * kernel.pixels, min(kernel.lanes * kernel.vectors, s.written)
    of = "output channel" if s.by_channel else "tap"
    return RegisterTile(pixels, channels, 1, kernel.vectors, pixels * kernel.vectors, of=of)


GRADIENT = Kind(
    name="gradient",
    title="channels of the coarse grid in lanes",
    lanes="channels of x: elements of y are broadcast, {s.neighbours} side by side",
    chunk=("tiles of y",),
    tile_loops=("rows of x", "cells"),
    free=("vectors", "pixels", "rows", "cache_block", "outputs", "run_tiles"),
    share=_share,
    make=_make,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
    coarse_in_lanes=True,
)
DEPTHWISE = Kind(
    name="depthwise gradient",
    title="channels in lanes, depthwise",
    lanes="channels of x, each with its own channel of y",
    chunk=("tiles of y",),
    tile_loops=("rows of x", "cells"),
    free=("vectors", "pixels", "rows", "cache_block", "run_tiles"),
    share=_share_of_depthwise,
    make=_depthwise,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
    coarse_in_lanes=True,
    ranked=True,
)
