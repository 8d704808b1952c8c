"""Schedules near a schedule: the same kind with other sizes, for tuning to measure. Nothing is compiled here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tconv.jit.machine.isa import Isa
from tconv.jit.schedules.base import MOST_SCRATCH, Schedule
from tconv.jit.schedules.kind import BESIDE
from tconv.jit.schedules.registry import free, kind_of


def variations(schedule: Schedule, isa: Isa) -> list[Schedule]:
    """Other schedules of its kind that are worth a try, each at one remove from it."""
    tried: dict[Schedule, None] = {}
    blocks = ({"cache_block": block} for block in _cache_blocks(schedule))
    for changes in chain(kind_of(schedule).variations(schedule, isa.registers - BESIDE), blocks):
        other = schedule.with_(**changes)
        if other != schedule and allowed(other, isa):
            tried.setdefault(other)
    return list(tried)


def allowed(schedule: Schedule, isa: Isa) -> bool:
    """Whether the free fields of a schedule hold what its program and its kernels are made for."""
    s, spans = schedule, [len(span) for span in schedule.spans]
    sizes = [value for value in free(s).values() if not isinstance(value, bool | tuple)]
    if min(sizes) < 1 or len(s.cache_block) != len(spans):
        return False
    if not all(1 <= n <= most for n, most in zip(s.cache_block, spans, strict=True)):
        return False
    return kind_of(s).allowed(s, isa) and s.panel + s.block + s.cells <= MOST_SCRATCH


def _cache_blocks(s: Schedule) -> Iterator[tuple[int, ...]]:
    """Chunks of twice and half the size, along each axis."""
    for axis, whole in reversed(list(enumerate(map(len, s.spans)))):
        for size in (2 * s.cache_block[axis], -(-s.cache_block[axis] // 2)):
            yield (*s.cache_block[:axis], max(1, min(whole, size)), *s.cache_block[axis + 1 :])
