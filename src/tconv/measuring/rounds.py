"""Timing in turns: in every round each contestant has one, in another order, so that drift and caches favour none."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Run = Callable[[], Any]
#: Seconds of one call of a run.
Timer = Callable[[Run], float]
Key = TypeVar("Key", bound=Hashable)

#: Who takes so many times as long as the fastest after a short probe is hopeless, and has so many turns, shorter ones.
HOPELESS_BESIDE_FASTEST, TURNS_OF_HOPELESS, SHORTER = 3.0, 2, 4
#: Beyond so many seconds a call brings its own data into the caches, and needs no untimed call before.
LONG_CALL = 0.25
#: Who takes longer than this, and is hopeless, is not called again.
ENDLESS_CALL = 1.0


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 7
    turn: float = 0.04  #: seconds of timed calls in a turn, at least one call
    pause: float = 0.0  #: seconds before a turn, in which the threads of the one before go to sleep
    enough: Callable[[Mapping[str, Sequence[float]]], bool] | None = None  #: of a contest: whether it is decided before
    long: float = LONG_CALL  #: seconds of a call before which there is none that is not timed


def peers_in_turns(
    runs: Mapping[Key, Run],
    first: Mapping[Key, float],
    effort: Effort,
    between: Callable[[], None],
    timer: Timer | None = None,
    aside: Collection[Key] = (),
) -> dict[Key, list[float]]:
    """Seconds a call, the median of each turn, of peers that are all to be known: the hopeless have fewer turns.

    `first` is what a call took before; `between` begins every round. Nobody is hopeless beside those that
    are measured `aside`, because they do something else.
    """
    timer = timer or timed
    probes = {key: probe(run, first[key], timer, effort.long) for key, run in runs.items()}
    least = min((seconds for key, seconds in probes.items() if key not in aside), default=0.0)
    hopeless = {
        key: key not in aside and expected > HOPELESS_BESIDE_FASTEST * least for key, expected in probes.items()
    }
    endless = {key for key in runs if hopeless[key] and first[key] > ENDLESS_CALL}
    seconds = {key: [first[key]] if key in endless else [] for key in runs}
    gc.collect()
    gc.disable()
    try:
        for number in range(effort.rounds):
            between()
            for key in shuffled([key for key in runs if key not in endless], number):
                if not hopeless[key] or number < TURNS_OF_HOPELESS:
                    time.sleep(effort.pause)
                    lasting = effort.turn / (SHORTER if hopeless[key] else 1)
                    seconds[key].append(turn(runs[key], probes[key], lasting, timer, effort.long))
    finally:
        gc.enable()
    return seconds


def shuffled(keys: list[Key], number: int) -> list[Key]:
    """The order of this round: nobody always follows the same one."""
    random.Random(number).shuffle(keys)
    return keys


def timed(run: Run) -> float:
    """Seconds of one call."""
    return with_result(run)[0]  # what it returned is freed after the clock was read


def probe(run: Run, first: float, timer: Timer = timed, long: float = LONG_CALL) -> float:
    """About how long a call takes, if one took so long before: that where it was long, else the best of two more."""
    return first if first > long else min(timer(run), timer(run))


def turn(run: Run, expected: float, lasting: float, timer: Timer = timed, long: float = LONG_CALL) -> float:
    """The median of as many calls as that time holds, after an untimed one that brings its data into the caches."""
    if expected < long:
        timer(run)
    return statistics.median(timer(run) for _ in range(max(1, round(lasting / expected))))


def timed_by_cpu(run: Run) -> float:
    """Seconds that the threads of this process computed in one call: what others do meanwhile counts for little."""
    start = time.process_time()
    result = run()
    seconds = time.process_time() - start
    del result  # after the clock was read
    return seconds


def with_result(run: Run) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result
