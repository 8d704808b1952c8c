"""The schedule of a problem: what tuning found best, else what the model expects most of."""

from __future__ import annotations

from functools import lru_cache

from tconv.jit.choice import tuned
from tconv.jit.choice.model import by_filter, by_model
from tconv.jit.machine.isa import Isa
from tconv.jit.schedules.base import Schedule
from tconv.problem import Problem


@lru_cache(maxsize=1024)
def choose(
    problem: Problem, channels_last: bool, isa: Isa, threads: int = 1, generation: int = 0, filtered: bool = False
) -> Schedule:
    """The schedule of a problem in one of the layouts; `filtered`: one by minimal filtering, where there is one.

    `generation` is that of engines (`engine.py`): another one looks again.
    """
    if filtered and (found := by_filter(problem, channels_last, isa, threads)):
        return found
    known = tuned.remembered(problem, channels_last, isa) if problem.within is None else None
    return known or by_model(problem, channels_last, isa, threads)
