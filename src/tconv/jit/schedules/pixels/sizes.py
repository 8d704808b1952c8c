"""Chooses the sizes of a schedule with pixels in lanes: its tile, its chunk, and whether x is read where it is."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import NamedTuple

from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import phase_taps, residues, strand_shifts
from tconv.jit.schedules.base import STREAM_FROM
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.pixels.schedule import PixelSchedule
from tconv.problem import Problem

#: Bytes of panel that a chunk may have. Measured on AMD Zen 5 with 1 MB of second-level cache: 128 to 512 KB are alike
#: but for layers with few output channels, which like less.
PANEL = 320 << 10


#: x is read where it is if an element meets so few weights at most, in the registers that masks have and hardly more,
#: and if x and y together stay in the third-level cache. Measured on AMD Zen 5: 5 to 20 % quicker where 1 to 32
#: channels are written; beyond these limits up to 5, 30 (four vectors, 9 taps in a row) and 40 % slower. With AVX2
#: masks take registers from the vectors, and it is 10 to 40 % slower.
FEW_PRODUCTS, MOST_MASKS, STAYS = 320, 12, 12 << 20

#: Phases of a run of y, times channels where those lie innermost, that are interleaved in registers at most.
TOO_MANY = 12
#: Strands of a row of x that are taken apart in registers at most.
MOST_STRANDS = 16
#: Sums that must be under way to hide how long a multiply-add takes, and the most vectors of a tile.
ENOUGH, MOST_VECTORS = 10, 4


def able(problem: Problem, layout: MemoryLayout, isa: Isa) -> bool:
    """Whether tiles fit the registers; in channels-last arrays all channels are in them, one beside the other in y."""
    last = layout.axes[-1]
    if layout.channels_last:
        return problem.groups == 1 and last.stride * channels_of(problem).written <= min(TOO_MANY, budget(isa))
    return last.stride <= TOO_MANY and last.read_stride <= MOST_STRANDS


def budget(isa: Isa) -> int:
    """Registers for sums."""
    return isa.registers - 4 - (not isa.fma)


class Tile(NamedTuple):
    """Sizes of a tile, at most."""

    channels: int
    vectors: int
    rows: int


def tile(problem: Problem, layout: MemoryLayout, isa: Isa) -> Tile:
    """The tile of a problem, for the registers there are."""
    lanes = isa.lanes(problem.itemsize)
    sums_at_most, lines = budget(isa), layout.axes
    written = channels_of(problem).written
    stride, before = lines[-1].stride, lines[-2]
    columns = len(lines[-1].span())
    # With few channels, all phases of the axis before the last share what is loaded of x.
    together = written * stride * before.stride
    share = len(lines) > 2 and before.stride > 1 and all(phase_taps(before))
    rows = before.stride if share and together <= sums_at_most else 1
    # A phase that no tap reaches holds the bias: it can do without registers where that leaves too few sums.
    reached = max(1, sum(map(bool, phase_taps(lines[-1]))))
    under_way = 2 * reached * rows * min(written, max(1, sums_at_most // (2 * stride * rows)))
    stride = stride if under_way >= ENOUGH else reached
    # Two vectors, or more where few channels and phases would leave too few sums under way at a time.
    sums = stride * rows * min(written, max(1, sums_at_most // (stride * rows)))
    most = min(max(2, -(-ENOUGH // sums)), MOST_VECTORS, -(-columns * len(before.span()) // lanes))
    vectors = max(1, min(most, sums_at_most // (stride * rows * (written if layout.channels_last else 1))))
    channels = written if layout.channels_last else max(1, min(written, sums_at_most // (stride * vectors * rows)))
    return Tile(channels, vectors, rows)


def make(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int = 1) -> PixelSchedule:
    """Choose the sizes."""
    streaming = _past_caches(problem, layout, threads)
    lanes, lines, read = isa.lanes(problem.itemsize), layout.axes, channels_of(problem).read
    channels, vectors, rows = tile(problem, layout, isa)
    before, spans_ = lines[-2], [line.span() for line in lines]
    columns = len(spans_[-1])
    cache_block = [1] * len(lines)
    cache_block[-1] = columns

    def at(*, flat: bool) -> PixelSchedule:
        return PixelSchedule(
            problem, layout, lanes, channels, vectors, rows, tuple(cache_block), flat, streaming=streaming
        )

    made = draft = at(flat=False)
    if draft.panel > PANEL:
        per = draft.panel / draft.columns
        fit = max(lanes * vectors, int(PANEL / per) // (lanes * vectors) * lanes * vectors)
        cache_block[-1] = max(balanced(columns, fit))
    else:
        full = len(spans_[-2])
        row = draft.flat_pitch * read * problem.itemsize
        per = row * prod(draft.slots[:-1]) * len(draft.strands) * len(residues(before))
        beside = len(strand_shifts(before)) - 1
        # Rows beside the chunk are copied too: at most half as many as its own where the second-level cache allows.
        fit = max(1, int(PANEL / per) - beside, min(2 * beside, int(2 * PANEL / per) - beside))
        cache_block[-2] = max(balanced(full, fit))
    if cache_block[-1] == columns and cache_block[-2] > 1:
        made = at(flat=True)
        if sum(made.vectors_of_rows) >= -(-columns // lanes) * cache_block[-2]:
            made = at(flat=False)
    elif draft.cache_block != tuple(cache_block):
        made = at(flat=False)
    return _near(made) if isa.mask_registers and made.readable and _copied_in_vain(made) else made


def _past_caches(problem: Problem, layout: MemoryLayout, threads: int) -> bool:
    """Whether results are many, and rows of y whole lines.

    For each pixel a tile after the other has all channels. Where their rows are multiples of 128 KB apart, as those of
    256x256 pixels are, the lines that are written fall into one set of a second-level cache, and what is fetched ahead
    of the stores is gone before it is used.
    """
    *outer, _ = layout.axes
    large = problem.bytes_written > STREAM_FROM * min(threads, 2)
    whole = layout.y_channel % LINE == 0 and all(line.y_step % LINE == 0 for line in outer)
    return large and whole and not layout.channels_last


def _copied_in_vain(s: PixelSchedule) -> bool:
    """Whether copying x takes long beside what is computed from it, masks are few, and the caches hold x and y."""
    p, shifts = s.problem, {shift for stage, _ in s.stages for shift, _ in stage}
    few = s.written * p.taps <= FEW_PRODUCTS and len(shifts) * s.vectors <= MOST_MASKS
    return few and (prod(p.x_shape) + prod(p.y_shape)) * p.itemsize <= STAYS


def _near(s: PixelSchedule) -> PixelSchedule:
    """In place, in chunks so small that one stays near, and the rows that the next one reads beside it."""
    s = replace(s, in_place=True)
    while s.cache_block[-2] > 1 and (1 + s.cache_block[-2] / s.slots[-1]) * _bytes_read(s) > 2 * PANEL:
        fewer = max(balanced(s.cache_block[-2], -(-s.cache_block[-2] // 2)))
        s = replace(s, cache_block=(*s.cache_block[:-2], fewer, s.cache_block[-1]))
    return s


def _bytes_read(s: PixelSchedule) -> int:
    """Bytes of the rows of x that a chunk reads."""
    cells = min(s.last.read, s.before + s.columns + s.behind)
    return prod(s.slots) * cells * s.read * s.problem.itemsize
