"""The same computation in several forms: results compared, then timed in turns, and who won by how much.

A contestant has won only if it was faster than the original by `MARGIN` in all rounds but one, and in the medians of
all rounds. Rounds compare what was measured within a fraction of a second, so that the drift of a busy machine does not
decide; medians, so that a few lucky rounds do not.

To have lost is more than not to have won: to be slower by `LOSS` in the median of the rounds, and in so many of them
that a fair coin would seldom fall like that. In between, nothing can be told from the noise.
"""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tconv.measuring.rounds import Effort, Timer, probe, shuffled, timed, turn
from tconv.problem import Array

#: How results may differ, at the largest value of the original's result: by sums in another order, and no more.
LIMITS = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-4, "float64": 1e-10}
#: Who is less faster than this has not won.
MARGIN = 1.03
#: Who is slower by less than this has not lost.
LOSS = 1.01
#: How often a fair coin may fall as one-sidedly as the rounds of who has lost.
CHANCE = 0.02
#: Who takes so many times as long as the original in a probe is hopeless.
HOPELESS_BESIDE_ORIGINAL = 2.0
#: Who was faster in all of so many rounds is not measured longer to see whether it loses.
LEADING = 4
#: Who was faster by so much in all of so many rounds has won: what it might lose in others is not its own time.
CLEAR, CLEARLY = 1.1, 3
ORIGINAL = "original"
#: Results are compared in parts of so many elements.
PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Contest:
    """What came of a contest: seconds by name and turn, the differences from the original, and who failed and why."""

    turns: Mapping[str, Sequence[float]]  #: seconds a run; one entry a round, or a single one for who is hopeless
    differences: dict[str, float] = field(default_factory=dict)  #: of the results, at the original's largest value
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> dict[str, float]:
        """A run, by name: the median of its turns."""
        return {name: statistics.median(turns) for name, turns in self.turns.items()}

    @property
    def ratios(self) -> dict[str, list[float]]:
        """Of each contestant, in each round: the original's seconds over its own."""
        others = {name: turns for name, turns in self.turns.items() if name != ORIGINAL}
        original = self.turns[ORIGINAL]
        return {name: [a / b for a, b in zip(original, turns, strict=False)] for name, turns in others.items()}

    @property
    def winner(self) -> str | None:
        """The fastest of those that have won; None where there is none."""
        seconds = self.seconds
        winners = [
            name
            for name, ratios in self.ratios.items()
            if name not in self.failures
            and len(ratios) > 1
            and sorted(ratios)[1] >= MARGIN
            and seconds[ORIGINAL] / seconds[name] >= MARGIN
        ]
        return min(winners, key=seconds.__getitem__, default=None)

    def ratio(self, name: str) -> float:
        """How many times as fast as the original a contestant is: the median of the rounds."""
        return statistics.median(self.ratios[name])

    def lags(self, name: str) -> bool:
        """Whether a contestant is slower in the median of the rounds, by chance or not."""
        return self.ratio(name) <= 1 / LOSS

    def lost(self, name: str) -> bool:
        """Whether a contestant is slower, and that not by chance."""
        ratios = self.ratios[name]
        if len(ratios) < len(self.turns[ORIGINAL]):
            return True  # it was hopeless
        return self.lags(name) and _by_chance(sum(ratio < 1 for ratio in ratios), len(ratios)) <= CHANCE


def _by_chance(heads: int, throws: int) -> float:
    """How often a fair coin shows heads so many times or more often."""
    return float(sum(math.comb(throws, number) for number in range(heads, throws + 1)) / 2**throws)


def in_turns(
    runs: Mapping[str, Callable[[], Any]], first: Mapping[str, float], effort: Effort, timer: Timer = timed
) -> dict[str, list[float]]:
    """Seconds a run, the median of each turn, of who is to beat the original: the hopeless have a probe alone."""
    probes = {name: probe(run, first[name], timer, effort.long) for name, run in runs.items()}
    for name in runs:
        if probes[name] > HOPELESS_BESIDE_ORIGINAL * probes[ORIGINAL]:  # perhaps by chance, if that was one call
            probes[name] = min(probes[name], timer(runs[name]))
    slow = {name for name in runs if probes[name] > HOPELESS_BESIDE_ORIGINAL * probes[ORIGINAL]}
    times: dict[str, list[float]] = {name: [probes[name]] if name in slow else [] for name in runs}
    gc.collect(1)  # what is older stays: to look through all objects of a process takes longer than many a contest
    gc.disable()
    try:
        for number in range(effort.rounds):
            for name in shuffled([name for name in runs if name not in slow], number):
                times[name].append(turn(runs[name], probes[name], effort.turn, timer, effort.long))
            if effort.enough is not None and effort.enough(times):
                break
    finally:
        gc.enable()
    return times


def verdict(turns: Mapping[str, Sequence[float]], name: str, against: str = ORIGINAL) -> bool | None:
    """Whether one has won against another so far, whatever comes; None while that may still fall either way.

    Who was not faster by `MARGIN` in two rounds has not won in all but one. Who is hopeless had one turn, as a probe,
    which counts in every round.
    """
    rounds = len(turns[ORIGINAL])
    mine, others = ([*turns[who]] * (rounds if len(turns[who]) == 1 else 1) for who in (name, against))
    ratios = [a / b for a, b in zip(others, mine, strict=True)]
    if sum(ratio < MARGIN for ratio in ratios) > 1:
        return False
    return True if len(turns[name]) == rounds and _is_clear(ratios) else None


def all_lead(turns: Mapping[str, Sequence[float]], of: int) -> bool:
    """Whether nobody is about to lose: each was faster in all rounds, of which there are enough, or most `of` all."""
    return all(
        _is_clear(ratios) or (len(ratios) >= LEADING and (min(ratios) > 1 or sum(r > 1 for r in ratios) > of / 2))
        for ratios in Contest(turns).ratios.values()
    )


def _is_clear(ratios: Sequence[float]) -> bool:
    return len(ratios) >= CLEARLY and min(ratios) >= CLEAR


def disagreement(results: Sequence[Array], expected: Sequence[Array]) -> str:
    """Why results are not those expected; "" where they are, up to the limit of their type."""
    for result, wanted in zip(results, expected, strict=True):
        if np.shape(result) != np.shape(wanted):
            return f"its result has shape {np.shape(result)}, and not {np.shape(wanted)}"
        limit = LIMITS.get(np.asarray(wanted).dtype.name, 0.0)
        apart = difference([result], [wanted])
        if not apart <= limit:
            return f"its result differs by {apart:.1e} of the largest value; the limit is {limit:g}"
    return ""


def difference(results: Sequence[Array], expected: Sequence[Array]) -> float:
    """The largest difference, over the largest value that is expected; NaN and infinities have to be the same."""
    return max((_apart(np.asarray(a), np.asarray(b)) for a, b in zip(results, expected, strict=True)), default=0.0)


def _apart(result: Array, wanted: Array) -> float:
    if result.shape != wanted.shape:
        return float("inf")
    if wanted.dtype.kind not in "fiub" and wanted.dtype.name != "bfloat16":
        return 0.0 if np.array_equal(result, wanted) else float("inf")
    largest = [_largest(a, b) for a, b in zip(_parts(result), _parts(wanted), strict=True)]
    apart, scale = (max(numbers, default=0.0) for numbers in zip(*largest, strict=True)) if largest else (0.0, 0.0)
    return apart / (scale or 1.0)


def _parts(array: Array) -> Iterator[Array]:
    """Parts that in float64 take no memory to speak of."""
    flat = array.reshape(-1)
    return (flat[start : start + PART].astype(np.float64) for start in range(0, flat.size, PART))


def _largest(a: Array, b: Array) -> tuple[float, float]:
    """The largest difference, and the largest value of b."""
    ends = ~(np.isfinite(a) & np.isfinite(b))
    if not np.array_equal(a[ends], b[ends], equal_nan=True):
        return float("inf"), 0.0
    a, b = a[~ends], b[~ends]
    return float(np.abs(a - b).max(initial=0.0)), float(np.abs(b).max(initial=0.0))
