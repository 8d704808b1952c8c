"""The command line: cases one after the other until the time is up; failures as they come, and again at the end."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter

from tconv.jit.machine import isa
from tconv.problem import OPERATIONS
from tests.fuzz import table
from tests.fuzz.cases import Options
from tests.fuzz.prove import prove
from tests.fuzz.work import Failure, run

#: Failures after which there is no point in going on.
ENOUGH = 20


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="other cases")
    parser.add_argument("--isa", action="append", choices=isa.ISAS, help="of all; lowered where the machine lacks it")
    parser.add_argument("--operation", action="append", choices=OPERATIONS, help="of all")
    parser.add_argument(
        "--only", type=int, help="one case, with the same seed, --isa and --operation, all of it compiled"
    )
    parser.add_argument(
        "--share", type=float, default=0.5, help="of the time, for compiling (default: 0.5); 0: no LLVM"
    )
    parser.add_argument("--prove", action="store_true", help="plant faults: each has to be found in --seconds")
    parser.add_argument("--table", type=int, metavar="CASES", help="write reachable.txt anew, from so many cases")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """1 if a case went wrong."""
    asked = arguments(given)
    options = Options(asked.seed, tuple(asked.isa or isa.ISAS), tuple(asked.operation or OPERATIONS))
    if asked.table:
        table.renew(asked.table)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("TCONV_CACHE_DIR", os.path.join(folder, "kernels"))
        return prove(options, asked.seconds, asked.share) if asked.prove else _fuzz(asked, options)


def _fuzz(asked: argparse.Namespace, options: Options) -> int:
    numbers = range(1 << 40) if asked.only is None else range(asked.only, asked.only + 1)
    failures, done, begun = list[Failure](), Counter[str](), time.monotonic()
    cases = 0
    for said in run(options, numbers, asked.share if asked.only is None else 1.0):
        if isinstance(said, Failure):
            failures.append(said)
            print(_text(said, asked), flush=True)
        else:
            cases, done = cases + 1, done + said
        if len(failures) >= ENOUGH or (asked.only is None and time.monotonic() - begun > asked.seconds):
            break
    took = time.monotonic() - begun
    print(f"{cases} cases in {took:.0f} s, {60 * cases / took:.0f} a minute; {len(failures)} failures")
    print(", ".join(f"{count} {how}" for how, count in done.items()))
    for failure in failures:
        print(f"  {failure.number}: {failure.what.splitlines()[0]}")
    return 1 if failures else 0


def _text(failure: Failure, asked: argparse.Namespace) -> str:
    again = [f"--seed {asked.seed}", *(f"--isa {name}" for name in asked.isa or ())]
    again += [f"--operation {name}" for name in asked.operation or ()]
    command = " ".join(["python -m tests.fuzz", *again, f"--only {failure.number}"])
    return f"{failure.number}: {failure.what}\n    {command}\n{failure.code}\n"


if __name__ == "__main__":
    sys.exit(main())
