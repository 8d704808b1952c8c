"""A problem to test schedules with, and what is forced upon them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from running import problem_of

from tconv import Geometry
from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.schedules.channels.schedule import ChannelSchedule
from tconv.jit.schedules.layouts import layout_of, spread_out


@dataclass(frozen=True)
class Case:
    """A problem, and what is forced upon schedules of it, by their kind."""

    geometry: Geometry
    channels: tuple[int, int] = (4, 6)
    groups: int = 1
    batch: int = 1
    forced: dict[str, dict[str, Any]] = field(default_factory=dict)
    operation: str = "conv_transpose"
    on_the_fly: bool = False  #: schedules that can are also made to pack weights on the way

    def problem(self, dtype: str):
        """The problem in a dtype."""
        cin, cout = self.channels
        sizes = {"batch": self.batch, "cin": cin, "cout": cout, "groups": self.groups}
        return problem_of(self.geometry, dtype, **sizes, operation=self.operation)

    def schedules(self, dtype: str, channels_last: bool, target: isa.Isa) -> Iterator[Any]:
        """A schedule of every kind that can serve the problem, as it would be made and as it is forced."""
        problem = self.problem(dtype)
        for layout in {layout_of(problem, channels_last): 0, spread_out(problem, channels_last): 0}:
            if layout.joined and self.groups > 1 and (channels_last or self.operation != "conv_transpose"):
                continue  # as `choose` knows
            for kind in model.offers(problem, layout, target):
                made = kind.make()
                yield made
                yield from on_the_fly(made) if self.on_the_fly else ()
                if not layout.joined and made.kind in self.forced:
                    forced = replace(made, **self.forced[made.kind])
                    if made.kind == "pixels" and forced.in_place and not forced.readable:
                        continue
                    yield forced
                    yield from on_the_fly(forced) if self.on_the_fly else ()


def on_the_fly(schedule) -> Iterator[ChannelSchedule]:
    """The schedule with weights that are packed on the way, if it can."""
    if isinstance(schedule, ChannelSchedule) and not schedule.depthwise and schedule.problem.groups == 1:
        yield replace(schedule, on_the_fly=True)
