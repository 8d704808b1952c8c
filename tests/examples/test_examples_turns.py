"""Training in turns: who goes when, what is counted, what the table says."""

from statistics import fmean

import pytest

from examples import turns
from tconv.cli import output


class Recorded:
    """A training whose losses are known; it writes down when it had its turn."""

    def __init__(self, name, losses, log):
        self.name, self.losses, self.log = name, losses, log

    def epoch(self):
        for loss in self.losses:
            self.log.append(self.name)
            yield loss


def test_batch_by_batch_in_an_order_that_turns_round():
    log = []
    trainings = {name: Recorded(name, [3.0, 2.0, 1.0], log) for name in "ab"}
    both = turns.in_turns(trainings, 2)
    assert "".join(log) == "abbaab" * 2
    assert all(turn.losses == [[3.0, 2.0, 1.0]] * 2 for turn in both.values())
    assert all(len(turn.seconds) == 2 and min(turn.seconds) > 0 for turn in both.values())


def test_the_longer_one_goes_on_alone():
    log = []
    both = turns.in_turns({"a": Recorded("a", [1.0], log), "b": Recorded("b", [1.0, 2.0, 3.0], log)}, 1)
    assert log == ["a", "b", "b", "b"]
    assert both["b"].losses == [[1.0, 2.0, 3.0]]


def test_seconds_are_those_of_its_own_turns(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(turns, "perf_counter", lambda: now[0])

    class Slow:
        def __init__(self, seconds):
            self.seconds = seconds

        def epoch(self):
            for _ in range(4):
                now[0] += self.seconds
                yield 1.0

    both = turns.in_turns({"slow": Slow(2.0), "quick": Slow(0.5)}, 3)
    assert [both[name].seconds for name in ("slow", "quick")] == [[8.0] * 3, [2.0] * 3]


def test_the_first_epoch_does_not_count():
    assert turns.Turns([9.0, 2.0, 1.0, 3.0]).seconds_an_epoch == 2.0
    assert turns.Turns([9.0]).seconds_an_epoch == 9.0


def test_table(capsys):
    both = {
        "4, tconv": turns.Turns([9.0, 1.0], [[2.0, 1.0], [0.5, 0.25]]),
        "4, torch": turns.Turns([9.0, 1.5], [[2.0, 1.0], [0.5, 0.75]]),
    }
    turns.show("In turns", both, output.console(), heads=("kernel", "layers"))
    assert capsys.readouterr().out.splitlines() == [
        "",
        "In turns",
        "kernel   layers   seconds an epoch   first loss   loss of epoch 2",
        "─────────────────────────────────────────────────────────────────",
        "4        tconv                1.00     2.000000            0.3750",
        "4        torch                1.50     2.000000            0.6250",
    ]


def test_train_tells_how_it_goes():
    told = []
    losses = turns.train(Recorded("a", [4.0, 2.0], []), 3, "training", lambda epoch, loss: told.append((epoch, loss)))
    assert losses == [fmean([4.0, 2.0])] * 3
    assert told == [(1, 3.0), (2, 3.0), (3, 3.0)]


def test_an_error_in_training_is_not_hidden():
    class Failing:
        def epoch(self):
            yield 1.0
            raise RuntimeError("out of digits")

    with pytest.raises(RuntimeError, match="out of digits"):
        turns.in_turns({"a": Failing()}, 1)
