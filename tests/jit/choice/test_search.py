"""Schedules near a schedule, of every kind that is registered, and what is not allowed in one."""

from dataclasses import replace

import pytest
from kind_cases import CASES, every_case, every_target, problem, scheduled, up

from tconv.jit.choice import model
from tconv.jit.choice.search import MOST_SCRATCH, allowed, variations
from tconv.jit.machine import isa
from tconv.jit.schedules.registry import KINDS, free

pytestmark = pytest.mark.quick


def test_every_kind_has_a_case():
    assert set(CASES) == set(KINDS)


@every_case
@every_target
def test_variations_are_other_schedules_of_the_kind_within_its_limits(kind, target):
    schedule = scheduled(kind, target)
    found = variations(schedule, target)
    assert len(found) == len(set(found)) > 2
    assert schedule not in found
    for other in found:
        assert (other.kind, other.problem, other.layout) == (kind, schedule.problem, schedule.layout)
        assert allowed(other, target)
        assert other.panel + other.block <= MOST_SCRATCH
        fixed = {name: value for name, value in free(schedule).items() if name in KINDS[kind].free}
        assert replace(other, **fixed) == schedule


@every_case
def test_what_is_not_allowed(kind):
    target = isa.ISAS["avx512"]
    schedule = scheduled(kind, target)
    assert allowed(schedule, target)
    wrong = [
        {"vectors": 0},
        {"vectors": 33},
        {"cache_block": schedule.cache_block[1:]},
        {"cache_block": (0, *schedule.cache_block[1:])},
    ]
    wrong += [{"cache_block": tuple(1000 * n for n in schedule.cache_block)}]
    wrong += {
        "pixels": [
            {"channels": 8},
            {"rows": 3},
            {"flat": True, "cache_block": (1, 4, 8)},
            {"flat": True, "cache_block": (1, 1, 40)},
        ],
        "channels": [{"part": 41}, {"pixels": 17}],
        "phases": [{"part": 41}, {"part": 0}],
        "planes": [{"flat": False}],
        "depthwise": [{"pixels": 0}],
        "taps": [{"channels": 4}, {"pixels": 17, "vectors": 2}],
        "gradient": [{"rows": 5}, {"outputs": 7}, {"run_tiles": 1000}, {"pixels": 17, "vectors": 2}],
        "depthwise gradient": [{"rows": 5}, {"run_tiles": 1000}],
        "winograd": [{"rows": 5}, {"rows": 0}, {"transposed": True}],
    }[kind]
    for changes in wrong:
        assert not allowed(replace(schedule, **changes), target), changes


@every_target
@pytest.mark.parametrize("left", [0, 1])
def test_cells_at_once_need_whole_vectors(target, left):
    """The last vector of a tile ends with the channels; one that is alone in its tile would need a mask."""
    channels = 2 * target.lanes(4) - left
    given = problem(channels=(channels, channels), groups=channels, geometry=up((5, 20), 2, stride=2))
    made = (kind.make() for kind in model.offered(given, True, target))
    schedule = next(one for one in made if one.kind == "depthwise")
    assert schedule.at_once
    assert schedule.vectors == 2
    assert all(other.in_whole_vectors for other in variations(schedule, target))
    assert allowed(replace(schedule, vectors=1), target) == (left == 0)
