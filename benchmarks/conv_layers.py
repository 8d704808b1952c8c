"""tconv.Conv against torch.nn's convolutions on 24 layers of published networks, weights packed once.

    python -m benchmarks.conv_layers [--layers aspp.d12 unet.in] [--rounds 7] [--threads 1]

Both sides have the layer in both layouts: PyTorch's modules contiguous and channels last, brought there as its
documentation says, under torch.inference_mode; tconv's prepared operator channels first and channels last. They read
the same memory, PyTorch's, which begins with a cache line. NumPy's begins at a multiple of 16 bytes, another one from
process to process, and vectors that lie across two lines take kernels of either side up to 1.3 times as long. All take
turns in one process, after their results were compared; the better layout of each side counts. On one thread it is the
quickest call by the time of the thread, which other work on the machine hardly changes; on several the median of turns.

Where minimal filtering is offered (`method="winograd"`), it takes turns as well, and counts for neither side: it is not
exact. Of its results, and of those by the definition, the largest difference from sums in float64 is noted, over the
largest of these.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tconv
from benchmarks.held import quickest
from benchmarks.methods import check_agreement
from benchmarks.record import digits, keep, milliseconds, record_option
from tconv.bench import cores
from tconv.measuring.rounds import Effort, peers_in_turns, with_result

LAYERS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
#: A ratio below this is a target missed.
LEAST = 0.97
#: Our ways, by the methods that they are.
OURS = {"tconv": "auto", "winograd": "winograd"}

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
        results = {name: channels_first(name, result) for name, result in results.items()}
        check_agreement(results)
        errors = errors_of(layer, results)
        results.clear()
        aside = [name for name in runs if name.startswith("winograd")]
        if options.threads == 1:
            seconds = quickest(runs, options.rounds, aside)
        else:
            turns = peers_in_turns(
                runs, first, Effort(rounds=options.rounds, turn=options.turn), lambda: None, aside=aside
            )
            seconds = {name: statistics.median(each) for name, each in turns.items()}
    row = {"layer": layer["name"], "ms": milliseconds(seconds), **({"error": errors} if "winograd" in errors else {})}
    print(f"{layer['name']:<16}{best(row, 'torch') / best(row, 'tconv'):6.2f}  {row['ms']}", file=sys.stderr)
    return row


def best(row: dict[str, Any], who: str) -> float:
    """Milliseconds in the better layout."""
    return min(value for name, value in row["ms"].items() if name.split()[0] == who)


def channels_first(name: str, result: Any) -> Any:
    """A result as an array with channels first."""
    array = np.asarray(result)
    return np.moveaxis(array, -1, 1) if name.split()[0] in OURS and name.endswith("last") else array


def errors_of(layer: dict[str, Any], results: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest difference from sums in float64 by each of our ways, in the worse layout, over the largest sum."""
    module, x = layer_of(layer)
    w = module.weight.numpy().astype(np.float64)
    expected = tconv.conv(x.numpy().astype(np.float64), w, **window_of(layer))
    scale, found = np.abs(expected).max(), {}
    for name, result in results.items():
        who = name.split()[0]
        if who in OURS:
            found[who] = max(found.get(who, 0.0), float(np.abs(result - expected).max() / scale))
    return {who: digits(error) for who, error in found.items()}


def contestants(layer: dict[str, Any]) -> dict[str, Run]:
    """By side and layout what computes the layer."""
    module, x = layer_of(layer)
    last = x.movedim(1, -1).contiguous()
    weights, cells, moved = module.weight.numpy().copy(), x.numpy(), last.numpy()
    runs: dict[str, Run] = {"torch contiguous": lambda: module(x)}
    for who, method in OURS.items():
        for name, layout, grid in (("first", "channels_first", cells), ("last", "channels_last", moved)):
            with contextlib.suppress(ValueError if method == "winograd" else ()):  # it refuses what it saves little of
                operator = tconv.Conv(weights, layout=layout, method=method, **window_of(layer))
                operator(grid)
                runs[f"{who} channels {name}"] = partial(operator, grid)
    if x.ndim > 3:
        order = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        other, _ = layer_of(layer)
        other.to(memory_format=order)
        there = last.movedim(-1, 1)
        runs["torch channels last"] = lambda: other(there)
    return runs


def layer_of(layer: dict[str, Any]) -> tuple[torch.nn.Module, torch.Tensor]:
    """PyTorch's module and its input, the same ones every time."""
    torch.manual_seed(0)
    kind = getattr(torch.nn, f"Conv{len(layer['spatial'])}d")
    module = kind(layer["in_channels"], layer["out_channels"], layer["kernel"], bias=False, **window_of(layer)).eval()
    return module, torch.randn(layer["batch"], layer["in_channels"], *layer["spatial"])


def window_of(layer: dict[str, Any]) -> dict[str, Any]:
    """Its window, as PyTorch and tconv take it."""
    return {name: layer[name] for name in ("stride", "padding", "dilation", "groups")}


if __name__ == "__main__":
    main()
