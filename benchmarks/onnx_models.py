"""`tconv.onnx.accelerate` on whole models: decoders as torch.onnx exports them, in ONNX Runtime and OpenVINO.

    python -m benchmarks.onnx_models [--models fsrcnn fcn8s] [--runtimes openvino] [--threads 2] [--layers]

Each model is measured before and after, in turns, by `accelerate` itself. What is left alone is reported so. The
process is pinned to as many cores as there are threads, one by default, before a runtime is loaded: both take what they
find then. With --layers, each layer in each form is shown too.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from benchmarks.record import Row, keep, milliseconds, record_option
from tconv.bench import cores, machine

if TYPE_CHECKING:
    from tconv.onnx import Acceleration

RUNTIMES = ("onnxruntime", "openvino")
COLUMNS = f"{'model':<10}{'runtime':<13}{'before ms':>9}{'after ms':>10}{'ratio':>7}  layers rewritten"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_models", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=RUNTIMES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--layers", action="store_true", help="show each layer in each form")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured to a file")
    record_option(parser)
    options = parser.parse_args()
    with cores.held(options.threads):
        from benchmarks.decoders import DECODERS

        unknown = set(options.models or ()) - DECODERS.keys()
        if unknown:
            parser.error(f"--models must name some of {', '.join(DECODERS)}; got {', '.join(sorted(unknown))}")
        measure(options, options.models or list(DECODERS))


def measure(options: Any, names: list[str]) -> None:
    """A line for each model and runtime; the file is written after each."""
    import tconv.onnx
    from benchmarks.decoders import exported

    rows: list[dict[str, Any]] = []
    records: list[Row] = []
    print(COLUMNS, flush=True)
    for name in names:
        model, feeds = exported(name)
        for runtime in options.runtimes:
            done = tconv.onnx.accelerate(
                model, runtime=runtime, feeds=feeds, threads=options.threads, rounds=options.rounds
            )
            print(line(name, done), flush=True)
            if options.layers:
                print(f"\n{done}\n", flush=True)
            records.append(kept(name, done))
            rows.append({"model": name, **done.as_dict()})
            if options.json:
                with open(options.json, "w") as file:
                    json.dump({"machine": machine.describe(), "models": rows}, file, indent=1)
    keep(options.record, records)


def kept(name: str, done: Acceleration) -> Row:
    """What a record has of it."""
    times = milliseconds({"before": done.before, "after": done.after})
    return {
        "model": name,
        "runtime": done.runtime,
        **({"ms": times} if times else {}),
        "rewritten": done.changed,
        "layers": len(done.layers),
    }


def line(name: str, done: Acceleration) -> str:
    """What came of it; without times where no layer won on its own, so that the whole model had no turn."""
    start = f"{name:<10}{done.runtime:<13}"
    if done.before is None or done.after is None:
        return f"{start}{'-':>9}{'-':>10}{'-':>7}  none of {len(done.layers)}: no layer is faster in another form"
    times = f"{done.before * 1e3:>9.2f}{done.after * 1e3:>10.2f}{done.before / done.after:>7.2f}"
    if not done.changed:
        return f"{start}{times}  none of {len(done.layers)}: some are faster on their own, the whole model is not"
    return f"{start}{times}  {forms(done)}"


def forms(done: Acceleration) -> str:
    """How many layers were rewritten, and into what."""
    won = [layer.variant for layer in done.layers if layer.variant is not None]
    each = ", ".join(f"{won.count(variant)} {variant}" for variant in sorted(set(won)))
    return f"{len(won)} of {len(done.layers)}: {each}"


if __name__ == "__main__":
    main()
