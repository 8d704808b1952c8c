"""Copies of schedules with pixels in lanes: rows of x, strand by strand, and the lines that are asked for ahead."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.copies import copy, joined
from tconv.jit.programs.loops.rows import base_in_x, cell, cells, rows_read
from tconv.jit.programs.loops.words import AXIS, COPIED, AxisWords, Copied
from tconv.jit.schedules.pixels.loops.words import S


@native
def row_of_strand(
    s: Ints, axes: Ints, lists: Ints, number: int, strand: int, later: int, found: Ints
) -> int:  # fmt: skip
    """A row of x, of those that a chunk reads, of one strand; of all of them together where they are copied so.

    Returns whether the row exists. Of one that does not, all is zeros.
    """
    count, exists, source, slot, scale = s[S.AXES] - 1, 1, 0, 0, 1
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        low, high = axes[axis + AxisWords.Q + 2 * later], axes[axis + AxisWords.Q_END + 2 * later]
        n = cells(axes[axis:], low, high)
        at = cell(axes[axis:], lists, low, high, number % n)
        if at < 0 or at >= axes[axis + AxisWords.READ]:
            exists = 0
        source += at * axes[axis + AxisWords.X_STEP]
        slot += (number % n) * scale
        scale *= axes[axis + AxisWords.SLOTS]
        number = number // n
    last = count * AXIS
    apart = axes[last + AxisWords.READ_STRIDE]
    low, high = (
        axes[last + AxisWords.Q + 2 * later] - s[S.BEFORE],
        axes[last + AxisWords.Q_END + 2 * later] + s[S.BEHIND],
    )
    start, stop = max(0, low), min(axes[last + AxisWords.READ], high * apart)
    # Channels last a strand is copied by itself; else a copy takes the cells of all.
    first, step = start * apart, 1
    if s[S.CHANNELS_LAST]:
        first, step = first + lists[s[S.STRANDS_AT] + 3 * strand], apart
    length = max(0, -((first - stop) // step))
    behind = high - start + (-length * step) // apart
    target = strand * s[S.PANEL_STRAND] + s[S.SIZE] * (s[S.BEFORE] + slot * s[S.PITCH])
    if length == 0 or not exists:
        found[Copied.SOURCE], found[Copied.TARGET], found[Copied.LENGTH] = 0, target, 0
        found[Copied.BEFORE], found[Copied.BEHIND] = s[S.BEFORE], s[S.COLUMNS] + s[S.BEHIND]
    else:
        found[Copied.SOURCE] = source + first * axes[last + AxisWords.X_STEP]
        found[Copied.TARGET] = target + (start - axes[last + AxisWords.Q + 2 * later]) * s[S.SIZE]
        found[Copied.LENGTH], found[Copied.BEFORE], found[Copied.BEHIND] = length, start - low, behind
    return exists


@native
def copies(s: Ints, axes: Ints, lists: Ints, rows: Ints, out: Ints) -> None:
    """The rows of x of a chunk into the panel, each with its zeros; where tiles span rows also those beside x."""
    kept, base = 0, base_in_x(axes, s[S.AXES])
    of_strand = rows_read(axes, s[S.AXES] - 1, 0)
    for strand in range(s[S.STRANDS] if s[S.CHANNELS_LAST] else 1):
        for number in range(of_strand):
            exists = row_of_strand(s, axes, lists, number, strand, 0, rows[kept * COPIED :])
            if rows[kept * COPIED + Copied.LENGTH] > 0:
                rows[kept * COPIED + Copied.SOURCE] -= base
            if exists or s[S.FLAT]:
                kept += 1
    if s[S.JOIN]:
        kept = joined(rows, kept, s[S.SIZE], s[S.JOIN])
    copy(out, s[S.COPY], rows, kept)


@native
def near(axes: Ints, count: int, lists: Ints, number: int) -> int:
    """Whether the chunk at hand reads the row of a number of the later chunk."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        low, high = axes[axis + AxisWords.LATER], axes[axis + AxisWords.LATER_END]
        n = cells(axes[axis:], low, high)
        q = (
            cell(axes[axis:], lists, low, high, number % n) // axes[axis + AxisWords.READ_STRIDE]
            - axes[axis + AxisWords.FIRST_STRAND_SHIFT]
        )
        number = number // n
        if q < axes[axis + AxisWords.Q] or q >= axes[axis + AxisWords.Q_END] + axes[axis + AxisWords.STRAND_SHIFTS] - 1:
            return 0
    return axes[count * AXIS + AxisWords.LATER] == axes[count * AXIS + AxisWords.Q]


@native
def lines_of(s: Ints, axes: Ints, lists: Ints, lines: Ints, further: int) -> None:
    """List lines of x that the later chunk reads: of its first input channel, or of as many pixels as channels.

    Tiles of channels ask for one each, side by side. What the chunk at hand reads is near.
    """
    count, kept, length, room = s[S.AXES] - 1, 0, 0, lines[0]
    last = count * AXIS
    each, step = axes[last + AxisWords.X_STEP], s[S.TILES] * s[S.LINE]
    if s[S.CHANNELS_LAST]:
        each, step = axes[last + AxisWords.READ_STEP], step * s[S.READ]
    base = base_in_x(axes, s[S.AXES])
    for number in range(rows_read(axes, count, 1)):
        if kept >= room or (not further and near(axes, count, lists, number)):
            continue
        if row_of_strand(s, axes, lists, number, 0, 1, lines[1 + kept :]):
            source = lines[1 + kept + Copied.SOURCE] + further - base
            if kept == 0:
                length = max(1, lines[1 + kept + Copied.LENGTH]) * each
            for at in range(0, length, step):
                if kept < room:
                    lines[1 + kept] = source + at
                    kept += 1
    s[S.LINES] = kept
