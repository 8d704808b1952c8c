"""Any number of axes: the one source of truth for the sizes, the matrix and the cost of a (transposed) convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tconv import checks, resolve
from tconv.axis import Axis, ZeroInserted
from tconv.block import Block
from tconv.cached import cached_property
from tconv.resolve import Ints, PaddingLike

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: A box of a grid: (start, stop) of each axis.
Cells: TypeAlias = tuple[tuple[int, int], ...]


class Box(NamedTuple):
    """The box of cells that a box of results needs, and the geometry that maps one to the other."""

    cells: Cells  #: (start, stop) of each axis; empty along an axis where no cell is needed
    geometry: Geometry | None  #: of a layer of its own; None where no cell is needed, and results are the bias alone

    @property
    def slices(self) -> tuple[slice, ...]:
        """What cuts the cells out of an array: x[..., *box.slices] where channels are first."""
        return tuple(slice(start, stop) for start, stop in self.cells)


@dataclass(frozen=True, slots=True)
class Work:
    """What one forward or backward pass costs, counted exactly (see `Geometry.work`)."""

    multiplications: int  #: of a coarse value and a weight whose tap lands inside the fine grid
    zero_insertion_multiplications: int  #: what the equivalent stride-1 convolution of the stretched input performs
    bytes: int  #: both grids and the weights, each moved once

    @property
    def flops(self) -> int:
        """Useful floating point operations: a multiplication and an addition for each tap that lands."""
        return 2 * self.multiplications

    @property
    def wasted(self) -> int:
        """Multiplications by an inserted or padded zero, or of a tap beyond the border, in zero insertion."""
        return self.zero_insertion_multiplications - self.multiplications


@dataclass(frozen=True, repr=False)
class Geometry:
    """A convolution from a fine grid to a coarse one, and with it the transposed convolution from coarse to fine.

    Both are one sparse matrix C, used as it is or transposed, so both are one geometry. Build it from the side you
    know. Arguments with a value an axis take one integer for all axes too; padding also takes (low, high) pairs,
    "same" and "valid". Wrong values raise ValueError, wrong types TypeError. Frozen, hashable, exact at any size.

    >>> import tconv
    >>> up = tconv.Geometry.conv_transpose((32, 32), 4, stride=2, padding=1)
    >>> up.fine
    (64, 64)
    >>> up == tconv.Geometry.conv((64, 64), 4, stride=2, padding=1)
    True
    >>> print(up)
    fine 64x64 <-> coarse 32x32: kernel 4, stride 2, padding 1
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        with checks.explained("Geometry"):
            if not checks.is_sequence(self.axes) or not all(isinstance(axis, Axis) for axis in self.axes):
                checks.wrong_type(f"axes must be a sequence of Axis; got {checks.shorten(self.axes)}")
            if not self.axes:
                checks.wrong("axes must hold at least 1 axis; got none")
            object.__setattr__(self, "axes", tuple(self.axes))

    @classmethod
    def conv(
        cls,
        fine: Ints,
        kernel: Ints,
        *,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        output_padding: Ints | None = None,
        output_size: Ints | None = None,
        dilation: Ints = 1,
    ) -> Geometry:
        """The geometry of a convolution of a grid of size `fine` (formula: `Axis.conv`)."""
        with checks.explained("Geometry.conv"):
            window = resolve.window(fine, kernel, stride, padding, dilation, "fine")
            return cls(resolve.conv(window, output_padding, output_size))

    @classmethod
    def conv_transpose(
        cls,
        coarse: Ints,
        kernel: Ints,
        *,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        output_padding: Ints = 0,
        output_size: Ints | None = None,
        dilation: Ints = 1,
    ) -> Geometry:
        """The geometry of a transposed convolution of a grid of size `coarse` (formula: `Axis.conv_transpose`)."""
        with checks.explained("Geometry.conv_transpose"):
            window = resolve.window(coarse, kernel, stride, padding, dilation, "coarse")
            return cls(resolve.conv_transpose(window, output_padding, output_size))

    # -- what the axes say, as tuples ----------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @cached_property
    def fine(self) -> tuple[int, ...]:
        """The size of the fine grid: what conv takes and conv_transpose returns."""
        return tuple(axis.fine for axis in self.axes)

    @cached_property
    def coarse(self) -> tuple[int, ...]:
        """The size of the coarse grid: what conv returns and conv_transpose takes."""
        return tuple(axis.coarse for axis in self.axes)

    @cached_property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each axis."""
        return tuple(axis.kernel for axis in self.axes)

    @cached_property
    def stride(self) -> tuple[int, ...]:
        """Fine cells from one coarse cell to the next."""
        return tuple(axis.stride for axis in self.axes)

    @cached_property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """(low, high) of each axis: zeros put around the fine grid in conv, cells cropped off in conv_transpose."""
        return tuple(axis.padding for axis in self.axes)

    @property
    def output_padding(self) -> tuple[int, ...]:
        """Which of the fine sizes that share the coarse size is meant: how far beyond the smallest."""
        return tuple(axis.output_padding for axis in self.axes)

    @property
    def dilation(self) -> tuple[int, ...]:
        """Fine cells from one tap to the next."""
        return tuple(axis.dilation for axis in self.axes)

    @property
    def fine_sizes(self) -> tuple[range, ...]:
        """For each axis, the fine sizes that conv maps to this coarse size: as many as its stride."""
        return tuple(axis.fine_sizes for axis in self.axes)

    @property
    def zero_inserted(self) -> tuple[ZeroInserted, ...]:
        """The equivalent stride-1 convolution of the zero-stretched input, axis by axis."""
        return tuple(axis.zero_inserted for axis in self.axes)

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Fine cells, from first to last, that one coarse cell sees in conv.

        In conv_transpose the cell writes to them: there they are its projective field, which
        `Axis.projective_field` lists. What a fine position reads, `Axis.receptive_field` lists.
        """
        return tuple(axis.effective_kernel for axis in self.axes)

    @property
    def keywords(self) -> dict[str, Any]:
        """The keywords with which `tconv.conv_transpose` and its adjoint `tconv.conv` compute this geometry."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation": self.dilation,
        }

    # -- coverage ------------------------------------------------------------------------------------------------------

    def coverage(self) -> NDArray[np.int64]:
        """How many taps reach each fine position, as an array of the fine size: col2im(im2col(1)), the checkerboard.

        It is the outer product of the axes' coverages. MemoryError where the array could not be held.
        """
        import numpy as np

        with checks.explained("Geometry.coverage"):
            checks.fits_memory("the coverage", 8 * prod(self.fine))
        full = np.ones((), np.int64)
        for axis in self.axes:
            along = np.zeros(axis.fine, np.int64)
            for tap in range(axis.kernel):
                cells = axis.pairs_of_tap(tap)
                if cells:
                    first = cells[0] * axis.stride + tap * axis.dilation - axis.padding[0]
                    along[first : first + (len(cells) - 1) * axis.stride + 1 : axis.stride] += 1
            full = full[..., None] * along
        return full

    @property
    def unevenness(self) -> str:
        """Why the coverage makes a checkerboard, axis by axis; "" where it is even far from the border."""
        reasons = [(i, axis.unevenness) for i, axis in enumerate(self.axes) if not axis.is_even]
        return "; ".join(f"axis {i}: {reason}" if self.ndim > 1 else reason for i, reason in reasons)

    @property
    def is_even(self) -> bool:
        """Whether all fine positions far from the border are reached by equally many taps: no checkerboard."""
        return all(axis.is_even for axis in self.axes)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def coarse_box(self, box: Sequence[Sequence[int]]) -> Box:
        """What a box of the fine grid needs in the transposed convolution (`Axis.coarse_range` along each axis).

        `box` has a pair (start, stop) an axis, 0 <= start < stop <= fine; anything else raises ValueError or TypeError.
        `conv_transpose(x[..., *slices], w, bias, **geometry.keywords)` is the box of the whole result.

        >>> import tconv
        >>> up = tconv.Geometry.conv_transpose((100, 100), 4, stride=2, padding=1)
        >>> cells, local = up.coarse_box([(0, 40), (80, 120)])
        >>> cells, local.fine, local.padding
        (((0, 21), (39, 61)), (40, 40), ((1, 3), (3, 3)))
        """
        with checks.explained("Geometry.coarse_box"):
            ranges = checks.box("box", box, self.fine)
        return self._local([axis.coarse_range(*ends) for axis, ends in zip(self.axes, ranges, strict=True)])

    def fine_box(self, box: Sequence[Sequence[int]]) -> Box:
        """What a box of the coarse grid needs in the convolution (`Axis.fine_range` along each axis).

        As `coarse_box`, with 0 <= start < stop <= coarse: `conv(y[..., *slices], w, bias, **geometry.keywords)` is the
        box of the whole result.
        """
        with checks.explained("Geometry.fine_box"):
            ranges = checks.box("box", box, self.coarse)
        return self._local([axis.fine_range(*ends) for axis, ends in zip(self.axes, ranges, strict=True)])

    def _local(self, blocks: Sequence[Block]) -> Box:
        axes = [axis.local(block) for axis, block in zip(self.axes, blocks, strict=True)]
        inner = tuple(axis for axis in axes if axis is not None)
        return Box(tuple(block.cells for block in blocks), Geometry(inner) if len(inner) == self.ndim else None)

    # -- cost ----------------------------------------------------------------------------------------------------------

    def work(
        self, in_channels: int = 1, out_channels: int = 1, *, batch: int = 1, groups: int = 1, itemsize: int = 4
    ) -> Work:
        """Multiplications, those that zero insertion wastes, and bytes, of conv_transpose (conv costs the same).

        `in_channels` live on the coarse grid and `out_channels` on the fine one; `itemsize` is bytes an element.
        """
        with checks.explained("Geometry.work"):
            cin, cout = checks.integer("in_channels", in_channels, 1), checks.integer("out_channels", out_channels, 1)
            batch, groups = checks.integer("batch", batch, 0), checks.integer("groups", groups, 1)
            itemsize = checks.integer("itemsize", itemsize, 1)
            checks.divides("groups", groups, "in_channels", cin)
            checks.divides("groups", groups, "out_channels", cout)
        channel_pairs = cin * cout // groups
        taps = prod(self.kernel)
        return Work(
            multiplications=batch * channel_pairs * prod(axis.pairs for axis in self.axes),
            zero_insertion_multiplications=batch * channel_pairs * taps * prod(self.fine),
            bytes=itemsize * (batch * (cin * prod(self.coarse) + cout * prod(self.fine)) + channel_pairs * taps),
        )

    def __str__(self) -> str:
        parts = [
            f"kernel {joined(self.kernel)}",
            f"stride {joined(self.stride)}",
            f"padding {padding_text(self.padding)}",
        ]
        if any(self.output_padding):
            parts.append(f"output padding {joined(self.output_padding)}")
        if set(self.dilation) != {1}:
            parts.append(f"dilation {joined(self.dilation)}")
        fine, coarse = ("x".join(map(str, size)) for size in (self.fine, self.coarse))
        return f"fine {fine} <-> coarse {coarse}: " + ", ".join(parts)

    def __repr__(self) -> str:
        keywords = ", ".join(f"{name}={value}" for name, value in self.keywords.items())
        return f"Geometry.conv_transpose({self.coarse}, {self.kernel}, {keywords})"


def check_geometry(value: object) -> None:
    """The argument that other functions call geometry."""
    if not isinstance(value, Geometry):
        checks.wrong_type(f"geometry must be a tconv.Geometry; got {checks.shorten(value)}")


def joined(values: Sequence[int]) -> str:
    """4 where all axes agree, else 4x3."""
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))


def padding_text(pairs: tuple[tuple[int, int], ...]) -> str:
    """1 where both ends of all axes agree, else a pair, or a pair an axis."""
    if all(low == high for low, high in pairs):
        return joined([low for low, _ in pairs])
    return str(pairs[0]) if len(set(pairs)) == 1 else " x ".join(map(str, pairs))
