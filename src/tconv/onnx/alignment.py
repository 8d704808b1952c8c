"""One axis of a transposed convolution as stride-1 convolutions whose results interleave, whatever its size is.

Fine position o is number o mod stride of cell o div stride: a convolution with `stride` results a cell computes all of
them, and interleaving puts them in their places. Which taps are in it depends on where counting begins. Beginning a
`lead` of positions before the first can make kernels shorter, or paddings non-negative, as ONNX wants them; these are
cropped afterwards, and so is a `tail`. Nothing here depends on how many coarse cells there are, so that what is decided
for one size holds for all: paddings, lead and tail are numbers of cells at the ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from typing import Literal, TypeAlias

from tconv.axis import Axis
from tconv.phases import AxisPhase, axis_phases

#: Which residues are computed by one convolution: all, each by its own, or neighbours that read the same cells.
Partition: TypeAlias = Literal["all", "each", "equal"]

#: Up to this stride every lead below a stride is looked at; beyond it the two that matter for dense kernels are.
EVERY_LEAD = 32


@dataclass(frozen=True, slots=True)
class ResiduePiece:
    """Neighbouring residues of one axis, computed by one convolution at stride 1; without taps they are zero."""

    residues: range
    taps: tuple[tuple[int | None, ...], ...]  #: for each residue the tap at each place of the kernel, None for a zero
    dilation: int
    padding: tuple[int, int]

    @property
    def kernel(self) -> int:
        """Places of the kernel; 0 where no tap reaches these residues."""
        return len(self.taps[0])


@dataclass(frozen=True, slots=True)
class Alignment:
    """An axis as pieces: their results have coarse + extra cells, and, interleaved, lead and tail cells too many."""

    pieces: tuple[ResiduePiece, ...]
    stride: int
    extra: int
    lead: int
    tail: int

    @property
    def cost(self) -> int:
        """Multiplications for each cell, a channel pair and the other axes apart."""
        return sum(len(piece.residues) * piece.kernel for piece in self.pieces)


@lru_cache(maxsize=1024)
def align(axis: Axis, partition: Partition) -> Alignment:
    """The alignment with the fewest multiplications, and of these the one that crops least."""
    found = [_aligned(axis, lead, partition) for lead in _leads(axis)]
    return min(found, key=lambda one: (one.cost, one.lead + one.tail, one.lead))


def _leads(axis: Axis) -> Iterator[int]:
    """Leads below a stride: all of them, or the one that crops nothing and that of the uncropped result."""
    if axis.stride <= EVERY_LEAD:
        yield from range(axis.stride)
    else:
        yield from {0, axis.padding[0] % axis.stride}


def _aligned(axis: Axis, lead: int, partition: Partition) -> Alignment:
    """The pieces for this lead, or the next one a whole number of strides on whose paddings are not negative."""
    phases = _from(axis, lead)
    first = [phase.shifts[-1] for phase in phases if phase.taps]
    later = max(0, *first)  # cells that a convolution would have to skip; each stride of lead brings one of them back
    lead += later * axis.stride
    cells = -(-(lead + axis.fine) // axis.stride)
    spans = [_span(group, later) for group in _groups(phases, partition)]
    extra = max([cells - axis.coarse, *(-shifts[-1] for _, shifts in spans if shifts)])
    tail = (axis.coarse + extra) * axis.stride - lead - axis.fine
    pieces = tuple(_piece(group, shifts, later, extra) for group, shifts in spans)
    return Alignment(pieces, axis.stride, extra, lead, tail)


def _from(axis: Axis, lead: int) -> tuple[AxisPhase, ...]:
    """The phases of the axis when fine positions are counted from `lead` before the first; all of them exist."""
    low = axis.padding[0] - lead
    cells = -(-(lead + axis.fine) // axis.stride)
    full = (axis.coarse - 1) * axis.stride + axis.effective_kernel
    return axis_phases(replace(axis, padding=(low, full - low - cells * axis.stride), output_padding=0))


def _groups(phases: tuple[AxisPhase, ...], partition: Partition) -> list[list[AxisPhase]]:
    if partition == "all":
        return [list(phases)]
    groups: list[list[AxisPhase]] = []
    for phase in phases:
        if partition == "equal" and groups and groups[-1][-1].shifts == phase.shifts:
            groups[-1].append(phase)
        else:
            groups.append([phase])
    return groups


def _span(group: list[AxisPhase], later: int) -> tuple[list[AxisPhase], range]:
    """The group, and the evenly spaced shifts, ascending, that hold those of all its phases."""
    shifts = sorted({shift - later for phase in group for shift in phase.shifts})
    if not shifts:
        return group, range(0)
    step = gcd(*(shift - shifts[0] for shift in shifts)) or 1
    return group, range(shifts[0], shifts[-1] + 1, step)


def _piece(group: list[AxisPhase], shifts: range, later: int, extra: int) -> ResiduePiece:
    residues = range(group[0].residue, group[-1].residue + 1)
    places = [dict(zip(phase.shifts, phase.taps, strict=True)) for phase in group]
    taps = tuple(tuple(place.get(shift + later) for shift in shifts) for place in places)
    padding = (-shifts[0], extra + shifts[-1]) if shifts else (0, 0)
    return ResiduePiece(residues, taps, shifts.step, padding)
