"""Small caches matter: without any one of them problems of the fuzz get other schedules, or go another way through."""

from random import Random

import pytest
from problems import problem

from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.schedules.channels.cells_at_once import together
from tests.fuzz.caches import SMALL, caches

#: Problems that are drawn until one of them shows it.
MOST = 1000


def done(number):
    """What is decided for a problem by the limits."""
    target = list(isa.ISAS.values())[number % len(isa.ISAS)]
    made = [kind.make() for kind in model.offered(problem(Random(number).choice), number // 4 % 2 == 1, target)]
    return [
        (one, getattr(one, "weights_exceed_cache", False), getattr(one, "streaming", False), at_once(one))
        for one in made
    ]


def at_once(schedule):
    """The cells of an op that makes all phases of them, at most."""
    return together(*schedule.layout.axes[-2:]) if getattr(schedule, "at_once", False) else 0


@pytest.mark.parametrize(("module", "name"), SMALL, ids=[f"{m.__name__}.{name}" for m, name in SMALL])
def test_each_limit_changes_something(module, name):
    large = getattr(module, name)
    for number in range(MOST):
        with caches(small=True):
            small = done(number)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(module, name, large)
                if done(number) != small:
                    return
    pytest.fail(f"{MOST} problems are the same without {module.__name__}.{name} = {SMALL[module, name]}")


def test_they_are_as_they_were_afterwards():
    before = {(module, name): getattr(module, name) for module, name in SMALL}
    assert all(value < before[limit] for limit, value in SMALL.items())
    with caches(small=True):
        assert {(module, name): getattr(module, name) for module, name in SMALL} == SMALL
    assert {(module, name): getattr(module, name) for module, name in SMALL} == before
