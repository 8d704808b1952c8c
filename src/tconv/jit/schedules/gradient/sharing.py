"""How a weight gradient is cut into runs that keep all threads busy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from tconv.jit.programs.cuts import spans
from tconv.jit.schedules.gradient.schedule import FEWEST, GradientSchedule
from tconv.jit.schedules.lane_tiles import BROADCAST, LOADED, MOST_ROWS

#: Cycles that a vector of cells costs to bring into order, and an element of the fine grid to copy.
TRANSPOSED, COPIED = 6.0, 0.2
#: What runs of half of `FEWEST` channels o cost more, channels last, where lines of memory are read in part.
FEW = 0.1
#: What the largest run is taken to cost beyond itself: a thread that begins late keeps the others waiting for it.
LATE = 0.1
#: Runs of each thread from which it hardly matters which of them it gets.
MANY = 16


def finer(s: GradientSchedule, threads: int) -> GradientSchedule:
    """Runs small enough to keep all threads busy. Chunks stay as they are: they decide the order of sums."""
    if threads == 1:
        return s
    tried = (
        replace(tiles, run_tiles=run_tiles, outputs=outputs)
        for tiles in _narrower(s)
        for run_tiles, outputs in product(_halves(tiles.run_tiles), _halves(tiles.outputs))
    )
    return min(tried, key=lambda cut: cycles(cut, threads))


def _narrower(s: GradientSchedule) -> Iterator[GradientSchedule]:
    """The schedule, and others with fewer vectors a tile and more rows instead: tiles that threads share evenly."""
    yield s
    for vectors in range(s.vectors - 1, 0, -1):
        rows = max(1, min(MOST_ROWS, s.vectors * s.rows // vectors))
        other = replace(s, vectors=vectors, rows=rows)
        if s.gathered or other.readable:
            yield replace(other, run_tiles=min(len(other.tiles), -(-s.run_tiles * s.vectors // vectors)))


def _halves(number: int) -> list[int]:
    """A number, its half, and so on down to 1."""
    return [number] if number == 1 else [number, *_halves(-(-number // 2))]


def cycles(s: GradientSchedule, threads: int) -> float:
    """About how many cycles the busiest thread takes for a cell: what runs do twice is their price."""
    parts = [sum(s.tiles[n].vectors for n in part) for part in spans(range(len(s.tiles)), s.run_tiles)]
    # Thousands of runs are of a few sizes, and all runs are gone through for each way of cutting that is tried.
    price = {size: _of_run(s, *size) for size in product(set(parts), set(s.cut))}
    runs = [price[size] for size in product(parts, s.cut)]
    late = LATE * max(runs)
    if s.runs > MANY * threads:
        return s.problem.groups * sum(runs) / threads + late
    busy = [0.0] * threads
    for run in runs * s.problem.groups:
        busy[busy.index(min(busy))] += run
    return max(busy) + late


def _of_run(s: GradientSchedule, vectors: int, outputs: int) -> float:
    """About how many cycles a run takes for a cell, with so many vectors of lanes and channels o."""
    pixels, fine = min(s.pixels, outputs) if s.by_channel else s.pixels, s.problem.fine_cells / s.problem.coarse_cells
    neighbours = s.rows * pixels
    product_of = 0.5 + BROADCAST / s.vectors + LOADED / neighbours
    transposed = TRANSPOSED if s.gathered else 0.0
    few = FEW * (min(FEWEST, s.read) / outputs - 1) if s.layout.channels_last and outputs < FEWEST else 0.0
    return (1 + few) * vectors * (outputs * s.problem.taps * product_of + transposed) + outputs * fine * COPIED
