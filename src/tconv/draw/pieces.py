"""Phases by their numbers, as pictures name them, each known without the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from tconv.draw.cells import Index, flat, unflat
from tconv.explain import phase_count
from tconv.geometry import Geometry
from tconv.phases import AxisPhase, Phase, axis_phase


def letter(phase: int) -> str:
    """a to z, then aa, ab, ... as columns of a spreadsheet."""
    name = ""
    phase += 1
    while phase:
        phase, digit = divmod(phase - 1, 26)
        name = chr(ord("a") + digit) + name
    return name


@dataclass(frozen=True)
class Piece:
    """A phase of a geometry by its number, and what of it is drawn."""

    geometry: Geometry
    number: int

    @cached_property
    def phase(self) -> Phase:
        """What it is."""
        residues = unflat(self.number, phase_shape(self.geometry))
        return Phase(tuple(map(axis_phase, self.geometry.axes, residues)))

    @property
    def looked_at(self) -> Index:
        """The fine cell of the phase in the middle of the grid."""
        along = zip(self.phase.axes, self.geometry.stride, strict=True)
        return tuple(axis.residue + (axis.count - 1) // 2 * s for axis, s in along)

    @property
    def multiplications(self) -> int:
        """Products of its taps that land inside the fine grid."""
        along = zip(self.geometry.axes, self.phase.axes, strict=True)
        return prod(sum(len(axis.pairs_of_tap(tap)) for tap in phase.taps) for axis, phase in along)

    def last_two(self) -> tuple[AxisPhase | None, AxisPhase]:
        """Of the rows, None where there is one axis only, and of the columns."""
        axes = self.phase.axes
        return (axes[-2] if len(axes) > 1 else None), axes[-1]


def phase_shape(geometry: Geometry) -> tuple[int, ...]:
    """How many phases there are along each axis."""
    return tuple(phase_count(Geometry((axis,))) for axis in geometry.axes)


def phase_at(geometry: Geometry, fine: Index) -> int | None:
    """The number of the phase of a fine position, which may lie beside the grid; None where the grid has none of it."""
    residues = tuple(o % s for o, s in zip(fine, geometry.stride, strict=True))
    shape = phase_shape(geometry)
    return flat(residues, shape) if all(r < n for r, n in zip(residues, shape, strict=True)) else None
