"""What minimal filtering does along an axis: tiles of results, phases, and the segments of their kernels."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from tconv.jit.kernels.banks import Bank, single
from tconv.jit.schedules.axes import LoopAxis, phase_taps


class Phase(NamedTuple):
    """The results of one phase of a stride, or of one residue of a dilation."""

    area: int  #: which points of x it reads
    slot: int  #: and from which tile on
    weights: int  #: which points of the weights it has
    segments: int  #: how many of them have a tap, from the first on


class FilteredAxis(NamedTuple):
    """An axis as filters F(outputs, taps), one for each phase and segment of the kernel.

    Result i of tile T of phase b stands at (T * outputs + i) * stride + b. For its tap j it reads the cell
    (T * outputs + i + j) * apart + first, where `first` is that of the area of the phase.

    Phases of unequal numbers of taps are filtered together, by a bank: to all others they are one phase of stride 1,
    whose tile has `outputs` results of each.
    """

    bank: Bank
    segments: int
    step: int  #: tiles from what one segment reads to what the next one does
    stride: int
    apart: int  #: cells from one that a filter reads to the next: the dilation
    areas: tuple[int, ...]  #: the cell that the first tile of each area reads first
    phases: tuple[Phase, ...]
    kernels: tuple[tuple[int, ...], ...]  #: for each set of weights the tap of each number, -1 for none

    @property
    def outputs(self) -> int:
        """Cells from what a tile reads to what the next one does."""
        return self.bank.outputs

    @property
    def points(self) -> int:
        """Points of a tile for a segment."""
        return self.bank.points

    @property
    def first(self) -> int:
        """The first cell that the first tile of any area reads."""
        return self.areas[0]

    @property
    def written(self) -> int:
        """Positions of a tile, of all phases."""
        return self.bank.results * self.stride

    def slots(self, tiles: int) -> int:
        """Tiles of x that so many tiles of results read."""
        return tiles + (self.segments - 1) * self.step + max(phase.slot for phase in self.phases)

    def cells(self, tiles: int) -> int:
        """Cells of x that so many tiles of results read."""
        reach = ((self.slots(tiles) - 1) * self.outputs + self.bank.cells - 1) * self.apart
        return reach + 1 + self.areas[-1] - self.areas[0]


@lru_cache(maxsize=4096)
def filtered(line: LoopAxis, outputs: int, taps: int) -> FilteredAxis:
    """An axis in tiles of so many results of each phase, by filters of so many taps at most.

    F(1, 1) leaves it as it is, with a segment for each tap.
    """
    alone = outputs == taps == 1
    line = line.sizeless
    if abs(line.dilation) > 1 and not alone:
        return _dilated(line, outputs, taps)
    phases = phase_taps(line)
    shifts = [sorted((shift, tap) for tap, shift in of_phase) for of_phase in phases]
    if taps > 1 and 0 < min(map(len, shifts)) < max(map(len, shifts)) <= taps:
        return _banked(shifts, outputs)
    spacing = max((b[0] - a[0] for of_phase in shifts for a, b in pairwise(of_phase)), default=1)
    segments = -(-max(map(len, shifts)) // taps)
    firsts = [of_phase[0][0] if of_phase else 0 for of_phase in shifts]
    lowest = min(firsts)
    residues = sorted({(first - lowest) % outputs for first in firsts})
    found = [
        Phase(
            residues.index((first - lowest) % outputs), (first - lowest) // outputs, b, max(1, -(-len(taken) // taps))
        )
        for b, (first, taken) in enumerate(zip(firsts, shifts, strict=True))
    ]
    kernels = [_filled([tap for _, tap in of_phase], segments * taps) for of_phase in shifts]
    step = spacing if alone else max(1, taps // outputs)
    areas = tuple(lowest + residue for residue in residues)
    return FilteredAxis(single(outputs, taps), segments, step, line.stride, 1, areas, tuple(found), tuple(kernels))


def _banked(shifts: list[list[tuple[int, int]]], outputs: int) -> FilteredAxis:
    """All phases together, each by a filter of its own taps."""
    lowest = min(of_phase[0][0] for of_phase in shifts)
    bank = Bank(outputs, tuple((of_phase[0][0] - lowest, len(of_phase)) for of_phase in shifts))
    kernel = tuple(tap for of_phase in shifts for _, tap in of_phase)
    return FilteredAxis(bank, 1, 1, 1, 1, (lowest,), (Phase(0, 0, 0, 1),), (kernel,))


def _dilated(line: LoopAxis, outputs: int, taps: int) -> FilteredAxis:
    """Positions of each residue of the dilation by themselves, which read cells as far apart."""
    [of_phase] = phase_taps(line)
    shifts, apart = sorted((shift, tap) for tap, shift in of_phase), abs(line.dilation)
    segments = -(-line.kernel // taps)
    first = shifts[0][0]
    phases = tuple(Phase(residue, 0, 0, segments) for residue in range(apart))
    areas = tuple(first + residue for residue in range(apart))
    kernel = _filled([tap for _, tap in shifts], segments * taps)
    step = max(1, taps // outputs)
    return FilteredAxis(single(outputs, taps), segments, step, apart, apart, areas, phases, (kernel,))


def _filled(taps: list[int], count: int) -> tuple[int, ...]:
    return (*taps, *[-1] * (count - len(taps)))


def in_tiles(line: LoopAxis, outputs: int, taps: int) -> LoopAxis:
    """The same axis, of which q are tiles."""
    axis = filtered(line, outputs, taps)
    return line._replace(stride=axis.written, read_stride=axis.outputs * axis.apart)
