"""Every variant of tconv.jax by itself: what the expected times in `tconv.jax.cost` are fitted to.

    python -m benchmarks.jax_variants [--layers dcgan.4 unet3d.up] [--random 60 --seed 0] --json FILE

Each layer is computed, forward, by each variant that the rule may take, with weights as `conv_transpose` has them and,
where there are no groups, as `lax_conv_transpose` has them; all in turns in one process, after their results were
compared. A file that exists is gone on with. `python -m benchmarks.jax_fit FILE ...` fits to it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jax_layers import by_lax, chosen, flipped, wait
from benchmarks.methods import check_agreement
from tconv.bench import cores, machine
from tconv.bench.layers import BenchLayer, public
from tconv.measuring.rounds import Effort, peers_in_turns, with_result

EFFORT = Effort(rounds=5, turn=0.02)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jax_variants", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=public(), metavar="NAME", help="only these public layers")
    parser.add_argument("--random", type=int, metavar="N", help="so many random layers, not the public ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=3, help="expected seconds beyond which a variant is left out")
    parser.add_argument("--json", metavar="FILE", type=Path, required=True, help="where the times go, in seconds")
    options = parser.parse_args()
    layers = chosen(options)
    with cores.held(1):
        measure(layers, options.limit, options.json)


def measure(layers: list[BenchLayer], limit: float, path: Path) -> None:
    """A row a layer; the file is written after each."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())["layers"] if path.exists() else []
    known = [BenchLayer.read(row["layer"]) for row in rows]
    for number, layer in enumerate(layers, 1):
        if layer in known:
            continue
        print(f"{number}/{len(layers)} {layer.name}".ljust(40), end="\r", file=sys.stderr)
        rows.append({"layer": layer.as_dict(), "seconds": seconds(layer, limit)})
        path.write_text(json.dumps({"machine": machine.describe(), "layers": rows}, indent=1))


def seconds(layer: BenchLayer, limit: float) -> dict[str, float]:
    """Of each variant in each order of weights, and of lax: the median of its turns."""
    runs, first, results = {}, {}, {}
    for name, (function, arguments) in contestants(layer, limit).items():
        compiled = function.lower(*arguments).compile()
        runs[name] = lambda compiled=compiled, arguments=arguments: wait(compiled(*arguments))
        first[name], results[name] = with_result(runs[name])
    check_agreement({name: np.asarray(result) for name, result in results.items()})
    results.clear()
    turns = peers_in_turns(runs, first, EFFORT, lambda: None)
    return {name: statistics.median(values) for name, values in turns.items()}


def contestants(layer: BenchLayer, limit: float) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Jitted functions and their arguments, by "variant order"; "lax OI" is lax's own with its channels turned."""
    import jax
    import jax.numpy as jnp

    from tconv.jax.choose import is_small
    from tconv.jax.cost import seconds as expected
    from tconv.jax.derivatives import computed
    from tconv.jax.task import Choice
    from tconv.jax.variants import VARIANTS

    x, w = layer.arrays()
    x = jnp.asarray(np.moveaxis(x, 1, -1))
    taps_first = flipped(layer, w)
    named: dict[str, tuple[Any, tuple[Any, ...]]] = {}
    for task in tasks(layer):
        weights = jnp.asarray(w if task.order == "channels_first" else taps_first)
        for name in VARIANTS:
            if is_small(name, task.problem) and expected(name, task) < limit:
                run = jax.jit(lambda x, w, task=task, name=name: computed(task, Choice(name, name, name), x, w))
                named[f"{name} {task.order}"] = run, (x, weights)
    if any(name.startswith("native") for name in named):
        turned = np.ascontiguousarray(taps_first.swapaxes(-1, -2))
        named["lax IO"] = jax.jit(by_lax(layer, "IO")), (x, jnp.asarray(taps_first))
        named["lax OI"] = jax.jit(by_lax(layer, "OI")), (x, jnp.asarray(turned))
    return named


def tasks(layer: BenchLayer) -> list[Any]:
    """As `conv_transpose` poses it, and as `lax_conv_transpose` does, which has no groups."""
    from tconv.jax.task import Task
    from tconv.problem import Problem

    sizes = (layer.geometry, layer.batch, layer.in_channels, layer.out_channels, layer.groups)
    problem = Problem("conv_transpose", *sizes, "float32")
    posed = [Task(problem, "channels_first")]
    return posed if layer.groups > 1 else [*posed, Task(problem, "taps_first", flipped=True)]


if __name__ == "__main__":
    main()
