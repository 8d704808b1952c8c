"""The kinds with channels in lanes: channels alone, (channel, phase) pairs, and channels of depthwise layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.channels import Channels
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.program import Program
from tconv.jit.schedules.axes import LoopAxis, by_shift
from tconv.jit.schedules.channels import sizes
from tconv.jit.schedules.channels.on_the_fly import packed_on_the_fly
from tconv.jit.schedules.channels.schedule import ChannelSchedule
from tconv.jit.schedules.kind import Kind, RegisterTile
from tconv.jit.schedules.lane_tiles import MOST_ROWS
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.shares import IN_CHANNELS, MANY, STORED, filled, inside, terms, weights_are_heavy
from tconv.problem import Problem

#: Products that a result costs on its way through the block: by a transpose, and as runs of a vector or more.
TRANSPOSED, MOVED = 24.0, 40.0
#: With fewer registers a tile has few pixels for each vector of weights: what becomes of the share where weights are
#: many, and products that the store of a result costs where pixels far apart end within a vector. Fitted to AVX2 on AMD
#: Zen 4.
MANY_REGISTERS, FEW_PIXELS, RAGGED = 32, 0.94, 32.0
#: The rank of channels of depthwise layers that are transposed, against 2 for planes whose rows fill vectors.
SHORT = 1.5


# ---- shares


def _share_of_channels(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    if problem.operation == "weight_gradient":
        return None
    last, lanes = layout.axes[-1], isa.lanes(problem.itemsize)
    if layout.joined:
        return 1.0 if last.read_stride != 1 else None
    # Far apart in the block, the phases of a large stride fall into few sets of the cache.
    stored = STORED if layout.channels_last else TRANSPOSED * (1 if last.stride < MANY else 2)
    n = terms(problem, layout)
    few = isa.registers < MANY_REGISTERS
    if few and layout.channels_last and last.stride >= MANY and channels_of(problem).written % lanes:
        stored = RAGGED
    stays = FEW_PIXELS if few and problem.operation == "conv" and weights_are_heavy(problem) else 1.0
    return stays * IN_CHANNELS * filled(channels_of(problem).written, lanes) * inside(last) * n / (n + stored)


def _share_of_phases(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    """Channels last a run of lanes holds all channels of a pixel. (Of `conv` dilation is negative: one phase.)"""
    if problem.operation == "weight_gradient":
        return None
    last, lanes = layout.axes[-1], isa.lanes(problem.itemsize)
    if layout.joined:
        return 1.0 if last.read_stride == 1 else None
    if last.dilation != 1 or (layout.channels_last and problem.groups > 1):
        return None
    written, n = channels_of(problem).written, terms(problem, layout)
    run = last.stride * (written if layout.channels_last else 1)
    runs = 1 if layout.channels_last else max(1, lanes // run)  # of a vector
    in_use = filled(run * runs, lanes) * _tapped(last) * inside(last, last.low % last.stride, every=True)
    in_use *= 1.0 if layout.channels_last else filled(written, runs)
    return IN_CHANNELS * in_use * n / (n + MOVED * max(1.0, lanes / run))


def _tapped(last: LoopAxis) -> float:
    """The share of (phase, shift) pairs of the last axis that have a tap."""
    return last.kernel / (len(by_shift(last, last.low % last.stride)) * last.stride)


def _share_of_depthwise(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    lanes = isa.lanes(problem.itemsize)
    if problem.operation == "weight_gradient" or layout.joined or not problem.cin == problem.cout == 1:
        return None
    if layout.channels_last:
        return 2.0
    return SHORT * filled(problem.groups, lanes) if problem.groups >= lanes else None


# ---- schedules


def _channels(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> ChannelSchedule:
    return sizes.make(problem, layout, isa, "channels")


def _phases(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> ChannelSchedule:
    return sizes.make(problem, layout, isa, "phases")


def _depthwise(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> ChannelSchedule:
    return sizes.make(problem, layout, isa, "channels", depthwise=True)


def _program(s: ChannelSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.channels.tables import ChannelTables

    return ChannelTables(s, threads).write(epilogue)


def _variations(s: ChannelSchedule, budget: int) -> Iterator[dict[str, Any]]:
    yield from ({"rows": 1, **tile} if "vectors" in tile else tile for tile in _variations_of_depthwise(s, budget))
    yield from (
        {"rows": n, "pixels": min(s.pixels, budget // (n * s.vectors))} for n in (max(1, s.rows - 1), s.rows + 1)
    )
    yield from ({"part": min(s.read, n)} for n in (s.read, 2 * s.part, -(-s.part // 2)))


def _variations_of_depthwise(s: ChannelSchedule, budget: int) -> Iterator[dict[str, Any]]:
    for vectors in range(1, min(4, -(-s.run * s.runs // s.lanes)) + 1):
        for pixels in dict.fromkeys((budget // vectors, (budget + 1) // vectors)):
            yield {"vectors": vectors, "pixels": min(pixels, len(s.spans[-1]))}
    yield {"pixels": s.pixels - 1}


def _allowed(s: ChannelSchedule, isa: Isa) -> bool:
    most_rows = 1 if s.depthwise or s.layout.joined else MOST_ROWS
    fits = s.part <= s.read and s.rows * s.pixels * s.vectors <= isa.registers
    return fits and s.rows <= most_rows and (s.in_whole_vectors or not s.at_once)


def _tile(kernel: Kernel, s: ChannelSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Channels):
        return None
    pixels, wide = kernel.rows * kernel.pixels, kernel.lanes * kernel.vectors
    channels, phases = min(wide, s.written), 1
    if s.in_lanes == "phases":
        phases = min(wide, s.last.stride)
        if s.layout.channels_last:
            phases = max(1, min(wide, s.run) // s.written)
        else:
            channels = max(1, min(wide // s.last.stride, s.written))
    return RegisterTile(pixels, channels, phases, kernel.vectors, pixels * kernel.vectors)


CHANNELS = Kind(
    name="channels",
    title="channels in lanes",
    lanes="output channels: elements of {read} are broadcast",
    chunk=("phases and rows", "pixels"),
    tile_loops=("taps", "input channels"),
    free=("vectors", "pixels", "rows", "part", "cache_block"),
    share=_share_of_channels,
    make=_channels,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
    once=packed_on_the_fly,
)
PHASES = Kind(
    name="phases",
    title="phases in lanes",
    lanes="(channel, phase) pairs of the last axis: elements of {read} are broadcast",
    chunk=("phases and rows", "pixels"),
    tile_loops=("taps", "input channels"),
    free=("vectors", "pixels", "rows", "part", "cache_block"),
    share=_share_of_phases,
    make=_phases,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
)
DEPTHWISE = Kind(
    name="depthwise",
    title="channels in lanes, depthwise",
    lanes="channels, each with its own channel of {read}",
    chunk=("phases and rows", "pixels"),
    tile_loops=("taps",),
    free=("vectors", "pixels", "cache_block"),
    share=_share_of_depthwise,
    make=_depthwise,
    program=_program,
    variations=_variations_of_depthwise,
    allowed=_allowed,
    tile=_tile,
    ranked=True,
)
