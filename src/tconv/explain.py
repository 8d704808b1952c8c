"""A geometry in sentences: its formulas with the numbers filled in, its matrix, its phases, its coverage.

Every number comes from `Axis` and `Geometry`; what is here is only how they are said.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from math import prod

from tconv import checks
from tconv.axis import Axis
from tconv.geometry import Geometry
from tconv.phases import Phase, axis_phases

#: Axes with more phases than this are not listed phase by phase.
MANY_PHASES = 4096


def conv_formula(axis: Axis) -> tuple[str, str]:
    """The coarse size of a convolution, in words and in numbers.

    >>> from tconv import Axis
    >>> print(*conv_formula(Axis.conv(5, 3, stride=2, padding=1)), sep="\\n")
    coarse = floor((fine + low + high - dilation * (kernel - 1) - 1) / stride) + 1
    3 = floor((5 + 1 + 1 - 1 * (3 - 1) - 1) / 2) + 1
    """
    s, a, sum_ = axis.stride, axis.output_padding, _dividend(axis)
    if a < s:
        return (
            "coarse = floor((fine + low + high - dilation * (kernel - 1) - 1) / stride) + 1",
            f"{axis.coarse} = floor(({sum_}) / {s}) + 1",
        )
    # An output padding of a stride or more (dilation > stride allows it) gives fewer coarse cells than the floor would.
    return (
        "coarse = (fine + low + high - dilation * (kernel - 1) - 1 - output padding) / stride + 1",
        f"{axis.coarse} = ({sum_} - {a}) / {s} + 1",
    )


def remainder(axis: Axis) -> tuple[str, str]:
    """What the division of that formula leaves, in words and in numbers: the output padding, where it is below stride.

    >>> from tconv import Axis
    >>> print(*remainder(Axis.conv(6, 3, stride=2, padding=1)), sep="\\n")
    (fine + low + high - dilation * (kernel - 1) - 1) mod stride
    (6 + 1 + 1 - 1 * (3 - 1) - 1) mod 2 = 1
    """
    words = "(fine + low + high - dilation * (kernel - 1) - 1) mod stride"
    return words, f"({_dividend(axis)}) mod {axis.stride} = {axis.output_padding % axis.stride}"


def _dividend(axis: Axis) -> str:
    """Fine cells from the start of the first window to where the last could start, in numbers."""
    (low, high), k, d = axis.padding, axis.kernel, axis.dilation
    return f"{axis.fine} {_plus(low)} {_plus(high)} - {d} * ({k} - 1) - 1"


def conv_transpose_formula(axis: Axis) -> tuple[str, str]:
    """The fine size of a transposed convolution, in words and in numbers.

    >>> from tconv import Axis
    >>> print(conv_transpose_formula(Axis.conv_transpose(3, 3, stride=2, padding=1))[1])
    5 = (3 - 1) * 2 - 1 - 1 + 1 * (3 - 1) + 1 + 0
    """
    (low, high), k, s, d = axis.padding, axis.kernel, axis.stride, axis.dilation
    before = f"({axis.coarse} - 1) * {s} {_minus(low)} {_minus(high)}"
    return (
        "fine = (coarse - 1) * stride - low - high + dilation * (kernel - 1) + 1 + output padding",
        f"{axis.fine} = {before} + {d} * ({k} - 1) + 1 + {axis.output_padding}",
    )


def paddings(axis: Axis) -> tuple[str, str, str]:
    """The three things that padding means: in the convolution, its transpose, and the picture with zeros inserted.

    >>> from tconv import Axis
    >>> print(*paddings(Axis.conv_transpose(2, 3)), sep=chr(10))
    convolution: pads the fine grid by 0 at each end
    transposed: crops the result by 0 at each end
    zero insertion: pads the stretched coarse grid by p' = dilation * (kernel - 1) - padding = 2 at each end
    """
    padding, stretched = axis.padding, axis.zero_inserted.padding
    return (
        f"convolution: pads the fine grid by {_at_ends(padding)}",
        f"transposed: crops the result by {_at_ends(padding)}",
        "zero insertion: pads the stretched coarse grid by "
        f"p' = dilation * (kernel - 1) - padding = {_at_ends(stretched)}",
    )


def _at_ends(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low} at each end" if low == high else f"{low} at the low and {high} at the high end"


def zero_inserted(axis: Axis) -> str:
    """The equivalent stride-1 convolution, step by step.

    >>> from tconv import Axis
    >>> print(zero_inserted(Axis.conv_transpose(3, 3, stride=2, padding=1)))
    insert 1 zero between neighbours (3 -> 5 cells), pad 1 before, 1 after, flip the kernel, convolve at stride 1 -> 5
    """
    view = axis.zero_inserted
    steps = []
    if view.inserted_zeros:
        zeros = checks.count(view.inserted_zeros, "zero")
        steps.append(f"insert {zeros} between neighbours ({axis.coarse} -> {view.stretched} cells)")
    low, high = view.padding[0], view.padding[1] + view.extra
    steps.append(f"{_pad_or_crop(low)} before, {_pad_or_crop(high, low)} after")
    dilated = f" with dilation {view.dilation}" if view.dilation > 1 else ""
    return ", ".join([*steps, "flip the kernel", f"convolve at stride 1{dilated} -> {axis.fine}"])


@dataclass(frozen=True, slots=True)
class MatrixShape:
    """The shape of C and how many of its elements are stored: those whose tap lands inside the fine grid."""

    rows: int
    columns: int
    stored: int

    @property
    def fill(self) -> float:
        """The stored share of all elements, between 0 and 1."""
        return self.stored / (self.rows * self.columns)


def matrix(geometry: Geometry, in_channels: int = 1, out_channels: int = 1, groups: int = 1) -> MatrixShape:
    """C as a matrix, counted and not built: conv multiplies by it, conv_transpose by its transpose."""
    work = geometry.work(in_channels, out_channels, groups=groups)
    return MatrixShape(in_channels * prod(geometry.coarse), out_channels * prod(geometry.fine), work.multiplications)


def phase_count(geometry: Geometry) -> int:
    """How many phases there are; known without listing them."""
    return prod(min(axis.stride, axis.fine) for axis in geometry.axes)


def first_phases(geometry: Geometry, limit: int) -> tuple[Phase, ...]:
    """The first phases, at most `limit`; none where an axis has more than `MANY_PHASES`."""
    if any(min(axis.stride, axis.fine) > MANY_PHASES for axis in geometry.axes):
        return ()
    return tuple(map(Phase, islice(product(*map(axis_phases, geometry.axes)), limit)))


def coverage_along(axis: Axis, limit: int = 16) -> str:
    """How many taps reach each fine position, the middle left out where there are more than `limit` positions.

    >>> from tconv import Axis
    >>> coverage_along(Axis.conv_transpose(4, 3, stride=2))
    '1 1 2 1 2 1 2 1 1'
    """
    if axis.fine <= limit:
        return " ".join(str(axis.coverage_at(position)) for position in range(axis.fine))
    first = [str(axis.coverage_at(position)) for position in range(limit - limit // 4)]
    last = [str(axis.coverage_at(position)) for position in range(axis.fine - limit // 4, axis.fine)]
    return " ".join([*first, "...", *last])


def reach(axis: Axis) -> tuple[str, str]:
    """What a coarse cell and what a fine position is tied to, as one sentence each."""
    cells = checks.count(axis.effective_kernel, "fine cell")
    spread = f"{axis.kernel} of {cells}" if axis.dilation > 1 and axis.kernel > 1 else cells
    most, least = -(-axis.kernel // axis.stride), axis.kernel // axis.stride
    if axis.dilation > 1 and axis.stride > 1:
        taps = [len(axis.taps_of_phase(residue)) for residue in range(min(axis.stride, MANY_PHASES))]
        most, least = max(taps), min(taps)
    reads = checks.count(most, "coarse cell") if most == least else f"{least} to {checks.count(most, 'coarse cell')}"
    return f"sees {spread} in conv and writes to them in the transposed one", f"reads {reads} in the transposed one"


def _plus(number: int) -> str:
    return f"- {-number}" if number < 0 else f"+ {number}"


def _minus(number: int) -> str:
    return f"+ {-number}" if number < 0 else f"- {number}"


def _pad_or_crop(cells: int, said: int | None = None) -> str:
    """pad 2 or crop 2; the verb is left out where the neighbour `said` has the same."""
    if said is not None and (cells < 0) == (said < 0):
        return str(abs(cells))
    return f"crop {-cells}" if cells < 0 else f"pad {cells}"
