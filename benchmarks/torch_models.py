"""Whole models of `benchmarks.zoo` before and after tconv.torch.accelerate with `layers="transposed"`, in eval mode.

    python -m benchmarks.torch_models [--models "SAM mask decoder" VITS] [--threads 1] [--rounds 5]
                                      [--layers] [--json FILE]
    python -m benchmarks.torch_models --show FILE ...

A copy of each model is accelerated on the inputs that both are then timed with, in turns in one process, after their
results were compared: "differs" is the largest difference over the largest value, a dash where all values are alike.
Where nothing was kept the model is as it was, and there is no time after. --layers prints the report of each model too.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import tconv.torch
from benchmarks.record import Row, keep, milliseconds, record_option
from benchmarks.ways import tensors
from benchmarks.zoo import ENTRIES, Entry
from tconv.bench import cores, machine
from tconv.measuring.contest import ORIGINAL, difference, in_turns
from tconv.measuring.rounds import Effort, timed
from tconv.tables import aligned

#: Results that differ by more are a failure.
LIMIT = 1e-4
COLUMNS = ("model", "inputs", "kept", "before ms", "after ms", "ratio", "their share", "differs")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torch_models", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=ENTRIES, metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", action="store_true", help="print what was measured of each layer")
    parser.add_argument("--json", metavar="FILE", help="write the times in seconds to a file")
    record_option(parser)
    parser.add_argument("--show", nargs="+", metavar="FILE", help="print the table of files again, measure nothing")
    options = parser.parse_args()
    if options.show:
        rows = [row for file in options.show for row in json.loads(Path(file).read_text())["models"]]
    else:
        with cores.held(options.threads):
            torch.set_num_threads(options.threads)
            rows = measured([ENTRIES[name] for name in options.models or ENTRIES], options)
        keep(options.record, map(kept, rows), packages=("transformers", "monai"))
    print("\n".join(table(rows)))


def kept(row: dict[str, Any]) -> Row:
    """What a record has of it."""
    times = milliseconds({"before": row["before"], "after": row.get("after")})
    counts = {"model": row["name"], "inputs": row["size"], "layers": row["layers"], "kept": row["kept"]}
    differs = None if row["differs"] is None else float(f"{row['differs']:.0e}")
    return {**counts, "ms": times, "share": round(row["share"], 3), "differs": differs}


def measured(entries: list[Entry], options: Any) -> list[dict[str, Any]]:
    """A row a model; the file is written after each."""
    rows: list[dict[str, Any]] = []
    record = {"machine": machine.describe(), "threads": options.threads, "rounds": options.rounds, "models": rows}
    for number, each in enumerate(entries, 1):
        print(f"{number}/{len(entries)} {each.name}".ljust(60), end="\r", file=sys.stderr)
        with torch.no_grad():
            row, report = before_and_after(each, options.rounds)
        rows.append({"name": each.name, "size": each.size, **row})
        if options.layers:
            print(f"{each.name}: {report}\n")
        if options.json:
            with open(options.json, "w") as file:
                json.dump(record, file, indent=1)
    return rows


def before_and_after(each: Entry, rounds: int) -> tuple[dict[str, Any], tconv.torch.Report]:
    """One model: the times of both, and the report."""
    torch.manual_seed(0)
    model, inputs = each.build()
    model.eval()
    fast, report = tconv.torch.accelerate(copy.deepcopy(model), inputs, layers="transposed")
    runs = {ORIGINAL: runner(model, inputs), "tconv": runner(fast, inputs)}
    expected, results = (list(tensors(run())) for run in runs.values())
    differs = difference([t.numpy() for t in results], [t.numpy() for t in expected]) if telling(expected) else None
    row = {"layers": len(report.layers), "kept": report.changed, "before": timed(runs[ORIGINAL]), "differs": differs}
    row["share"] = report.before / row["before"]
    if report.changed:
        first = {name: timed(run) for name, run in runs.items()}
        turns = in_turns(runs, first, Effort(rounds=rounds, turn=0.1))
        row["before"], row["after"] = (statistics.median(turns[name]) for name in runs)
        row["share"] = report.before / row["before"]
    return row, report


def telling(expected: list[Tensor]) -> bool:
    """Whether results would show a difference: with random weights a last sigmoid or tanh may be saturated."""
    return bool(expected) and all(
        t.isfinite().all() and t.std() > 1e-3 * t.abs().max() for t in expected if t.numel() > 1
    )


def runner(model: torch.nn.Module, inputs: Any) -> Callable[[], Any]:
    """A run on the same noise every time: some models draw."""

    def run() -> Any:
        torch.manual_seed(0)
        return model(**inputs) if isinstance(inputs, dict) else model(inputs)

    return run


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line a model, and what all of them say together."""
    lines = aligned(COLUMNS, [cells(row) for row in rows], right=COLUMNS[2:])
    ratios = [row["before"] / row["after"] for row in rows if "after" in row]
    if ratios:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        least = min(ratios)
        lines.append(f"\n{len(ratios)} of {len(rows)} models changed: geometric mean {mean:.2f}, least {least:.2f}")
    return lines


def cells(row: dict[str, Any]) -> list[str]:
    after = row.get("after")
    return [
        row["name"],
        row["size"],
        f"{row['kept']} of {row['layers']}",
        f"{row['before'] * 1e3:.4g}",
        f"{after * 1e3:.4g}" if after else "left alone",
        f"{row['before'] / after:.2f}" if after else "",
        f"{row['share']:.0%}",
        "-" if row["differs"] is None else f"{row['differs']:.0e}" + ("" if row["differs"] <= LIMIT else " !"),
    ]


if __name__ == "__main__":
    main()
