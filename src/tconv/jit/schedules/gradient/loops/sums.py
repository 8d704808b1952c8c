"""The sums of a chunk of a weight gradient: units that meet the same rows of cells share tiles."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.copies import copy, list_rows
from tconv.jit.programs.loops.rows import combination, first_phase, further, list_taps, row, rows_between
from tconv.jit.programs.loops.words import AXIS, MET, AxisWords, Met, Out
from tconv.jit.schedules.gradient.loops.words import UNIT, G, Unit


@native
def sums_of_chunk(
    s: Ints, axes: Ints, lists: Ints, widths: Ints, rows: Ints, met: Ints, units: Ints, adds: int, last: int, out: Ints
) -> None:  # fmt: skip
    """What a tile of lanes does for the chunk at hand."""
    count = s[G.AXES] - 1
    if s[G.GATHERED]:
        gather(s, axes, out)
    if s[G.TRANSPOSED]:
        found = list_rows(axes, s[G.AXES], lists, rows, s[G.BEFORE], s[G.BEHIND], s[G.WIDE], s[G.CELL])
        copy(out, s[G.COPY], rows, found)
    first_phase(axes, count)
    combinations = list_taps(axes, count, lists, met, s[G.IN_PLACE], 1)
    for number in range(combinations):
        alike = 0
        for other in range(number):
            alike += meet_alike(axes, count, met, other, number)
        if not alike:  # the first of those that meet these rows
            some = list_units(s, axes, lists, met, units, combinations, number)
            meet(axes, count, met, number)
            whole = some // s[G.ROWS] * s[G.ROWS]
            for at in range(0, whole, s[G.ROWS]):
                tiles(s, axes, widths, units[UNIT * at :], s[G.ROWS], adds, out)
            for at in range(whole, some):
                tiles(s, axes, widths, units[UNIT * at :], 1, adds, out)
    if last:
        op = begin(out, s[G.MOVE])
        put(out, 0)
        put(out, 0)
        put(out, s[G.OUTPUTS] * s[G.TAPS])
        end(out, op)


@native
def gather(s: Ints, axes: Ints, out: Ints) -> None:
    """The coarse cells of a chunk, a run of evenly spaced ones after the other."""
    count = s[G.AXES] - 1
    last = count * AXIS
    columns, wide = axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q], s[G.COLUMNS]
    for n in range(count):
        axes[n * AXIS + AxisWords.FROM], axes[n * AXIS + AxisWords.TO] = (
            axes[n * AXIS + AxisWords.Q],
            axes[n * AXIS + AxisWords.Q_END],
        )
    first, before, cells, step = 0, 0, 0, 0
    for number in range(rows_between(axes, count)):
        row(axes, count, number)
        source = further(axes, count, AxisWords.Y_STEP)
        if cells and columns == wide:
            # Single cells may be any step apart, unless squares of them are transposed.
            if cells == 1 and not s[G.SIDE_BY_SIDE]:
                step = source - first
            if source == first + cells * step:
                cells += columns
                continue
        if cells:
            put_cells(s, first, before, cells, step, out)
        first, before, cells, step = source, number * wide, columns, axes[last + AxisWords.Y_STEP]
    put_cells(s, first, before, cells, step, out)


@native
def put_cells(s: Ints, first: int, before: int, cells: int, step: int, out: Ints) -> None:
    """The op that gathers a run of evenly spaced coarse cells."""
    op = begin(out, s[G.GATHERED])
    put(out, first)
    put(out, before)
    put(out, cells)
    put(out, step)
    end(out, op)


# ---- which rows of cells meet the fine grid


@native
def first_met(axis: Ints, shift: int) -> int:
    """The first q of a chunk that reads a cell through a tap."""
    return max(axis[AxisWords.Q], -(shift // axis[AxisWords.READ_STRIDE]))


@native
def end_met(axis: Ints, shift: int) -> int:
    """The q of a chunk behind the last that reads a cell through a tap."""
    return min(axis[AxisWords.Q_END], -((shift - axis[AxisWords.READ]) // axis[AxisWords.READ_STRIDE]))


@native
def meet(axes: Ints, count: int, met: Ints, number: int) -> None:
    """Let FROM and TO be the rows that a combination of taps meets."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        at = axes[axis + AxisWords.MET_AT] + MET * (number % axes[axis + AxisWords.MET])
        number = number // axes[axis + AxisWords.MET]
        axes[axis + AxisWords.FROM] = first_met(axes[axis:], met[at + Met.SHIFT])
        axes[axis + AxisWords.TO] = end_met(axes[axis:], met[at + Met.SHIFT])


@native
def meet_alike(axes: Ints, count: int, met: Ints, a: int, b: int) -> int:
    """Whether two combinations of taps meet the same rows, or both of them none."""
    same, some_a, some_b = 1, 1, 1
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        n = axes[axis + AxisWords.MET]
        of_a = met[axes[axis + AxisWords.MET_AT] + MET * (a % n) + Met.SHIFT]
        of_b = met[axes[axis + AxisWords.MET_AT] + MET * (b % n) + Met.SHIFT]
        a, b = a // n, b // n
        low_a, low_b = first_met(axes[axis:], of_a), first_met(axes[axis:], of_b)
        high_a, high_b = end_met(axes[axis:], of_a), end_met(axes[axis:], of_b)
        if low_a != low_b or high_a != high_b:
            same = 0
        if low_a >= high_a:
            some_a = 0
        if low_b >= high_b:
            some_b = 0
    return (same and some_a and some_b) or (not some_a and not some_b)


@native
def list_units(s: Ints, axes: Ints, lists: Ints, met: Ints, units: Ints, combinations: int, like: int) -> int:
    """List the rows of tiles for all taps that meet the rows of one, with each channel o or tap of the last axis."""
    count, found = s[G.AXES] - 1, 0
    last = count * AXIS
    taps = lists[axes[last + AxisWords.TAPS_AT]]
    for number in range(axes[last + AxisWords.KERNEL] if s[G.BY_CHANNEL] else s[G.OUTPUTS]):
        for other in range(combinations):
            if meet_alike(axes, count, met, other, like):
                combination(axes, count, met, other)
                reads = met[Met.READS] + (0 if s[G.IN_PLACE] else s[G.BEFORE] * s[G.CELL])
                position = met[Met.TAP] * axes[last + AxisWords.KERNEL]
                if s[G.BY_CHANNEL]:
                    reads += lists[taps + 1 + 3 * number + 1] * s[G.CELL]
                    position += number
                else:
                    reads += lists[taps + 1 + 1] * s[G.CELL] + number * s[G.SOURCE_CHANNEL]
                    position += number * s[G.TAPS]
                units[UNIT * found + Unit.READS], units[UNIT * found + Unit.POSITION] = reads, position
                found += 1
    return found


# ---- tiles


@native
def tiles(s: Ints, axes: Ints, widths: Ints, units: Ints, rows: int, adds: int, out: Ints) -> None:
    """The tiles of some units, side by side: of neighbouring channels o, or taps."""
    length = s[G.OUTPUTS] if s[G.BY_CHANNEL] else axes[(s[G.AXES] - 1) * AXIS + AxisWords.KERNEL]
    parts, at = -(-length // s[G.PIXELS]), 0
    for part in range(parts):
        pixels, width = length // parts + (part < length % parts), 0
        while width < s[G.WIDTHS] and widths[width] != pixels:
            width += 1
        if width == s[G.WIDTHS]:
            out[Out.WRONG] = 1
        kernel = width * s[G.VARIANTS] + (s[G.OF_ROWS] if rows > 1 else 0)
        position = at * (s[G.TAPS] if s[G.BY_CHANNEL] else 1)
        sums(s, axes, units, rows, kernel, at * s[G.PIXEL], position, adds, out)
        at += pixels


@native
def sums(
    s: Ints, axes: Ints, units: Ints, rows: int, kernel: int, moved: int, position: int, adds: int, out: Ints
) -> None:  # fmt: skip
    """The ops of one tile: sums of so many terms each, over the rows of cells that its taps meet."""
    count = s[G.AXES] - 1
    last = count * AXIS
    columns, reached = axes[last + AxisWords.Q_END] - axes[last + AxisWords.Q], rows_between(axes, count)
    parts = -(-reached // max(1, s[G.TERMS] // columns))
    pieces, done = -(-columns // s[G.TERMS]), 0
    for part in range(parts):
        some, at = reached // parts + (part < reached % parts), 0
        for piece in range(pieces):
            terms = columns // pieces + (piece < columns % pieces)
            op = begin(out, kernel)
            put(out, some)
            put(out, 0)
            put(out, adds)
            put(out, terms)
            put(out, at if s[G.GATHERED] else 0)
            for unit in range(rows):
                put(out, (units[UNIT * unit + Unit.POSITION] + position) * s[G.POSITION])
            for n in range(done, done + some):
                put_row(s, axes, units, rows, n, moved, at, out)
            end(out, op)
            at += terms
            adds = 1
        done += some
    if not adds:
        op = begin(out, kernel)
        put(out, 0)
        put(out, 0)
        put(out, 0)
        put(out, 1)
        put(out, 0)
        for unit in range(rows):
            put(out, (units[UNIT * unit + Unit.POSITION] + position) * s[G.POSITION])
        end(out, op)


@native
def put_row(s: Ints, axes: Ints, units: Ints, rows: int, number: int, moved: int, at: int, out: Ints) -> None:
    """Of a row of cells: which it is in scratch, or where it lies; and where each unit reads what it meets."""
    count, which = s[G.AXES] - 1, 0
    row(axes, count, number)
    for n in range(count):
        axis = n * AXIS
        which = (
            which * (axes[axis + AxisWords.Q_END] - axes[axis + AxisWords.Q])
            + axes[axis + AxisWords.AT]
            - axes[axis + AxisWords.Q]
        )
    beside = further(axes, count, AxisWords.Y_STEP) + at * axes[count * AXIS + AxisWords.Y_STEP]
    put(out, which if s[G.GATHERED] else beside)
    put(out, 0)  # no mask
    reads = further(axes, count, AxisWords.ROW_STEP)
    for unit in range(rows):
        put(out, reads + units[UNIT * unit + Unit.READS] + moved + at * s[G.SOURCE_PIXEL])
