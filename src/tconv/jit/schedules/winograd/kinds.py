"""The kind of schedules by minimal filtering."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.program import Program
from tconv.jit.schedules.kind import Kind, RegisterTile
from tconv.jit.schedules.lane_tiles import MOST_ROWS
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.jit.schedules.winograd import filters, sizes
from tconv.jit.schedules.winograd.schedule import WinogradSchedule
from tconv.problem import Problem


def _share(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    if problem.operation == "weight_gradient" or layout.joined:
        return None
    if layout.channels_last and problem.groups > 1:
        return None
    if any(line.read_stride != 1 for line in layout.axes):
        return None
    gain = filters.best(problem, layout, isa).gain
    return gain if gain >= filters.WORTH else None


def _make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> WinogradSchedule:
    chosen = filters.best(problem, layout, isa)
    return sizes.make(problem, layout, isa, chosen.outputs, chosen.taps)


def _program(s: WinogradSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.winograd.tables import WinogradTables

    return WinogradTables(s, threads).write(epilogue)


def _variations(s: WinogradSchedule, budget: int) -> Iterator[dict[str, Any]]:
    for vectors in range(1, min(4, -(-s.written // s.lanes)) + 1):
        for rows in (1, s.rows):
            yield {
                "vectors": vectors,
                "rows": rows,
                "pixels": max(1, min(budget // (vectors * rows), len(s.spans[-1]))),
            }


def _allowed(s: WinogradSchedule, isa: Isa) -> bool:
    if s.transposed and s.layout.channels_last:
        return False
    return s.rows <= MOST_ROWS and s.rows * s.pixels * s.vectors <= isa.registers


def _tile(kernel: Kernel, s: WinogradSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Channels):
        return None
    pixels = kernel.rows * kernel.pixels
    channels = min(kernel.lanes * kernel.vectors, s.written)
    return RegisterTile(pixels, channels, 1, kernel.vectors, pixels * kernel.vectors)


WINOGRAD = Kind(
    name="winograd",
    title="minimal filtering",
    lanes="output channels: points of {read} are broadcast",
    chunk=("points", "rows of tiles", "tiles"),
    tile_loops=("segments", "input channels"),
    free=("vectors", "pixels", "rows", "cache_block", "transposed"),
    share=_share,
    make=_make,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
    exact=False,
)
