"""Whole models in every way that people run them on a CPU: those of `benchmarks.zoo`, in eval mode under no_grad.

    python -m benchmarks.whole_models [--models "SAM mask decoder" VITS] [--ways eager accelerate openvino]
                                      [--threads 1] [--rounds 7] [--cpu] [--json FILE] [--record FILE]

Each model has a process of its own, in which all ways get ready, are compared with the model as it is, and then take
turns. A way that fails has its reason below the table; one whose results differ by more than 1e-4 of the largest value
is marked, a result that says nothing (alike everywhere, as behind a saturated sigmoid) is not compared.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import Row, digits, keep, milliseconds, record_option
from tconv import checks
from tconv.bench import cores
from tconv.tables import aligned

LIMIT = 1e-4
ORIGINAL, OURS = "eager", "accelerate"
UNTOUCHED = ""  #: where the model is kept that no way has been given


def main() -> None:
    from benchmarks.ways import WAYS
    from benchmarks.zoo import ENTRIES

    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_models", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=ENTRIES, default=list(ENTRIES), metavar="NAME")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", action="store_true", help="count the seconds that threads compute, for a busy machine")
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="a file that has a line for each model when it is done"
    )
    record_option(parser)
    options = parser.parse_args()
    done = _done(options.json)
    rows = []
    for number, name in enumerate(options.models, 1):
        if name not in done:
            print(f"{number}/{len(options.models)} {name}".ljust(60), end="\r", file=sys.stderr)
            done[name] = in_own_process(name, options)
            if options.json:
                with options.json.open("a") as file:
                    file.write(json.dumps(done[name]) + "\n")
        rows.append(done[name])
    keep(options.record, map(kept, rows), packages=("transformers", "monai", "onnxruntime", "openvino"))
    print("\n".join(table(rows, options.ways)))


def _done(file: Path | None) -> dict[str, Row]:
    """What a run before this one has left."""
    lines = file.read_text().splitlines() if file and file.exists() else []
    return {row["model"]: row for row in map(json.loads, lines)}


def in_own_process(name: str, options: Any) -> Row:
    """The row of a model, whatever becomes of the process."""
    from benchmarks.zoo import ENTRIES

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, name, options))
    process.start()
    theirs.close()
    try:
        row: Row = ours.recv()
    except EOFError:
        process.join()
        ended = {"process": f"ended with {process.exitcode}"}
        row = {**_known(ENTRIES[name]), "ready": {}, "seconds": {}, "differs": {}, "failures": ended}
    process.join()
    return row


def _child(pipe: Any, name: str, options: Any) -> None:
    with cores.held(options.threads):
        pipe.send(measured(name, options))


def measured(name: str, options: Any) -> Row:
    """One model in all ways: seconds, differences from the model as it is, and why some failed."""
    import torch

    from benchmarks.ways import Tensors
    from benchmarks.zoo import ENTRIES
    from tconv.measuring.contest import difference
    from tconv.measuring.rounds import Effort, peers_in_turns, timed, timed_by_cpu

    timer = timed_by_cpu if options.cpu else timed
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    model, inputs = ENTRIES[name].build()
    given = inputs if isinstance(inputs, dict) else (inputs,)
    model = Tensors(model.eval())
    row: Row = {**_known(ENTRIES[name]), "ready": {}, "seconds": {}, "differs": {}, "failures": {}}
    runs, first = {}, {}
    models: dict[str, Any] = {UNTOUCHED: model}
    expected = None
    for which in options.ways:
        try:
            start = time.process_time()
            ready = _ready(which, models, given, options.threads)
            row["ready"][which] = time.process_time() - start
            with nothing_compiled():
                results = [each.copy() for each in ready.arrays(ready.run())]
                first[which] = min(timer(ready.run) for _ in range(2))
            expected = results if expected is None else expected
            row["differs"][which] = difference(results, expected) if telling(expected) else None
        except Exception as error:  # whatever a library raises on a model that it does not take
            row["failures"][which] = checks.first_line(error)[:200]
            continue
        runs[which] = ready.run
    with nothing_compiled():
        turns = peers_in_turns(runs, first, Effort(rounds=options.rounds, turn=0.15), lambda: None, timer)
    row["seconds"] = {which: statistics.median(seconds) for which, seconds in turns.items()}
    return row


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Raise if PyTorch compiles within: what is compiled once more than it was when it got ready has no frozen weights.

    That is what `torch._dynamo.reset` brings about, of all that was compiled before, and nobody sees it.
    """
    from torch._dynamo.utils import counters

    before = counters["frames"]["total"]
    yield
    if counters["frames"]["total"] != before:
        raise RuntimeError("PyTorch compiled anew in a run that was timed")


def _ready(which: str, models: dict[str, Any], inputs: Any, threads: int) -> Any:
    """A model that is ready in some way; it is kept in `models` for the ways that begin with it."""
    from benchmarks.ways import BEHIND, WAYS

    begun = BEHIND.get(which, UNTOUCHED)
    if begun not in models:
        _ready(begun, models, inputs, threads)
    models[which] = copy.deepcopy(models[begun])
    return WAYS[which](models[which], inputs, threads)


def _known(entry: Any) -> Row:
    return {"model": entry.name, "inputs": entry.size, "convolutional": entry.convolutional}


def telling(expected: list[Any]) -> bool:
    """Whether results would show a difference: with random weights a last sigmoid or tanh may be saturated."""
    import numpy as np

    return bool(expected) and all(
        np.isfinite(each).all() and each.std() > 1e-3 * np.abs(each).max() for each in expected if each.size > 1
    )


def kept(row: Row) -> Row:
    """What a record has of it."""
    differs = {name: None if value is None else float(f"{value:.0e}") for name, value in row["differs"].items()}
    known = {name: row[name] for name in ("model", "inputs", "convolutional")}
    ready = {name: digits(seconds) for name, seconds in row["ready"].items()}
    measured = {"ms": milliseconds(row["seconds"]), "ready": ready, "differs": differs}
    return {**known, **measured, "failures": row["failures"]}


def table(rows: list[Row], ways: list[str]) -> list[str]:
    """A line a model, what all of them say together, and who failed."""
    others = [name for name in ways if name != ORIGINAL]
    columns = ("model", "eager ms", *others)
    lines = aligned(columns, [cells(row, others) for row in rows], right=columns[1:])
    for name in others:
        ratios = [row["seconds"][ORIGINAL] / row["seconds"][name] for row in rows if name in row["seconds"]]
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            lines.append(f"{name}: geometric mean {mean:.3f} of {len(ratios)}, least {min(ratios):.2f}")
    for row in rows:
        lines += [f"{row['model']}, {name}: {reason}" for name, reason in row["failures"].items()]
    return lines


def cells(row: Row, others: list[str]) -> list[str]:
    """How many times as fast as the model as it is."""
    seconds = row["seconds"]
    if ORIGINAL not in seconds:
        return [row["model"], "-", *("-" for _ in others)]
    ratios = []
    for name in others:
        wrong = (row["differs"].get(name) or 0.0) > LIMIT
        ratios.append(f"{seconds[ORIGINAL] / seconds[name]:.2f}{' !' if wrong else ''}" if name in seconds else "-")
    return [row["model"], f"{seconds[ORIGINAL] * 1e3:.4g}", *ratios]


if __name__ == "__main__":
    main()
