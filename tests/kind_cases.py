"""A problem that each kind of schedule serves, with what is not allowed in its schedules."""

from __future__ import annotations

import pytest

from tconv import Geometry
from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.problem import Problem

up = Geometry.conv_transpose


def problem(dtype="float32", channels=(3, 4), groups=1, batch=1, geometry=None, operation="conv_transpose"):
    geometry = geometry or up((4, 5), 2, stride=2)
    return Problem(operation, geometry, batch, *channels, groups, dtype)


#: By kind a problem, and whether channels are last.
CASES = {
    "pixels": (problem(channels=(8, 7), geometry=up((9, 40), 4, stride=2, padding=1), batch=2), False),
    "channels": (problem(channels=(40, 48), geometry=up((4, 6), 3, stride=2, padding=1), batch=2), True),
    "phases": (problem(channels=(40, 2), geometry=up((9, 6), 16, stride=8, padding=4)), False),
    "planes": (problem(channels=(4, 4), groups=4, geometry=up((9, 40), 4, stride=2, padding=1)), False),
    "depthwise": (problem(channels=(40, 40), groups=40, geometry=up((9, 6), 4, stride=2, padding=1)), True),
    "taps": (problem(channels=(40, 3), geometry=up((3, 4), 4, stride=2, padding=1)), False),
    "gradient": (
        problem(channels=(40, 6), geometry=up((9, 6), 4, stride=2, padding=1), operation="weight_gradient"),
        False,
    ),
    "depthwise gradient": (
        problem(channels=(40, 40), groups=40, geometry=up((9, 6), 4, stride=2), operation="weight_gradient"),
        True,
    ),
    "winograd": (problem(channels=(40, 24), geometry=Geometry.conv((12, 16), 3, padding=1), operation="conv"), True),
}
every_case = pytest.mark.parametrize("kind", CASES)
every_target = pytest.mark.parametrize("target", isa.ISAS.values(), ids=isa.ISAS)


def scheduled(kind, target):
    given, last = CASES[kind]
    made = [offered.make() for offered in model.offered(given, last, target)]
    return next(schedule for schedule in [*made, model.by_filter(given, last, target)] if schedule.kind == kind)
