"""The same computation said in several ways: their results compared, then timed in turns, and who won by how much.

A contestant has won only if it was faster than the original by `MARGIN` in all rounds but one, and in the medians of
all rounds. Rounds compare what was measured within a fraction of a second, so that the drift of a busy machine does not
decide; medians, so that a few lucky rounds do not.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto

from tconv import checks
from tconv.bench.rounds import HOPELESS, Effort, probe, shuffled, turn
from tconv.onnx.runtimes import Array, Feeds, Run, Runtime, first_run

#: How results may differ, at the largest value of the original's result: by sums in another order, and no more.
LIMITS = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-4, "float64": 1e-10}
#: Who is less faster than this has not won.
MARGIN = 1.03
ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Contest:
    """What came of a contest: seconds a run by name, the differences from the original, and who failed and why."""

    seconds: dict[str, float]
    ratios: dict[str, list[float]]  #: of each contestant, in each round: the original's seconds over its own
    differences: dict[str, float]  #: of the results, at the largest value of the original's
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def winner(self) -> str | None:
        """The fastest of those that have won; None where there is none."""
        return min(filter(self._has_won, self.ratios), key=self.seconds.__getitem__, default=None)

    def _has_won(self, name: str) -> bool:
        ratios = sorted(self.ratios[name])
        return len(ratios) > 1 and ratios[1] >= MARGIN and self.seconds[ORIGINAL] / self.seconds[name] >= MARGIN


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
    times = _in_turns({name: _bound(run, feeds) for name, run in runs.items()}, first, effort)
    medians = {name: statistics.median(turns) for name, turns in times.items()}
    ratios = {
        name: [a / b for a, b in zip(times[ORIGINAL], turns, strict=False)]
        for name, turns in times.items()
        if name != ORIGINAL
    }
    return Contest(medians, ratios, differences, failures)


def _in_turns(
    runs: Mapping[str, Callable[[], Any]], first: Mapping[str, float], effort: Effort
) -> dict[str, list[float]]:
    """Seconds a run, the median of each turn; those that are hopeless against the original have no turn but a probe."""
    probes = {name: probe(run, first[name]) for name, run in runs.items()}
    slow = {name for name in runs if probes[name] > HOPELESS * probes[ORIGINAL]}
    times: dict[str, list[float]] = {name: [probes[name]] if name in slow else [] for name in runs}
    gc.collect()
    gc.disable()
    try:
        for number in range(effort.rounds):
            for name in shuffled([name for name in runs if name not in slow], number):
                times[name].append(turn(runs[name], probes[name], effort.turn))
    finally:
        gc.enable()
    return times


def disagreement(results: list[Array], expected: list[Array]) -> str:
    """Why results are not those expected; "" where they are, up to the limit of their type."""
    for result, wanted in zip(results, expected, strict=True):
        if np.shape(result) != np.shape(wanted):
            return f"its result has shape {np.shape(result)}, and not {np.shape(wanted)}"
        limit = LIMITS.get(np.asarray(wanted).dtype.name, 0.0)
        apart = difference([result], [wanted])
        if not apart <= limit:
            return f"its result differs by {apart:.1e} of the largest value; the limit is {limit:g}"
    return ""


def difference(results: list[Array], expected: list[Array]) -> float:
    """The largest difference, over the largest value that is expected; NaN and infinities have to be the same."""
    return max((_apart(np.asarray(a), np.asarray(b)) for a, b in zip(results, expected, strict=True)), default=0.0)


def _apart(result: Array, wanted: Array) -> float:
    if result.shape != wanted.shape:
        return float("inf")
    if wanted.dtype.kind not in "fiub" and wanted.dtype.name != "bfloat16":
        return 0.0 if np.array_equal(result, wanted) else float("inf")
    a, b = result.astype(np.float64), wanted.astype(np.float64)
    ends = ~(np.isfinite(a) & np.isfinite(b))
    if not np.array_equal(a[ends], b[ends], equal_nan=True):
        return float("inf")
    apart = np.abs(a[~ends] - b[~ends]).max(initial=0.0)
    return float(apart / (np.abs(b[~ends]).max(initial=0.0) or 1.0))


def _bound(run: Run, feeds: Feeds) -> Any:
    return lambda: run(feeds)
