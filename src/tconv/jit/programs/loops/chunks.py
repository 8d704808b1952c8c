"""Chunks: which are alike, where each lies, and what is written for them."""

from __future__ import annotations

from tconv.jit.kernels.abi import Piece
from tconv.jit.machine.native.language import Ints, inlined, native
from tconv.jit.programs.loops.words import AXIS, PIECE, AxisWords, Out

# ---- what is written


@inlined
def put(out: Ints, word: int) -> None:
    """Append a word; where there is no room for it, it counts all the same, so that room can be made."""
    at = out[Out.USED]
    if at < out[Out.ROOM]:
        out[Out.FIRST + at] = word
    out[Out.USED] = at + 1


@native
def begin(out: Ints, kernel: int) -> int:
    """Begin an op; returns its number of words, for `end`."""
    start = out[Out.USED]
    put(out, kernel)
    put(out, 0)
    return start


@native
def end(out: Ints, start: int) -> None:
    """End an op: its length is known."""
    if start + 1 < out[Out.ROOM]:
        out[Out.FIRST + start + 1] = 8 * (out[Out.USED] - start)


# ---- chunks


@native
def part_start(axis: Ints, part: int) -> int:
    """The first q of a part of an axis: parts differ by at most 1, the larger first."""
    size = (axis[AxisWords.STOP] - axis[AxisWords.START]) // axis[AxisWords.PARTS]
    larger = (axis[AxisWords.STOP] - axis[AxisWords.START]) % axis[AxisWords.PARTS]
    return axis[AxisWords.START] + part * size + min(part, larger)


@native
def beside_low(axis: Ints, part: int) -> int:
    """How far what a part reads lies before x."""
    return min(0, (part_start(axis, part) + min(0, axis[AxisWords.FIRST_STRAND_SHIFT])) * axis[AxisWords.READ_STRIDE])


@native
def beside_high(axis: Ints, part: int) -> int:
    """How far what a part reads lies behind x."""
    last = part_start(axis, part + 1) - 1 + max(1, axis[AxisWords.FIRST_STRAND_SHIFT] + axis[AxisWords.STRAND_SHIFTS])
    return max(0, last * axis[AxisWords.READ_STRIDE] - axis[AxisWords.READ])


@native
def alike(axis: Ints, a: int, b: int) -> int:
    """Whether two parts have to do with the ends of the axis in the same way (see `axes.meets`)."""
    if part_start(axis, a + 1) - part_start(axis, a) != part_start(axis, b + 1) - part_start(axis, b):
        return 0
    if beside_low(axis, a) != beside_low(axis, b) or beside_high(axis, a) != beside_high(axis, b):
        return 0
    if axis[AxisWords.ORIGIN] % axis[AxisWords.STRIDE] > 0 and (a == 0) != (b == 0):
        return 0
    last = axis[AxisWords.PARTS] - 1
    if (axis[AxisWords.ORIGIN] + axis[AxisWords.WRITTEN]) % axis[AxisWords.STRIDE] > 0 and (a == last) != (b == last):
        return 0
    return 1


@native
def classify(axes: Ints, count: int, classes: Ints) -> None:
    """For each part of each axis the first that is alike, and those."""
    at = 0
    for n in range(count):
        axis = n * AXIS
        parts = axes[axis + AxisWords.PARTS]
        axes[axis + AxisWords.CLASS_AT] = at
        found = 0
        for part in range(parts):
            first = part
            for number in range(found):
                other = classes[at + parts + number]
                if alike(axes[axis:], other, part):
                    first = other
                    break
            if first == part:
                classes[at + parts + found] = part
                found += 1
            classes[at + part] = first
        axes[axis + AxisWords.CLASSES] = found
        axes[axis + AxisWords.CLASS] = 0
        at += 2 * parts


@native
def select(axes: Ints, count: int, classes: Ints) -> int:
    """The chunk of the classes at hand: its cache block; returns its number."""
    number = 0
    for n in range(count):
        axis = n * AXIS
        parts = axes[axis + AxisWords.PARTS]
        part = classes[axes[axis + AxisWords.CLASS_AT] + parts + axes[axis + AxisWords.CLASS]]
        axes[axis + AxisWords.Q] = part_start(axes[axis:], part)
        axes[axis + AxisWords.Q_END] = part_start(axes[axis:], part + 1)
        number = number * parts + part
    return number


@native
def select_later(axes: Ints, count: int, number: int) -> int:
    """The cache block of the chunk of a number; whether there is one."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        parts = axes[axis + AxisWords.PARTS]
        axes[axis + AxisWords.LATER] = part_start(axes[axis:], number % parts)
        axes[axis + AxisWords.LATER_END] = part_start(axes[axis:], number % parts + 1)
        number = number // parts
    return number == 0


@native
def stay(axes: Ints, count: int) -> None:
    """The later chunk is the one at hand, of another group."""
    for n in range(count):
        axes[n * AXIS + AxisWords.LATER] = axes[n * AXIS + AxisWords.Q]
        axes[n * AXIS + AxisWords.LATER_END] = axes[n * AXIS + AxisWords.Q_END]


@native
def advance(axes: Ints, count: int) -> int:
    """Go on to the next classes, the last axis innermost; whether there are any."""
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        axes[axis + AxisWords.CLASS] += 1
        if axes[axis + AxisWords.CLASS] < axes[axis + AxisWords.CLASSES]:
            return 1
        axes[axis + AxisWords.CLASS] = 0
    return 0


@native
def locate(axes: Ints, count: int, classes: Ints, number: int) -> int:
    """Let AT be where the chunk of a number begins; returns the number of the first that is alike."""
    first, scale = 0, 1
    for reverse in range(count):
        axis = (count - 1 - reverse) * AXIS
        parts = axes[axis + AxisWords.PARTS]
        axes[axis + AxisWords.AT] = part_start(axes[axis:], number % parts)
        first += classes[axes[axis + AxisWords.CLASS_AT] + number % parts] * scale
        scale *= parts
        number = number // parts
    return first


@native
def offset(axes: Ints, count: int, step: int) -> int:
    """Bytes to AT, given which word of an axis says how many lie from a q to the next."""
    found = 0
    for n in range(count):
        found += axes[n * AXIS + AxisWords.AT] * axes[n * AXIS + step]
    return found


@native
def share(chunks: Ints, first: int, number: int) -> None:
    """Let a chunk have the copies and ops of another."""
    for word in range(Piece.COPIES, PIECE):
        chunks[number * PIECE + word] = chunks[first * PIECE + word]


@native
def spread(axes: Ints, count: int, classes: Ints, chunks: Ints) -> int:
    """Every chunk: where it begins, and what the first that is alike has; returns how many have something to compute.

    Those come first, in their order.
    """
    total, kept, origin = (
        1,
        0,
        axes[(count - 1) * AXIS + AxisWords.ORIGIN] * axes[(count - 1) * AXIS + AxisWords.Y_STEP],
    )
    for n in range(count):
        total *= axes[n * AXIS + AxisWords.PARTS]
    for number in range(total):
        # The first that is alike lies before, or is this one.
        share(chunks, locate(axes, count, classes, number), number)
        chunks[number * PIECE + Piece.X] = offset(axes, count, AxisWords.READ_STEP)
        chunks[number * PIECE + Piece.Y] = offset(axes, count, AxisWords.PIXEL_STEP) - origin
    for number in range(total):
        if chunks[number * PIECE + Piece.OPS_END] > chunks[number * PIECE + Piece.OPS]:
            for word in range(PIECE):
                chunks[kept * PIECE + word] = chunks[number * PIECE + word]
            kept += 1
    return kept
