"""The four methods on every public layer, and whether "auto" picks the fastest.

    python -m benchmarks.methods [--layers dcgan.4 unet.up1] [--operation conv] [--rounds 9] [--json FILE]

For each layer every method that fits runs once, its result is compared with that of the others, and then the methods
take turns for a number of rounds; "auto" takes a turn of its own. Times are medians. A method that is expected to take
longer than --limit seconds a call is left out, and named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tconv
from benchmarks.record import keep, milliseconds, record_option
from tconv.bench.layers import BenchLayer, public
from tconv.bench.machine import processor
from tconv.methods import METHODS, OPERATIONS
from tconv.plan import Plan

LAYERS = public()
EXACT = [name for name, method in METHODS.items() if method.exact]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS), metavar="NAME")
    parser.add_argument("--operation", choices=OPERATIONS, default="conv_transpose")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--limit", type=float, default=0.5, help="seconds a call beyond which a method is left out")
    parser.add_argument("--json", metavar="FILE", help="write the times in seconds to a file")
    record_option(parser)
    options = parser.parse_args()
    print(machine())
    print(f"{'layer':<16}" + "".join(f"{name + ' ms':>18}" for name in (*EXACT, "auto")) + "  GFLOP/s  auto / best")
    rows = []
    for number, name in enumerate(options.layers, 1):
        print(f"{number}/{len(options.layers)} {name}", end="\r", file=sys.stderr)
        rows.append(row := measure(LAYERS[name], options.operation, options.rounds, options.limit))
        print(line(row), flush=True)
    ratios = sorted(row["auto_over_best"] for row in rows)
    print(f"auto / best: {sum(r == 1 for r in ratios)} of {len(rows)} layers at 1, {ratios[-1]:.3f} at most")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    kept = [{**row, "ms": milliseconds(row["seconds"])} for row in rows]
    keep(options.record, ({name: row[name] for name in ("layer", "ms", "picked")} for row in kept))


def measure(layer: BenchLayer, operation: str, rounds: int, limit: float) -> dict[str, Any]:
    """Median seconds of each method and of auto, taking turns; None where a method was left out."""
    call = Caller(layer, operation)
    plan = call.plan()
    able = [c.method for c in plan.candidates if not c.excluded and c.cost.seconds < limit and c.cost.scratch < 4e9]
    check_agreement({name: call(name) for name in able})
    times: dict[str, list[float]] = {name: [] for name in (*able, "auto")}
    for turn in range(rounds):
        order = list(times)
        for name in order[turn % len(order) :] + order[: turn % len(order)]:  # nobody always runs after the same one
            start = time.perf_counter()
            call(name)
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(able, key=medians.__getitem__)
    # auto runs one of the methods: were its own turns compared with that method's, noise would be the difference.
    return {
        "layer": layer.name,
        "operation": operation,
        "seconds": {name: medians.get(name) for name in (*EXACT, "auto")},
        "picked": plan.method,
        "best": best,
        "auto_over_best": medians[plan.method] / medians[best],
        "gflops": layer.flops / medians["auto"] / 1e9,
    }


class Caller:
    """Calls one operation on the arrays of a layer with a given method."""

    def __init__(self, layer: BenchLayer, operation: str) -> None:
        x, w = layer.arrays()
        y = tconv.conv_transpose(x, w, **layer.keywords)
        self.operation, self.keywords = operation, layer.keywords
        self.kernel_size = {"kernel_size": layer.kernel} if operation == "weight_gradient" else {}
        self.operands = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
        self.function: Callable[..., np.ndarray] = getattr(tconv, operation)

    def plan(self) -> Plan:
        return tconv.plan(*self.operands, operation=self.operation, **self.kernel_size, **self.keywords)

    def __call__(self, method: str) -> np.ndarray:
        return self.function(*self.operands, **self.kernel_size, **self.keywords, method=method)


def check_agreement(results: dict[str, np.ndarray]) -> None:
    """All give the same numbers up to rounding."""
    names = list(results)
    scale = np.abs(results[names[0]]).max()
    for name in names[1:]:
        difference = np.abs(results[name] - results[names[0]]).max()
        if not difference <= 1e-4 * scale:
            raise SystemExit(f"{name} and {names[0]} differ by {difference}, at values up to {scale}")


def line(row: dict[str, Any]) -> str:
    cells = [f"{'-' if s is None else format(s * 1e3, '.2f'):>18}" for s in row["seconds"].values()]
    verdict = f"  {row['auto_over_best']:.3f} ({row['picked']})"
    if row["picked"] != row["best"]:
        verdict += f", best {row['best']}"
    return f"{row['layer']:<16}" + "".join(cells) + f"{row['gflops']:>9.1f}{verdict}"


def machine() -> str:
    """The processor and the versions, for the record."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    return (
        f"{processor()}, {os.cpu_count()} cores, BLAS threads {threads}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, tconv {tconv.__version__}"
    )


if __name__ == "__main__":
    main()
