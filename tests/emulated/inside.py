"""What runs inside of an emulator: random problems on two threads, each compared with the definition in float64."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import closing
from random import Random
from typing import Any

from problems import family

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa, launch
from tconv.jit.machine.thread_pool import NativeThreads
from tconv.problem import OPERATIONS
from tests.emulated import outside
from tests.fuzz.calls import call
from tests.fuzz.cases import text
from tests.fuzz.trial import Trial

#: Problems of each operation, and how many follow each other with machine code in common.
PROBLEMS, OF_FAMILY = 200, 5
THREADS = 2


def trial(operation: str, number: int) -> Trial:
    """The problem of a number: its sizes, its layout, and its arrays."""
    common, own = Random(f"{operation} {number // OF_FAMILY}"), Random(f"{operation}, {number}")
    problem = family(common.choice, operations=(operation,)).problem(own.choice)
    layout, bias = own.choice((False, True)), own.choice((True, True, False))
    return Trial(problem, layout, isa.current().name, THREADS, bias, number)


def main(given: list[str] | None = None) -> int:
    """1 if a result is wrong, or comes about otherwise than it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulated.inside", description=__doc__)
    parser.add_argument("isa", nargs="?", choices=isa.ISAS, help="the instructions that have to be found")
    parser.add_argument("--problems", type=int, default=PROBLEMS, help="of each operation")
    asked = parser.parse_args(given)
    if asked.isa and isa.current().name != asked.isa:
        print(f"the engine takes {isa.current().name} here, not {asked.isa}")
        return 1
    pool = launch._here.pool or launch._pool()
    if not isinstance(pool, NativeThreads):
        print("threads of Python take the place of the pool")
        return 1
    pool.worth = 0.0  # all work that is in several pieces is shared
    shared = _counted()
    with closing(outside.Compiling()) as compiled:
        compiler._compiled = compiled
        failures = sum(not _right(operation, number) for operation in OPERATIONS for number in range(asked.problems))
    problems = len(OPERATIONS) * asked.problems
    print(
        f"{isa.current().name}: {problems - failures} of {problems} problems right, {shared[THREADS]} times on "
        f"{THREADS} threads, with {compiled.made} objects, of which {compiled.both} made inside too"
    )
    return 1 if failures or not shared[THREADS] else 0


def _counted() -> Counter[int]:
    """How often work is given to so many threads, as it goes on."""
    counted, starting = Counter[int](), launch.starting

    def counting(*given: Any) -> tuple[int, int, int]:
        started = starting(*given)
        counted[started[1]] += 1
        return started

    launch.starting = counting
    return counted


def _right(operation: str, number: int) -> bool:
    """Whether all results of a problem are, by all calls that are made of it."""
    launch.BRIEF = float(number % 2)  # both ways to share: the seconds of work up to which threads are not waited for
    one = trial(operation, number)
    try:
        call(one, "jit")
    except Exception as error:
        print(f"{operation} {number}: {type(error).__name__}: {error}\n    {text(one, 'jit')}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
