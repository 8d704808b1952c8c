"""Benchmarks in a process that is held to a set of instructions, tconv and its peers alike.

What a library heeds it reads when it is loaded, so the process is started anew with these variables, and a record says
them. tconv heeds TCONV_ISA; oneDNN, in PyTorch and in OpenVINO, ONEDNN_MAX_CPU_ISA (OpenVINO's convolutions are then
`brgconv_avx2_f32` by the names in its execution graph instead of `brgconv_avx512_f32`); PyTorch's own kernels
ATEN_CPU_CAPABILITY. MKL, which PyTorch multiplies matrices with, has a switch for Intel's processors only; OpenVINO's
own kernels beside oneDNN's, and ONNX Runtime, have none: ONNX Runtime takes no part.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import geometric_mean
from typing import Any

#: What is set for a set of instructions, by its name in tconv.
VARIABLES = {"avx2": {"TCONV_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}
#: What is set in any case: PyTorch's calls of some layers take up to four times as long where memory is given back.
ALWAYS = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296"}

#: The peers of `tconv bench` that can be held, by what records call them.
HELD_PEERS = {"torch": "torch contiguous", "torch.channels_last": "torch channels last", "openvino": "openvino"}
LAYOUTS = ("channels first", "channels last")
#: A ratio below this is a target missed.
LEAST = 0.95

#: Seconds of calls in a turn; who takes so many times as long as the quickest has two of them.
TURN, HOPELESS = 0.02, 3.0


def isa_option(parser: argparse.ArgumentParser) -> None:
    """`--isa NAME`."""
    parser.add_argument("--isa", choices=[*VARIABLES], help="hold tconv and its peers to these instructions")


def held(module: str, isa: str | None) -> bool:
    """Whether the benchmark has been run in a process of its own, which has the variables that this one lacks."""
    wanted = {**ALWAYS, **VARIABLES.get(isa or "", {})}
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return False
    run = subprocess.run([sys.executable, "-m", module, *sys.argv[1:]], env={**os.environ, **wanted}, check=False)
    if run.returncode:
        sys.exit(run.returncode)
    return True


def quickest(runs: Mapping[str, Callable[[], Any]], rounds: int, aside: Collection[str] = ()) -> dict[str, float]:
    """Seconds of the thread that the quickest call of each took, in turns. Nobody is hopeless against those `aside`."""
    found = {name: min(_timed(run), _timed(run)) for name, run in runs.items()}
    for number in range(rounds):
        for name, run in runs.items():
            least = min(seconds for other, seconds in found.items() if other not in aside)
            if number < 2 or found[name] < HOPELESS * least:
                calls = max(1, round(TURN / found[name]))
                found[name] = min(found[name], *(_timed(run) for _ in range(calls)))
    return found


def _timed(run: Callable[[], Any]) -> float:
    start = time.thread_time()
    run()  # what it returns is freed before the clock is read: of the same kind for all
    return time.thread_time() - start


def ratio(row: Mapping[str, Any], *layouts: str) -> float:
    """How many times as long the best peer takes as tconv in the better of these layouts."""
    times = row["ms"]
    best = min(times[name] for name in HELD_PEERS.values() if name in times)
    return float(best / min(times[f"tconv {layout}"] for layout in layouts))


def say_ratios(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the geometric mean and the least ratio of each layout, and of the better one."""
    for layouts in ((LAYOUTS[0],), (LAYOUTS[1],), LAYOUTS):
        ratios = [ratio(row, *layouts) for row in rows]
        below = sum(each < LEAST for each in ratios)
        said = "the better layout" if len(layouts) > 1 else layouts[0]
        print(f"{said}: geometric mean {geometric_mean(ratios):.2f}, least {min(ratios):.2f}, {below} below {LEAST}")
