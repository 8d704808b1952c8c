"""The records of all kinds: what they say holds for their schedules, and what is not registered is refused."""

from dataclasses import fields

import pytest
from kind_cases import every_case, every_target, scheduled

from tconv.jit.programs.program import Program
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.registry import KINDS, Unknown, free, kind_of, program_of

pytestmark = pytest.mark.quick


def test_kinds_are_named_once_and_those_that_are_ranked_come_first():
    assert [kind.name for kind in KINDS.values()] == list(KINDS)
    ranked = [kind.ranked for kind in KINDS.values()]
    assert ranked == sorted(ranked, reverse=True)


@every_case
@every_target
def test_a_record_is_of_its_schedules(kind, target):
    schedule, record = scheduled(kind, target), KINDS[kind]
    assert kind_of(schedule) is record
    assert set(record.free) < {field.name for field in fields(schedule)}
    assert {name: getattr(schedule, name) for name in record.free} == free(schedule)
    assert record.allowed(schedule, target)
    assert record.share(schedule.posed, schedule.posed_layout, target, 1) is not None
    assert record.make(schedule.posed, schedule.posed_layout, target, 1) == schedule
    assert isinstance(program_of(schedule, 1), Program)
    assert any(record.tile(kernel, schedule) for kernel in schedule.code.kernels)
    assert set().union(*record.variations(schedule, target.registers)) <= set(record.free)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_said_in_words(kind):
    record = KINDS[kind]
    for words in (record.title, record.lanes, *record.chunk, *record.tile_loops):
        assert words.strip() == words != ""
    assert len(record.chunk) > 0


class Foreign(Schedule):
    """A schedule that nobody registered."""

    kind = "foreign"


def test_a_schedule_of_no_kind_is_refused_and_never_taken_for_another():
    with pytest.raises(Unknown, match="no kind 'foreign' of schedules is registered; there are planes, depthwise, "):
        kind_of(Foreign())
    with pytest.raises(Unknown):
        program_of(Foreign(), 1)
    with pytest.raises(Unknown):
        free(Foreign())
    assert "foreign" not in KINDS
