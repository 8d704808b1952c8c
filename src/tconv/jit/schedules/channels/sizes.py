"""Chooses the sizes of a schedule with channels in lanes: its tile, its chunk, its part of the input channels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Literal

from tconv.jit.kernels.at_once import waiting
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis, inside, phase_taps
from tconv.jit.schedules.base import MOST_SCRATCH
from tconv.jit.schedules.channels.cells_at_once import inner, together
from tconv.jit.schedules.channels.cutting import IN_PLACE, WORTH, Cutting
from tconv.jit.schedules.channels.schedule import NEAR, ChannelSchedule
from tconv.jit.schedules.lane_tiles import LOADED, MOST_ROWS, best_tile, most_sums
from tconv.jit.schedules.layouts import MemoryLayout, as_one_group, channels_of
from tconv.jit.schedules.shares import inside as share_inside
from tconv.jit.schedules.shares import terms
from tconv.problem import Problem

#: Bytes of panel and block that a chunk may have. Larger chunks stream the weights from memory fewer times; beyond this
#: the panel itself no longer stays near. Measured on AMD Zen 5 with 1 MB of second-level cache.
PANEL, BLOCK = 1792 << 10, 640 << 10
#: Bytes of the weights of a tile, for a part of the input channels; and for all of them, where neighbouring taps are
#: then one: layers with 256 channels gain 3 to 7 %.
PART, JOINED = 256 << 10, 1 << 20
#: The same where cut rows are read in place for one tap of the outer axes after the other: what is packed on the fly
#: for one call has to fit scratch.
MOST_WEIGHTS = 3 << 20
#: Depthwise layers are read in place where rows are so many times as long as the kernel: each tap that reads beside x
#: for some q cuts the row.
EDGES = 4
#: Other layers where no more than one in so many q of a row has a tap that reads beside x: those are cut off, and
#: computed in smaller tiles.
CUT = 8
#: The share of the products of rows that are not cut from which it is looked into whether to cut them: zeros of few
#: pixels are not worth the time.
ZEROS = 0.93
#: Bytes of x that a tile reads for each tap, at most, where its pixels are apart: two thirds of a first-level cache. A
#: layer of kernel 16 and stride 8 takes 1.3 times as long with 56 KB.
SPANNED = 32 << 10
#: Cycles that a vector of weights costs, which comes from the second-level cache: channels last less than
#: channels first, as pixels are lines apart there, so that many of them cost more. Measured, on AMD Zen 5: with two
#: vectors for twice the pixels instead of three, layers gain 2 to 4 % channels first, and lose up to 5 % channels last.
FAR, FARTHER = 0.6, 1.0
#: Vectors of a pixel that are one tile, although two tiles would load less, where pixels share lines of y and sums have
#: so many terms at most: else each line is written twice, far apart. Measured on AMD Zen 4, 56 channels of float32: 9
#: to 128 terms take 0.5 to 0.92 of the time, 144 and more 1.0 to 1.03. A depthwise layer of 21 channels takes 0.6 with
#: three vectors of AVX2 instead of two.
WHOLE, SOON = 4, 128
#: Vectors of a tile of depthwise layers, at most: what it reads of a cell should lie in neighbouring lines.
WIDE = 4
#: Registers for weights and x that depthwise layers need where no operand comes from memory.
IN_REGISTERS = 4
#: Registers for the bias and a vector of x, beside weights and sums, where depthwise layers make all phases of a cell.
BESIDE = 2
#: Products that a result counts for there, and how many an op has to have for a vector, or the weights and the cells
#: before the first, which are loaded for each, take too long. Measured on AMD Zen 4: of 512 channels, whose pixels fall
#: into two sets of the cache, an op has 4 cells of a 3x3 layer, which takes 1.3 times as long so; of 256 channels 8,
#: and 0.8 of the time.
KEPT, ENOUGH = 6, 84
#: The share of a row that its cells within have to be where rows are too short to be read in place otherwise. 14x14
#: results of 240 channels, kernel 5 and stride 2, 0.86 of them, take 0.61 of the time, with stride 1, 0.71, 1.08.
WITHIN = 0.75


def make(
    problem: Problem,
    layout: MemoryLayout,
    isa: Isa,
    in_lanes: Literal["channels", "phases"],
    *,
    depthwise: bool = False,
) -> ChannelSchedule:
    """Choose the sizes."""
    problem = as_one_group(problem) if depthwise else problem
    s = _with_tile(problem, layout, isa, in_lanes, depthwise=depthwise)
    s = _with_part(s)
    columns = len(s.spans[-1])
    # Parts of rows that are cut have cells in common with few others: shorter ones would not be nearer.
    while ((s.working_set > PANEL // 2 and not s.cut_rows) or s.block > BLOCK // 2) and s.cache_block[-1] > s.pixels:
        size = max(balanced(columns, max(s.pixels, s.cache_block[-1] // 2 // s.pixels * s.pixels)))
        s = replace(s, cache_block=(*s.cache_block[:-1], size))
    # What one row of tiles reads may be too much to copy: far apart in x, or of many channels. Channels first, it is
    # slow to read in place, where channels may fall into few sets of the cache.
    too_much = s.panel + BLOCK > MOST_SCRATCH
    if in_lanes == "channels" and (layout.channels_last or not depthwise) and too_much:
        s = replace(s, in_place=True)
    for axis in reversed(range(len(s.cache_block) - 1)):
        s = _grown(s, axis)
        if s.cache_block[axis] < len(s.spans[axis]):
            break
    return s


def _with_tile(
    problem: Problem, layout: MemoryLayout, isa: Isa, in_lanes: Literal["channels", "phases"], *, depthwise: bool
) -> ChannelSchedule:
    """The tile that takes the fewest cycles, in chunks of one row, and whether x is read in place."""
    lanes, last, written = isa.lanes(problem.itemsize), layout.axes[-1], channels_of(problem).written
    columns = len(last.span(last.low % last.stride if in_lanes == "phases" else 0))
    run = 1 if in_lanes == "channels" else last.stride * (written if layout.channels_last else 1)
    runs = 1 if layout.channels_last and in_lanes == "phases" else written
    of_phase = prod(max(len(line.of_phase(b, line.span())) for b in range(line.stride)) for line in layout.axes[:-1])
    most_rows = 1 if depthwise or layout.joined else min(MOST_ROWS, of_phase)
    # Lanes of phases take every q for every phase. In depthwise layers copying takes as long as computing.
    direct = layout.channels_last and in_lanes == "channels"
    in_place = layout.joined or (direct and _straight(last, depthwise=depthwise))
    of_tile = columns if depthwise or not in_place else columns - cut_off(last)
    widest, loaded = (WIDE, LOADED) if depthwise else (3, FAR if layout.channels_last else FARTHER)
    wide = -(-run * runs // lanes)
    beside = IN_REGISTERS if depthwise and isa.by_lane else 0
    _, vectors, pixels, rows = best_tile(of_tile, wide, most_rows, isa, widest, loaded, beside=beside)
    if in_place and direct and _in_shared_lines(problem, layout, wide, isa, depthwise=depthwise):
        sums = most_sums(wide, isa, beside) if depthwise else (isa.registers - 2 * wide) // wide
        vectors, pixels, rows = wide, min(of_tile, sums), 1
    cut_rows = False
    if in_lanes == "channels" and not (depthwise or in_place) and share_inside(last) < ZEROS:
        cutting = Cutting(layout.axes, wide, loaded)
        best = cutting.best(most_rows, isa, widest)
        weights = problem.taps * channels_of(problem).read * best.vectors * lanes * problem.itemsize
        worth = IN_PLACE if direct and weights > NEAR and isa.registers >= 32 else WORTH
        if best.cycles < worth * cutting.whole(vectors, pixels, rows):
            _, vectors, pixels, rows = best
            cut_rows, in_place = True, direct
    cache_block = (*[1] * (len(layout.axes) - 1), columns)
    sizes = (vectors, pixels, in_lanes, cache_block, channels_of(problem).read, in_place)
    s = ChannelSchedule(
        problem, layout, lanes, *sizes, isa.masks,
        rows=rows, depthwise=depthwise, cut_rows=cut_rows,
    )  # fmt: skip
    return _with_cells_at_once(s, isa) if depthwise and direct else s


def _with_part(s: ChannelSchedule) -> ChannelSchedule:
    """As many input channels at a time as have weights that stay near; all, where their taps are then one."""
    of_channel = s.problem.taps * s.widest * s.problem.itemsize
    many = replace(s, part=max(balanced(s.read, max(32, MOST_WEIGHTS // of_channel))))
    if s.cut_rows and many.weights_exceed_cache:
        return many
    taps = max(len(t) for t in phase_taps(s.last, s.origin))
    if not (s.cut_rows and s.rows > 1):  # all rows meet one tap of the outer axes before the next
        taps *= prod(max(len(t) for t in phase_taps(line)) for line in s.outer)
    weights = taps * s.widest * s.problem.itemsize
    joined = s.direct and s.problem.groups == 1 and s.last.dilation == -1 and s.last.kernel > 1
    if joined and weights * s.read <= JOINED:
        return s
    # Channels first, what a row of a strided tile spans is read by one tap after the other.
    spanned = 0 if s.layout.channels_last else s.pixels * (s.last.read_stride - 1) * s.problem.itemsize
    return replace(s, part=max(balanced(s.read, max(32, min(PART // weights, SPANNED // max(1, spanned))))))


def _grown(s: ChannelSchedule, axis: int) -> ChannelSchedule:
    """Chunks as long along an outer axis as the caches like, and equally long."""
    size, whole = 1, len(s.spans[axis])
    if whole == 1:
        return s

    def at(size: int) -> ChannelSchedule:
        return replace(s, cache_block=(*s.cache_block[:axis], size, *s.cache_block[axis + 1 :]))

    # Each q more takes as much more as the second does, or less, where there are no more rows of x.
    two = at(2)
    near, block = two.working_set - s.working_set, two.block - s.block
    while size < whole:
        grown = min(whole, size * 2)
        if s.block + (grown - 1) * block > BLOCK:
            break
        if s.working_set + (grown - 1) * near > PANEL and at(grown).working_set > PANEL:
            break
        if s.cut_rows and at(grown).panel + BLOCK > MOST_SCRATCH:
            break
        size = grown
    size = max(balanced(whole, size))
    return {1: s, 2: two}.get(size) or at(size)


def _in_shared_lines(problem: Problem, layout: MemoryLayout, wide: int, isa: Isa, *, depthwise: bool) -> bool:
    """Whether the channels of a pixel end within a line, are more than a tile has, and are soon computed."""
    if channels_of(problem).written * problem.itemsize % LINE == 0:
        return False
    if depthwise:
        return isa.registers < 32 and 2 < wide <= WIDE
    return isa.registers >= 32 and wide == WHOLE and terms(problem, layout) <= SOON


def _straight(last: LoopAxis, *, depthwise: bool) -> bool:
    """Whether x is read in place, channels last: where few q of a row have a tap that reads beside it."""
    columns = len(last.span())
    if depthwise:
        return inside(last) or last.kernel * EDGES <= columns
    return cut_off(last) * CUT <= columns


def cut_off(last: LoopAxis) -> int:
    """How many q of a row have a tap that reads beside x: of the phase that has the most of them."""
    return max(_cut_off(last, b, [shift for _, shift in taps]) for b, taps in enumerate(phase_taps(last)))


def _cut_off(last: LoopAxis, b: int, shifts: list[int]) -> int:
    of_phase = last.of_phase(b, last.span())
    start = max([of_phase.start] + [-(shift // last.read_stride) for shift in shifts])
    stop = min([of_phase.stop] + [-((shift - last.read) // last.read_stride) for shift in shifts])
    return len(of_phase) - len(range(start, stop))


def _with_cells_at_once(s: ChannelSchedule, isa: Isa) -> ChannelSchedule:
    """All phases of a cell at a time, where registers hold the weights and all sums, and an op has enough cells."""
    *earlier, before, last = s.layout.axes
    if not (s.in_whole_vectors and all(line.stays for line in earlier)):
        return s
    if not s.in_place and len(inner(last)) < WITHIN * len(last.span()):
        return s
    for carries in (True, False):
        made = replace(s, in_place=True, at_once=True, carries=carries)
        kernel = made.inner_kernel(*made.variants[0][::2])
        fits = kernel.products + waiting(kernel) + BESIDE <= isa.registers
        if fits and together(before, last) * (kernel.products + KEPT * prod(kernel.phases)) >= ENOUGH:
            return made
    return s
