"""For tests of what runs: problems whose layouts coincide or not, a schedule that is chosen, and those that run."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import numpy as np
import pytest

import tconv
from tconv import Geometry, tuning
from tconv.jit import engine
from tconv.jit.choice import tuned
from tconv.jit.choice.model import by_model
from tconv.jit.choice.search import variations
from tconv.jit.description import describe
from tconv.jit.machine import isa
from tconv.problem import Problem

#: (Cin, Cout, groups), coarse size, kernel and window: with several channels or one, and several cells or one.
PROBLEMS = {
    "channels and cells": ((3, 4, 1), (6, 9), 3, {"stride": 2, "padding": 1}),
    "one channel in x": ((1, 4, 1), (6, 9), 3, {"stride": 2, "padding": 1}),
    "one channel in y": ((5, 1, 1), (6, 9), 3, {"stride": 2, "padding": 1}),
    "one channel": ((1, 1, 1), (10, 12), 4, {"stride": 2}),
    "one cell in x": ((5, 3, 1), (1, 1), 4, {"stride": 2}),
    "one cell in x, one channel in y": ((9, 1, 1), (1, 1), 4, {"stride": 2}),
    "one channel in x, one cell in y": ((1, 9, 1), (2, 2), 2, {"padding": 1}),
    "one cell": ((6, 5, 1), (1, 1), 1, {}),
    "one cell, groups": ((6, 4, 2), (1, 1), 1, {}),
    "depthwise": ((6, 6, 6), (5, 7), 4, {"stride": 2, "padding": 1}),
    "1-D": ((3, 4, 1), (9,), 4, {"stride": 2}),
    "1-D, one channel": ((1, 1, 1), (40,), 4, {"stride": 2}),
}
every_problem = pytest.mark.parametrize("name", PROBLEMS)
every_layout = pytest.mark.parametrize("layout", ["channels_first", "channels_last"])


def problem_of(name, operation):
    """A problem of the table, with two images."""
    (cin, cout, groups), size, kernel, window = PROBLEMS[name]
    return Problem(operation, Geometry.conv_transpose(size, kernel, **window), 2, cin, cout, groups, "float32")


def keywords(name, layout):
    """Those of its calls."""
    (_, _, groups), _, _, window = PROBLEMS[name]
    return {**window, "groups": groups, "layout": layout}


def arrays(name, layout, operation="conv_transpose"):
    """What an operation takes, channels where the layout says."""
    problem, numbers = problem_of(name, operation), np.random.default_rng(0)
    order = partial(np.moveaxis, source=1, destination=-1) if layout == "channels_last" else np.asarray
    coarse, fine = (problem.in_channels, problem.geometry.coarse), (problem.out_channels, problem.geometry.fine)
    x, y = (
        np.ascontiguousarray(order(numbers.integers(-3, 4, (2, channels, *size)).astype(np.float32)))
        for channels, size in (coarse, fine)
    )
    w = numbers.integers(-3, 4, (problem.in_channels, problem.cout, *problem.geometry.kernel)).astype(np.float32)
    return {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]


@contextmanager
def one_thread(monkeypatch):
    """No choice of an earlier test is remembered, here or on disk. Threads share in what a schedule is."""
    monkeypatch.setattr(tuned, "_here", {})
    of_this_test = uuid4().hex
    monkeypatch.setattr(tuned, "_sources", lambda: of_this_test)
    engine.forget()
    tconv.set_num_threads(1)
    yield
    tconv.set_num_threads(None)
    engine.forget()


def chosen(name, layout, operation, monkeypatch):
    """What `tconv.tune` is made to choose for these calls: not what the model would, so that it is known again."""
    model = by_model(problem_of(name, operation), layout == "channels_last", isa.current(), 1)

    def race(tuning, seconds):
        tuning.peaks.append(1e9)
        return {schedule: 2.0 if schedule == model else 1.0 for schedule in tuning.engines}

    with monkeypatch.context() as patch:
        # Two candidates: compiling is what takes the time of these tests.
        patch.setattr(tuning, "offered", lambda *given: [])
        patch.setattr(tuning, "variations", lambda schedule, target: variations(schedule, target)[:1])
        patch.setattr(tuning._Tuning, "race", race)
        first = arrays(name, layout, operation)[0]
        w = arrays(name, layout)[1]
        tuned = tconv.tune(first, w, operation=operation, threads=1, **keywords(name, layout))
    assert tuned.chosen.schedule != model == tuned.model.schedule
    return tuned.chosen.schedule


def running(monkeypatch):
    """The schedules that run from now on, as a list that grows."""
    seen, run = [], engine.Engine.run
    monkeypatch.setattr(engine.Engine, "run", lambda self, *given: (seen.append(self.schedule), run(self, *given))[1])
    return seen


def printed(plan, monkeypatch):
    """The schedule that a plan shows."""
    seen, describe_it = [], describe.describe
    with monkeypatch.context() as patch:
        patch.setattr(describe, "describe", lambda s, *a, **k: (seen.append(s), describe_it(s, *a, **k))[1])
        assert "the engine: " in str(plan)
    [schedule] = seen
    return schedule
