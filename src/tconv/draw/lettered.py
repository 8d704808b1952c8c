"""Phases by letters and colours: fine cells that share o mod stride have the same ones."""

from __future__ import annotations

from math import prod

from tconv.draw.cells import Index, flat
from tconv.geometry import Geometry

#: Kinds of cells that are phases.
COLORS = 4


def residue(geometry: Geometry, fine: Index) -> Index:
    """The phase of a fine cell: o mod stride along each axis."""
    return tuple(o % axis.stride for o, axis in zip(fine, geometry.axes, strict=True))


def letter(geometry: Geometry, which: Index) -> str:
    """a, b, ..., z, aa, ab, ...: phases in their order, the last axis fastest."""
    number, name = _number(geometry, which) + 1, ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


def phase_kind(geometry: Geometry, which: Index) -> str:
    """The kind of its cells; where there are more phases than colours, letters tell them apart."""
    number, last = _number(geometry, which), _counts(geometry)[-1]
    # Strides of 4, 8, ... would give stripes: each row of phases begins one color further.
    return f"phase{(number + (number // last if last % COLORS == 0 else 0)) % COLORS}"


def taps(geometry: Geometry, which: Index) -> int:
    """How many taps reach the cells of a phase, the border apart."""
    return prod(len(axis.taps_of_phase(r)) for axis, r in zip(geometry.axes, which, strict=True))


def _counts(geometry: Geometry) -> tuple[int, ...]:
    """Phases along each axis; those beyond the fine size are left out."""
    return tuple(min(axis.stride, axis.fine) for axis in geometry.axes)


def _number(geometry: Geometry, which: Index) -> int:
    return flat(which, _counts(geometry))
