"""Chooses the sizes of a schedule by minimal filtering: its filters, its tile of products, its chunk."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced
from tconv.jit.schedules.lane_tiles import LOADED, MOST_ROWS, best_tile
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.winograd.axis import FilteredAxis, filtered, in_tiles
from tconv.jit.schedules.winograd.schedule import Pair, WinogradSchedule
from tconv.problem import Problem

#: Bytes of points and of the block that a chunk may have: both are read again and again from the second-level cache.
POINTS, BLOCK = 640 << 10, 512 << 10
#: Bytes of weights that are many: every chunk reads them from memory, so it may have more points, which come from the
#: outer cache then. Measured on AMD Zen 4, 512 channels: 14x14 cells take 0.85 of the time, 3x3 at stride 2 0.6.
MANY, POINTS_OF_MANY = 16 << 20, 1700 << 10
#: Bytes of the panel, where lanes of points that hold no tile count too.
PANEL = 3 << 20
#: Channels first, vectors run along tiles of a row, or along channels once these are transposed innermost: where so
#: much of the vectors is in vain otherwise, or cells that are apart would be taken apart by many shuffles. Measured on
#: AMD Zen 4: 24x24x24 cells take 0.7 of the time, rows of 16 tiles and more the same or 1.08.
IN_VAIN = 1.1


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
    last, read = filtered(posed[-1], outputs[1], taps[1]), channels_of(problem).read
    transposed = not layout.channels_last and transposes(last, spans[-1], read, lanes)
    tile = vectors, pixels, rows
    s = WinogradSchedule(problem, layout, lanes, *tile, outputs, taps, cache_block, isa.masks, posed, transposed)
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


def transposes(axis: FilteredAxis, tiles: int, read: int, lanes: int) -> bool:
    """Whether channels are transposed innermost on their way into the panel, where they are not so in x."""
    slots = axis.slots(tiles)
    return read >= lanes and (axis.apart > 1 or -(-slots // lanes) * lanes > IN_VAIN * slots)


def most_points(weights: int) -> int:
    """Bytes of points that a chunk may have beside so many of weights."""
    return POINTS if weights < MANY else POINTS_OF_MANY


def _too_large(s: WinogradSchedule) -> bool:
    tiles = s.axes[-1].slots(s.cache_block[-1])
    points = s.areas * s.area * tiles // s.tile_pitch
    return points > most_points(s.weights) or s.block > BLOCK or s.panel > PANEL


def _grown(s: WinogradSchedule, axis: int, whole: int) -> WinogradSchedule:
    """Chunks as long along an outer axis as the caches like, and equally long."""

    def at(size: int) -> WinogradSchedule:
        return replace(s, cache_block=(*s.cache_block[:axis], size, *s.cache_block[axis + 1 :]))

    size = 1
    while size < whole and not _too_large(at(min(whole, size + 1))):
        size = min(whole, size + 1)
    return at(max(balanced(whole, size)))
