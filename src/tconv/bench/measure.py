"""One layer: everybody gets ready, every result is checked, and then they are timed in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from tconv import checks
from tconv.arguments import Layout
from tconv.bench.layers import BenchLayer
from tconv.bench.machine import Ceilings, ceilings
from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall
from tconv.bench.peers.textbook import costs
from tconv.bench.record import MeasuredLayer, Timing
from tconv.measuring.rounds import Effort, peers_in_turns, with_result
from tconv.problem import Array, Operation

#: A result may differ so much from the reference, at the reference's largest value: float32 sums of any order do not,
#: bfloat16 and misplaced cells do.
TOLERANCE = 2e-5

Entry = tuple[str, str]  #: contestant and setting
Say = Callable[[str], None]
_T = TypeVar("_T")


class Ready(NamedTuple):
    """Who can be timed, how far off their results were, who failed and who was not tried, and why."""

    calls: dict[Entry, TimedCall]
    first: dict[Entry, float]  #: seconds of the call whose result was checked
    errors: dict[Entry, float]
    failures: dict[Entry, str]
    left_out: dict[Entry, str]


def measure(
    layer: BenchLayer,
    contestants: Sequence[Peer],
    *,
    threads: int,
    layout: Layout,
    effort: Effort,
    operation: Operation = "conv_transpose",
    with_ceilings: bool = True,
    say: Say = lambda what: None,
) -> MeasuredLayer:
    """All settings of all contestants on one layer."""
    case = Case.of(layer, threads, layout, operation)
    limits: list[Ceilings] = []
    footprint = layer.work.bytes

    def between() -> None:
        if with_ceilings:
            limits.append(ceilings(threads, footprint))

    try:
        ready = get_ready(case, contestants, say)
        say("times")
        runs = {entry: call.run for entry, call in ready.calls.items()}
        aside = [(name, setting) for name, setting in runs if name in {each.name for each in contestants if each.aside}]
        seconds = peers_in_turns(runs, ready.first, effort, between, aside=aside)
    finally:
        for contestant in contestants:
            contestant.release()
    timings = {
        entry: Timing(statistics.median(turns), len(turns), ready.errors[entry]) for entry, turns in seconds.items()
    }
    return MeasuredLayer(
        layer,
        statistics.median(each.peak for each in limits) if limits else None,
        statistics.median(each.bandwidth for each in limits) if limits else None,
        _nested(timings),
        _nested(ready.failures),
        _nested(ready.left_out),
    )


def get_ready(case: Case, contestants: Sequence[Peer], say: Say) -> Ready:
    """Prepare and check every setting. What a library raises is its failure on this layer, and is kept as such."""
    say("reference")
    expected = reference(case)
    ready = Ready({}, {}, {}, {}, {})
    for contestant in contestants:
        settings = contestant.settings_for(case.operation)
        for setting in settings:
            entry = (contestant.name, setting)
            say(contestant.name if len(settings) == 1 else " ".join(entry))
            try:
                call = contestant.prepare(case, setting)
                seconds, result = with_result(call.run)
                error = difference(call.read(result), expected)
            except LeftOut as reason:
                ready.left_out[entry] = str(reason)
                continue
            except Exception as failure:
                ready.failures[entry] = checks.first_line(failure)
                continue
            if error <= TOLERANCE:
                ready.calls[entry], ready.first[entry], ready.errors[entry] = call, seconds, error
            else:
                ready.failures[entry] = f"wrong: differs from the reference by {error:.1e} of its largest value"
    return ready


def reference(case: Case) -> Array:
    """The result summed in float64, by the cheapest textbook method, which knows nothing of the engine."""
    able = {name: cost for name, cost in costs(case, "float64").items() if not isinstance(cost, str)}
    able = {name: cost for name, cost in able.items() if name != "matrix"} or able  # it is gigabytes on most layers
    method = min(able, key=lambda name: able[name].seconds)
    first, second = (operand.astype(np.float64) for operand in case.operands)
    return case.by_tconv(first, second, method=method)()


def difference(result: Array, expected: Array) -> float:
    """The largest, over the largest value that is expected; infinite where the shapes differ or something is NaN."""
    if result.shape != expected.shape or not np.isfinite(result).all():
        return float("inf")
    scale = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(result - expected).max(initial=0.0)) / (scale or 1.0)


def _nested(entries: Mapping[Entry, _T]) -> dict[str, dict[str, _T]]:
    """Entries as mappings by contestant, then by setting."""
    nested: dict[str, dict[str, _T]] = {}
    for (name, setting), value in entries.items():
        nested.setdefault(name, {})[setting] = value
    return nested
