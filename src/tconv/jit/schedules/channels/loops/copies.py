"""Copies of schedules with channels in lanes: rows of x with their zeros, or some channels of each pixel."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.copies import copy, joined, list_rows, pick
from tconv.jit.programs.loops.words import AXIS, COPIED, AxisWords
from tconv.jit.schedules.channels.loops.words import C


@native
def copies(s: Ints, axes: Ints, lists: Ints, rows: Ints, out: Ints) -> None:
    """Rows of x into the panel: those that exist, each with its zeros."""
    last = (s[C.AXES] - 1) * AXIS
    found = list_rows(axes, s[C.AXES], lists, rows, s[C.BEFORE], s[C.BEHIND], s[C.WIDE], s[C.CELL])
    if s[C.COPIED]:
        for number in range(found):
            here = number * COPIED
            pick(rows[here:], s[C.COPY], axes[last + AxisWords.X_STEP], s[C.CELL], s[C.COPIED], s[C.SIZE], out)
    else:
        copy(out, s[C.COPY], rows, joined(rows, found, s[C.SIZE], s[C.JOIN]))
