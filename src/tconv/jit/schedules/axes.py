"""An axis of a problem as the engine sees it: its cells, its positions, what its taps read, and their addresses.

The engine computes `conv_transpose` and `conv`. In its own words x is the array that is read and y the one that is
written, whichever of the two grids they lie on. The batch is an axis like the others, with one tap and stride 1, so
that images, planes and rows are cut into chunks alike. Position o that is written is q * stride + b - origin: b names
the phase, q counts along it, and tap t reads cell

    q * read_stride + shift,    shift = (b - origin + low - t * dilation) / stride,

for the taps that make it whole. Of `conv_transpose` the cells are `read_stride` 1: its phases are dense convolutions of
x. With origin 0 every phase has about the same range of q; with origin = low mod stride, at dilation 1, phase b has the
taps b, b + stride, ... and all phases have the same shifts.

`conv` is the same the other way round. It has one phase, whose q are a stride of cells apart, and taps that look ahead,
not back: `dilation` and `low` are negated. De-interleaved into strands, the cells m * read_stride + r for each r that a
tap reads, its x is dense as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T", covariant=True)


class LoopAxis(NamedTuple):
    """One axis."""

    read: int  #: cells of x
    written: int  #: positions of y
    kernel: int
    stride: int
    dilation: int
    low: int
    x_step: int  #: bytes from one cell that is read to the next
    y_step: int  #: bytes from one position that is written to the next
    y_pixel: int = 0  #: bytes from the phases of one q to those of the next, where not stride * y_step
    read_stride: int = 1  #: cells from what a tap reads for one q to what it reads for the next
    x_pixel: int = 0  #: bytes between them, where not read_stride * x_step

    @property
    def read_step(self) -> int:
        """Bytes of x from one q to the next."""
        return self.x_pixel or self.read_stride * self.x_step

    @property
    def pixel_step(self) -> int:
        """Bytes of y from one q to the next."""
        return self.y_pixel or self.stride * self.y_step

    @property
    def of_strand(self) -> int:
        """Cells of a strand, at most."""
        return -(-self.read // self.read_stride)

    @property
    def sizeless(self) -> LoopAxis:
        """What taps do along the axis, whatever its size."""
        return LoopAxis(0, 0, *self[2:6], 0, 0, read_stride=self.read_stride)

    @property
    def stays(self) -> bool:
        """Whether every position that is written reads the cell of its own number, and there are as many of both."""
        return self.kernel == self.stride == self.read_stride == 1 and self.low == 0 and self.read == self.written

    def first(self, b: int, origin: int = 0) -> int:
        """The first q of phase b."""
        return -((b - origin) // self.stride)

    def end(self, b: int, origin: int = 0) -> int:
        """The q behind the last of phase b."""
        return -((b - origin - self.written) // self.stride)

    def reads(self, shift: int) -> range:
        """The q for which a tap at this shift reads a cell of x; all before lie beside it, as do all behind."""
        return range(-(shift // self.read_stride), -((shift - self.read) // self.read_stride))

    def of_phase(self, b: int, span: range, origin: int = 0) -> range:
        """The q of phase b within a range of them."""
        return range(max(span.start, self.first(b, origin)), min(span.stop, self.end(b, origin)))

    def span(self, origin: int = 0) -> range:
        """The q of all phases together."""
        return range(origin // self.stride, (self.written - 1 + origin) // self.stride + 1)


class _OfWindow(Protocol[T]):
    def __call__(self, line: LoopAxis, origin: int = 0) -> T: ...


def _of_window(function: Callable[[LoopAxis, int], T]) -> _OfWindow[T]:
    """Kept by what taps do along an axis, whatever its size: the function is asked of one without a size."""

    @lru_cache(maxsize=4096)
    def kept(window: tuple[int, int, int, int], read_stride: int, origin: int) -> T:
        return function(LoopAxis(0, 0, *window, 0, 0, read_stride=read_stride), origin)

    @wraps(function)
    def asked(line: LoopAxis, origin: int = 0) -> T:
        return kept(line[2:6], line.read_stride, origin)  # kernel, stride, dilation, low

    return asked


@_of_window
def phase_taps(line: LoopAxis, origin: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each phase b its (tap, shift)."""
    of_phase: list[list[tuple[int, int]]] = [[] for _ in range(line.stride)]
    for tap in range(line.kernel):
        reached = tap * line.dilation - line.low + origin
        b = reached % line.stride
        of_phase[b].append((tap, (b - reached) // line.stride))
    return tuple(map(tuple, of_phase))


@_of_window
def shifts(line: LoopAxis, origin: int) -> range:
    """The least to the greatest shift of all phases."""
    found = [shift for taps in phase_taps(line, origin) for _, shift in taps]
    return range(min(found), max(found) + 1)


@_of_window
def by_shift(line: LoopAxis, origin: int) -> dict[int, dict[int, int]]:
    """For each shift, in ascending order, which tap it is of each phase that has one: shift -> phase -> tap."""
    found: dict[int, dict[int, int]] = {}
    for b, taps in enumerate(phase_taps(line, origin)):
        for tap, shift in taps:
            found.setdefault(shift, {})[b] = tap
    return dict(sorted(found.items()))


class Strand(NamedTuple):
    """The cells m * read_stride + residue of an axis, as its taps read them."""

    residue: int
    first: int  #: the least shift, in cells of the strand
    taps: tuple[tuple[int, dict[int, int]], ...]  #: (shift beyond the first, phase -> tap), ascending


@_of_window
def strands(line: LoopAxis, origin: int) -> tuple[Strand, ...]:
    """The strands of an axis that a tap reads, by residue, ascending."""
    found: dict[int, list[tuple[int, dict[int, int]]]] = {}
    for shift, tap_of in by_shift(line, origin).items():
        m, residue = divmod(shift, line.read_stride)
        found.setdefault(residue, []).append((m, tap_of))
    return tuple(
        Strand(residue, taps[0][0], tuple((m - taps[0][0], tap_of) for m, tap_of in taps))
        for residue, taps in sorted(found.items())
    )


@_of_window
def residues(line: LoopAxis, origin: int) -> tuple[int, ...]:
    """The residues, modulo `read_stride`, of the strands of an axis that a tap reads, ascending."""
    return tuple(strand.residue for strand in strands(line, origin))


@_of_window
def strand_shifts(line: LoopAxis, origin: int) -> range:
    """The least to the greatest shift of the taps of an axis, in cells of a strand."""
    reach = shifts(line, origin)
    return range(reach.start // line.read_stride, (reach.stop - 1) // line.read_stride + 1)


def meets(line: LoopAxis, q: range, origin: int = 0) -> tuple[int, ...]:
    """What a range of q has to do with the ends of the axis: ranges of which this is equal do the same, elsewhere.

    How many q there are; how far what they read lies beside x, at both ends; and whether some phase lacks the first or
    the last of them.
    """
    reach, whole = strand_shifts(line, origin), line.span(origin)
    low = (q.start + min(0, reach.start)) * line.read_stride
    high = (q.stop - 1 + max(1, reach.stop)) * line.read_stride - line.read
    first = q.start == whole.start and origin % line.stride > 0
    last = q.stop == whole.stop and (origin + line.written) % line.stride > 0
    return len(q), min(0, low), max(0, high), first, last


@lru_cache(maxsize=4096)
def inside(line: LoopAxis, origin: int = 0) -> bool:
    """Whether every tap of every position reads a cell that exists: no zeros are needed around x."""
    return all(
        line.first(b, origin) * line.read_stride + shift >= 0
        and (line.end(b, origin) - 1) * line.read_stride + shift < line.read
        for b, taps in enumerate(phase_taps(line, origin))
        for _, shift in taps
        if line.first(b, origin) < line.end(b, origin)
    )
