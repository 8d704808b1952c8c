"""tconv.Conv against torch.nn's convolutions on 24 layers of published networks, weights packed once.

    python -m benchmarks.conv_layers [--layers aspp.d12 unet.in] [--rounds 7] [--threads 1]

Both sides have the layer in both layouts: PyTorch's modules contiguous and channels last, brought there as its
documentation says, under torch.inference_mode; tconv's prepared operator channels first and channels last. All take
turns in one process, after their results were compared; the better layout of each side counts. On one thread it is the
quickest call by the time of the thread, which other work on the machine hardly changes; on several the median of turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tconv
from benchmarks.held import quickest
from benchmarks.methods import check_agreement
from benchmarks.record import keep, milliseconds, record_option
from tconv.bench import cores
from tconv.measuring.rounds import Effort, in_turns, with_result

LAYERS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
#: A ratio below this is a target missed.
LEAST = 0.97

Run = Callable[[], Any]


def main() -> None:
    names = [layer["name"] for layer in LAYERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conv_layers", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=names, default=names, metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turn", type=float, default=0.04, help="seconds of calls in a turn")
    parser.add_argument("--threads", type=int, default=1)
    record_option(parser)
    options = parser.parse_args()
    with cores.held(options.threads):
        torch.set_num_threads(options.threads)
        tconv.set_num_threads(options.threads)
        rows = [measured(layer, options) for layer in LAYERS if layer["name"] in options.layers]
    ratios = [best(row, "torch") / best(row, "tconv") for row in rows]
    below = sum(each < LEAST for each in ratios)
    print(f"geometric mean {statistics.geometric_mean(ratios):.2f}, least {min(ratios):.2f}, {below} below {LEAST}")
    keep(options.record, rows, ["torch"])


def measured(layer: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The milliseconds of every way, the median of its turns."""
    with torch.inference_mode():
        runs = contestants(layer)
        first, results = {}, {}
        for name, run in runs.items():
            run()  # kernels are compiled
            first[name], results[name] = with_result(run)
        check_agreement({name: channels_first(name, result) for name, result in results.items()})
        results.clear()
        if options.threads == 1:
            seconds = quickest(runs, options.rounds)
        else:
            turns = in_turns(runs, first, Effort(rounds=options.rounds, turn=options.turn), lambda: None)
            seconds = {name: statistics.median(each) for name, each in turns.items()}
    row = {"layer": layer["name"], "ms": milliseconds(seconds)}
    print(f"{layer['name']:<16}{best(row, 'torch') / best(row, 'tconv'):6.2f}  {row['ms']}", file=sys.stderr)
    return row


def best(row: dict[str, Any], who: str) -> float:
    """Milliseconds in the better layout."""
    return min(value for name, value in row["ms"].items() if name.split()[0] == who)


def channels_first(name: str, result: Any) -> Any:
    """A result as an array with channels first."""
    array = np.asarray(result)
    return np.moveaxis(array, -1, 1) if name == "tconv channels last" else array


def contestants(layer: dict[str, Any]) -> dict[str, Run]:
    """By side and layout what computes the layer."""
    window = {name: layer[name] for name in ("stride", "padding", "dilation", "groups")}
    ndim = len(layer["spatial"])
    torch.manual_seed(0)
    module = getattr(torch.nn, f"Conv{ndim}d")(
        layer["in_channels"], layer["out_channels"], layer["kernel"], bias=False, **window
    ).eval()
    x = torch.randn(layer["batch"], layer["in_channels"], *layer["spatial"])
    weights, cells = module.weight.numpy().copy(), x.numpy().copy()
    first = tconv.Conv(weights, **window)
    last = tconv.Conv(weights, layout="channels_last", **window)
    moved = np.ascontiguousarray(np.moveaxis(cells, 1, -1))
    runs: dict[str, Run] = {
        "torch contiguous": lambda: module(x),
        "tconv channels first": lambda: first(cells),
        "tconv channels last": lambda: last(moved),
    }
    if ndim > 1:
        order = torch.channels_last if ndim == 2 else torch.channels_last_3d
        other = getattr(torch.nn, f"Conv{ndim}d")(
            layer["in_channels"], layer["out_channels"], layer["kernel"], bias=False, **window
        )
        other.load_state_dict(module.state_dict())
        other.eval().to(memory_format=order)
        there = x.to(memory_format=order)
        runs["torch channels last"] = lambda: other(there)
    return runs


if __name__ == "__main__":
    main()
