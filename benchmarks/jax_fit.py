"""The seconds in `tconv.jax.cost`, fitted to what `benchmarks.jax_variants` measured.

    python -m benchmarks.jax_fit FILE [FILE ...] [--check FILE ...]

Prints them for `SECONDS`, and how the rule does with them: its choice against the fastest variant and against lax's
own, on the layers of the files and on those of --check, which the fit does not see.

First the logarithm of every time is fitted, so that small layers count as much as large ones; a variant far behind the
fastest counts less, because it need only be seen to be slow. That tells how long a variant takes, but variants within
some per cent of each other decide, so the seconds are then moved, as little as it takes, to where the choice loses
least: against the fastest variant, and more so against lax.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares, minimize

from benchmarks.jax_variants import tasks
from tconv.bench.layers import BenchLayer, public
from tconv.jax.choose import CLEARLY, fastest
from tconv.jax.cost import SECONDS, parts
from tconv.jax.task import Task

#: How much a layer of a published network counts, and what is lost against lax.
PUBLIC, AGAINST_LAX = 3.0, 3.0
#: As logarithms: how much an expected time is off, and how far the seconds may be moved. How much that costs.
OFF, MOST, KEEP = 0.07, 2.0, 0.05


class Measured(NamedTuple):
    """A layer with one order of weights: seconds of each variant, and of lax's own with its weights as it likes."""

    layer: str
    task: Task
    variants: dict[str, float]
    lax: float


class Case(NamedTuple):
    """The same in numbers: a row of parts, and the logarithms of the time and of a handicap, of each variant."""

    parts: Any
    times: Any
    handicap: Any
    lax: float
    weight: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jax_fit", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    parser.add_argument("--check", nargs="+", default=[], metavar="FILE", type=Path)
    options = parser.parse_args()
    found = list(read(options.files))
    fitted = fit(found)
    for name, value in fitted.items():
        print(f'    "{name}": {value:.2g},')
    for title, measured in (("fitted", found), ("checked", list(read(options.check)))):
        for line in report(measured, fitted):
            print(title, line)


def read(files: Iterable[Path]) -> Iterator[Measured]:
    """Every layer of the files, with each order of weights that it was measured with."""
    for file in files:
        for row in json.loads(file.read_text())["layers"]:
            layer, times = BenchLayer.read(row["layer"]), row["seconds"]
            lax = min((times[name] for name in ("lax IO", "lax OI") if name in times), default=math.nan)
            for task in tasks(layer):
                of_order = {key.split()[0]: value for key, value in times.items() if key.endswith(task.order)}
                yield Measured(layer.name, task, of_order, lax)


def fit(found: list[Measured]) -> dict[str, float]:
    """The seconds of each part."""
    names = list(SECONDS)
    cases = [case(one, names) for one in found]
    start = np.log([SECONDS[name] for name in names])
    timed = least_squares(off, start, bounds=(start - 3, start + 3), loss="soft_l1", args=(cases,)).x
    # Choices have no scale: multiplications keep what the times say.
    room = [0.0 if name == "multiplied" else MOST for name in names]
    near = [(value - most, value + most) for value, most in zip(timed, room, strict=True)]
    moved = minimize(lost, timed, args=(cases, timed), bounds=near, method="L-BFGS-B").x
    return dict(zip(names, np.exp(moved), strict=True))


def case(one: Measured, names: list[str]) -> Case:
    rows = [parts(name, one.task) for name in one.variants]
    numbers = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    handicap = np.array([math.log(CLEARLY) if name == "native" else 0.0 for name in one.variants])
    weight = PUBLIC if one.layer in public() else 1.0
    return Case(numbers, np.log(list(one.variants.values())), handicap, math.log(one.lax), weight)


def off(logarithms: Any, cases: list[Case]) -> Any:
    """How far every expected time is off, by its weight."""
    seconds = np.exp(logarithms)
    return np.concatenate(
        [(np.log(c.parts @ seconds) - c.times) * np.exp((c.times.min() - c.times) / 2) for c in cases]
    )


def lost(logarithms: Any, cases: list[Case], timed: Any) -> float:
    """What the choice loses, as a logarithm, if every expected time is off by some per cent."""
    seconds, total = np.exp(logarithms), 0.0
    for c in cases:
        expected = np.log(c.parts @ seconds) + c.handicap
        chances = np.exp((expected.min() - expected) / OFF)
        chances /= chances.sum()
        against_lax = np.maximum(c.times - c.lax, 0) if math.isfinite(c.lax) else 0.0
        total += c.weight * (chances @ (c.times - c.times.min() + AGAINST_LAX * against_lax))
    return float(total / len(cases) + KEEP * np.mean((logarithms - timed) ** 2))


def report(found: list[Measured], seconds: dict[str, float]) -> Iterator[str]:
    """How the choice compares, a line for each order of weights and each layer where it is slower than lax."""
    for order in sorted({one.task.order for one in found}):
        of_fastest, of_lax = [], []
        for one in found:
            if one.task.order != order:
                continue
            expected = {name: total(parts(name, one.task), seconds) for name in one.variants}
            chosen, least = fastest(expected), min(one.variants.values())
            of_fastest.append(one.variants[chosen] / least)
            if math.isfinite(one.lax):
                of_lax.append(one.lax / one.variants[chosen])
                if of_lax[-1] < 0.95:
                    best = min(one.variants, key=one.variants.__getitem__)
                    could = f"{best} at {one.lax / least:.2f}"
                    yield f"  {one.layer} {order}: {chosen} at {of_lax[-1]:.2f} of lax; {could}"
        yield (
            f"{order}: chosen / fastest {statistics.geometric_mean(of_fastest):.3f}, most {max(of_fastest):.2f}; lax / "
            f"chosen {statistics.geometric_mean(of_lax):.2f}, least {min(of_lax):.2f}, "
            f"{sum(ratio < 0.95 for ratio in of_lax)} of {len(of_lax)} below 0.95"
        )


def total(numbers: dict[str, float], seconds: dict[str, float]) -> float:
    return sum(seconds[name] * number for name, number in numbers.items())


if __name__ == "__main__":
    main()
