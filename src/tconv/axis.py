"""One axis: the two sizes of a convolution, what decides between them, and which cells touch which.

A convolution maps a fine grid to a coarse one; its transpose maps the coarse grid to the fine one. One axis of either
is the same object here, because it is the same sparse matrix: cell c of the coarse grid and cell o of the fine grid
are tied through tap t when

    o = c * stride - low + t * dilation

Everything is arithmetic on Python integers, exact at any size. The formulas are those of V. Dumoulin and F. Visin,
"A guide to convolution arithmetic for deep learning" (arXiv:1603.07285), with dilation and (low, high) padding added.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import gcd

from tconv import block, checks, sizes
from tconv.block import Block
from tconv.counting import pairs_up_to


@dataclass(frozen=True, slots=True)
class ZeroInserted:
    """The plain stride-1 convolution that computes one axis of a transposed one (see `Axis.zero_inserted`).

    Put `inserted_zeros` zeros between neighbouring coarse cells, pad by `padding` and then by `extra` more at the high
    end (negative: crop), and convolve with the flipped kernel at stride 1.
    """

    stretched: int  #: cells after the zeros are put in: (coarse - 1) * stride + 1
    inserted_zeros: int  #: zeros between two neighbours: stride - 1
    padding: tuple[int, int]  #: p' = dilation * (kernel - 1) - p, for the low and the high end
    extra: int  #: further padding of the high end: the output padding
    kernel: int
    dilation: int

    @property
    def as_axis(self) -> Axis:
        """That convolution as an axis of its own: the stretched input is its fine grid, the result its coarse one."""
        low, high = self.padding[0], self.padding[1] + self.extra
        coarse = self.stretched + low + high - self.dilation * (self.kernel - 1)
        return settled(coarse, self.kernel, 1, (low, high), 0, self.dilation)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a convolution (fine to coarse) and of its transpose (coarse to fine).

    Built from the side that is known, with `Axis.conv` or `Axis.conv_transpose`; either way the result is the same
    object. Integers only; sizes, kernel, stride and dilation at least 1, padding of either sign (negative crops),
    0 <= output_padding < max(stride, dilation). Anything else raises ValueError or TypeError.

    >>> import tconv
    >>> axis = tconv.Axis.conv(5, 3, stride=2, padding=1)
    >>> axis.coarse, axis.fine
    (3, 5)
    >>> axis == tconv.Axis.conv_transpose(3, 3, stride=2, padding=1)
    True
    """

    coarse: int
    kernel: int
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    output_padding: int = 0
    dilation: int = 1
    fine: int = field(init=False, repr=False, compare=False)  #: cells of the fine grid

    def __post_init__(self) -> None:
        with checks.explained("Axis"):
            for name in ("coarse", "kernel", "stride", "dilation"):
                object.__setattr__(self, name, checks.integer(name, getattr(self, name), 1))
            object.__setattr__(self, "padding", checks.padding_pair("padding", self.padding))
            a = checks.integer("output_padding", self.output_padding, 0)
            object.__setattr__(self, "output_padding", a)
            sizes.check_output_padding(a, self.stride, self.dilation)
            object.__setattr__(self, "fine", _fine(self))
            sizes.check_something_left(self.coarse, self.fine, self.padding)

    @classmethod
    def conv(
        cls,
        fine: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | tuple[int, int] | str = 0,
        output_padding: int | None = None,
        output_size: int | None = None,
        dilation: int = 1,
    ) -> Axis:
        """The axis on which a convolution maps `fine` cells to

            coarse = floor((fine + low + high - dilation * (kernel - 1) - 1) / stride) + 1

        cells. The output padding is the remainder of that division. `output_padding` and `output_size` (the coarse
        size) are checked when given; they decide only where dilation > stride, because PyTorch then allows an output
        padding of more than a stride, and with it fewer coarse cells than the formula gives.
        Padding "same" gives ceil(fine / stride) coarse cells, the odd cell of padding at the high end; "valid" is 0.
        """
        with checks.explained("Axis.conv"):
            fine = checks.integer("fine", fine, 1)
            k, s, d, pad = _window(kernel, stride, padding, dilation)
            a, size = _optional("output_padding", output_padding, 0), _optional("output_size", output_size, 1)
            coarse, pair, a = sizes.of_conv(fine, k, s, pad, a, size, d)
        return cls(coarse, k, s, pair, a, d)

    @classmethod
    def conv_transpose(
        cls,
        coarse: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | tuple[int, int] | str = 0,
        output_padding: int = 0,
        output_size: int | None = None,
        dilation: int = 1,
    ) -> Axis:
        """The axis on which a transposed convolution maps `coarse` cells to

            fine = (coarse - 1) * stride - low - high + dilation * (kernel - 1) + 1 + output_padding

        cells. `output_size` names the fine size instead of `output_padding`. Padding "same" gives coarse * stride
        cells and "valid" coarse * stride + max(dilation * (kernel - 1) + 1 - stride, 0), as Keras and JAX say it;
        with them, use `output_size` where another fine size is meant.
        """
        with checks.explained("Axis.conv_transpose"):
            coarse = checks.integer("coarse", coarse, 1)
            k, s, d, pad = _window(kernel, stride, padding, dilation)
            a, size = checks.integer("output_padding", output_padding, 0), _optional("output_size", output_size, 1)
            coarse, pair, a = sizes.of_conv_transpose(coarse, k, s, pad, a, size, d)
        return cls(coarse, k, s, pair, a, d)

    # -- sizes ---------------------------------------------------------------------------------------------------------

    @property
    def effective_kernel(self) -> int:
        """Cells from the first tap to the last: dilation * (kernel - 1) + 1. It is the receptive field of conv."""
        return sizes.effective_kernel(self.kernel, self.dilation)

    @property
    def fine_sizes(self) -> range:
        """The fine sizes that conv maps to this coarse size: `stride` of them, less those below 1.

        The output padding says which one is meant: it is the distance from the smallest.
        """
        smallest = self.fine - self.output_padding
        return range(max(smallest, 1), max(smallest, 1 - self.stride) + self.stride)

    @property
    def zero_inserted(self) -> ZeroInserted:
        """The equivalent stride-1 convolution of the stretched input: p' = dilation * (kernel - 1) - p on each side."""
        reach, (low, high) = self.effective_kernel - 1, self.padding
        stretched = (self.coarse - 1) * self.stride + 1
        padding = (reach - low, reach - high)
        return ZeroInserted(stretched, self.stride - 1, padding, self.output_padding, self.kernel, self.dilation)

    # -- which cells touch which ---------------------------------------------------------------------------------------

    def projective_field(self, coarse_index: int) -> range:
        """The fine positions that a coarse cell writes to in the transposed convolution, and reads in conv."""
        with checks.explained("Axis.projective_field"):
            c = _index("coarse_index", coarse_index, self.coarse)
        start = c * self.stride - self.padding[0]
        first = max(0, -(start // self.dilation))  # the first tap at or after position 0
        last = min(self.kernel, -((start - self.fine) // self.dilation))  # one past the last tap before the end
        return range(start + first * self.dilation, start + max(first, last) * self.dilation, self.dilation)

    def receptive_field(self, fine_index: int) -> range:
        """The coarse cells that a fine position reads in the transposed convolution, and writes to in conv."""
        with checks.explained("Axis.receptive_field"):
            return self._read_by(_index("fine_index", fine_index, self.fine))

    def _read_by(self, o: int) -> range:
        taps = self._taps_of_phase(o % self.stride)
        if not taps:
            return range(0)
        step = self.dilation // gcd(self.stride, self.dilation)
        # Through the first tap it reads the nearest cell; each later tap reads `step` cells further down.
        nearest = (o + self.padding[0] - taps[0] * self.dilation) // self.stride
        farthest = nearest - (checks.length(taps) - 1) * step
        if farthest < 0:
            farthest += -(farthest // step) * step
        if nearest >= self.coarse:
            nearest -= -((self.coarse - 1 - nearest) // step) * step
        return range(farthest, nearest + 1, step)

    def taps_of_phase(self, residue: int) -> range:
        """The taps t that reach the fine positions o with o mod stride == residue.

        They are those with (residue + low - t * dilation) mod stride == 0: every stride / gcd(stride, dilation)-th.
        """
        with checks.explained("Axis.taps_of_phase"):
            return self._taps_of_phase(_index("residue", residue, self.stride))

    def _taps_of_phase(self, residue: int) -> range:
        s, g = self.stride, gcd(self.stride, self.dilation)
        target = (residue + self.padding[0]) % s
        if target % g:
            return range(0)
        first = target // g * pow(self.dilation // g, -1, s // g) % (s // g)
        return range(first, self.kernel, s // g)

    def coverage_at(self, fine_index: int) -> int:
        """How many taps reach a fine position."""
        with checks.explained("Axis.coverage_at"):
            return checks.length(self._read_by(_index("fine_index", fine_index, self.fine)))

    @property
    def taps_per_phase(self) -> tuple[int, ...]:
        """The coverage far from the border, for each o mod stride: it repeats with the stride."""
        return tuple(checks.length(self._taps_of_phase(residue)) for residue in range(self.stride))

    @property
    def unevenness(self) -> str:
        """Why neighbouring fine positions far from the border differ in coverage (a checkerboard); "" if they agree."""
        k, s, d = self.kernel, self.stride, self.dilation
        g = gcd(s, d)
        if g > 1:
            return f"stride {s} and dilation {d} share the factor {g}: only one in {g} fine positions is reached"
        if k < s:
            return f"kernel {k} is smaller than stride {s}: {s - k} in every {s} fine positions are reached by no tap"
        if k % s:
            more, taps = k % s, k // s
            reason = f"{more} in every {s} fine positions get {taps + 1} taps, the rest {taps}"
            return f"kernel {k} is no multiple of stride {s}: {reason}"
        return ""

    @property
    def is_even(self) -> bool:
        """Whether every fine position far from the border is reached by equally many taps: no checkerboard."""
        return not self.unevenness

    def pairs_of_tap(self, tap: int) -> range:
        """The coarse cells for which `tap` lands inside the fine grid."""
        with checks.explained("Axis.pairs_of_tap"):
            tap = _index("tap", tap, self.kernel)
        offset = tap * self.dilation - self.padding[0]
        first = max(0, -(offset // self.stride))
        last = min(self.coarse, -((offset - self.fine) // self.stride))
        return range(first, max(first, last))

    @property
    def pairs(self) -> int:
        """How many (coarse cell, tap) pairs land inside the fine grid: the stored elements of the axis's matrix."""
        n, s, k, d, low = self.coarse, self.stride, self.kernel, self.dilation, self.padding[0]
        # The position c * s + t * d - low lies from 0 to fine - 1.
        return pairs_up_to(low + self.fine - 1, n, s, k, d) - pairs_up_to(low - 1, n, s, k, d)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def coarse_range(self, start: int, stop: int) -> Block:
        """What the fine cells [start, stop) need in the transposed convolution, as a layer of its own.

        They are the coarse cells from max(0, ceil((start + low - dilation * (kernel - 1)) / stride)) to before
        min(coarse, floor((stop - 1 + low) / stride) + 1). 0 <= start < stop <= fine; ValueError or TypeError otherwise.

        >>> from tconv import Axis
        >>> axis = Axis.conv_transpose(100, 4, stride=2, padding=1)
        >>> block = axis.coarse_range(80, 120)
        >>> block.cells, block.padding
        ((39, 61), (3, 3))
        >>> axis.local(block).fine
        40
        """
        with checks.explained("Axis.coarse_range"):
            start, stop = checks.bounds("start", "stop", start, stop, self.fine)
        k, s, d, low = self.kernel, self.stride, self.dilation, self.padding[0]
        return block.coarse_range(start, stop, self.coarse, k, s, d, low)

    def fine_range(self, start: int, stop: int) -> Block:
        """What the coarse cells [start, stop) need in the convolution, as a layer of its own.

        They are the fine cells from start * stride - low to (stop - 1) * stride - low + dilation * (kernel - 1), as far
        as the grid goes: what lies beyond is padding of the block, which inside has none.
        0 <= start < stop <= coarse; ValueError or TypeError otherwise.

        >>> from tconv import Axis
        >>> axis = Axis.conv(200, 4, stride=2, padding=1)
        >>> axis.fine_range(0, 20).cells, axis.fine_range(0, 20).padding
        ((0, 41), (1, 0))
        """
        with checks.explained("Axis.fine_range"):
            start, stop = checks.bounds("start", "stop", start, stop, self.coarse)
        k, s, d, low = self.kernel, self.stride, self.dilation, self.padding[0]
        return block.fine_range(start, stop, self.fine, k, s, d, low)

    def local(self, block: Block) -> Axis | None:
        """The axis of a block of this one: what maps its cells to the block; None where it needs none."""
        if block.is_empty:
            return None
        return settled(block.coarse, self.kernel, self.stride, block.padding, block.output_padding, self.dilation)

    def __str__(self) -> str:
        low, high = self.padding
        text = f"fine {self.fine} <-> coarse {self.coarse}: kernel {self.kernel}, stride {self.stride}, "
        text += f"padding {low}" if low == high else f"padding ({low}, {high})"
        if self.output_padding:
            text += f", output padding {self.output_padding}"
        return text + (f", dilation {self.dilation}" if self.dilation > 1 else "")


def settled(
    coarse: int, kernel: int, stride: int, padding: tuple[int, int], output_padding: int, dilation: int
) -> Axis:
    """An axis of values that are known to fit, as those of `sizes.py` do: checking them takes longer than making it."""
    axis = object.__new__(Axis)
    values = (coarse, kernel, stride, padding, output_padding, dilation)
    for name, value in zip(_GIVEN, values, strict=True):
        object.__setattr__(axis, name, value)
    object.__setattr__(axis, "fine", _fine(axis))
    return axis


_GIVEN = tuple(f.name for f in fields(Axis) if f.init)


def _fine(axis: Axis) -> int:
    a = axis
    return sizes.fine_size(a.coarse, a.kernel, a.stride, a.padding, a.output_padding, a.dilation)


def _window(
    kernel: int, stride: int, padding: int | tuple[int, int] | str, dilation: int
) -> tuple[int, int, int, tuple[int, int] | str]:
    k, s = checks.integer("kernel", kernel, 1), checks.integer("stride", stride, 1)
    d = checks.integer("dilation", dilation, 1)
    pad = checks.padding_word(padding) if isinstance(padding, str) else checks.padding_pair("padding", padding)
    return k, s, d, pad


def _optional(name: str, value: int | None, least: int) -> int | None:
    return None if value is None else checks.integer(name, value, least)


def _index(name: str, value: int, size: int) -> int:
    index = checks.integer(name, value, 0)
    if index >= size:
        checks.wrong(f"{name} must be less than {size}; got {index}")
    return index
