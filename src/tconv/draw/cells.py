"""What views share: two axes of a geometry and a slice of the others, small numbers, and the part of a grid that fits.

A picture has rows and columns: the last two axes. One axis is a row; of more than two the picture shows one slice, that
of the coarse cell at hand, of the tap in the middle, and of the fine cell where that lands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, TypeAlias

from tconv import checks
from tconv.axis import Axis
from tconv.draw.scene import Cell, Said, plain
from tconv.geometry import Geometry

Index: TypeAlias = tuple[int, ...]
#: Positions along an axis in the order in which they are drawn; None is where some are left out.
Shown: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Channels:
    """How many channels the coarse grid and the fine one have, and the groups that they form."""

    in_channels: int
    out_channels: int
    groups: int

    @property
    def read(self) -> int:
        """Input channels of a group: what an output channel adds up."""
        return self.in_channels // self.groups

    @property
    def written(self) -> int:
        """Output channels of a group: kernels of an input channel."""
        return self.out_channels // self.groups


#: What is drawn where nothing is said: the fewest with groups of several.
CHANNELS = Channels(4, 4, 2)
#: Cells of a grid along an axis, and channels, at most: Python has no length for ranges of 2**63 and more.
LARGEST = 2**62


def channels_of(in_channels: int | None, out_channels: int | None, groups: int | None) -> Channels:
    """The channels that were said, one a group where they were left out; the usual ones where nothing was said."""
    if in_channels is out_channels is groups is None:
        return CHANNELS
    number = 1 if groups is None else checks.integer("groups", groups, 1)
    cin, cout = (
        number if value is None else _count_of_channels(name, value)
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels))
    )
    checks.divides("groups", number, "in_channels", cin)
    checks.divides("groups", number, "out_channels", cout)
    return Channels(cin, cout, number)


def _count_of_channels(name: str, value: Any) -> int:
    number = checks.integer(name, value, 1)
    if number > LARGEST:
        checks.wrong(f"{name} must be at most 2**62 to be drawn; got {checks.shorten(number)}")
    return number


@dataclass(frozen=True)
class Board:
    """A geometry, what stands in x and w, and what comes of them. Values default to small whole numbers, never 0."""

    geometry: Geometry
    x: Callable[[Index], int | float] = lambda index: 1 + sum(n * i for n, i in enumerate(index, 1)) % 3
    w: Callable[[Index], int | float] | None = None
    channels: Channels = CHANNELS  #: of a view that shows them; others show one

    def weight(self, tap: Index) -> int | float:
        """1, 2, 3, ... in the order of the taps, up to 9 and again from 1, unless values are given."""
        if self.w is not None:
            return self.w(tap)
        return 1 + flat(tap, self.geometry.kernel) % 9

    @cached_property
    def rows(self) -> Axis:
        """The axis that goes down; of one axis one of a single cell."""
        axes = self.geometry.axes
        return axes[-2] if len(axes) > 1 else Axis.conv(1, 1)

    @cached_property
    def columns(self) -> Axis:
        """The axis that goes to the right."""
        return self.geometry.axes[-1]

    def whole(self, before: Index, row: int, column: int) -> Index:
        """An index of all axes, of those before the last two and the place in the picture."""
        return (*before, row, column) if self.geometry.ndim > 1 else (column,)

    @property
    def outer(self) -> tuple[Axis, ...]:
        """The axes that are not in the picture."""
        return self.geometry.axes[:-2]

    def coarse(self, step: int) -> Index:
        """The coarse cell of a number, the last axis fastest."""
        return unflat(step, self.geometry.coarse)

    def ties(self, fine: Index) -> list[tuple[Index, Index]]:
        """The (coarse cell, tap) that are tied to a fine position, which may lie beside the grid."""
        along = []
        for axis, o in zip(self.geometry.axes, fine, strict=True):
            reached = ((o + axis.padding[0] - t * axis.dilation, t) for t in range(axis.kernel))
            cells = ((r // axis.stride, t) for r, t in reached if r % axis.stride == 0)
            along.append([(c, t) for c, t in cells if 0 <= c < axis.coarse])
        return [(tuple(c for c, _ in each), tuple(t for _, t in each)) for each in product(*along)]

    def sum(self, fine: Index, until: int | None = None) -> int | float:
        """What the coarse cells up to a number add up to at a fine position; of all of them, what stands in y."""
        ties = self.ties(fine)
        if until is not None:
            ties = [(c, t) for c, t in ties if flat(c, self.geometry.coarse) <= until]
        return sum(self.x(c) * self.weight(t) for c, t in ties)


def reach(axis: Axis) -> range:
    """Fine positions that the picture of an axis has: those of the grid, and those beside it that a stamp reaches."""
    low, _ = axis.padding
    end = (axis.coarse - 1) * axis.stride - low + axis.effective_kernel
    return range(min(0, -low), max(axis.fine, end))


def stamp(axis: Axis, c: int) -> range:
    """Fine positions below the taps of a coarse cell, those beside the grid too."""
    start = c * axis.stride - axis.padding[0]
    return range(start, start + axis.effective_kernel, axis.dilation)


def shown(total: range, around: range, most: int) -> Shown:
    """The positions that are drawn, at most so many: those around what is looked at, None where others are left out."""
    if total.stop - total.start <= most:  # len() ends at 2**63
        return tuple(total)
    room = most - 2  # for None at both ends
    start = around.start - (room - len(around)) // 2
    start = max(total.start, min(start, total.stop - room))
    found: list[int | None] = list(range(start, start + room))
    if start == total.start:
        found = [*range(start, start + room + 1), None]
    elif start + room >= total.stop:
        found = [None, *range(total.stop - room - 1, total.stop)]
    else:
        found = [None, *found, None]
    return tuple(found)


def table(rows: Shown, columns: Shown, cell: Callable[[int, int], Cell]) -> tuple[Cell, ...]:
    """The cells of a panel."""
    return tuple(
        Cell("more", "…") if row is None or column is None else cell(row, column) for row in rows for column in columns
    )


def place(positions: Shown, wanted: range) -> tuple[int, int]:
    """Where the visible part of a range begins among the positions, and how many of them it has."""
    inside = [number for number, position in enumerate(positions) if position is not None and position in wanted]
    return (inside[0], inside[-1] - inside[0] + 1) if inside else (0, 0)


def flat(index: Index, shape: tuple[int, ...]) -> int:
    """The number of a cell, the last axis fastest."""
    number = 0
    for i, n in zip(index, shape, strict=True):
        number = number * n + i
    return number


def unflat(number: int, shape: tuple[int, ...]) -> Index:
    """The cell of a number."""
    found = []
    for n in reversed(shape):
        number, i = divmod(number, n)
        found.append(i)
    return tuple(reversed(found))


def by(sizes: tuple[int, ...]) -> str:
    """Sizes along the axes: 3 × 3."""
    return " × ".join(map(str, sizes))


def number(value: float) -> str:
    """A value as it stands in a cell: whole numbers as they are, others with three digits."""
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def named(name: str, index: Index) -> str:
    """A cell by its index: x[1,2]."""
    return f"{name}[{','.join(map(str, index))}]"


def told(geometry: Geometry) -> Said:
    """What the geometry is, as the note below a title."""
    sizes = by(geometry.coarse), by(geometry.fine), short(geometry.kernel), short(geometry.stride)
    said = Said("up", (*sizes, ends(geometry)))
    if any(d > 1 for d in geometry.dilation):
        said = Said("dilation", (said, short(geometry.dilation)))
    if any(geometry.output_padding):
        said = Said("output padding", (said, short(geometry.output_padding)))
    return said


def ends(geometry: Geometry) -> str:
    """The padding of all axes: one number where both ends are alike."""
    return short(tuple(low if low == high else f"{low}:{high}" for low, high in geometry.padding))


def short(values: tuple[int | str, ...]) -> str:
    """Values along the axes, one where all are alike."""
    return str(values[0]) if len(set(values)) == 1 else " × ".join(map(str, values))


def in_step(note: Said, step: int, steps: int) -> Said:
    """The note with the number of the step."""
    return Said("step", (note, step + 1, steps)) if steps > 1 else note


def size_note(sizes: tuple[int, ...], before: Index) -> Said:
    """The size of a grid, and of more than two axes which slice is shown."""
    return Said("slice", (by(sizes), ",".join(map(str, before)))) if before else plain(by(sizes))


def count(geometry: Geometry) -> int:
    """Coarse cells: the steps of who goes from one to the next."""
    return prod(geometry.coarse)
