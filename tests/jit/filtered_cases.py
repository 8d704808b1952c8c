"""Problems for minimal filtering, with filters along the last two axes, so that every way through it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any

from running import problem_of

from tconv import Geometry
from tconv.jit.machine import isa
from tconv.jit.schedules.layouts import spread_out
from tconv.jit.schedules.winograd import filters, sizes
from tconv.jit.schedules.winograd.schedule import WinogradSchedule
from tconv.problem import Problem

_up, _down = Geometry.conv_transpose, Geometry.conv
#: Points of filters whose sums are exact on small whole numbers.
EXACT = 4


@dataclass(frozen=True)
class Filtered:
    """A problem, its filters F(outputs, taps), and what is forced upon the schedule."""

    geometry: Geometry
    outputs: tuple[int, int]
    taps: tuple[int, int]
    channels: tuple[int, int] = (4, 6)
    groups: int = 1
    batch: int = 1
    operation: str = "conv"
    forced: tuple[tuple[str, Any], ...] = ()

    def problem(self, dtype: str) -> Problem:
        """The problem in a dtype."""
        cin, cout = self.channels
        sizes_of = {"batch": self.batch, "cin": cin, "cout": cout, "groups": self.groups}
        return problem_of(self.geometry, dtype, **sizes_of, operation=self.operation)

    def schedule(self, dtype: str, channels_last: bool, target: isa.Isa) -> WinogradSchedule:
        """The schedule with these filters."""
        problem = self.problem(dtype)
        layout = spread_out(problem, channels_last)
        made = sizes.make(problem, layout, target, self.outputs, self.taps)
        forced = {name: value for name, value in self.forced if not (name == "transposed" and channels_last)}
        return replace(made, **forced)

    @property
    def exact(self) -> bool:
        """Whether sums of small whole numbers are exact."""
        return max(m + r - 1 for m, r in zip(self.outputs, self.taps, strict=True)) <= EXACT


CASES = {
    "F(2, 3) along both axes": Filtered(_down((9, 12), 3, padding=1), (2, 2), (3, 3)),
    "tiles beside y": Filtered(_down((8, 7), 3, padding=1), (2, 2), (3, 3), (5, 17)),
    "one tile beyond a vector": Filtered(_down((6, 36), 3, padding=0), (2, 2), (3, 3), (17, 3)),
    "F(4, 3)": Filtered(_down((10, 23), 3, padding=1), (4, 4), (3, 3), (33, 5)),
    "F(3, 2)": Filtered(_down((9, 11), 2), (3, 3), (2, 2)),
    "along the last axis": Filtered(_down((3, 20), (1, 3), padding=(0, 1)), (1, 2), (1, 3)),
    "along the axis before": Filtered(_down((20, 3), (3, 1), padding=(1, 0)), (2, 1), (3, 1), (7, 9)),
    "axes that are not filtered": Filtered(_down((4, 5, 9), 3, padding=1), (1, 2), (1, 3), batch=2),
    "one cell alone": Filtered(_down((1, 1), 3, padding=1), (2, 2), (3, 3), (1, 1)),
    "one dimension": Filtered(_down(41, 3, padding=1), (1, 2), (1, 3), (16, 16), batch=3),
    "segments": Filtered(_down(41, 7, padding=3), (1, 2), (1, 2), (5, 3)),
    "segments of both axes": Filtered(_down((11, 14), 5, padding=2), (2, 2), (2, 2), (18, 3)),
    "segments of whole tiles further on": Filtered(_down(70, 11, padding=5), (1, 1), (1, 2), (3, 5)),
    "F(4, 4), segments": Filtered(_down(70, 11, padding=5), (1, 4), (1, 4), (3, 5)),
    "long sums": Filtered(_down((5, 6), 3, padding=1), (2, 2), (3, 3), (3, 600)),
    "long sums of segments": Filtered(_down(30, 7, padding=3), (1, 2), (1, 2), (3, 300)),
    "chunks": Filtered(_down((14, 40), 3, padding=1), (2, 2), (3, 3), batch=2,
                       forced=(("cache_block", (1, 3, 7)),)),
    "several rows of tiles": Filtered(_down((13, 9), 3, padding=1), (2, 2), (3, 3), (20, 4),
                                      forced=(("rows", 2), ("pixels", 3))),
    "narrow tiles of lanes": Filtered(_down((6, 8), 3, padding=1), (2, 2), (3, 3), (37, 4), forced=(("vectors", 1),)),
    "padding on one side, and negative": Filtered(_down((9, 12), 3, padding=((2, 0), (-1, 1))), (2, 2), (3, 3)),
    "transposed innermost": Filtered(_down((6, 9), 3, padding=1), (2, 2), (3, 3), (5, 19), batch=2,
                                     forced=(("transposed", True),)),
    "transposed innermost, groups": Filtered(_down((7, 9), 3, padding=1), (2, 2), (3, 3), (6, 8), groups=2,
                                             forced=(("transposed", True),)),
    "transposed innermost, dilation": Filtered(_down((3, 40), 3, padding=3, dilation=3), (1, 2), (1, 3), (5, 33),
                                               forced=(("transposed", True),)),
    "transposed innermost, phases": Filtered(_up((7, 9), 4, stride=2, padding=1), (2, 2), (2, 2), (17, 5),
                                             operation="conv_transpose", forced=(("transposed", True),)),
    "groups": Filtered(_down((7, 9), 3, padding=1), (2, 2), (3, 3), (6, 8), groups=2),
    "dilation": Filtered(_down((3, 40), 3, padding=3, dilation=3), (1, 2), (1, 3), (5, 3)),
    "dilation of both axes": Filtered(_down((13, 15), 3, padding=2, dilation=2), (2, 2), (3, 3), (17, 4)),
    "dilation of an axis that is not filtered": Filtered(_down((13, 15), 3, padding=(3, 1), dilation=(3, 1)),
                                                         (1, 2), (1, 3)),
    "dilation, segments": Filtered(_down(60, 7, padding=9, dilation=3), (1, 2), (1, 2)),
    "transposed": Filtered(_up((9, 12), 3, padding=1), (2, 2), (3, 3), operation="conv_transpose"),
    "phases": Filtered(_up((7, 9), 4, stride=2, padding=1), (2, 2), (2, 2), (5, 17), operation="conv_transpose"),
    "phases of many tiles": Filtered(_up((2, 50), 4, stride=2, padding=1), (3, 3), (2, 2), (5, 3), batch=2,
                                     operation="conv_transpose"),
    "phases of one and two taps": Filtered(_up((7, 9), 3, stride=2, padding=1, output_padding=1), (2, 2), (2, 2),
                                           operation="conv_transpose"),
    "one tap and two, F(4, 2)": Filtered(_up((9, 23), 3, stride=2, padding=1), (4, 4), (2, 2), (17, 5), batch=2,
                                         operation="conv_transpose"),
    "one tap and two, along the last axis": Filtered(_up((3, 20), 3, stride=2), (1, 2), (1, 2), (5, 17),
                                                     operation="conv_transpose"),
    "one tap and two, along the axis before": Filtered(_up((20, 3), 3, stride=2), (2, 1), (2, 1), (7, 9),
                                                       operation="conv_transpose"),
    "one tap and two, three axes": Filtered(_up((3, 5, 6), 3, stride=2, padding=1, output_padding=1), (2, 2), (2, 2),
                                            operation="conv_transpose"),
    "one tap and two, one cell": Filtered(_up((1, 1), 3, stride=2), (2, 2), (2, 2), (1, 1),
                                          operation="conv_transpose"),
    "one tap and two, chunks": Filtered(_up((14, 19), 3, stride=2, padding=((2, 0), (-1, 1))), (2, 2), (2, 2),
                                        operation="conv_transpose", forced=(("cache_block", (1, 3, 7)),)),
    "one tap and two, groups": Filtered(_up((7, 9), 3, stride=2, padding=1), (2, 2), (2, 2), (6, 8), groups=2,
                                        operation="conv_transpose"),
    "one tap and two, transposed innermost": Filtered(_up((7, 9), 3, stride=2, padding=1), (2, 2), (2, 2), (17, 5),
                                                      operation="conv_transpose", forced=(("transposed", True),)),
    "one tap and two, and phases of two": Filtered(_up((5, 9), (3, 4), stride=2, padding=1), (2, 2), (2, 2), (3, 19),
                                                   operation="conv_transpose"),
    "two taps and three": Filtered(_up((6, 17), 5, stride=2, padding=2, output_padding=1), (2, 2), (3, 3), (5, 18),
                                   operation="conv_transpose"),
    "two taps, two and one": Filtered(_up((6, 9), 5, stride=3, padding=1), (2, 3), (2, 2), operation="conv_transpose"),
    "segments of some phases": Filtered(_up(19, 5, stride=2, padding=2), (1, 2), (1, 2), (5, 3),
                                        operation="conv_transpose"),
    "phases without taps": Filtered(_up((4, 5), 2, stride=3), (2, 2), (1, 1), operation="conv_transpose"),
    "phases, segments": Filtered(_up(19, 16, stride=4, padding=6), (1, 2), (1, 2), operation="conv_transpose"),
    "phases of axes that are not filtered": Filtered(_up((3, 4, 9), (4, 3, 4), stride=(2, 3, 2), padding=1), (1, 2),
                                                     (1, 2), operation="conv_transpose"),
    "phases and dilation of others": Filtered(_up((5, 9), (3, 4), stride=(2, 2), dilation=(3, 1)), (1, 2), (1, 2),
                                              operation="conv_transpose"),
}  # fmt: skip
EVERY_CASE = [(name, last) for name, last in product(CASES, (False, True)) if not (last and CASES[name].groups > 1)]


def drawn(problem: Problem, channels_last: bool, target: isa.Isa, pick: Random) -> Iterator[WinogradSchedule]:
    """A schedule of a problem with filters at random, whose sums of small whole numbers are exact; if there are any."""
    layout = spread_out(problem, channels_last)
    if problem.operation == "weight_gradient" or (layout.channels_last and problem.groups > 1):
        return
    if any(line.read_stride != 1 for line in layout.axes):
        return
    before, last = ([pair for pair in filters.candidates(line) if sum(pair) - 1 <= EXACT] for line in layout.axes[-2:])
    pairs = pick.choice(before), pick.choice(last)
    if pairs != (filters.NONE, filters.NONE):
        yield sizes.make(problem, layout, target, *zip(*pairs, strict=True))
