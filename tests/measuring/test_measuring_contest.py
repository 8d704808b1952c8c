"""Who wins a contest, and how results are compared."""

from __future__ import annotations

import numpy as np
import pytest

from tconv.measuring.contest import ORIGINAL, Contest, all_lead, difference, disagreement, in_turns, verdict
from tconv.measuring.rounds import Effort

pytestmark = pytest.mark.quick


def contest(**turns):
    return Contest({ORIGINAL: [2.0] * 4, **turns})


def test_who_wins_has_to_be_faster_in_all_rounds_but_one():
    assert contest(one=[1.0, 1.0, 2.0, 1.0]).winner == "one"
    assert contest(one=[1.0, 2.0, 2.0, 1.0]).winner is None
    assert contest(one=[1.95] * 4).winner is None
    assert contest(one=[1.0]).winner is None  # a probe is no turn
    assert Contest({ORIGINAL: [1.0, 2.0], "one": [0.9, 9.0]}).winner is None  # it is slower in the medians
    assert contest().winner is None
    assert contest(one=[1.1] * 4, two=[1.0] * 4).winner == "two"
    assert contest(one=[1.0, 4.0, 1.0, 1.0]).ratios == {"one": [2.0, 0.5, 2.0, 2.0]}
    assert contest(one=[1.0, 4.0, 1.0, 1.0]).seconds == {ORIGINAL: 2.0, "one": 1.0}


@pytest.mark.parametrize(
    ("slower", "of", "lost"),
    [(8, 9, True), (7, 9, False), (14, 18, True), (13, 18, False), (3, 3, False), (6, 6, True), (0, 9, False)],
)
def test_who_has_lost_is_slower_more_often_than_a_coin_falls(slower, of, lost):
    turns = {ORIGINAL: [1.0] * of, "one": [1.1] * slower + [0.98] * (of - slower)}
    assert Contest(turns).lost("one") == lost
    assert Contest(turns).lags("one") == (slower > of / 2)


def test_who_is_slower_by_very_little_has_not_lost():
    assert not contest(one=[2.01] * 4).lags("one")
    assert not Contest({ORIGINAL: [2.0] * 9, "one": [2.01] * 9}).lost("one")
    assert Contest({ORIGINAL: [2.0] * 9, "one": [2.03] * 9}).lost("one")
    assert Contest({ORIGINAL: [2.0] * 9, "one": [2.03] * 9}).ratio("one") == pytest.approx(2 / 2.03)
    assert contest(one=[7.0]).lost("one")  # a probe: it was hopeless


def test_every_form_has_its_turns_in_every_round():
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in (ORIGINAL, "other")}
    turns = in_turns(runs, dict.fromkeys(runs, 0.3), Effort(rounds=3, turn=0.0))
    assert {name: len(seconds) for name, seconds in turns.items()} == {ORIGINAL: 3, "other": 3}
    assert sorted(calls[:2]) == sorted(calls[2:4]) == sorted(runs)


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([0.5], None), ([1.0], None), ([1.0, 1.0], False), ([1.0, 0.5], None), ([1.0, 0.5, 0.99], False),
        ([0.9, 0.9], None), ([0.9, 0.9, 0.9], True), ([0.92, 0.9, 0.9], None), ([0.5, 1.0, 0.5, 0.5], None),
    ],
)  # fmt: skip
def test_a_verdict_comes_with_the_round_after_which_no_other_is_to_be_expected(ours, said):
    turns = {ORIGINAL: [1.0] * len(ours), "one": ours, "two": [2.0] * len(ours)}
    assert verdict(turns, "one") is said
    assert verdict(turns, "two", "one") is (False if len(ours) > 1 else None)
    whole = Contest({ORIGINAL: [1.0] * 9, "one": [*ours, *[0.5] * (9 - len(ours))]})
    assert said is not False or whole.winner is None
    assert said is not True or (Contest({ORIGINAL: turns[ORIGINAL], "one": ours}).winner == whole.winner == "one")


def test_who_is_hopeless_does_not_keep_others_waiting():
    assert verdict({ORIGINAL: [1.0], "one": [9.0]}, "one") is None
    assert verdict({ORIGINAL: [1.0, 1.0], "one": [9.0]}, "one") is False
    assert verdict({ORIGINAL: [1.0, 9.9, 9.9, 9.9], "one": [4.0]}, "one") is None  # others had a bad time
    slow = {ORIGINAL: [1.0] * 3, "one": [9.0], "two": [0.9] * 3}
    assert verdict(slow, "two", "one") is True
    assert verdict(slow, "two") is True


@pytest.mark.parametrize(
    ("ours", "decided"),
    [
        ([0.9] * 2, False), ([0.9] * 3, True), ([0.95, 0.9, 0.9], False), ([0.95] * 4, True),
        ([0.9, 1.1, 0.9, 0.9], False), ([1.0] * 4, False), ([9.0], False),
        ([1.1, 0.9, 0.9, 0.9, 0.9], False), ([1.1, 0.9, 0.9, 0.9, 1.1, 0.9, 0.9], True), ([1.1] * 4 + [0.9] * 4, False),
    ],
)  # fmt: skip
def test_who_leads_in_all_rounds_or_in_most_of_nine_is_not_about_to_lose(ours, decided):
    turns = {ORIGINAL: [1.0] * max(4, len(ours)), "one": ours}
    assert all_lead(turns, 9) == decided
    assert not decided or not Contest({ORIGINAL: [1.0] * 9, "one": [*ours, *[1.1] * (9 - len(ours))][:9]}).lost("one")


def test_a_contest_ends_with_the_round_that_decides_it():
    def timer(run):
        return run()

    runs = {ORIGINAL: lambda: 1.0, "other": lambda: 1.1}
    effort = Effort(rounds=9, turn=0.0, enough=lambda turns: verdict(turns, "other") is not None)
    assert in_turns(runs, dict.fromkeys(runs, 0.3), effort, timer) == {ORIGINAL: [1.0] * 2, "other": [1.1] * 2}
    for took, rounds in ((0.9, 3), (0.95, 9)):
        runs["other"] = lambda took=took: took
        assert len(in_turns(runs, dict.fromkeys(runs, 0.3), effort, timer)["other"]) == rounds


@pytest.mark.parametrize(("took", "rounds"), [(0.5, 3), (0.9, 3), (1.1, 1)])
def test_who_is_hopeless_was_so_twice(took, rounds):
    runs = {ORIGINAL: lambda: 0.5, "other": lambda: took}
    turns = in_turns(runs, {ORIGINAL: 0.5, "other": 9.0}, Effort(rounds=3, turn=0.0), lambda run: run())
    assert turns == {ORIGINAL: [0.5] * 3, "other": [took] * rounds}


@pytest.mark.parametrize(("long", "calls"), [(0.25, 2 + 2 * 3), (0.1, 3)])
def test_long_calls_bring_their_own_data_into_the_caches(long, calls):
    made = []
    runs = {ORIGINAL: lambda: made.append(1) or 0.2}
    in_turns(runs, {ORIGINAL: 0.2}, Effort(rounds=3, turn=0.0, long=long), lambda run: run())
    assert len(made) == calls


def test_a_timer_may_do_something_before_the_clock_is_read():
    done = []

    def timer(run):
        done.append("before")
        run()
        return 0.5

    runs = {name: lambda: done.append("run") for name in (ORIGINAL, "other")}
    turns = in_turns(runs, dict.fromkeys(runs, 0.3), Effort(rounds=2, turn=0.0), timer)
    assert turns == {ORIGINAL: [0.5, 0.5], "other": [0.5, 0.5]}
    assert done == ["before", "run"] * 4


def test_how_results_are_compared():
    a = np.array([1.0, -4.0, np.nan, np.inf], np.float32)
    assert difference([a], [a]) == 0
    assert difference([a + np.array([0.4, 0, 0, 0], np.float32)], [a]) == pytest.approx(0.1)
    assert difference([np.nan_to_num(a)], [a]) == np.inf
    assert difference([a[:2]], [a]) == np.inf
    assert disagreement([a[:2]], [a]) == "its result has shape (2,), and not (4,)"
    assert disagreement([np.array([1])], [np.array([2])]).endswith("the limit is 0")
    assert disagreement([np.array(["a"])], [np.array(["b"])]) != ""
    assert disagreement([a], [a]) == ""


def test_results_in_several_parts(monkeypatch):
    monkeypatch.setattr("tconv.measuring.contest.PART", 3)
    wanted = np.arange(-2.0, 6.0, dtype=np.float32).reshape(2, 4)
    assert difference([wanted + np.float32(0.5) * (wanted == 5)], [wanted]) == pytest.approx(0.1)
    assert difference([wanted], [wanted]) == 0
    wanted[1, 1] = np.inf
    assert difference([np.zeros_like(wanted)], [wanted]) == np.inf
    assert difference([wanted[:0]], [wanted[:0]]) == 0
