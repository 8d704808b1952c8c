"""Models that compute the same, loaded into a runtime and set against each other on the same feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto

from tconv import checks
from tconv.measuring.contest import ORIGINAL, Contest, difference, disagreement, in_turns
from tconv.measuring.rounds import Effort
from tconv.onnx.graphs import scopes
from tconv.onnx.runtimes import Array, Feeds, Run, Runtime, first_run

#: How results of models that quantize may differ, in the root mean square at the largest value: sums in another order
#: fall to the other side of a rounding now and then, by a step of 1 in 127 or 255. Other weights do so everywhere.
QUANTIZED_LIMIT = 1e-3


def contest(models: Mapping[str, ModelProto], feeds: Feeds, runtime: Runtime, threads: int, effort: Effort) -> Contest:
    """Compare and time all models on the same feeds; one of them is called `ORIGINAL`.

    Raises `checks.Rejected` where that one does not run; of the others it is noted.
    """
    original, took, expected = first_run(models[ORIGINAL], feeds, runtime, threads)
    runs, first = {ORIGINAL: original}, {ORIGINAL: took}
    differences: dict[str, float] = {}
    failures: dict[str, str] = {}
    quantizes = _quantizes(models[ORIGINAL])
    for name, model in models.items():
        if name == ORIGINAL:
            continue
        try:
            run, took, results = first_run(model, feeds, runtime, threads)
        except checks.Rejected as rejected:
            failures[name] = str(rejected)
            continue
        wrong = _disagreement(results, expected, quantizes)
        differences[name] = difference(results, expected)
        if wrong:
            failures[name] = wrong
        else:
            runs[name], first[name] = run, took
    turns = in_turns({name: _bound(run, feeds) for name, run in runs.items()}, first, effort)
    return Contest(turns, differences, failures)


def _disagreement(results: Sequence[Array], expected: Sequence[Array], quantizes: bool) -> str:
    """As `disagreement`; results of models that quantize may differ by a step here and there."""
    wrong = disagreement(results, expected)
    if not (wrong and quantizes and all(a.shape == b.shape for a, b in zip(results, expected, strict=True))):
        return wrong
    apart = max(_root_mean_square(a, b) for a, b in zip(results, expected, strict=True))
    if apart <= QUANTIZED_LIMIT:
        return ""
    return (
        f"its result differs by {apart:.1e} of the largest value in the root mean square; "
        f"the limit of models that quantize is {QUANTIZED_LIMIT:g}"
    )


def _root_mean_square(a: Array, b: Array) -> float:
    """Of the differences, over the largest value of b; infinite where they are no finite numbers."""
    if a.dtype.kind not in "fiub" or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return 0.0 if np.array_equal(a, b) else float("inf")
    wide = a.astype(np.float64) - b
    return float(np.sqrt(np.square(wide).mean()) / (np.abs(b.astype(np.float64)).max() or 1.0)) if b.size else 0.0


def _quantizes(model: ModelProto) -> bool:
    return any(node.op_type == "QuantizeLinear" for scope in scopes(model) for node in scope.graph.node)


def _bound(run: Run, feeds: Feeds) -> Any:
    return lambda: run(feeds)
