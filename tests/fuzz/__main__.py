"""The command line: cases one after the other until the time is up; failures as they come, and again at the end."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter

from tconv.jit import isa
from tconv.problem import OPERATIONS
from tests.fuzz.cases import Options
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
    return parser.parse_args(given)


def main() -> int:
    """1 if a case went wrong."""
    asked = arguments()
    options = Options(asked.seed, tuple(asked.isa or isa.ISAS), tuple(asked.operation or OPERATIONS))
    numbers = range(1 << 40) if asked.only is None else range(asked.only, asked.only + 1)
    failures, done, begun = list[Failure](), Counter[str](), time.monotonic()
    cases = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("TCONV_CACHE_DIR", os.path.join(folder, "kernels"))
        for said in run(options, numbers, whole=asked.only is not None):
            if isinstance(said, Failure):
                failures.append(said)
                print(_text(said, asked), flush=True)
            elif isinstance(said, int):
                cases += 1
                if asked.only is None and time.monotonic() - begun > asked.seconds:
                    break
            else:
                done += said
            if len(failures) >= ENOUGH:
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
