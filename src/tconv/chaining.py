"""Geometries one after the other, as a network has them: fields, scale, and what a box of the result needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any, Literal, NamedTuple

from tconv import checks
from tconv.geometry import Cells, Geometry
from tconv.tables import aligned


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """One operation of a chain."""

    operation: Literal["conv_transpose", "conv"]
    geometry: Geometry

    @property
    def is_up(self) -> bool:
        """Whether it maps the coarse grid to the fine one: conv_transpose."""
        return self.operation == "conv_transpose"

    @property
    def input_size(self) -> tuple[int, ...]:
        """The grid that is read."""
        return self.geometry.coarse if self.is_up else self.geometry.fine

    @property
    def output_size(self) -> tuple[int, ...]:
        """The grid that is computed."""
        return self.geometry.fine if self.is_up else self.geometry.coarse

    def __repr__(self) -> str:
        shown = repr(self.geometry)
        if not self.is_up:
            g = self.geometry
            window = f"stride={g.stride}, padding={g.padding}, dilation={g.dilation}"
            shown = f"Geometry.conv({g.fine}, {g.kernel}, {window})"
        return f'("{self.operation}", {shown})'


class ChainBox(NamedTuple):
    """The box of the input that a box of a chain's result needs, and the chain that maps one to the other."""

    cells: Cells  #: (start, stop) of each axis
    chain: Chain | None  #: of layers of their own; None where no cell of the input reaches the box

    @property
    def slices(self) -> tuple[slice, ...]:
        """What cuts the cells out of an array: x[..., *box.slices] where channels are first."""
        return tuple(slice(start, stop) for start, stop in self.cells)


@dataclass(frozen=True, slots=True, repr=False)
class Chain:
    """Operations one after the other, each on the result of the one before; made by `tconv.chain`."""

    links: tuple[Link, ...]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.links[0].geometry.ndim

    @property
    def input_size(self) -> tuple[int, ...]:
        """The grid that the first link reads."""
        return self.links[0].input_size

    @property
    def output_size(self) -> tuple[int, ...]:
        """The grid that the last link computes."""
        return self.links[-1].output_size

    @property
    def scale(self) -> tuple[Fraction, ...]:
        """Cells of the result for each cell of the input: every stride of conv_transpose over every stride of conv."""
        return tuple(1 / self._strides(axis)[-1] for axis in range(self.ndim))

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Cells of the input, from first to last, that one cell of the result reads at most, away from the border.

        It is reached, unless a conv with a stride follows a conv_transpose: then it may be a bound.
        """
        return tuple(self._field(axis, "conv", reversed(self.links)) for axis in range(self.ndim))

    @property
    def projective_field(self) -> tuple[int, ...]:
        """Cells of the result, from first to last, that one cell of the input reaches at most, away from the border.

        It is reached, unless a conv with a stride follows a conv_transpose: then it may be a bound.
        """
        return tuple(self._field(axis, "conv_transpose", self.links) for axis in range(self.ndim))

    @property
    def alignment(self) -> tuple[int, ...]:
        """Blocks of one size, away from the border, have one geometry if their starts differ by a multiple of this."""
        return tuple(lcm(*(step.denominator for step in self._strides(axis))) for axis in range(self.ndim))

    def input_box(self, box: Sequence[Sequence[int]]) -> ChainBox:
        """What a box of the result needs, link by link, and the local geometry of each.

        `box` has a pair (start, stop) an axis, 0 <= start < stop <= output_size; anything else raises ValueError or
        TypeError. Padding stays where it was: a link pads its box where the box meets the border of the grid between
        two links, not elsewhere, so that the box is what the whole would have given there.

        >>> import tconv
        >>> up = tconv.Geometry.conv_transpose(50, 4, stride=2, padding=1)
        >>> down = tconv.Geometry.conv(100, 3, padding=1)
        >>> box = tconv.chain([("conv_transpose", up), ("conv", down)]).input_box([(40, 60)])
        >>> box.cells, [link.geometry.padding for link in box.chain.links]
        (((19, 31),), [((2, 2),), ((0, 0),)])
        """
        with checks.explained("Chain.input_box"):
            cells = checks.box("box", box, self.output_size)
        local = []
        for link in reversed(self.links):
            found = link.geometry.coarse_box(cells) if link.is_up else link.geometry.fine_box(cells)
            if found.geometry is None:
                return ChainBox(((0, 0),) * self.ndim, None)
            cells = found.cells
            local.append(Link(link.operation, found.geometry))
        return ChainBox(cells, Chain(tuple(reversed(local))))

    def _strides(self, axis: int) -> list[Fraction]:
        return strides_back([(link.is_up, link.geometry.stride[axis]) for link in self.links])

    def _field(self, number: int, spreading: str, links: Any) -> int:
        """How wide one cell becomes through links: wider by a stride where they spread it, narrower where they meet it.

        Of w cells in a row, each tied to reach + 1 others, the outermost of these are (w - 1) * stride + reach apart
        one way, and at most floor((w - 1 + reach) / stride) the other way.
        """
        width = 1
        for link in links:
            axis = link.geometry.axes[number]
            reach, stride = axis.effective_kernel - 1, axis.stride
            spread = link.operation == spreading
            width = ((width - 1) * stride + reach if spread else (width - 1 + reach) // stride) + 1
        return width

    def __repr__(self) -> str:
        return f"chain([{', '.join(map(repr, self.links))}])"

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in facts(self).items())
        sizes = f"{_by(self.input_size)} -> {_by(self.output_size)}"
        return "\n".join([f"{sizes}: {said}", *aligned(COLUMNS, [(f"  {row[0]}", *row[1:]) for row in rows(self)])])


#: What `rows` tells of a link.
COLUMNS = ("link", "operation", "from", "to", "window")


def rows(chain: Chain) -> list[tuple[str, ...]]:
    """Each link in words: its number, its operation, both sizes, and its window."""
    return [
        (str(i), link.operation, _by(link.input_size), _by(link.output_size), str(link.geometry).partition(": ")[2])
        for i, link in enumerate(chain.links)
    ]


def facts(chain: Chain) -> dict[str, str]:
    """What a chain is as a whole, in words and numbers."""
    return {
        "scale": _by(chain.scale),
        "receptive field": _by(chain.receptive_field),
        "projective field": _by(chain.projective_field),
        "alignment": _by(chain.alignment),
    }


def chain(links: Sequence[tuple[str, Geometry]]) -> Chain:
    """Operations one after the other, each a pair of its name and its geometry; the result of one is read by the next.

    A geometry is of both directions, so the name says which: "conv_transpose", from its coarse grid to its fine one, or
    "conv", from fine to coarse. Raises ValueError or TypeError where an entry is no such pair, or where sizes do not
    fit together, and names the link.

    >>> import tconv
    >>> up = tconv.Geometry.conv_transpose(80, 16, stride=8, padding=4)
    >>> down = tconv.Geometry.conv(640, 7, padding=3)
    >>> print(tconv.chain([("conv_transpose", up), ("conv", down)]))
    80 -> 640: scale 8, receptive field 3, projective field 22, alignment 8
    link  operation       from  to   window
      0   conv_transpose  80    640  kernel 16, stride 8, padding 4
      1   conv            640   640  kernel 7, stride 1, padding 3
    """
    with checks.explained("chain"):
        if not checks.is_sequence(links):
            checks.wrong_type(f"links must be a sequence of (operation, Geometry) pairs; got {checks.shorten(links)}")
        if not links:
            checks.wrong("links must hold at least 1 link; got none")
        made = tuple(_link(f"links[{i}]", link) for i, link in enumerate(links))
        for i, (before, after) in enumerate(pairwise(made)):
            if before.output_size != after.input_size:
                gives, takes = _by(before.output_size), _by(after.input_size)
                side = "coarse" if after.is_up else "fine"
                must = f"links[{i + 1}] must read the {gives} cells that links[{i}], {before.operation}, gives"
                checks.wrong(f"{must}; its {side} grid, which {after.operation} reads, has {takes}")
        return Chain(made)


def strides_back(links: Sequence[tuple[bool, int]]) -> list[Fraction]:
    """Cells of the grid before each link for one of the result, from the last link to the first.

    A link is whether it is conv_transpose, and its stride. The last of these is one over the scale, and the least
    common multiple of their denominators is the alignment: a step of the result that is whole on every grid before it.
    """
    steps, step = [], Fraction(1)
    for is_up, stride in reversed(links):
        step = step / stride if is_up else step * stride
        steps.append(step)
    return steps


def _link(name: str, value: Any) -> Link:
    if not checks.is_sequence(value) or len(value) != 2 or not isinstance(value[1], Geometry):
        checks.wrong_type(f'{name} must be a pair such as ("conv_transpose", Geometry); got {checks.shorten(value)}')
    operation = checks.choice(f"{name}[0]", value[0], ("conv_transpose", "conv"))
    return Link("conv_transpose" if operation == "conv_transpose" else "conv", value[1])


def _by(values: Sequence[Any]) -> str:
    return "x".join(map(str, values))
