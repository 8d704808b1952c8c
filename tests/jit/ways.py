"""A few of the cases' schedules that together take every way: for more sets of instructions, dtypes and places."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from schedule_cases import CASES, EVERY_CASE, EXPECTED, taken

from tconv.jit.machine import isa

#: Kinds of schedules, those of conv by themselves: ways of different sorts are different code.
SORTS = sorted({way.split(": ")[0] for way in EXPECTED} - {"first", "last", "conv, first", "conv, last"})


def sort(schedule) -> str:
    """A schedule's."""
    return f"conv, {schedule.kind}" if schedule.problem.operation == "conv" else schedule.kind


@lru_cache(maxsize=8)
def ends_of_ways(target: str, dtype: str) -> dict[str, list[tuple[str, Any]]]:
    """For each way the first and the last schedule that take it, once each and with their cases, by sort.

    Together they go through every branch in the sources of the kernels that all cases go through. One of each way
    misses some, and all are four times as many kernels to compile.
    """
    ends: dict[str, list[tuple[str, Any]]] = {}
    for case, channels_last in EVERY_CASE:
        for schedule in CASES[case].schedules(dtype, channels_last, isa.ISAS[target]):
            for way in taken(schedule):
                ends.setdefault(way, [])[1:] = [(case, schedule)]
    found: dict[str, list[tuple[str, Any]]] = {name: [] for name in SORTS}
    for end in (end for pair in ends.values() for end in pair):
        of_sort = found[sort(end[1])]
        if end not in of_sort:
            of_sort.append(end)
    return found
