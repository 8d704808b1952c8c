"""The combinations of ways that schedules can take, as a table: for each and each set of instructions a case with it.

    conv  first  pixels  in-place  several-rows  masked     avx512=153:2047 avx2=1027:188

Of all cases that were drawn the first with it, and how many have it. `python -m tests.fuzz --table 400000` writes the
table anew, in a quarter of an hour of two cores: so many are needed for the rarest. `tests/test_fuzz_table.py` keeps it
exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

from case import on_the_fly
from problems import problem

from tconv.jit.choice import model
from tconv.jit.choice.search import variations
from tconv.jit.machine import isa
from tconv.problem import Problem
from tests.fuzz.reach import combination

Combination: TypeAlias = tuple[str, ...]

#: Cases that a combination should be in.
ENOUGH = 20

PATH = Path(__file__).with_name("reachable.txt")


def drawn(number: int) -> tuple[Problem, bool, isa.Isa]:
    """The problem of a number, its layout, and the set of instructions that its schedules are made for."""
    names = list(isa.ISAS)
    return problem(Random(number).choice), bool(number // len(names) % 2), isa.ISAS[names[number % len(names)]]


def reached(number: int) -> set[Combination]:
    """The combinations of all schedules that may be chosen for a case, by the model or by `tconv.tune`."""
    one, channels_last, target = drawn(number)
    return {combination(s, target) for s in _offered(one, channels_last, target)}


def _offered(one: Problem, channels_last: bool, target: isa.Isa) -> Iterator[Any]:
    for kind in model.offered(one, channels_last, target):
        made = kind.make()
        for schedule in (made, *variations(made, target)):
            yield schedule
            yield from on_the_fly(schedule)


class Found(NamedTuple):
    """Of the cases that were drawn the first with a combination, and how many have it."""

    first: int
    often: int


def read() -> dict[Combination, Found]:
    """The table."""
    found = {}
    for line in PATH.read_text().splitlines():
        *words, cells = line.split(maxsplit=6)
        for cell in cells.split():
            name, numbers = cell.split("=")
            found[*words, name] = Found(*map(int, numbers.split(":")))
    return found


#: Cases that a process draws at a time.
AT_A_TIME = 1000


def _search(cases: range) -> tuple[dict[Combination, int], Counter[Combination]]:
    first: dict[Combination, int] = {}
    often: Counter[Combination] = Counter()
    for number in cases:
        found = reached(number)
        often.update(found)
        for one in found:
            first.setdefault(one, number)
    return first, often


def search(count: int) -> dict[Combination, Found]:
    """The table of so many cases."""
    first: dict[Combination, int] = {}
    often: Counter[Combination] = Counter()
    parts = [range(start, min(start + AT_A_TIME, count)) for start in range(0, count, AT_A_TIME)]
    with ProcessPoolExecutor() as pool:
        for of_part, counted in pool.map(_search, parts):
            first = of_part | first
            often += counted
    return {one: Found(number, often[one]) for one, number in first.items()}


def renew(count: int) -> None:
    """Write the table from so many cases, and say which combinations are in fewer of them than is enough."""
    table = search(count)
    write(table)
    rare = {one: found.often for one, found in table.items() if found.often < ENOUGH}
    for one, number in sorted(rare.items()):
        print(f"{' '.join(one)}: in {number} cases only")
    print(f"{len(table)} combinations in {count} cases, {len(rare)} of them in fewer than {ENOUGH}")


def write(table: dict[Combination, Found]) -> None:
    """Put a table in its place."""
    rows: dict[Combination, dict[str, Found]] = {}
    for (*words, name), found in table.items():
        rows.setdefault(tuple(words), {})[name] = found
    lines = []
    for words, by_name in sorted(rows.items()):
        cells = " ".join(f"{name}={by_name[name].first}:{by_name[name].often}" for name in isa.ISAS if name in by_name)
        lines.append(f"{' '.join(words)}  {cells}\n")
    PATH.write_text("".join(lines))
