"""Rows of q and of x: those of a phase, those that taps read, and the taps that do."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, inlined, native
from tconv.jit.programs.loops.words import AXIS, MET, Axis, Met


@native
def rows_between(axes: Ints, count: int) -> int:
    """How many rows there are from FROM to TO of so many axes."""
    total = 1
    for n in range(count):
        total *= max(0, axes[n * AXIS + Axis.TO] - axes[n * AXIS + Axis.FROM])
    return total


@native
def row(axes: Ints, count: int, number: int) -> None:
    """Let AT be the row of a number, the last axis innermost."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        n = axes[axis + Axis.TO] - axes[axis + Axis.FROM]
        axes[axis + Axis.AT] = axes[axis + Axis.FROM] + number % n
        number = number // n


@native
def further(axes: Ints, count: int, step: int) -> int:
    """Bytes from the chunk's first q to AT, given which word of an axis says how many lie from a q to the next."""
    found = 0
    for n in range(count):
        found += (axes[n * AXIS + Axis.AT] - axes[n * AXIS + Axis.Q]) * axes[n * AXIS + step]
    return found


@native
def first_phase(axes: Ints, count: int) -> int:
    """Begin with the first phases of so many axes; there always are some."""
    for n in range(count):
        axes[n * AXIS + Axis.PHASE] = 0
    return 1


@native
def next_phase(axes: Ints, count: int) -> int:
    """Go on to the next phases of so many axes, the last innermost; whether there are any."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        axes[axis + Axis.PHASE] += 1
        if axes[axis + Axis.PHASE] < axes[axis + Axis.STRIDE]:
            return 1
        axes[axis + Axis.PHASE] = 0
    return 0


@native
def of_phase(axis: Ints) -> None:
    """Let FROM and TO be the q of the phase at hand within the chunk."""
    stride, b = axis[Axis.STRIDE], axis[Axis.PHASE] - axis[Axis.ORIGIN]
    axis[Axis.FROM] = max(axis[Axis.Q], -(b // stride))
    axis[Axis.TO] = min(axis[Axis.Q_END], -((b - axis[Axis.WRITTEN]) // stride))


@inlined
def is_read(axis: Ints, shift: int, q: int) -> int:
    """Whether a tap at this shift reads a cell of x for a q."""
    cell = q * axis[Axis.READ_STRIDE] + shift
    return 0 <= cell < axis[Axis.READ]


# ---- cells of x


@native
def cells(axis: Ints, low: int, high: int) -> int:
    """How many cells taps of so many q read, those beside x among them."""
    return axis[Axis.RESIDUES] * (high - low + axis[Axis.STRAND_SHIFTS] - 1)


@native
def cell(axis: Ints, lists: Ints, low: int, high: int, number: int) -> int:
    """The cell of a number among those that taps of so many q read (see `cells`)."""
    reach = high - low + axis[Axis.STRAND_SHIFTS] - 1
    residue = lists[axis[Axis.RESIDUES_AT] + number // reach]
    return (low + axis[Axis.FIRST_STRAND_SHIFT] + number % reach) * axis[Axis.READ_STRIDE] + residue


@native
def rows_read(axes: Ints, count: int, later: int) -> int:
    """How many rows of x a chunk reads, the one at hand or the later one."""
    total = 1
    for n in range(count):
        axis = n * AXIS
        total *= cells(axes[axis:], axes[axis + Axis.Q + 2 * later], axes[axis + Axis.Q_END + 2 * later])
    return total


@native
def base_in_x(axes: Ints, count: int) -> int:
    """Where the chunk at hand begins in x."""
    base = 0
    for n in range(count):
        base += axes[n * AXIS + Axis.Q] * axes[n * AXIS + Axis.READ_STEP]
    return base


# ---- taps


@native
def tap_reads(axis: Ints, shift: int, residue: int, in_place: int) -> int:
    """Where a tap reads for the first q of a chunk, in bytes along an axis."""
    if in_place:
        return shift * axis[Axis.X_STEP]
    reach = axis[Axis.Q_END] - axis[Axis.Q] + axis[Axis.STRAND_SHIFTS] - 1
    return (residue * reach + shift // axis[Axis.READ_STRIDE] - axis[Axis.FIRST_STRAND_SHIFT]) * axis[Axis.ROW_STEP]


@native
def list_taps(axes: Ints, count: int, lists: Ints, met: Ints, in_place: int, every: int) -> int:
    """List for each axis the taps of its phase that read x at the q at hand, or every one; how many combinations."""
    total, at = 1, Met.FIRST
    for n in range(count):
        at = list_taps_of(axes[n * AXIS :], lists, met, at, axes[n * AXIS + Axis.AT], in_place, every)
        total *= axes[n * AXIS + Axis.MET]
    return total


@native
def list_taps_of(axis: Ints, lists: Ints, met: Ints, at: int, q: int, in_place: int, every: int) -> int:
    """List the taps of one axis as `list_taps` does, from a place on; returns where those of the next axis begin."""
    taps, found = lists[axis[Axis.TAPS_AT] + axis[Axis.PHASE]], 0
    for number in range(lists[taps]):
        tap = taps + 1 + 3 * number
        if every or is_read(axis, lists[tap + 1], q):
            entry = at + MET * found
            met[entry + Met.TAP], met[entry + Met.SHIFT] = lists[tap], lists[tap + 1]
            met[entry + Met.READS] = tap_reads(axis, lists[tap + 1], lists[tap + 2], in_place)
            found += 1
    axis[Axis.MET_AT], axis[Axis.MET] = at, found
    return at + MET * found


@native
def combination(axes: Ints, count: int, met: Ints, number: int) -> None:
    """Let `met` begin with the number of a combination of taps, and where it reads."""
    tap, reads, scale = 0, 0, 1
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        at = axes[axis + Axis.MET_AT] + MET * (number % axes[axis + Axis.MET])
        number = number // axes[axis + Axis.MET]
        tap += met[at + Met.TAP] * scale
        reads += met[at + Met.READS]
        scale *= axes[axis + Axis.KERNEL]
    met[Met.TAP], met[Met.READS] = tap, reads
