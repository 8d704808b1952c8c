"""What a tile with pixels in lanes reads: rows of x through the taps that meet it, and which cells exist."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import put
from tconv.jit.programs.loops.rows import combination, list_taps, list_taps_of, tap_reads
from tconv.jit.programs.loops.words import AXIS, MET, AxisWords, Met
from tconv.jit.schedules.pixels.loops.words import S


@native
def column_reads(s: Ints, axes: Ints, lists: Ints, strand: int) -> int:
    """Where a strand of a row begins for the first q of the last axis."""
    first = lists[s[S.STRANDS_AT] + 3 * strand + 1]
    if s[S.IN_PLACE]:
        return first * axes[(s[S.AXES] - 1) * AXIS + AxisWords.X_STEP]
    return strand * s[S.PANEL_STRAND] + s[S.SIZE] * (s[S.BEFORE] + first)


@native
def along_reads(axis: Ints, shift: int, low: int, high: int) -> int:
    """Whether a shift of the axis before the last reads x for any q from low to high."""
    q = max(low, -(shift // axis[AxisWords.READ_STRIDE]))
    return q <= high and q * axis[AxisWords.READ_STRIDE] + shift < axis[AxisWords.READ]


@native
def put_row(s: Ints, lines: Ints, reads: int, number: int, out: Ints) -> None:
    """The words of a row of x, or of its parts, each of some input channels; and which line of x to ask for."""
    first, parts = 0, s[S.PARTS]
    for part in range(parts):
        channels = s[S.READ] // parts + (part < s[S.READ] % parts)
        put(out, reads + first * s[S.SOURCE_CHANNEL])
        put(out, number)
        put(out, first)
        put(out, channels)
        ahead = 0 if s[S.CHANNELS_LAST] else first * s[S.X_CHANNEL]
        put(out, ahead + (lines[1 + min(s[S.ASKED], s[S.LINES] - 1)] if s[S.LINES] else 0))
        s[S.ASKED] += 1
        first += channels


@native
def put_rows(
    s: Ints,
    axes: Ints,
    lists: Ints,
    lines: Ints,
    met: Ints,
    combinations: int,
    low: int,
    high: int,
    moved: int,
    out: Ints,
) -> None:
    """How many rows of x a tile reads for each stage, and their words.

    Along the axis before the last it has the q from low to high.
    """
    outer, before = s[S.AXES] - 1, (s[S.AXES] - 2) * AXIS
    if s[S.ROWS] == 1:
        for stage in range(s[S.STAGES]):
            strands = 0
            for strand in range(s[S.STRANDS]):
                strands += lists[s[S.STRANDS_AT] + 3 * strand + 2] == stage
            put(out, combinations * strands * s[S.PARTS])
        for stage in range(s[S.STAGES]):
            for number in range(combinations):
                combination(axes, outer, met, number)
                for strand in range(s[S.STRANDS]):
                    if lists[s[S.STRANDS_AT] + 3 * strand + 2] == stage:
                        reads = met[Met.READS] + column_reads(s, axes, lists, strand) + moved
                        put_row(s, lines, reads, met[Met.TAP] * s[S.STRANDS] + strand, out)
        return
    for stage in range(s[S.STAGES]):
        at, rows = lists[s[S.STAGES_AT] + stage], 0
        for n in range(lists[at]):
            rows += along_reads(axes[before:], lists[at + 1 + n], low, high)
        put(out, combinations * rows * s[S.PARTS])
    for_stage = 0
    for stage in range(s[S.STAGES]):
        at = lists[s[S.STAGES_AT] + stage]
        for number in range(combinations):
            combination(axes, outer - 1, met, number)
            for n in range(lists[at]):
                shift = lists[at + 1 + n]
                if along_reads(axes[before:], shift, low, high):
                    reads = (
                        met[Met.READS]
                        + tap_reads(axes[before:], shift, 0, s[S.IN_PLACE])
                        + column_reads(s, axes, lists, 0)
                        + moved
                    )
                    put_row(s, lines, reads, met[Met.TAP] * s[S.PER_OUTER] + for_stage + n, out)
        for_stage += lists[at]


@native
def put_cells(s: Ints, axes: Ints, column: int, rows: int, lists: Ints, out: Ints) -> None:
    """In place: the cells that a chunk reads of the rows that a tile spans, counted from that of the first lane.

    No others are read: lanes behind its last column may lie beside x in some of the chunks that share its ops.
    """
    last = (s[S.AXES] - 1) * AXIS
    q, q_end, read = axes[last + AxisWords.Q], axes[last + AxisWords.Q_END], axes[last + AxisWords.READ]
    reach = axes[last + AxisWords.FIRST_STRAND_SHIFT]
    first = q + column + lists[s[S.STRANDS_AT] + 1]
    high = min(read, q_end - 1 + max(1, reach + axes[last + AxisWords.STRAND_SHIFTS]))
    put(out, max(0, q + min(0, reach)) - first)
    put(out, (rows - 1) * read + high - first)


@native
def list_taps_of_rows(s: Ints, axes: Ints, lists: Ints, met: Ints, low: int, high: int) -> int:
    """Like `list_taps`; of the axis before the last the taps that read x for any q from low to high."""
    before, at = (s[S.AXES] - 2) * AXIS, Met.FIRST
    total = list_taps(axes, s[S.AXES] - 2, lists, met, s[S.IN_PLACE], 0)
    if s[S.ROWS] > 1:
        return total
    for n in range(s[S.AXES] - 2):
        at += MET * axes[n * AXIS + AxisWords.MET]
    list_taps_of(axes[before:], lists, met, at, 0, s[S.IN_PLACE], 1)
    found = 0
    for number in range(axes[before + AxisWords.MET]):
        entry = at + MET * number
        if along_reads(axes[before:], met[entry + Met.SHIFT], low, high):
            for word in range(MET):
                met[at + MET * found + word] = met[entry + word]
            found += 1
    axes[before + AxisWords.MET] = found
    return total * found
