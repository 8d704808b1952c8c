"""Tiles with channels in lanes: sums of so many terms each."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, AxisWords, Out
from tconv.jit.schedules.channels.loops.block import target_of
from tconv.jit.schedules.channels.loops.words import TAP, C, Tap


@native
def tiles(
    s: Ints, axes: Ints, shapes: Ints, taps: Ints, number: int, chosen: Ints, rows: int, first: int, low: int,
    high: int, adds: int, out: Ints,
) -> None:  # fmt: skip
    """The tiles of a segment of some rows, for some taps that all of them have."""
    most = s[C.ROWS]
    if not (s[C.ROWS] > 1 or s[C.DEPTHWISE] or not s[C.CUT]):
        most = max(1, min(s[C.MOST_ROWS], s[C.PIXELS] // (2 * (high - low))))
    if number == 0:
        most = 1
    whole = rows // most * most
    for at in range(0, whole, most):
        tiles_of_rows(s, axes, shapes, taps, number, chosen[2 * at :], most, first, low, high, adds, out)
    for at in range(whole, rows):
        tiles_of_rows(s, axes, shapes, taps, number, chosen[2 * at :], 1, first, low, high, adds, out)


@native
def tiles_of_rows(
    s: Ints, axes: Ints, shapes: Ints, taps: Ints, number: int, chosen: Ints, rows: int, first: int, low: int,
    high: int, adds: int, out: Ints,
) -> None:  # fmt: skip
    """The tiles of so many rows, side by side."""
    last = (s[C.AXES] - 1) * AXIS
    apart, read = axes[last + AxisWords.READ_STRIDE], axes[last + AxisWords.READ]
    target = target_of(s, axes)
    parts = -(-(high - low) // s[C.PIXELS])
    at = low
    for part in range(parts):
        pixels = (high - low) // parts + (part < (high - low) % parts)
        # Those that a pixel of the tile reads x through: in `taps`, behind all.
        found = 0
        for n in range(number):
            cell_of_tap = at * apart + taps[TAP * n + Tap.SHIFT]
            if cell_of_tap < read and cell_of_tap + (pixels - 1) * apart >= 0:
                for word in range(TAP):
                    taps[TAP * (number + found) + word] = taps[TAP * n + word]
                found += 1
        moved = at - axes[last + AxisWords.Q]
        shape = 0
        while shape < s[C.SHAPES] and (shapes[2 * shape] != rows or shapes[2 * shape + 1] != pixels):
            shape += 1
        if shape == s[C.SHAPES]:
            out[Out.WRONG] = 1
        sums(
            s, taps[TAP * number :], found, chosen, rows, shape * s[C.VARIANTS], moved * s[C.PIXEL],
            target + moved * s[C.TARGET_PIXEL], first, adds, out,
        )  # fmt: skip
        at += pixels


@native
def sums(
    s: Ints, taps: Ints, number: int, chosen: Ints, rows: int, kernel: int, moved: int, target: int, first: int,
    adds: int, out: Ints,
) -> None:  # fmt: skip
    """The ops of one tile: sums of so many terms each."""
    channels = min(s[C.PART], s[C.READ] - first)
    most = max(1, s[C.TERMS] // channels)
    parts = -(-number // most)
    tap = 0
    for part in range(parts):
        some = number // parts + (part < number % parts)
        masked = 0
        for n in range(tap, tap + some):
            masked += taps[TAP * n + Tap.MASK] >= 0
        runs = run_length(s, taps[TAP * tap :], some, channels) if not masked else 1
        pieces = 1 if runs > 1 else -(-channels // s[C.TERMS])
        at = first
        for piece in range(pieces):
            terms = channels * runs if runs > 1 else channels // pieces + (piece < channels % pieces)
            op = begin(out, kernel)
            put(out, some // runs - masked)
            put(out, masked)
            put(out, adds)
            put(out, terms)
            put(out, at - first if s[C.PACK] else at)
            for row in range(rows):
                put(out, target + chosen[2 * row + 1])
            for n in range(tap, tap + some, runs):
                put(out, taps[TAP * n + Tap.NUMBER])
                put(out, max(0, taps[TAP * n + Tap.MASK]))
                reads = taps[TAP * n + Tap.READS] + moved + at * s[C.SOURCE_CHANNEL]
                for row in range(rows):
                    put(out, reads + chosen[2 * row])
            end(out, op)
            at += terms
            adds = 1
        tap += some
    if not adds:
        op = begin(out, kernel)
        put(out, 0)
        put(out, 0)
        put(out, 0)
        put(out, channels)
        put(out, first)
        for row in range(rows):
            put(out, target + chosen[2 * row + 1])
        end(out, op)


@native
def run_length(s: Ints, taps: Ints, number: int, channels: int) -> int:
    """Taps of runs that are equally long and each one long tap: input channels of the next follow. 1: there are none.

    So it is with channels last where cells follow each other, in x and among the weights.
    """
    if not s[C.JOINED] or channels != s[C.READ]:
        return 1
    length, at = 0, 1
    for n in range(1, number + 1):
        if n < number:
            step = taps[TAP * n + Tap.READS] - taps[TAP * (n - 1) + Tap.READS]
            follows = taps[TAP * n + Tap.NUMBER] == taps[TAP * (n - 1) + Tap.NUMBER] + 1
            if follows and step == s[C.READ] * s[C.SIZE]:
                at += 1
                continue
        if length and at != length:
            return 1
        length, at = at, 1
    return length
