"""All kinds of schedules. To add one is to add its folder, and a line here."""

from __future__ import annotations

from typing import Any

from tconv.finishing import Epilogue
from tconv.forks import uninterrupted
from tconv.jit.programs.program import Program
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.channels import kinds as channels
from tconv.jit.schedules.gradient import kinds as gradient
from tconv.jit.schedules.kind import Kind
from tconv.jit.schedules.pixels import kinds as pixels
from tconv.jit.schedules.taps import kinds as taps
from tconv.jit.schedules.winograd import kinds as winograd

#: By name. Those that are ranked come first: the choice need not look at others where one of them serves.
KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        *(pixels.PLANES, channels.DEPTHWISE, gradient.DEPTHWISE),
        *(channels.CHANNELS, channels.PHASES),
        taps.TAPS,
        pixels.PIXELS,
        gradient.GRADIENT,
        winograd.WINOGRAD,
    )
}


class Unknown(LookupError):
    """A schedule of a kind that is not registered."""


def kind_of(schedule: Schedule) -> Kind[Any]:
    """The record of a schedule's kind."""
    found = KINDS.get(schedule.kind)
    if found is None:
        raise Unknown(f"no kind {schedule.kind!r} of schedules is registered; there are {', '.join(KINDS)}")
    return found


def program_of(schedule: Schedule, threads: int, epilogue: Epilogue | None = None) -> Program:
    """Write the tables of a schedule for so many threads."""
    with uninterrupted:
        return kind_of(schedule).program(schedule, threads, epilogue)


def free(schedule: Schedule) -> dict[str, Any]:
    """The values of the fields that may be chosen freely."""
    return {name: getattr(schedule, name) for name in kind_of(schedule).free}


def sizes(schedule: Schedule) -> str:
    """These values on one line: vectors 2, channels 7, rows 1, cache block 1x16x32, flat."""
    values = free(schedule)
    said = [f"{name} {value}" for name, value in values.items() if not isinstance(value, bool | tuple)]
    return ", ".join(
        [*said, f"cache block {by(schedule.cache_block)}", *(name for name, value in values.items() if value is True)]
    )


def by(numbers: tuple[int, ...]) -> str:
    """Sizes along the axes: 1x16x16."""
    return "x".join(map(str, numbers))
