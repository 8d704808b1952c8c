"""Models that compute the same, loaded into a runtime and set against each other on the same feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import ModelProto

from tconv import checks
from tconv.measuring.contest import ORIGINAL, Contest, difference, disagreement, in_turns
from tconv.measuring.rounds import Effort
from tconv.onnx.runtimes import Feeds, Run, Runtime, first_run


def contest(models: Mapping[str, ModelProto], feeds: Feeds, runtime: Runtime, threads: int, effort: Effort) -> Contest:
    """Compare and time all models on the same feeds; one of them is called `ORIGINAL`.

    Raises `checks.Rejected` where that one does not run; of the others it is noted.
    """
    original, took, expected = first_run(models[ORIGINAL], feeds, runtime, threads)
    runs, first = {ORIGINAL: original}, {ORIGINAL: took}
    differences: dict[str, float] = {}
    failures: dict[str, str] = {}
    for name, model in models.items():
        if name == ORIGINAL:
            continue
        try:
            run, took, results = first_run(model, feeds, runtime, threads)
        except checks.Rejected as rejected:
            failures[name] = str(rejected)
            continue
        wrong = disagreement(results, expected)
        differences[name] = difference(results, expected)
        if wrong:
            failures[name] = wrong
        else:
            runs[name], first[name] = run, took
    turns = in_turns({name: _bound(run, feeds) for name, run in runs.items()}, first, effort)
    return Contest(turns, differences, failures)


def _bound(run: Run, feeds: Feeds) -> Any:
    return lambda: run(feeds)
