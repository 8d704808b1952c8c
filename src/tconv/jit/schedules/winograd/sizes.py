"""Chooses the sizes of a schedule by minimal filtering: its filters, its tile of products, its chunk."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.schedules.lane_tiles import LOADED, MOST_ROWS, best_tile
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.winograd.axis import in_tiles
from tconv.jit.schedules.winograd.schedule import Pair, WinogradSchedule
from tconv.problem import Problem

#: Bytes of points and of the block that a chunk may have: both are read again and again from the second-level cache.
POINTS, BLOCK = 640 << 10, 512 << 10
#: Bytes of the panel, where lanes of points that hold no tile count too.
PANEL = 3 << 20


def make(problem: Problem, layout: MemoryLayout, isa: Isa, outputs: Pair, taps: Pair) -> WinogradSchedule:
    """Choose the sizes."""
    pairs = [(1, 1)] * (len(layout.axes) - 2) + list(zip(outputs, taps, strict=True))
    posed = layout.axes
    lines = tuple(in_tiles(line, *pair) for line, pair in zip(posed, pairs, strict=True))
    layout = layout._replace(axes=lines)
    spans = [len(line.span()) for line in lines]
    lanes = isa.lanes(problem.itemsize)
    wide = -(-channels_of(problem).written // lanes)
    _, vectors, pixels, rows = best_tile(spans[-1], wide, min(MOST_ROWS, prod(spans[:-1])), isa, 3, LOADED)
    cache_block = (*[1] * (len(spans) - 1), spans[-1])
    tile = vectors, pixels, rows
    s = WinogradSchedule(problem, layout, lanes, *tile, outputs, taps, cache_block, isa.masks, posed)
    while _too_large(s) and s.cache_block[-1] > s.pixels:
        size = max(balanced(spans[-1], max(s.pixels, s.cache_block[-1] // 2 // s.pixels * s.pixels)))
        if size == s.cache_block[-1]:
            break
        s = replace(s, cache_block=(*s.cache_block[:-1], size))
    for axis in reversed(range(len(spans) - 1)):
        s = _grown(s, axis, spans[axis])
        if s.cache_block[axis] < spans[axis]:
            break
    return s


def _too_large(s: WinogradSchedule) -> bool:
    tiles = s.axes[-1].slots(s.cache_block[-1])
    return s.areas * s.area * tiles // s.tile_pitch > POINTS or s.block > BLOCK or s.panel > PANEL


def _grown(s: WinogradSchedule, axis: int, whole: int) -> WinogradSchedule:
    """Chunks as long along an outer axis as the caches like, and equally long."""

    def at(size: int) -> WinogradSchedule:
        return replace(s, cache_block=(*s.cache_block[:axis], size, *s.cache_block[axis + 1 :]))

    size = 1
    while size < whole and not _too_large(at(min(whole, size + 1))):
        size = min(whole, size + 1)
    return at(max(balanced(whole, size)))
