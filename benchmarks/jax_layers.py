"""tconv.jax against lax's own transposed convolution, jitted, on the CPU: forward, and with both gradients.

    python -m benchmarks.jax_layers [--layers dcgan.4 unet3d.up] [--random 60 --seed 0] [--rounds 7] [--json FILE]

x has channels last, as is usual in JAX. lax's convolution gets its weights flipped, in whichever of two orders is the
faster: (*kernel, Cin, Cout) or (*kernel, Cout, Cin). `conv_transpose` gets them as (Cin, Cout / groups, *kernel), and
`lax_conv_transpose` as (*kernel, Cin, Cout), which is lax.conv_transpose's default; it has no groups. "gradients" is
jax.value_and_grad of <result, a constant> by x and w. All take turns in one process, after their results were compared.
XLA takes a thread for each core that the process may use: --threads pins the process.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods import check_agreement
from benchmarks.record import Row, keep, milliseconds, record_option
from tconv.bench import cores, drawn, machine
from tconv.bench.layers import BenchLayer, public
from tconv.measuring.rounds import Effort, peers_in_turns, with_result

#: XLA has plain loops for depthwise layers, for grouped ones of three axes, and for three axes with stride. They do so
#: many multiplications a second, and for the gradient by the weights so many; who would take longer than --limit by
#: them is left out.
LOOPED, LOOPED_GRADIENT = 1.5e8, 4e6
NATIVE = ("lax IO", "lax OI")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jax_layers", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=public(), metavar="NAME", help="only these public layers")
    parser.add_argument("--random", type=int, metavar="N", help="so many random layers, not the public ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=60, help="seconds a call beyond which lax is left out")
    parser.add_argument("--forward", action="store_true", help="leave the gradients out")
    parser.add_argument("--json", metavar="FILE", type=Path, help="times in seconds; a file is gone on with")
    record_option(parser)
    options = parser.parse_args()
    modes = ["forward"] if options.forward else ["forward", "gradients"]
    with cores.held(options.threads):
        record = measured(chosen(options), modes, options)
    keep(options.record, map(kept, record["layers"]))
    for mode in modes:
        print("\n".join(table(record["layers"], mode)))


def kept(row: dict[str, Any]) -> Row:
    """What a record has of it: lax's own in its better order."""
    found = row["seconds"]
    lax = min((found[name] for name in NATIVE if name in found), default=None)
    ours = {name: found.get(name) for name in ("conv_transpose", "lax_conv_transpose")}
    return {"layer": row["layer"]["name"], "mode": row["mode"], "ms": milliseconds({"lax": lax, **ours})}


def chosen(options: Any) -> list[BenchLayer]:
    """The layers that --layers, or --random and --seed, ask for."""
    if options.random:
        return [drawn.draw(options.seed, number) for number in range(options.random)]
    return [public()[name] for name in options.layers or public()]


def measured(layers: list[BenchLayer], modes: list[str], options: Any) -> dict[str, Any]:
    """A row a layer and mode; the file is written after each, and gone on with where it exists."""
    rows: list[dict[str, Any]] = []
    if options.json and options.json.exists():
        rows = json.loads(options.json.read_text())["layers"]
    record = {"machine": machine.describe(), "threads": options.threads, "rounds": options.rounds, "layers": rows}
    known = [(BenchLayer.read(row["layer"]), row["mode"]) for row in rows]
    for number, layer in enumerate(layers, 1):
        for mode in modes:
            if (layer, mode) in known:
                continue
            print(f"{number}/{len(layers)} {layer.name} {mode}".ljust(50), end="\r", file=sys.stderr)
            rows.append({"layer": layer.as_dict(), "mode": mode, "seconds": seconds(layer, mode, options)})
            if options.json:
                options.json.write_text(json.dumps(record, indent=1))
    return record


def seconds(layer: BenchLayer, mode: str, options: Any) -> dict[str, float]:
    """Of each contestant: the median of its turns."""
    runs, first, results = {}, {}, {}
    for name, (function, arguments) in contestants(layer, mode, options.limit).items():
        compiled = function.lower(*arguments).compile()
        runs[name] = lambda compiled=compiled, arguments=arguments: wait(compiled(*arguments))
        first[name], results[name] = with_result(runs[name])
    check_agreement({name: np.asarray(result[0]) for name, result in results.items()})
    results.clear()
    turns = peers_in_turns(runs, first, Effort(rounds=options.rounds), lambda: None)
    return {name: statistics.median(values) for name, values in turns.items()}


def wait(results: Any) -> Any:
    import jax

    return jax.block_until_ready(results)


def contestants(layer: BenchLayer, mode: str, limit: float) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """A jitted function for each, that returns a tuple whose first entry is comparable, and its arguments."""
    import jax
    import jax.numpy as jnp

    import tconv.jax

    x, w = layer.arrays()
    x = jnp.asarray(np.moveaxis(x, 1, -1))
    taps_first = flipped(layer, w)
    named: dict[str, tuple[Callable[..., Any], Any]] = {}
    if looped_seconds(layer, mode) < limit:
        named["lax IO"] = (by_lax(layer, "IO"), taps_first)
        named["lax OI"] = (by_lax(layer, "OI"), taps_first.swapaxes(-1, -2))
    named["conv_transpose"] = (lambda x, w: tconv.jax.conv_transpose(x, w, **layer.keywords, layout=LAST), w)
    if layer.groups == 1:
        geometry = layer.geometry
        pads = [(z.padding[0], z.padding[1] + z.extra) for z in geometry.zero_inserted]
        drop_in = (
            lambda x, w: tconv.jax.lax_conv_transpose(x, w, geometry.stride, pads, geometry.dilation),
            taps_first,
        )
        named["lax_conv_transpose"] = drop_in
    dy = jnp.asarray(np.random.default_rng(1).standard_normal(moved(layer.y_shape), np.float32))
    return {
        name: (jax.jit(in_mode(mode, function)), (x, jnp.asarray(np.ascontiguousarray(weights)), dy))
        for name, (function, weights) in named.items()
    }


LAST = "channels_last"


def in_mode(mode: str, function: Callable[..., Any]) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    if mode == "forward":
        return lambda x, w, dy: (function(x, w),)

    def both(x: Any, w: Any, dy: Any) -> tuple[Any, ...]:
        value, (dx, dw) = jax.value_and_grad(lambda x, w: jnp.vdot(function(x, w), dy), (0, 1))(x, w)
        return dx, dw, value

    return both


def by_lax(layer: BenchLayer, order: str) -> Callable[..., Any]:
    """lax.conv_general_dilated as lax.conv_transpose calls it, with groups."""
    from jax import lax

    axes = "DHW"[-layer.ndim :]
    keywords: dict[str, Any] = {
        "window_strides": (1,) * layer.ndim,
        "padding": [(z.padding[0], z.padding[1] + z.extra) for z in layer.geometry.zero_inserted],
        "lhs_dilation": layer.each("stride"),
        "rhs_dilation": layer.each("dilation"),
        "dimension_numbers": (f"N{axes}C", f"{axes}{order}", f"N{axes}C"),
        "feature_group_count": layer.groups,
    }
    return lambda x, w: lax.conv_general_dilated(x, w, **keywords)


def flipped(layer: BenchLayer, w: np.ndarray) -> np.ndarray:
    """From (Cin, Cout / groups, *kernel) to lax's (*kernel, Cin / groups, Cout), in lax's order of taps."""
    groups, (cin, cout, *kernel) = layer.groups, w.shape
    w = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, cin // groups, cout, *kernel)
    w = np.moveaxis(w, (1, 0, 2), (-3, -2, -1))
    return w.reshape(*kernel, cin // groups, groups * cout)


def moved(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *shape[2:], shape[1])


def looped_seconds(layer: BenchLayer, mode: str) -> float:
    """How long lax would take in plain loops; 0 where it has something better."""
    grouped = layer.groups > 1 and (layer.ndim > 2 or layer.groups == layer.in_channels)
    if not grouped and not (layer.ndim > 2 and max(layer.each("stride")) > 1):
        return 0.0
    return layer.work.zero_insertion_multiplications / (LOOPED if mode == "forward" else LOOPED_GRADIENT)


def table(rows: list[dict[str, Any]], mode: str) -> list[str]:
    """Milliseconds, and how many times faster than lax in its better order; a dash: left out."""
    ours = ("conv_transpose", "lax_conv_transpose")
    lines = [f"\n{mode}, ms", f"{'layer':<18}{'lax':>10}" + "".join(f"{name:>20}{'ratio':>8}" for name in ours)]
    ratios: dict[str, list[float]] = {name: [] for name in ours}
    for row in rows:
        if row["mode"] != mode:
            continue
        found = row["seconds"]
        lax = min((found[name] for name in NATIVE if name in found), default=math.nan)
        line = f"{row['layer']['name']:<18}{shown(lax * 1e3):>10}"
        for name in ours:
            ratio = lax / found.get(name, math.nan)
            line += f"{shown(found.get(name, math.nan) * 1e3):>20}{shown(ratio):>8}"
            ratios[name] += [ratio] if math.isfinite(ratio) else []
        lines.append(line)
    for name, values in ratios.items():
        if values:
            mean = statistics.geometric_mean(values)
            below = sum(value < 0.95 for value in values)
            of = f"of {len(values)} layers, least {min(values):.2f}, {below} below 0.95"
            lines.append(f"{name}: geometric mean {mean:.2f} {of}")
    return lines


def shown(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


if __name__ == "__main__":
    main()
