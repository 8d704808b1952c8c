"""The kinds with pixels in lanes: of any layer, and planes of depthwise ones."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.folded import FoldedRows
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.program import Program
from tconv.jit.schedules.axes import phase_taps, strand_shifts
from tconv.jit.schedules.kind import Kind, RegisterTile
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.pixels import planes, sizes
from tconv.jit.schedules.pixels.planes import PlaneSchedule
from tconv.jit.schedules.pixels.schedule import PixelSchedule
from tconv.jit.schedules.shares import MANY, STORED, filled, inside, terms, weights_are_heavy
from tconv.problem import Problem

#: Products that the store of a result costs in parts, where tiles span rows.
IN_PARTS = 30.0
#: The share with few phases of the last axis, and with many, which leaves registers for few channels.
FEW_PHASES, MANY_PHASES = 0.92, 0.80
#: What becomes of it with one vector of each phase.
ALONE = 0.55
#: Products that an element of x costs that is transposed on its way into the panel.
TRANSPOSED = 12.0
#: What becomes of it where a row is one vector.
NARROW = 0.9
#: With fewer registers sums are so few that what they wait for decides, and not the weights. Cycles that a multiply-add
#: takes until the next one of its sum; loads that a vector of x costs, which may lie in two lines; how the longest of
#: all hides the others; and what comes of that in the best case. Fitted to AVX2 on AMD Zen 4.
MANY_REGISTERS, LATENCY, UNALIGNED, SHARPLY, USUAL = 32, 4.0, 1.25, 4.0, 0.92
#: Channels of x that are a multiple of so many bytes apart fall into the same sets of the caches: 64 of 256x256 pixels
#: take 1.4 times as long with AVX2 as those of 252x256.
COLLIDING = 256 << 10
#: Bytes of weights from which every tile of pixels, which reads all of them, waits for memory: of `conv_transpose`, and
#: of `conv`, where a vector of x that was loaded meets one tap only, so that x is in the way too (`shares.py`);
#: what becomes of it.
WAITING = 0.6

#: Results that beginning with the next plane costs: 30 ns, against 0.2 to 0.4 a result by transposing. Below 200
#: results a plane, transposing is quicker.
PLANE = 67.0
#: From so many taps a sum on, pixels in lanes serve better where several channels share what is loaded of x.
SHARED = 9
#: From so many taps a sum on, weights no longer stay in registers; the rank then.
LONG, LONG_SUMS = 25, 1.4


# ---- any layer


def _share(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    """The share of the peak with pixels in lanes."""
    if problem.operation == "weight_gradient" or layout.joined or not sizes.able(problem, layout, isa):
        return None
    last, lanes, budget = layout.axes[-1], isa.lanes(problem.itemsize), sizes.budget(isa)
    columns, beside = len(last.span()), len(strand_shifts(last)) - 1
    # Channels first, rows that no tap reaches cost next to nothing.
    computed = 1.0 if layout.channels_last else prod(min(1.0, line.kernel / line.stride) for line in layout.axes[:-1])
    n = terms(problem, layout) / computed
    # Row by row, or flat over rows that are as far apart as x is wide with its zeros.
    few = isa.registers < MANY_REGISTERS
    stored = STORED * (1.5 if few and last.stride > 1 else 1.0)
    by_row = filled(columns, lanes) * (NARROW if columns <= lanes else 1.0) * n / (n + stored)
    flat = columns / (columns + beside) * filled(columns * layout.axes[-2].of_strand, lanes) * n / (n + IN_PARTS)
    share = FEW_PHASES if last.stride < MANY else MANY_PHASES
    # One vector of a phase: each weight that is loaded meets one vector of x.
    together = channels_of(problem).written * last.stride * layout.axes[-2].stride
    share *= ALONE if len(layout.axes) > 2 and budget // 2 < together <= budget else 1.0
    heavy = not few and weights_are_heavy(problem)
    products = channels_of(problem).written * problem.taps
    packing = products / (products + TRANSPOSED) if layout.channels_last else 1.0
    if few:
        share *= _under_way(problem, layout, isa) * (1.0 if layout.x_channel % COLLIDING else 0.75)
    return share * packing * max(by_row, flat) * (WAITING if heavy else 1.0) * inside(last)


def _under_way(problem: Problem, layout: MemoryLayout, isa: Isa) -> float:
    """What becomes of it where few sums are under way: the latency of multiply-adds shows, and loads do.

    Of tiles of all widths that a row comes in, for one channel of a row of x.
    """
    last, lanes = layout.axes[-1], isa.lanes(problem.itemsize)
    channels, vectors, rows = sizes.tile(problem, layout, isa)
    taps = [len(of_phase) * rows for of_phase in phase_taps(last)]
    most, all_taps, shifts = max(map(len, phase_taps(last))), sum(taps), len(strand_shifts(last))
    best = spent = 0.0
    for wide in balanced(-(-len(last.span()) // lanes), vectors):
        multiplying = channels * wide * all_taps / 2
        loading = (channels * all_taps + UNALIGNED * wide * shifts) / 2
        best += multiplying
        spent += (multiplying**SHARPLY + loading**SHARPLY + (LATENCY * most) ** SHARPLY) ** (1 / SHARPLY)
    return best / spent / USUAL


def _make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> PixelSchedule:
    return sizes.make(problem, layout, isa, threads)


def _program(s: PixelSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.pixels.tables import PixelTables

    return PixelTables(s, threads).write(epilogue)


def _variations(s: PixelSchedule, budget: int) -> Iterator[dict[str, Any]]:
    for rows in dict.fromkeys((s.rows, 1, s.layout.axes[-2].stride)):
        for vectors in (1, 2, 3, 4):
            most = max(1, budget // (s.last.stride * vectors * rows))
            channels = s.written if s.layout.channels_last else min(s.written, most)
            yield {"rows": rows, "vectors": vectors, "channels": channels}
    yield from ({"flat": not s.flat}, {"in_place": not s.in_place})


def _sums(s: PixelSchedule) -> int:
    return s.vectors * s.rows * s.last.stride * s.channels


def _allowed(s: PixelSchedule, isa: Isa) -> bool:
    together = s.rows == 1 or (s.rows == s.layout.axes[-2].stride and len(s.layout.axes) > 2)
    spanning = not s.flat or (s.cache_block[-1] == len(s.spans[-1]) and s.cache_block[-2] > 1)
    whole = s.channels == s.written if s.layout.channels_last else s.channels <= s.written
    readable = not s.in_place or (s.readable and isa.masks)
    return together and spanning and whole and readable and _sums(s) <= isa.registers


def _tile(kernel: Kernel, s: PixelSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Pixels):
        return None
    phases = kernel.phases * kernel.rows
    sums = kernel.channels * phases * kernel.vectors
    return RegisterTile(kernel.lanes * kernel.vectors, kernel.channels, phases, kernel.vectors, sums)


# ---- planes of depthwise layers


def _share_of_planes(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int) -> float | None:
    """The rank among what serves depthwise layers, by the taps of a sum and the lanes in use."""
    if problem.operation == "weight_gradient" or layout.joined or not planes.able(problem, layout):
        return None
    last, lanes = layout.axes[-1], isa.lanes(problem.itemsize)
    taps = prod(max(map(len, phase_taps(line))) for line in layout.axes)
    in_use = filled(len(last.span()), lanes)
    if channels_of(problem).written > 1 and taps >= SHARED:
        return 0.0
    if taps >= LONG:
        return LONG_SUMS * in_use
    results = prod(line.written for line in layout.axes[max(1, len(layout.axes) - 2) :])
    return 2.0 * (results / (results + PLANE) if planes.folded(last, lanes, isa) else in_use)


def _program_of_planes(s: PlaneSchedule, threads: int, epilogue: Epilogue | None) -> Program:
    from tconv.jit.schedules.pixels.planes_tables import PlaneTables

    return PlaneTables(s, threads).write(epilogue)


def _variations_of_planes(s: PlaneSchedule, budget: int) -> Iterator[dict[str, Any]]:
    yield from ({"vectors": n} for n in (1, 2, 4))
    yield {"streaming": not s.streaming}


def _planes_allowed(s: PlaneSchedule, isa: Isa) -> bool:
    whole = s.vectors == 1 and s.cache_block[-1] == len(s.spans[-1])
    alone = not s.in_place and (whole or not s.fold)
    return s.flat and s.rows == s.layout.axes[-2].stride and _sums(s) <= isa.registers and alone


def _tile_of_planes(kernel: Kernel, s: PlaneSchedule) -> RegisterTile | None:
    if not isinstance(kernel, Planes | FoldedRows):
        return None
    phases = kernel.phases * kernel.rows
    return RegisterTile(kernel.lanes * kernel.vectors, 1, phases, kernel.vectors, phases * kernel.vectors)


PIXELS = Kind(
    name="pixels",
    title="pixels in lanes",
    lanes="pixels: vectors run along the last axis of both grids, weights are broadcast",
    chunk=("phases and rows", "pixels"),
    tile_loops=("rows of {read} and their taps", "input channels"),
    free=("vectors", "channels", "rows", "cache_block", "flat", "in_place"),
    share=_share,
    make=_make,
    program=_program,
    variations=_variations,
    allowed=_allowed,
    tile=_tile,
)
PLANES = Kind(
    name="planes",
    title="pixels in lanes, depthwise",
    lanes="pixels of one channel: its weights stay in registers",
    chunk=("phases of the outer axes", "rows", "pixels"),
    tile_loops=(),
    free=("vectors", "cache_block", "streaming"),
    share=_share_of_planes,
    make=planes.make,
    program=_program_of_planes,
    variations=_variations_of_planes,
    allowed=_planes_allowed,
    tile=_tile_of_planes,
    ranked=True,
)
