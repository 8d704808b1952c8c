"""Ranges and chunks cut into parts: as evenly as can be, and finely enough for threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod


def balanced(total: int, most: int) -> list[int]:
    """Cut a number into as few parts of at most `most` as can be, which differ by at most 1, the larger first."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return [size + 1] * larger + [size] * (parts - larger)


def sizes(total: int, most: int) -> list[tuple[int, int]]:
    """The sizes of the parts into which `balanced` cuts a number, and how many parts have each."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return [(n, count) for n, count in ((size + 1, larger), (size, parts - larger)) if count]


def spans(total: range, most: int) -> list[range]:
    """Cut a range into as few parts of at most `most` as can be, which differ by at most 1, the larger first."""
    cut, start = [], total.start
    for size in balanced(len(total), most):
        cut.append(range(start, start + size))
        start += size
    return cut


def shares(total: range, parts: int) -> list[range]:
    """Cut a range into so many parts, or as many as it has entries, which differ by at most 1, the larger first."""
    parts = min(parts, len(total))
    size, larger = divmod(len(total), parts)
    ends = [total.start + size * n + min(n, larger) for n in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(ends)]


#: Pieces of work a thread, at least: threads take them one by one, and the last ones should end together.
PIECES = 4


#: A chunk may be cut in two while so many q are left: below, weights are read too often. Down to it that costs 1 % at
#: most, less than to copy x once for some tiles and once more for others (7 %, 20 images of 14x14 and 256 channels).
ENOUGH = 192


def finer(
    cache_block: tuple[int, ...], lengths: Sequence[int], groups: int, tiles: int, threads: int
) -> tuple[int, ...]:
    """A chunk small enough that threads get enough pieces of work; the last axis stays.

    There are so many of each chunk: one a group, and where chunks are small one a tile, if need be.
    """

    def pieces(each: int) -> int:
        return each * prod(-(-n // b) for n, b in zip(lengths, cache_block, strict=True))

    while threads > 1 and max(cache_block[:-1]) > 1 and pieces(groups) < PIECES * threads:
        if prod(cache_block) < 2 * ENOUGH and pieces(groups * tiles) >= PIECES * threads:
            break
        axis = max(range(len(cache_block) - 1), key=lambda number: cache_block[number])
        cache_block = (*cache_block[:axis], -(-cache_block[axis] // 2), *cache_block[axis + 1 :])
    return cache_block


def flat(index: list[int] | tuple[int, ...], shape: list[int] | tuple[int, ...]) -> int:
    """The number of an entry of an array of this shape."""
    flat = 0
    for i, n in zip(index, shape, strict=True):
        flat = flat * n + i
    return flat
