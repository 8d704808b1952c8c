"""All systems: random problems and tests, each in a process of an emulator, two at a time. See CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.emulated import outside
from tests.emulated.systems import REPOSITORY, SYSTEMS, Started, environment

#: Seconds after which a process hangs: each takes one or two minutes.
PATIENCE = 1200


class Ran(NamedTuple):
    """What came of a system, in words: all that was printed where it went wrong."""

    right: bool
    text: str


def tests(name: str, started: Started) -> Ran:
    """The tests of a system."""
    files = [f"tests/jit/machine/test_{each}.py" for each in SYSTEMS[name].tests]
    with tempfile.TemporaryDirectory() as folder:
        given = environment(started, Path(folder, "kernels"))
        return _ended(started, given, "pytest", "-q", "-p", "no:cacheprovider", "--durations=15", *files)


def problems(name: str, started: Started) -> Ran:
    """The random problems of a system."""
    with tempfile.TemporaryDirectory() as folder, outside.serving() as where:
        given = environment(started, Path(folder, "kernels")) | where
        return _ended(started, given, "tests.emulated.inside", *SYSTEMS[name].isa.split())


#: What is run of each system: the longest first, so that both cores have work until the end.
PARTS = (tests, problems)


def said(name: str, parts: list[Ran]) -> Ran:
    """What came of a system, from what came of its parts."""
    ends = (part.text.splitlines()[-1].strip("= ") if part.text else "nothing printed" for part in parts)
    everything = "".join(part.text for part in parts if not part.right)
    return Ran(all(part.right for part in parts), f"{everything}{name}: {'; '.join(ends)}")


def _ended(started: Started, given: dict[str, str], *module: str) -> Ran:
    command = [str(started.python), "-m", *module]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with what it has started
        said, _ = process.communicate()
        return Ran(False, f"{said}{module[0]} hangs: it did not end in {PATIENCE} s\n")
    return Ran(process.returncode == 0, said.strip() + "\n")


def main() -> int:
    """1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog=".ci/emulated", description=__doc__)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"of {', '.join(SYSTEMS)} (default: all)")
    names = parser.parse_args().systems or list(SYSTEMS)
    if unknown := [name for name in names if name not in SYSTEMS]:
        parser.error(f"there is no system {unknown[0]}: choose from {', '.join(SYSTEMS)}")
    cache = Path(os.environ["TCONV_EMULATED_CACHE"])
    begun = time.monotonic()
    ready = [SYSTEMS[name].made(cache) for name in names]
    print(f"ready after {time.monotonic() - begun:.0f} s", flush=True)
    right, done = [], {name: list[Ran]() for name in names}
    with ProcessPoolExecutor(2) as pool:
        jobs = {pool.submit(part, *each): each[0] for part in PARTS for each in zip(names, ready, strict=True)}
        for ended in as_completed(jobs):
            parts = done[jobs[ended]]
            parts.append(ended.result())
            if len(parts) == len(PARTS):
                found = said(jobs[ended], parts)
                print(found.text, flush=True)
                right.append(found.right)
    print(f"{sum(right)} of {len(right)} systems right, {time.monotonic() - begun:.0f} s")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
