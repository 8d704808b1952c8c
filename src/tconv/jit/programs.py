"""The program of a schedule of any kind."""

from __future__ import annotations

from tconv.jit.channels import ChannelSchedule
from tconv.jit.channels_tables import ChannelTables
from tconv.jit.choose import Schedule
from tconv.jit.depthwise import PlaneSchedule
from tconv.jit.depthwise_tables import PlaneTables
from tconv.jit.gradient import GradientSchedule
from tconv.jit.gradient_tables import GradientTables
from tconv.jit.pixels_tables import PixelTables
from tconv.jit.program import Program
from tconv.jit.taps import TapSchedule
from tconv.jit.taps_tables import TapTables


def program_of(schedule: Schedule, threads: int) -> Program:
    """Write the tables of a schedule for so many threads."""
    if isinstance(schedule, GradientSchedule):
        return GradientTables(schedule, threads).write()
    if isinstance(schedule, ChannelSchedule):
        return ChannelTables(schedule, threads).write()
    if isinstance(schedule, TapSchedule):
        return TapTables(schedule, threads).write()
    if isinstance(schedule, PlaneSchedule):
        return PlaneTables(schedule, threads).write()
    return PixelTables(schedule, threads).write()
