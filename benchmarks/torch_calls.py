"""What a call of a layer costs where there is next to nothing to compute: tconv.torch's layers against torch.nn's.

    taskset -c 1 python -m benchmarks.torch_calls [--rounds 100]

One thread; in every round both have a turn of some hundred calls, in alternating order. Printed are medians of the
rounds in microseconds, and the median of the rounds' ratios. "training" is a call, a sum, and the gradients of the
parameters.
"""

from __future__ import annotations

import argparse
import statistics
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import tconv.torch
from benchmarks.record import Row, digits, keep, record_option
from tconv.tables import aligned

#: Axes of size, the layer, and x.
LAYERS: dict[str, tuple[int, tuple[int, ...], dict[str, int], tuple[int, ...]]] = {
    "1d, 2 to 2 channels, kernel 2, 4 cells": (1, (2, 2, 2), {"stride": 2}, (1, 2, 4)),
    "2d, 1 to 1, kernel 2, 2x2": (2, (1, 1, 2), {"stride": 2}, (1, 1, 2, 2)),
    "2d, 4 to 4, kernel 2, 4x4": (2, (4, 4, 2), {"stride": 2}, (1, 4, 4, 4)),
    "2d, 8 to 8, kernel 3, 3x3": (2, (8, 8, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (1, 8, 3, 3)),
    "2d, 4 to 4, kernel 4, 4x4": (2, (4, 4, 4), {"stride": 2, "padding": 1}, (1, 4, 4, 4)),
    "2d, 4 to 4, kernel 2, 4x4, 8 images": (2, (4, 4, 2), {"stride": 2}, (8, 4, 4, 4)),
    "3d, 2 to 2, kernel 2, 2x2x2": (3, (2, 2, 2), {"stride": 2}, (1, 2, 2, 2, 2)),
}
MODES: dict[str, tuple[Any, int]] = {
    "no_grad": (torch.no_grad, 200),
    "inference_mode": (torch.inference_mode, 200),
    "derivatives recorded": (torch.enable_grad, 200),
    "training": (torch.enable_grad, 50),
}
COLUMNS = ("mode", "layer", "torch us", "tconv us", "ratio")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torch_calls", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    record_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measured(mode, name, options.rounds) for mode in MODES for name in LAYERS]
    keep(options.record, rows)
    print("\n".join(aligned(COLUMNS, [cells(row) for row in rows], right=COLUMNS[2:])))


def measured(mode: str, name: str, rounds: int) -> Row:
    """Medians of both, and of the ratio, in microseconds."""
    context, calls = MODES[mode]
    timers = [timeit.Timer(run) for run in contestants(mode, name)]
    times: list[list[float]] = [[] for _ in timers]
    with context():
        for timer in timers:
            timer.timeit(50)
        for number in range(rounds):
            for turns, timer in list(zip(times, timers, strict=True))[:: 1 if number % 2 else -1]:
                turns.append(timer.timeit(calls) / calls * 1e6)
    theirs, ours = map(statistics.median, times)
    ratio = statistics.median(a / b for a, b in zip(*times, strict=True))
    return {"layer": name, "mode": mode, "us": {"torch": digits(theirs), "tconv": digits(ours)}, "ratio": digits(ratio)}


def cells(row: Row) -> list[str]:
    times = row["us"]
    return [row["mode"], row["layer"], f"{times['torch']:.2f}", f"{times['tconv']:.2f}", f"{row['ratio']:.2f}"]


def contestants(mode: str, name: str) -> list[Callable[[], Any]]:
    ndim, channels, keywords, shape = LAYERS[name]
    x = torch.randn(shape)
    kinds = [getattr(nn, f"ConvTranspose{ndim}d") for nn in (torch.nn, tconv.torch.nn)]
    layers = [kind(*channels, **keywords) for kind in kinds]
    layers[1].load_state_dict(layers[0].state_dict())
    return [partial(trained, layer, x) if mode == "training" else partial(layer, x) for layer in layers]


def trained(layer: torch.nn.Module, x: torch.Tensor) -> Any:
    return torch.autograd.grad(layer(x).sum(), list(layer.parameters()))


if __name__ == "__main__":
    main()
