"""Products of points and weights: for each point a product of matrices over the input channels."""

from __future__ import annotations

from tconv.jit.machine.native.language import Ints, native
from tconv.jit.programs.loops.chunks import begin, end, put
from tconv.jit.programs.loops.words import AXIS, Out
from tconv.jit.schedules.winograd.loops.inputs import tiles_of
from tconv.jit.schedules.winograd.loops.words import FILTERED, PHASE, A, W


@native
def rows_of_tiles(s: Ints, axes: Ints) -> int:
    """Rows of tiles that a chunk has."""
    total = 1
    for n in range(s[W.AXES] - 1):
        total *= tiles_of(axes[n * AXIS :])
    return total


@native
def products(
    s: Ints, axes: Ints, filters: Ints, lists: Ints, shapes: Ints, chosen: Ints, segments: Ints, out: Ints
) -> None:  # fmt: skip
    """Those of the phases at hand: one point after the other, all rows of tiles for each, so that weights stay near."""
    rows, area, weights, start = rows_of_tiles(s, axes), 0, 0, s[W.POINTS_AT]
    for n in range(s[W.AXES]):
        of_axis = n * FILTERED
        phase = filters[of_axis + A.PHASES_AT] + PHASE * filters[of_axis + A.PHASE]
        area = area * filters[of_axis + A.AREAS] + lists[phase]
        start += lists[phase + 1] * filters[of_axis + A.SLOT]
        weights = weights * filters[of_axis + A.SETS] + lists[phase + 2]
    for number in range(rows):
        chosen[number] = start + area * s[W.AREA] + slot_of_row(s, axes, filters, number)
    count = list_segments(s, filters, lists, segments)
    for n in range(s[W.AXES]):
        weights *= filters[n * FILTERED + A.SEGMENTS]
    weights *= s[W.POINTS]
    whole = rows // s[W.ROWS] * s[W.ROWS]
    for point in range(s[W.POINTS]):
        for at in range(0, whole, s[W.ROWS]):
            tiles(s, axes, shapes, chosen, segments, count, weights, point, at, s[W.ROWS], rows, out)
        for at in range(whole, rows):
            tiles(s, axes, shapes, chosen, segments, count, weights, point, at, 1, rows, out)


@native
def slot_of_row(s: Ints, axes: Ints, filters: Ints, number: int) -> int:
    """Where the points of a row of tiles begin."""
    found = 0
    for reverse in range(s[W.AXES] - 1):
        n = s[W.AXES] - 2 - reverse
        tiles_along = tiles_of(axes[n * AXIS :])
        found += (number % tiles_along) * filters[n * FILTERED + A.SLOT]
        number = number // tiles_along
    return found


@native
def list_segments(s: Ints, filters: Ints, lists: Ints, segments: Ints) -> int:
    """The number of each segment that has a tap in the phases at hand, and how much further it reads; how many."""
    total = 1
    for n in range(s[W.AXES]):
        total *= segments_of(filters[n * FILTERED :], lists)
    for number in range(total):
        reads, place, scale, rest = 0, 0, 1, number
        for reverse in range(s[W.AXES]):
            of_axis = (s[W.AXES] - 1 - reverse) * FILTERED
            segment = rest % segments_of(filters[of_axis:], lists)
            rest = rest // segments_of(filters[of_axis:], lists)
            reads += segment * filters[of_axis + A.STEP] * filters[of_axis + A.SLOT]
            place += segment * scale
            scale *= filters[of_axis + A.SEGMENTS]
        segments[2 * number], segments[2 * number + 1] = place, reads
    return total


@native
def segments_of(filter: Ints, lists: Ints) -> int:
    """Segments of the phase at hand that have a tap."""
    return lists[filter[A.PHASES_AT] + PHASE * filter[A.PHASE] + 3]


@native
def tiles(
    s: Ints, axes: Ints, shapes: Ints, chosen: Ints, segments: Ints, count: int, weights: int, point: int, row: int,
    some: int, rows: int, out: Ints,
) -> None:  # fmt: skip
    """The products of one point for some rows of tiles, from `row` on."""
    columns = tiles_of(axes[(s[W.AXES] - 1) * AXIS :])
    parts, at = -(-columns // s[W.PIXELS]), 0
    for part in range(parts):
        pixels = columns // parts + (part < columns % parts)
        shape = 0
        while shape < s[W.SHAPES] and (shapes[2 * shape] != some or shapes[2 * shape + 1] != pixels):
            shape += 1
        if shape == s[W.SHAPES]:
            out[Out.WRONG] = 1
        target = ((point * rows + row) * columns + at) * s[W.POSITION]
        sums(s, chosen[row:], segments, count, weights, point, shape * s[W.VARIANTS], at, some, target, columns, out)
        at += pixels


@native
def sums(
    s: Ints, chosen: Ints, segments: Ints, count: int, weights: int, point: int, kernel: int, at: int, some: int,
    target: int, columns: int, out: Ints,
) -> None:  # fmt: skip
    """The ops of one tile of products: sums of so many terms each."""
    together = min(count, max(1, s[W.TERMS] // s[W.READ]))
    pieces = -(-s[W.READ] // s[W.TERMS]) if together == 1 else 1
    adds = 0
    for first in range(0, count, together):
        number, channel = min(together, count - first), 0
        for piece in range(pieces):
            terms = s[W.READ] // pieces + (piece < s[W.READ] % pieces)
            op = begin(out, kernel)
            put(out, number)
            put(out, 0)
            put(out, adds)
            put(out, terms)
            put(out, channel)
            for row in range(some):
                put(out, target + row * columns * s[W.POSITION])
            for segment in range(first, first + number):
                put(out, weights + segments[2 * segment] * s[W.POINTS] + point)
                put(out, 0)
                reads = (
                    segments[2 * segment + 1]
                    + point * s[W.POINT]
                    + at * s[W.SOURCE_PIXEL]
                    + channel * s[W.SOURCE_CHANNEL]
                )
                for row in range(some):
                    put(out, chosen[row] + reads)
            end(out, op)
            channel += terms
            adds = 1
