"""Tiles of lanes: how channels are cut into vectors, and which sizes of a tile take the fewest cycles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, product
from math import inf

from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import balanced, sizes


@dataclass(frozen=True, slots=True)
class LaneTile:
    """Lanes that one call computes: `count` runs of `length` elements, the first element `first` of run `run`."""

    vectors: int
    run: int
    count: int
    first: int
    length: int


#: Rows of a tile, at most: each has an address of its own.
MOST_ROWS = 4


def whole_vectors(channels: int, lanes: int, most: int) -> list[int]:
    """Cut channels into tiles of at most so many whole vectors, but for what is left for the last one."""
    counts = [vectors * lanes for vectors in balanced(-(-channels // lanes), most)]
    counts[-1] -= sum(counts) - channels
    return counts


@lru_cache(maxsize=1024)
def cut(runs: int, run: int, vectors: int, lanes: int) -> tuple[LaneTile, ...]:
    """The tiles of so many runs of neighbouring elements, of at most so many vectors: those of a layer at any size."""
    if run <= vectors * lanes:
        # Whole vectors of single elements, else runs as evenly as can be.
        counts = balanced(runs, vectors * lanes // run) if run > 1 else whole_vectors(runs, lanes, vectors)
        firsts = accumulate(counts, initial=0)
        return tuple(LaneTile(-(-n * run // lanes), first, n, 0, run) for n, first in zip(counts, firsts, strict=False))
    parts = [part * lanes for part in balanced(-(-run // lanes), vectors)]
    found = [(first, min(part, run - first)) for part, first in zip(parts, accumulate(parts, initial=0), strict=False)]
    return tuple(LaneTile(-(-n // lanes), number, 1, first, n) for number in range(runs) for first, n in found)


#: Cycles that a broadcast costs beside its products, and a vector of weights that comes from near.
BROADCAST = LOADED = 0.3
#: Counts of cycles that differ by such a share are equal.
ROUNDING = 1e-9


def best_tile(
    pixels: int, vectors: int, rows: int, isa: Isa, widest: int = 3, loaded: float = LOADED, *, beside: int = 0
) -> tuple[float, int, int, int]:
    """The vectors, at most so many, pixels and rows of tiles that take the fewest cycles, a pixel.

    A vector of weights that is loaded costs so many of them. So many registers are left free beside the usual ones.
    """
    best = (inf, 0, 0, 0)
    for most in range(widest if isa.registers >= 32 else min(widest, 2), 0, -1):
        sums = most_sums(most, isa, beside)
        groups = sizes(pixels, min(pixels, sums))
        largest = groups[0][0]
        of_tile = min(rows, sums // largest)
        cycles = 0.0
        for (group, groups_alike), (v, alike) in product(groups, sizes(vectors, most)):
            cells = of_tile * group
            cycles += groups_alike * alike * cycles_of_tile(cells, v, loaded)
        cycles /= of_tile
        if cycles / pixels < best[0] * (1 - ROUNDING):  # of those that take as long the widest
            best = (cycles / pixels, most, largest, of_tile)
    return best


def most_sums(vectors: int, isa: Isa, beside: int = 0) -> int:
    """Pixels of a tile of so many vectors, at most: registers for their sums, beside those of weights, and others."""
    budget = isa.registers - 4 - (not isa.fma) - beside
    return (budget + (1 if vectors == 3 and isa.broadcast else 0)) // vectors


def cycles_of_tile(pixels: int, vectors: int, loaded: float) -> float:
    """The cycles of one term of all sums of a tile: a multiply-add takes half a cycle, or its latency of four."""
    return max(pixels * vectors, 8) / 2 + BROADCAST * pixels + loaded * vectors


def rows_of_short(pixels: int, of_tile: int) -> int:
    """Rows that share a tile where so few pixels of each are cut off."""
    return max(1, min(MOST_ROWS, of_tile // (2 * pixels)))
