"""tconv.torch's layers against torch.nn's, through calls of the modules: forward, and forward with backward.

    python -m benchmarks.torch_layers [--layers dcgan.4 unet3d.up] [--random 60 --seed 0] [--formats channels_last]
                                      [--modes forward] [--rounds 7] [--threads 1] [--json FILE]

Both modules hold the same weights and get the same x, contiguous or channels_last; for channels_last the modules are
brought there too, as PyTorch's documentation says. "forward" is under torch.no_grad, where tconv keeps packed weights
and takes their fingerprint in every call; "training" is forward and backward by x, the weights and the bias, where it
packs them in every call. Both modules take turns in one process, after their results were compared. "relu" is training
with a ReLU behind the layer, and "compiled" the same through torch.compile; both have to be asked for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch

import tconv.torch
from benchmarks.methods import check_agreement
from benchmarks.record import Row, keep, milliseconds, record_option
from tconv.bench import cores, drawn, machine
from tconv.bench.layers import BenchLayer, public
from tconv.measuring.rounds import Effort, peers_in_turns, with_result

MODES, FORMATS = ("forward", "training"), ("contiguous", "channels_last")
#: The layer and a ReLU behind it, forward and backward: eager, and compiled. Only where asked for.
WITH_RELU = ("relu", "compiled")
#: A ratio below this is a target missed.
LEAST = 0.98


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torch_layers", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=public(), metavar="NAME", help="only these public layers")
    parser.add_argument("--random", type=int, metavar="N", help="so many random layers, not the public ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--modes", nargs="+", choices=(*MODES, *WITH_RELU), default=MODES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turn", type=float, default=0.04, help="seconds of calls in a turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the times in seconds to a file")
    record_option(parser)
    options = parser.parse_args()
    layers = [public()[name] for name in options.layers or public()]
    if options.random:
        layers = [drawn.draw(options.seed, number) for number in range(options.random)]
    with cores.held(options.threads):
        torch.set_num_threads(options.threads)
        rows = measured([layer for layer in layers if layer.ndim <= 3], options)
    keep(options.record, map(kept, rows))
    for form in options.formats:
        print("\n".join(table(rows, form, options.modes)))


def kept(row: dict[str, Any]) -> Row:
    """What a record has of it."""
    shape = {"layer": row["layer"]["name"], "format": row["format"], "mode": row["mode"]}
    return {**shape, "ms": milliseconds(row["seconds"])}


def measured(layers: list[BenchLayer], options: Any) -> list[dict[str, Any]]:
    """A row a layer, format and mode; the file is written after each."""
    rows: list[dict[str, Any]] = []
    record = {"machine": machine.describe(), "threads": options.threads, "rounds": options.rounds, "layers": rows}
    for number, layer in enumerate(layers, 1):
        for form in options.formats:
            if form == "channels_last" and layer.ndim == 1:  # PyTorch has no such format
                continue
            for mode in options.modes:
                print(f"{number}/{len(layers)} {layer.name} {form} {mode}".ljust(60), end="\r", file=sys.stderr)
                found = seconds(layer, form, mode, options)
                rows.append({"layer": layer.as_dict(), "format": form, "mode": mode, "seconds": found})
                if options.json:
                    with open(options.json, "w") as file:
                        json.dump(record, file, indent=1)
    return rows


def seconds(layer: BenchLayer, form: str, mode: str, options: Any) -> dict[str, float]:
    """Of each module: the median of its turns."""
    runs = contestants(layer, form, mode)
    first, results = {}, {}
    for name, run in runs.items():
        run()  # kernels are compiled, and weights seen for the first time
        first[name], results[name] = with_result(run)
    for values in zip(*results.values(), strict=True):
        if mode not in WITH_RELU:  # in which the sign of a rounding error decides about a whole product
            check_agreement({name: value.detach().numpy() for name, value in zip(results, values, strict=True)})
    results.clear()
    turns = peers_in_turns(runs, first, Effort(rounds=options.rounds, turn=options.turn), lambda: None)
    return {name: statistics.median(values) for name, values in turns.items()}


def contestants(layer: BenchLayer, form: str, mode: str) -> dict[str, Callable[[], tuple[Any, ...]]]:
    torch.manual_seed(0)
    arguments = (layer.in_channels, layer.out_channels, layer.each("kernel"))
    x = torch.randn(layer.x_shape)
    order = torch.contiguous_format
    if form == "channels_last":
        order = torch.channels_last if layer.ndim == 2 else torch.channels_last_3d
    x = x.to(memory_format=order).requires_grad_(mode != "forward")
    dy = torch.randn(layer.y_shape).to(memory_format=order)
    kinds = {name: getattr(nn, f"ConvTranspose{layer.ndim}d") for name, nn in NAMES.items()}
    modules = {name: kind(*arguments, **layer.keywords) for name, kind in kinds.items()}
    for module in modules.values():
        module.load_state_dict(modules["torch.nn"].state_dict())
        module.to(memory_format=order)
    return {name: in_mode(mode, module, x, dy) for name, module in modules.items()}


NAMES = {"torch.nn": torch.nn, "tconv": tconv.torch.nn}


def in_mode(mode: str, module: Any, x: Any, dy: Any) -> Callable[[], tuple[Any, ...]]:
    if mode in WITH_RELU:
        followed = torch.nn.Sequential(module, torch.nn.ReLU())
        module = torch.compile(followed, fullgraph=True) if mode == "compiled" else followed
    if mode != "forward":
        operands = [x, *module.parameters()]
        return lambda: torch.autograd.grad(module(x), operands, dy)

    def forward() -> tuple[Any, ...]:
        with torch.no_grad():
            return (module(x),)

    return forward


def table(rows: list[dict[str, Any]], form: str, modes: list[str]) -> list[str]:
    """Milliseconds, and how many times faster than torch.nn."""
    lines = [
        f"\n{form}, ms",
        f"{'layer':<18}" + "".join(f"{f'{m}: torch.nn':>20}{'tconv':>10}{'ratio':>8}" for m in modes),
    ]
    ratios: dict[str, list[float]] = {mode: [] for mode in modes}
    names = dict.fromkeys(row["layer"]["name"] for row in rows if row["format"] == form)
    for name in names:
        line = f"{name:<18}"
        for mode in modes:
            found = next(
                r["seconds"] for r in rows if (r["layer"]["name"], r["format"], r["mode"]) == (name, form, mode)
            )
            ratio = found["torch.nn"] / found["tconv"]
            ratios[mode].append(ratio)
            line += f"{found['torch.nn'] * 1e3:>20.3f}{found['tconv'] * 1e3:>10.3f}{ratio:>8.2f}"
        lines.append(line)
    for mode, values in ratios.items():
        mean, below = statistics.geometric_mean(values), sum(value < LEAST for value in values)
        of = f"of {len(values)} layers, least {min(values):.2f}, {below} below {LEAST}"
        lines.append(f"{mode}: geometric mean {mean:.2f} {of}")
    return lines


if __name__ == "__main__":
    main()
