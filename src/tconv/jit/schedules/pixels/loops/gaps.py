"""Rows of y that no tap reaches: the bias is written into them as runs."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.rows import row, rows_between
from tconv.jit.programs.loops.words import AXIS, AxisWords
from tconv.jit.schedules.pixels.loops.words import S


@native
def gaps(s: Ints, axes: Ints, lists: Ints, rows: Ints, out: Ints) -> None:
    """The bias into rows of y that no tap reaches, as runs as long as there are."""
    outer, kept = s[S.AXES] - 1, 0
    last = outer * AXIS
    stride = axes[last + AxisWords.STRIDE]
    elements = (
        min(axes[last + AxisWords.WRITTEN], axes[last + AxisWords.Q_END] * stride) - axes[last + AxisWords.Q] * stride
    )
    for n in range(outer):  # positions of y
        axis = n * AXIS
        axes[axis + AxisWords.FROM] = axes[axis + AxisWords.Q] * axes[axis + AxisWords.STRIDE]
        axes[axis + AxisWords.TO] = min(
            axes[axis + AxisWords.WRITTEN], axes[axis + AxisWords.Q_END] * axes[axis + AxisWords.STRIDE]
        )
    for number in range(rows_between(axes, outer)):
        row(axes, outer, number)
        reached, y = 1, 0
        for n in range(outer):
            axis = n * AXIS
            at = axes[axis + AxisWords.AT]
            reached *= lists[lists[axes[axis + AxisWords.TAPS_AT] + at % axes[axis + AxisWords.STRIDE]]]
            y += (at - axes[axis + AxisWords.FROM]) * axes[axis + AxisWords.Y_STEP]
        if not reached:
            if kept and y - rows[2 * kept - 2] == rows[2 * kept - 1] * s[S.SIZE]:
                rows[2 * kept - 1] += elements
            else:
                rows[2 * kept], rows[2 * kept + 1] = y, elements
                kept += 1
    at = 0
    while at < kept:
        count, step = 1, 0
        if at + 1 < kept and rows[2 * at + 3] == rows[2 * at + 1]:
            count, step = 2, rows[2 * at + 2] - rows[2 * at]
            while (
                at + count < kept
                and rows[2 * (at + count) + 1] == rows[2 * at + 1]
                and rows[2 * (at + count)] - rows[2 * (at + count) - 2] == step
            ):
                count += 1
        op = begin(out, s[S.GAPS])
        put(out, rows[2 * at + 1])
        put(out, 0)
        put(out, rows[2 * at])
        put(out, count)
        put(out, step)
        end(out, op)
        at += count
