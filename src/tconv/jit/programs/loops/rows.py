"""Rows of q and of x: those of a phase, those that taps read, and the taps that do."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, inlined, native
from tconv.jit.programs.loops.words import AXIS, MET, AxisWords, Met


@native
def rows_between(axes: Ints, count: int) -> int:
    """How many rows there are from FROM to TO of so many axes."""
    total = 1
    for n in range(count):
        total *= max(0, axes[n * AXIS + AxisWords.TO] - axes[n * AXIS + AxisWords.FROM])
    return total


@native
def row(axes: Ints, count: int, number: int) -> None:
    """Let AT be the row of a number, the last axis innermost."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        n = axes[axis + AxisWords.TO] - axes[axis + AxisWords.FROM]
        axes[axis + AxisWords.AT] = axes[axis + AxisWords.FROM] + number % n
        number = number // n


@native
def further(axes: Ints, count: int, step: int) -> int:
    """Bytes from the chunk's first q to AT, given which word of an axis says how many lie from a q to the next."""
    found = 0
    for n in range(count):
        found += (axes[n * AXIS + AxisWords.AT] - axes[n * AXIS + AxisWords.Q]) * axes[n * AXIS + step]
    return found


@native
def first_phase(axes: Ints, count: int) -> int:
    """Begin with the first phases of so many axes; there always are some."""
    for n in range(count):
        axes[n * AXIS + AxisWords.PHASE] = 0
    return 1


@native
def next_phase(axes: Ints, count: int) -> int:
    """Go on to the next phases of so many axes, the last innermost; whether there are any."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        axes[axis + AxisWords.PHASE] += 1
        if axes[axis + AxisWords.PHASE] < axes[axis + AxisWords.STRIDE]:
            return 1
        axes[axis + AxisWords.PHASE] = 0
    return 0


@native
def of_phase(axis: Ints) -> None:
    """Let FROM and TO be the q of the phase at hand within the chunk."""
    stride, b = axis[AxisWords.STRIDE], axis[AxisWords.PHASE] - axis[AxisWords.ORIGIN]
    axis[AxisWords.FROM] = max(axis[AxisWords.Q], -(b // stride))
    axis[AxisWords.TO] = min(axis[AxisWords.Q_END], -((b - axis[AxisWords.WRITTEN]) // stride))


@inlined
def is_read(axis: Ints, shift: int, q: int) -> int:
    """Whether a tap at this shift reads a cell of x for a q."""
    cell = q * axis[AxisWords.READ_STRIDE] + shift
    return 0 <= cell < axis[AxisWords.READ]


# ---- cells of x


@native
def cells(axis: Ints, low: int, high: int) -> int:
    """How many cells taps of so many q read, those beside x among them."""
    return axis[AxisWords.RESIDUES] * (high - low + axis[AxisWords.STRAND_SHIFTS] - 1)


@native
def cell(axis: Ints, lists: Ints, low: int, high: int, number: int) -> int:
    """The cell of a number among those that taps of so many q read (see `cells`)."""
    reach = high - low + axis[AxisWords.STRAND_SHIFTS] - 1
    residue = lists[axis[AxisWords.RESIDUES_AT] + number // reach]
    return (low + axis[AxisWords.FIRST_STRAND_SHIFT] + number % reach) * axis[AxisWords.READ_STRIDE] + residue


@inlined
def left_out(axis: Ints) -> int:
    """Cells before x that taps of the chunk at hand meet, where the panel has no room for them."""
    return axis[AxisWords.EXISTING] * max(0, -(axis[AxisWords.Q] + axis[AxisWords.FIRST_STRAND_SHIFT]))


@native
def rows_read(axes: Ints, count: int, later: int) -> int:
    """How many rows of x a chunk reads, the one at hand or the later one."""
    total = 1
    for n in range(count):
        axis = n * AXIS
        total *= cells(axes[axis:], axes[axis + AxisWords.Q + 2 * later], axes[axis + AxisWords.Q_END + 2 * later])
    return total


@native
def base_in_x(axes: Ints, count: int) -> int:
    """Where the chunk at hand begins in x."""
    base = 0
    for n in range(count):
        base += axes[n * AXIS + AxisWords.Q] * axes[n * AXIS + AxisWords.READ_STEP]
    return base


# ---- taps


@native
def tap_reads(axis: Ints, shift: int, residue: int, in_place: int) -> int:
    """Where a tap reads for the first q of a chunk, in bytes along an axis."""
    if in_place:
        return shift * axis[AxisWords.X_STEP]
    reach = axis[AxisWords.Q_END] - axis[AxisWords.Q] + axis[AxisWords.STRAND_SHIFTS] - 1
    first = axis[AxisWords.FIRST_STRAND_SHIFT] + left_out(axis)
    return (residue * reach + shift // axis[AxisWords.READ_STRIDE] - first) * axis[AxisWords.ROW_STEP]


@native
def list_taps(axes: Ints, count: int, lists: Ints, met: Ints, in_place: int, every: int) -> int:
    """List for each axis the taps of its phase that read x at the q at hand, or every one; how many combinations."""
    total, at = 1, Met.FIRST
    for n in range(count):
        at = list_taps_of(axes[n * AXIS :], lists, met, at, axes[n * AXIS + AxisWords.AT], in_place, every)
        total *= axes[n * AXIS + AxisWords.MET]
    return total


@native
def list_taps_of(axis: Ints, lists: Ints, met: Ints, at: int, q: int, in_place: int, every: int) -> int:
    """List the taps of one axis as `list_taps` does, from a place on; returns where those of the next axis begin."""
    taps, found = lists[axis[AxisWords.TAPS_AT] + axis[AxisWords.PHASE]], 0
    for number in range(lists[taps]):
        tap = taps + 1 + 3 * number
        if every or is_read(axis, lists[tap + 1], q):
            entry = at + MET * found
            met[entry + Met.TAP], met[entry + Met.SHIFT] = lists[tap], lists[tap + 1]
            met[entry + Met.READS] = tap_reads(axis, lists[tap + 1], lists[tap + 2], in_place)
            found += 1
    axis[AxisWords.MET_AT], axis[AxisWords.MET] = at, found
    return at + MET * found


@native
def combination(axes: Ints, count: int, met: Ints, number: int) -> None:
    """Let `met` begin with the number of a combination of taps, and where it reads."""
    tap, reads, scale = 0, 0, 1
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        at = axes[axis + AxisWords.MET_AT] + MET * (number % axes[axis + AxisWords.MET])
        number = number // axes[axis + AxisWords.MET]
        tap += met[at + Met.TAP] * scale
        reads += met[at + Met.READS]
        scale *= axes[axis + AxisWords.KERNEL]
    met[Met.TAP], met[Met.READS] = tap, reads
