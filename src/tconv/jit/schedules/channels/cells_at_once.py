"""Depthwise layers whose kernel makes all phases of a cell at a time (`kernels/at_once.py`): which q, how many, how."""

from __future__ import annotations

from math import gcd

from tconv.jit.kernels.at_once import AtOnce, Feeds
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import LoopAxis, by_shift, phase_taps

#: Of a first-level cache: bytes after which addresses fall into the same set again, and lines of a set.
SET, WAYS = 4096, 8


def inner(line: LoopAxis) -> range:
    """The q of an axis that every phase has, and all of whose taps read x."""
    reads = [line.reads(shift) for taps in phase_taps(line) for _, shift in taps]
    start = max([line.first(b) for b in range(line.stride)] + [q.start for q in reads])
    stop = min([line.end(b) for b in range(line.stride)] + [q.stop for q in reads])
    return range(start, max(start, stop))


def together(before: LoopAxis, last: LoopAxis) -> int:
    """The q of an op, at most, given the last two axes.

    Neighbouring vectors of channels share lines, and the next op reads most of these rows again: what one vector of all
    q reads and writes has to stay in the first-level cache. Where cells are a multiple of a large power of two apart,
    it falls into few sets: of 256 channels of float32 into four. 56x56 cells of 64 channels take 1.2 times as long
    without this limit where x lies across lines, 64x64 of 256 channels 1.35 times.
    """
    lines = len(by_shift(before)) * last.read_stride + before.stride * last.stride
    sets = min(SET // LINE, SET // gcd(SET, last.x_step))
    return max(1, WAYS * sets // lines)


def sources(before: LoopAxis, last: LoopAxis) -> tuple[Feeds, ...]:
    """Which taps each row of x and each cell of it meets, given the last two axes."""
    return tuple(
        tuple(
            (shift, tuple((a, b, row * last.kernel + tap) for a, row in rows.items() for b, tap in columns.items()))
            for shift, columns in by_shift(last).items()
        )
        for rows in by_shift(before).values()
    )


def kernel(
    before: LoopAxis, last: LoopAxis, vectors: tuple[str, int, tuple[int, ...]], *, carries: bool, streaming: bool
) -> AtOnce:
    """The kernel, given the last two axes, and of its vectors the element, the lanes and where each begins."""
    phases = before.stride, last.stride
    return AtOnce(
        *vectors, last.x_step, last.y_step, phases, sources(before, last), last.read_stride, carries, streaming
    )
