"""The combinations of ways that schedules can take, as a table: for each and each set of instructions a case with it.

    conv  first  pixels  in-place  several-rows  masked     avx512=153 avx2=1027

`python -m tests.fuzz --table` writes it anew, which takes some minutes: it draws until what is known has been met often
enough. `tests/test_fuzz_table.py` keeps it exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from case import fresh
from problems import problem

from tconv.jit import choose, isa
from tconv.jit.variations import variations
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
    for kind in choose.offered(one, channels_last, target):
        made = kind.make()
        for schedule in (made, *variations(made, target)):
            yield schedule
            yield from fresh(schedule)


def read() -> dict[Combination, int]:
    """The table: combinations, each with the number of a case that has it."""
    found = {}
    for line in PATH.read_text().splitlines():
        *words, cells = line.split(maxsplit=6)
        for cell in cells.split():
            name, number = cell.split("=")
            found[*words, name] = int(number)
    return found


def search(count: int) -> tuple[dict[Combination, int], Counter[Combination]]:
    """Of so many cases, the first with each combination, and how many cases have it."""
    first: dict[Combination, int] = {}
    often: Counter[Combination] = Counter()
    for number in range(count):
        found = reached(number)
        often.update(found)
        for one in found:
            first.setdefault(one, number)
    return first, often


def renew(count: int) -> None:
    """Write the table from so many cases, and say which combinations are in fewer of them than is enough."""
    first, often = search(count)
    write(first)
    rare = {one: number for one, number in often.items() if number < ENOUGH}
    for one, number in sorted(rare.items()):
        print(f"{' '.join(one)}: in {number} cases only")
    print(f"{len(often)} combinations in {count} cases, {len(rare)} of them in fewer than {ENOUGH}")


def write(table: dict[Combination, int]) -> None:
    """Put a table in its place."""
    rows: dict[Combination, dict[str, int]] = {}
    for (*words, name), number in table.items():
        rows.setdefault(tuple(words), {})[name] = number
    lines = []
    for words, numbers in sorted(rows.items()):
        cells = " ".join(f"{name}={numbers[name]}" for name in isa.ISAS if name in numbers)
        lines.append(f"{' '.join(words)}  {cells}\n")
    PATH.write_text("".join(lines))
