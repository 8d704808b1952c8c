"""The taps of a tile with channels in lanes, and rows that the same of them reach."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.rows import combination, further, is_read
from tconv.jit.programs.loops.words import AXIS, MET, AxisWords, Met
from tconv.jit.schedules.channels.loops.block import positions
from tconv.jit.schedules.channels.loops.words import TAP, C, Tap


@native
def sooner(low: int, high: int, at: int) -> int:
    """The end, or a place before it."""
    return at if low < at < high else high


@native
def segment_end(s: Ints, axis: Ints, lists: Ints, low: int, high: int) -> int:
    """Where a segment of a row ends that is cut: where a tap comes upon x, or leaves it."""
    found = high
    if not s[C.PHASES]:
        taps = lists[axis[AxisWords.TAPS_AT] + axis[AxisWords.PHASE]]
        for number in range(lists[taps]):
            shift = lists[taps + 1 + 3 * number + 1]
            found = sooner(low, found, -(shift // axis[AxisWords.READ_STRIDE]))
            found = sooner(low, found, -((shift - axis[AxisWords.READ]) // axis[AxisWords.READ_STRIDE]))
    if s[C.AT_ONCE]:
        found = sooner(low, found, s[C.COLUMNS])
        found = sooner(low, found, s[C.COLUMNS_END])
    return found


@native
def list_bounds(axis: Ints, lists: Ints, bounds: Ints, at: int) -> int:
    """List the q of the phase at hand at which a tap comes upon x or leaves it, and both ends; how many they are."""
    taps, found, q = lists[axis[AxisWords.TAPS_AT] + axis[AxisWords.PHASE]], 1, axis[AxisWords.FROM]
    bounds[at] = q
    while q < axis[AxisWords.TO]:
        high = axis[AxisWords.TO]
        for number in range(lists[taps]):
            shift = lists[taps + 1 + 3 * number + 1]
            high = sooner(q, high, -(shift // axis[AxisWords.READ_STRIDE]))
            high = sooner(q, high, -((shift - axis[AxisWords.READ]) // axis[AxisWords.READ_STRIDE]))
        bounds[at + found] = high
        found += 1
        q = high
    axis[AxisWords.BOUNDS_AT], axis[AxisWords.BOUNDS], axis[AxisWords.BOUND] = at, found - 1, 0
    return found


@native
def next_bounds(axes: Ints, count: int) -> int:
    """Go on to the next part of the rows; whether there is one."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        axes[axis + AxisWords.BOUND] += 1
        if axes[axis + AxisWords.BOUND] < axes[axis + AxisWords.BOUNDS]:
            return 1
        axes[axis + AxisWords.BOUND] = 0
    return 0


@native
def list_all(s: Ints, axes: Ints, count: int, lists: Ints, met: Ints, combinations: int, taps: Ints) -> int:
    """List all taps for combinations of those of the outer axes, those without a mask first; how many they are."""
    found = 0
    for masked in range(2):
        for number in range(combinations):
            combination(axes, count, met, number)
            found = list_inner(s, axes, lists, met, taps, found, masked)
    return found


@native
def list_inner(s: Ints, axes: Ints, lists: Ints, met: Ints, taps: Ints, found: int, masked: int) -> int:
    """List the taps of the last axis for the combination at hand, with or without a mask, behind others; how many."""
    phase_at = 0 if s[C.PHASES] else axes[(s[C.AXES] - 1) * AXIS + AxisWords.PHASE]
    inner = lists[s[C.INNER_AT] + phase_at]
    reads = met[Met.READS] + (0 if s[C.IN_PLACE] else s[C.BEFORE] * s[C.CELL])
    for n in range(lists[inner]):
        tap = inner + 1 + 3 * n
        if (lists[tap + 2] >= 0) == masked:
            taps[TAP * found + Tap.NUMBER] = met[Met.TAP] * s[C.INNER] + lists[tap]
            taps[TAP * found + Tap.SHIFT] = lists[tap + 1]
            taps[TAP * found + Tap.MASK] = lists[tap + 2]
            taps[TAP * found + Tap.READS] = reads + lists[tap + 1] * s[C.CELL]
            found += 1
    return found


@native
def has(axes: Ints, count: int, met: Ints, number: int) -> int:
    """Whether the row at hand reads x through a combination of taps."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        at = axes[axis + AxisWords.MET_AT] + MET * (number % axes[axis + AxisWords.MET])
        number = number // axes[axis + AxisWords.MET]
        if not is_read(axes[axis:], met[at + Met.SHIFT], axes[axis + AxisWords.AT]):
            return 0
    return 1


@native
def row_in_turn(s: Ints, axes: Ints, number: int) -> None:
    """Let AT be the row of a number from FROM to TO: images are innermost."""
    count = s[C.AXES] - 1
    for reverse in range(count):
        axis = (0 if reverse == 0 else count - reverse) * AXIS
        n = axes[axis + AxisWords.TO] - axes[axis + AxisWords.FROM]
        axes[axis + AxisWords.AT] = axes[axis + AxisWords.FROM] + number % n
        number = number // n


@native
def choose_row(s: Ints, axes: Ints, chosen: Ints, number: int) -> int:
    """Append how much further the row at hand is read and written than the chunk's first q; how many rows there are."""
    count, written = s[C.AXES] - 1, 0
    if s[C.DIRECT]:
        written = further(axes, count, AxisWords.PIXEL_STEP)
    else:
        for n in range(count):
            q = axes[n * AXIS + AxisWords.AT] - axes[n * AXIS + AxisWords.Q]
            written += q * axes[n * AXIS + AxisWords.STRIDE] * positions(s, axes, n)
    chosen[2 * number], chosen[2 * number + 1] = further(axes, count, AxisWords.ROW_STEP), written
    return number + 1
