"""Turns, checks, and what becomes of those who fail."""

import gc
import itertools
import time

import numpy as np
import pytest
from bench_layers import small_layer

from tconv.bench import machine
from tconv.bench.measure import measure
from tconv.bench.peers import OURS, Case, LeftOut, TimedCall
from tconv.bench.peers.base import Peer
from tconv.measuring import rounds
from tconv.measuring.rounds import Effort

ONCE = Effort(rounds=1, turn=0.0)


class Logged:
    """Runs that take so long, and a log of who ran."""

    def __init__(self, **seconds):
        self.log = []
        self.first = seconds
        self.runs = {name: self.run(name, lasting) for name, lasting in seconds.items()}

    def run(self, name, lasting):
        def call():
            self.log.append(name)
            time.sleep(lasting)

        return call


def test_everybody_has_a_turn_in_every_round_but_the_hopeless():
    logged, starts = Logged(fast=0.001, other=0.001, slow=0.01), []
    seconds = rounds.peers_in_turns(logged.runs, logged.first, Effort(5, 0.004), lambda: starts.append(len(logged.log)))
    assert {name: len(turns) for name, turns in seconds.items()} == {
        "fast": 5,
        "other": 5,
        "slow": rounds.TURNS_OF_HOPELESS,
    }
    assert len(starts) == 5
    assert min(seconds["slow"]) >= 0.01 > 0.005 > min(seconds["fast"]) >= 0.001


def test_nobody_is_hopeless_against_what_is_measured_aside():
    logged = Logged(aside=0.001, one=0.01, other=0.02)
    seconds = rounds.peers_in_turns(logged.runs, logged.first, Effort(5, 0.004), lambda: None, aside=["aside"])
    assert {name: len(turns) for name, turns in seconds.items()} == {"aside": 5, "one": 5, "other": 5}
    assert (
        len(rounds.peers_in_turns({"a": lambda: None}, {"a": 2.0}, Effort(3, 0.0), lambda: None, aside=["a"])["a"]) == 3
    )


def test_who_takes_for_ever_is_not_called_again():
    logged = Logged(fast=0.001, endless=0.02)
    seconds = rounds.peers_in_turns(logged.runs, {"fast": 0.001, "endless": 2.0}, Effort(3, 0.0), lambda: None)
    assert seconds["endless"] == [2.0]
    assert "endless" not in logged.log
    assert len(seconds["fast"]) == 3
    logged = Logged(alone=0.001)  # the fastest is not hopeless, however long it takes
    assert len(rounds.peers_in_turns(logged.runs, {"alone": 2.0}, Effort(3, 0.0), lambda: None)["alone"]) == 3


def test_the_order_changes_so_that_nobody_always_follows_the_same_one():
    orders = [rounds.shuffled(list("abcd"), number) for number in range(7)]
    assert all(sorted(order) == list("abcd") for order in orders)
    assert len({order[0] for order in orders}) > 2
    before_b = {dict(itertools.pairwise(reversed(order))).get("b") for order in orders}
    assert len(before_b) > 2
    assert rounds.shuffled(list("abcd"), 3) == orders[3]  # another run takes the same orders


def test_a_turn_lasts_as_many_calls_as_fit_and_one_at_least():
    logged = Logged(call=0.001)
    rounds.turn(logged.runs["call"], 0.001, 0.005)
    assert len(logged.log) == 1 + 5  # the first is not timed
    logged.log.clear()
    rounds.turn(logged.runs["call"], 0.5, 0.0)
    assert len(logged.log) == 1  # a long call needs none before


def test_another_clock_may_count():
    logged, read = Logged(one=0.001), []

    def timer(run):
        read.append(run)
        return 2.0

    assert rounds.peers_in_turns(logged.runs, logged.first, Effort(3, 0.0), lambda: None, timer) == {"one": [2.0] * 3}
    assert set(read) == {logged.runs["one"]}


def test_the_clock_of_threads_is_read_before_and_after(monkeypatch):
    clock = iter([1.0, 3.5])
    monkeypatch.setattr(rounds.time, "process_time", lambda: next(clock))
    assert rounds.timed_by_cpu(lambda: "result") == 2.5


def test_no_garbage_is_collected_during_turns():
    enabled = []
    rounds.peers_in_turns({"one": lambda: enabled.append(gc.isenabled())}, {"one": 0.0}, ONCE, lambda: None)
    assert enabled[-1] is False
    assert gc.isenabled()

    def fails():
        raise OSError

    calls = itertools.chain([lambda: None] * 2, itertools.repeat(fails))  # the probe passes
    with pytest.raises(OSError):
        rounds.peers_in_turns({"one": lambda: next(calls)()}, {"one": 0.0}, ONCE, lambda: None)
    assert gc.isenabled()


class Fake(Peer):
    """The right result by tconv, or whatever a test wants to happen."""

    packages = ()

    def __init__(self, name, spoil):
        self.name, self.spoil, self.released = name, spoil, 0

    def prepare(self, case: Case, setting):
        right = OURS["functional"].prepare(case, setting)
        OURS["functional"].release()
        return TimedCall(right.run, lambda result: self.spoil(np.array(right.read(result))))

    def release(self):
        self.released += 1


def raises(error):
    def spoil(result):
        raise error

    return spoil


def test_who_fails_is_reported_with_the_reason_and_the_others_are_timed():
    contestants = [
        Fake("right", lambda result: result),
        Fake("wrong", lambda result: result + 1e-3 * np.abs(result).max()),
        Fake("nan", lambda result: result * np.nan),
        Fake("short", lambda result: result[..., 1:]),
        Fake("raises", raises(RuntimeError("no kernel for this\nand a long trace"))),
        Fake("silent", raises(NotImplementedError())),
        Fake("not tried", raises(LeftOut("two axes only"))),
    ]
    said = []
    result = measure(
        small_layer(),
        contestants,
        threads=1,
        layout="channels_first",
        effort=ONCE,
        with_ceilings=False,
        say=said.append,
    )
    assert list(result.timings) == ["right"]
    timing = result.timings["right"]["default"]
    assert timing.seconds > 0
    assert (timing.turns, timing.error < 1e-6) == (1, True)
    assert result.failures == {
        "wrong": {"default": "wrong: differs from the reference by 1.0e-03 of its largest value"},
        "nan": {"default": "wrong: differs from the reference by inf of its largest value"},
        "short": {"default": "wrong: differs from the reference by inf of its largest value"},
        "raises": {"default": "no kernel for this"},
        "silent": {"default": "NotImplementedError"},
    }
    assert result.left_out == {"not tried": {"default": "two axes only"}}
    assert all(contestant.released == 1 for contestant in contestants)
    assert said == ["reference", *(contestant.name for contestant in contestants), "times"]
    assert (result.peak, result.bandwidth) == (None, None)


def test_interrupted_everybody_is_released_all_the_same():
    contestant = Fake("interrupted", raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        measure(small_layer(), [contestant], threads=1, layout="channels_first", effort=ONCE, with_ceilings=False)
    assert contestant.released == 1


@pytest.mark.skipif(bool(machine.no_ceilings()), reason="no loops are generated here")
@pytest.mark.parametrize("threads", [1, 2])
def test_ceilings_are_plausible(threads):
    peak, bandwidth = machine.ceilings(threads, 4 << 20)
    assert 1e8 < peak < 1e13
    assert 1e8 < bandwidth < 1e13


def test_the_machine_is_described():
    said = machine.describe()
    assert said["processor"]
    assert said["cores"] >= 1
    assert set(said["versions"]) >= {"tconv", "numpy"}
    assert len(said["date"].split("-")) == 3
