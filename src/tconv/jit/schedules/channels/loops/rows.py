"""The tiles of a phase of a chunk: for rows that the same taps reach, or one tap of the outer axes after the other."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.rows import combination, list_taps, of_phase, rows_between
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.channels.loops.taps import (
    choose_row,
    has,
    list_all,
    list_bounds,
    list_inner,
    next_bounds,
    row_in_turn,
)
from tconv.jit.schedules.channels.loops.tiles import tiles
from tconv.jit.schedules.channels.loops.words import C


@native
def phase(
    s: Ints, axes: Ints, lists: Ints, shapes: Ints, met: Ints, taps: Ints, chosen: Ints, begun: Ints, first: int,
    low: int, high: int, out: Ints,
) -> None:  # fmt: skip
    """The tiles of one phase, of a segment of the rows. Which ops a row gets does not depend on the others with it."""
    count = s[C.AXES] - 1
    if s[C.OUTER_FIRST]:
        outer_first(s, axes, lists, shapes, met, taps, chosen, begun, first, low, high, out)
        return
    before = (count - 1) * AXIS
    at = 0
    for n in range(count):
        at += list_bounds(axes[n * AXIS :], lists, begun, at)
    more = 1
    while more:
        for n in range(count):
            axis = n * AXIS
            bound = axes[axis + AxisWords.BOUNDS_AT] + axes[axis + AxisWords.BOUND]
            axes[axis + AxisWords.FROM], axes[axis + AxisWords.TO] = begun[bound], begun[bound + 1]
            axes[axis + AxisWords.AT] = begun[bound]
        combinations = list_taps(axes, count, lists, met, s[C.IN_PLACE], 0)
        number, some = list_all(s, axes, count, lists, met, combinations, taps), 0
        done = s[C.AT_ONCE] and s[C.COLUMNS] <= low < s[C.COLUMNS_END]
        for each in range(rows_between(axes, count)):
            row_in_turn(s, axes, each)
            if not (done and s[C.WITHIN] <= axes[before + AxisWords.AT] < s[C.WITHIN_END]):
                some = choose_row(s, axes, chosen, some)
        tiles(s, axes, shapes, taps, number, chosen, some, first, low, high, first > 0, out)
        more = next_bounds(axes, count)
    for n in range(count):
        of_phase(axes[n * AXIS :])


@native
def outer_first(
    s: Ints, axes: Ints, lists: Ints, shapes: Ints, met: Ints, taps: Ints, chosen: Ints, begun: Ints, first: int,
    low: int, high: int, out: Ints,
) -> None:  # fmt: skip
    """The tiles of one phase, of a segment of the rows, for one tap of the outer axes after the other."""
    count = s[C.AXES] - 1
    rows = rows_between(axes, count)
    for each in range(rows):
        begun[each] = first > 0
    for number in range(list_taps(axes, count, lists, met, s[C.IN_PLACE], 1)):
        combination(axes, count, met, number)
        listed = 0
        for masked in range(2):
            listed = list_inner(s, axes, lists, met, taps, listed, masked)
        # Rows that begin with this tap are marked with 2 until those that go on with it are done.
        for adds in range(2):
            some = 0
            for each in range(rows):
                if begun[each] == adds:
                    row_in_turn(s, axes, each)
                    if has(axes, count, met, number):
                        some = choose_row(s, axes, chosen, some)
                        if adds == 0:
                            begun[each] = 2
            tiles(s, axes, shapes, taps, listed, chosen, some, first, low, high, adds, out)
        for each in range(rows):
            begun[each] = min(begun[each], 1)
    some = 0
    for each in range(rows):
        if begun[each] == 0:
            row_in_turn(s, axes, each)
            some = choose_row(s, axes, chosen, some)
    tiles(s, axes, shapes, taps, 0, chosen, some, first, low, high, 0, out)
