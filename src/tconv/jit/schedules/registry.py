"""What kind a schedule is, and what may be chosen freely within a kind without changing a result beyond rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tconv.jit.channels import ChannelSchedule
from tconv.jit.choose import Schedule
from tconv.jit.depthwise import PlaneSchedule
from tconv.jit.gradient import GradientSchedule
from tconv.jit.taps import TapSchedule
from tconv.problem import Problem

#: The kinds by what runs along the lanes, and the fields of their schedules that are free.
FREE = {
    "pixels": ("vectors", "channels", "rows", "box", "flat", "in_place"),
    "channels": ("vectors", "pixels", "rows", "part", "box"),
    "phases": ("vectors", "pixels", "rows", "part", "box"),
    "planes": ("vectors", "box", "streaming"),
    "own": ("vectors", "pixels", "box"),
    "gradient": ("vectors", "pixels", "rows", "box", "outputs", "together"),
    "own gradient": ("vectors", "pixels", "rows", "box", "together"),
    "taps": ("vectors", "pixels", "channels", "box"),
}


def kind_of(schedule: Schedule) -> str:
    """The kind, a key of `FREE`."""
    if isinstance(schedule, PlaneSchedule):
        return "planes"
    if isinstance(schedule, GradientSchedule):
        return "own gradient" if schedule.own else "gradient"
    if isinstance(schedule, TapSchedule):
        return "taps"
    if isinstance(schedule, ChannelSchedule):
        return "own" if schedule.own else schedule.in_lanes
    return "pixels"


def problem_of(schedule: Schedule) -> Problem:
    """The problem as it was posed: "own" treats depthwise layers as one group, whose channels are their groups."""
    p = schedule.problem
    if not getattr(schedule, "own", False):
        return p
    groups = schedule.written
    return replace(p, in_channels=groups, out_channels=groups, groups=groups)


def free(schedule: Schedule) -> dict[str, Any]:
    """The values of the free fields."""
    return {name: getattr(schedule, name) for name in FREE[kind_of(schedule)]}


def sizes(schedule: Schedule) -> str:
    """These values on one line: vectors 2, channels 7, rows 1, box 1x16x32, flat."""
    values = free(schedule)
    said = [f"{name} {value}" for name, value in values.items() if not isinstance(value, bool | tuple)]
    return ", ".join([*said, f"box {by(schedule.box)}", *(name for name, value in values.items() if value is True)])


def by(numbers: tuple[int, ...]) -> str:
    """Sizes along the axes: 1x16x16."""
    return "x".join(map(str, numbers))
