"""A geometry as dense, stride-1 pieces.

Fine positions that share o mod stride form a phase. The taps that reach them are spaced evenly, and through tap t the
position o = m * stride + r reads coarse cell m + shift, where

    shift = (r + low - t * dilation) / stride

So each phase is a dense convolution at stride 1. Phases whose shifts are equal read the same coarse cells and can be
computed by one matrix product: they form a block. For kernel 4, stride 2, padding 1 there are two phases an axis,

    o even: taps 1, 3 at shifts 0, -1        o odd: taps 0, 2 at shifts 1, 0

and for kernel 2, stride 2 both phases read shift 0 only, which makes one block of the two.
Signal processing says polyphase component, inference runtimes say sub-convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import gcd, prod

from tconv import checks
from tconv.axis import Axis
from tconv.geometry import Geometry, check_geometry


@dataclass(frozen=True, slots=True)
class AxisPhase:
    """One phase of one axis: fine positions residue, residue + stride, ..., `count` of them."""

    residue: int
    count: int
    taps: range  #: the taps that reach it, ascending; empty where no tap does
    shifts: range  #: for each tap, which coarse cell it reads, counted from m; descending

    def __str__(self) -> str:
        if not self.taps:
            return f"residue {self.residue}: no tap"
        return f"residue {self.residue}: taps {_listed(self.taps)} at shifts {_listed(self.shifts)}"


@dataclass(frozen=True, slots=True)
class AxisBlock:
    """Phases of one axis that have equal shifts and equally many positions, so that they are computed together.

    Residues and taps are evenly spaced, so that a block of the weights or of the fine grid is a strided view: residue
    number i is reached by tap first_tap + i * tap_per_residue + j * tap_per_shift through shift number j.
    """

    count: int
    shifts: range
    residues: range
    first_tap: int
    tap_per_residue: int
    tap_per_shift: int

    def taps(self, which: int) -> range:
        """The taps of residue number `which`, one a shift."""
        first = self.first_tap + which * self.tap_per_residue
        return range(first, first + checks.length(self.shifts) * self.tap_per_shift, self.tap_per_shift)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a geometry: an `AxisPhase` for each axis."""

    axes: tuple[AxisPhase, ...]

    @property
    def residue(self) -> tuple[int, ...]:
        """What o mod stride is for the fine positions of the phase, along each axis."""
        return tuple(axis.residue for axis in self.axes)

    @property
    def count(self) -> tuple[int, ...]:
        """How many fine positions it has along each axis."""
        return tuple(axis.count for axis in self.axes)

    @property
    def taps(self) -> int:
        """How many taps reach its positions, the border apart."""
        return prod(checks.length(axis.taps) for axis in self.axes)

    def __str__(self) -> str:
        return " x ".join(f"({axis})" if len(self.axes) > 1 else str(axis) for axis in self.axes)


def axis_phases(axis: Axis) -> tuple[AxisPhase, ...]:
    """The phases of one axis in the order of their residues; those beyond the fine size are left out."""
    return tuple(axis_phase(axis, residue) for residue in range(min(axis.stride, axis.fine)))


def axis_phase(axis: Axis, residue: int) -> AxisPhase:
    """The phase of one axis whose positions have that residue, known without the others."""
    s, d = axis.stride, axis.dilation
    taps = axis._taps_of_phase(residue)
    first, step = (residue + axis.padding[0] - taps.start * d) // s, d // gcd(s, d)
    shifts = range(first, first - checks.length(taps) * step, -step)
    return AxisPhase(residue, -(-(axis.fine - residue) // s), taps, shifts)


@lru_cache(maxsize=1024)
def axis_blocks(axis: Axis) -> tuple[AxisBlock, ...]:
    """The phases of one axis that some tap reaches, gathered into blocks."""
    reached = {(tap * axis.dilation - axis.padding[0]) % axis.stride for tap in range(axis.kernel)}
    alike: dict[tuple[range, int], list[AxisPhase]] = {}
    for phase in (axis_phase(axis, residue) for residue in sorted(reached) if residue < axis.fine):
        alike.setdefault((phase.shifts, phase.count), []).append(phase)
    tap_per_shift = axis.stride // gcd(axis.stride, axis.dilation)
    runs = (run for group in alike.values() for run in _evenly_spaced(group))
    return tuple(_block(run, axis.dilation, tap_per_shift) for run in runs)


def _block(run: list[AxisPhase], dilation: int, tap_per_shift: int) -> AxisBlock:
    first, last = run[0], run[-1]
    apart = (last.residue - first.residue) // max(1, len(run) - 1) or 1
    residues = range(first.residue, last.residue + 1, apart)
    # Equal shifts: dilation times the step from tap to tap is the step from residue to residue.
    return AxisBlock(first.count, first.shifts, residues, first.taps.start, apart // dilation, tap_per_shift)


def _evenly_spaced(group: list[AxisPhase]) -> Iterator[list[AxisPhase]]:
    """Cut a group where the step from one residue to the next changes."""
    run = group[:1]
    for phase in group[1:]:
        if len(run) > 1 and phase.residue - run[-1].residue != run[1].residue - run[0].residue:
            yield run
            run = []
        run.append(phase)
    yield run


def phases(geometry: Geometry) -> tuple[Phase, ...]:
    """The phases of a geometry, as many as the product of its strides (fewer where a fine size is below its stride).

    >>> import tconv
    >>> for phase in tconv.phases(tconv.Geometry.conv_transpose(32, 4, stride=2, padding=1)):
    ...     print(phase)
    residue 0: taps 1, 3 at shifts 0, -1
    residue 1: taps 0, 2 at shifts 1, 0
    """
    with checks.explained("phases"):
        check_geometry(geometry)
    return tuple(Phase(combination) for combination in product(*map(axis_phases, geometry.axes)))


def blocks(geometry: Geometry) -> Iterator[tuple[AxisBlock, ...]]:
    """The blocks of a geometry, an `AxisBlock` an axis; fine positions outside all of them are reached by no tap."""
    return product(*map(axis_blocks, geometry.axes))


def _listed(values: range) -> str:
    return ", ".join(map(str, values))
