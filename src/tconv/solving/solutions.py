"""Which parameters give the sizes I want: the question as a user asks it, and the answers, ranked and explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, TypeAlias, overload

from tconv import checks
from tconv.axis import Axis
from tconv.geometry import Geometry, joined, padding_text
from tconv.resolve import Ints
from tconv.solving.blocked import reason
from tconv.solving.rank import beyond_taps, ranked
from tconv.solving.reach import Question

#: One number for all axes, or one for each.
Scales: TypeAlias = float | Fraction | Sequence[float | Fraction]
#: The smallest value of an argument where it is not 1.
_LEAST = {"output_padding": 0}


@dataclass(frozen=True, slots=True)
class Solution:
    """One geometry that has the wanted sizes, and what its place among the others depends on."""

    geometry: Geometry

    @property
    def is_even(self) -> bool:
        """Whether the coverage is even far from the border: no checkerboard."""
        return self.geometry.is_even

    @property
    def is_symmetric(self) -> bool:
        """Whether padding is the same at both ends of every axis."""
        return all(low == high for low, high in self.geometry.padding)

    @property
    def coverage(self) -> str:
        """Whether the coverage is even, or why not, and how many fine positions at the ends no tap can reach."""
        axes = self.geometry.axes
        if self.is_even:
            taps = prod(axis.kernel // axis.stride for axis in axes)
            return "; ".join([f"even, {checks.count(taps, 'tap')} a position", *_unreached(axes)])
        reasons = {axis.unevenness for axis in axes}
        text = reasons.pop() if len(reasons) == 1 else self.geometry.unevenness
        return "; ".join([text, *_unreached(axes)])

    @property
    def why(self) -> str:
        """What its place depends on, the most important first."""
        a = self.geometry.output_padding
        return "; ".join(
            [
                self.coverage,
                f"kernel {joined(self.geometry.kernel)}",
                "symmetric padding" if self.is_symmetric else "asymmetric padding",
                f"output padding {joined(a)}" if any(a) else "no output padding",
            ]
        )

    def __str__(self) -> str:
        return f"{self.geometry} ({self.why})"


@dataclass(frozen=True, slots=True)
class Solutions(Sequence[Solution]):
    """What `solve` found, best first: a sequence of `Solution`, false when empty; its `reason` then says why."""

    question: str  #: what was asked, for the heading
    found: tuple[Solution, ...]
    are_all: bool  #: False where the limit cut the list
    reason: str = ""  #: why there is none; "" where there are some

    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Solution, ...]: ...
    def __getitem__(self, index: int | slice) -> Solution | tuple[Solution, ...]:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        if not self.found:
            return f"{self.question}: no parameters\n{self.reason}"
        return "\n".join([f"{self.question}: {self._number}", *_table(self.found)])

    @property
    def _number(self) -> str:
        if len(self.found) == 1:
            return "1 parameter set" if self.are_all else "the first parameter set"
        return ("" if self.are_all else "the first ") + f"{len(self.found)} parameter sets, best first"


def solve(
    coarse: Ints | None = None,
    fine: Ints | None = None,
    *,
    scale: Scales | None = None,
    kernel: Ints | None = None,
    stride: Ints | None = None,
    padding: int | Sequence[int | tuple[int, int]] | None = None,
    output_padding: Ints | None = None,
    dilation: Ints | None = None,
    max_kernel: int | None = None,
    limit: int = 20,
) -> Solutions:
    """The parameter sets with which a transposed convolution maps `coarse` to `fine`, and a convolution back.

    Instead of one of the sizes, or of both, `scale` asks for fine = scale * coarse at every coarse size; without a size
    the geometries are those of one coarse cell. A scale that is no integer, such as 1.5 or fractions.Fraction(3, 2),
    holds at some sizes only: it comes with a size, and stands for the other one, which must be whole. Parameters that
    are given stay as they are, one integer for all axes or one an axis, padding also (low, high) pairs. Those left out
    are searched:

        kernel          from 1 to `max_kernel`; without one to 4 strides, at least 7, or, where nothing so small
                        reaches the sizes, the smallest kernel that does
        stride          fine / coarse if that is whole, else rounded down and up, and (fine - 1) / (coarse - 1) rounded
                        down; where kernel and padding are given, also the largest that they leave room for
        padding         0 <= low <= high <= dilation * (kernel - 1): no tap lies wholly in what is cropped
        output_padding  0 to max(stride, dilation) - 1
        dilation        1

    Of the parameter sets that compute the same (a cell more of padding at the high end and of output padding cancel)
    one is listed, the symmetric one if there is one.

    The order: even coverage; no fine position without a tap; the same kernel and stride on as many axes as can be, and
    the same padding; a smaller kernel (fewer taps); symmetric padding; less output padding; ends of the padding that
    differ less; a stride nearer to fine / coarse, and a smaller one. The first `limit` are returned. Sizes may be of
    any magnitude: none is scanned.

    Wrong values raise ValueError, wrong types TypeError. That nothing fits is no error: the result is then empty, and
    its `reason` says what the given parameters reach instead and what would have to change.

    >>> import tconv
    >>> print(tconv.solve(32, 64, limit=3))
    coarse 32 -> fine 64: the first 3 parameter sets, best first
       kernel  stride  padding  output padding  coverage
    1       2       2        0               0  even, 1 tap a position
    2       4       2        1               0  even, 2 taps a position
    3       4       2   (0, 2)               0  even, 2 taps a position
    >>> print(tconv.solve(scale=2, kernel=3, limit=1)[0].geometry.output_padding)
    (1,)
    >>> tconv.solve(32, 70, kernel=3, stride=2, padding=1).reason
    'with kernel 3, stride 2, padding 1 coarse 32 reaches fine 63, 64; 70 would take kernel 9'
    """
    arguments: dict[str, Any] = {
        "coarse": coarse,
        "fine": fine,
        "scale": scale,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
        "max_kernel": max_kernel,
    }
    given = {name: value for name, value in arguments.items() if value is not None}
    with checks.explained("solve", (lambda: checks.echo(**given)) if given else None):
        limit = min(checks.integer("limit", limit, 1), sys.maxsize - 1)  # more cannot be counted, nor held
        questions = _questions(**arguments)
    found = ranked(questions, limit + 1)
    return Solutions(
        _heading(questions, sized=coarse is not None or fine is not None),
        tuple(Solution(Geometry(axes)) for axes in found[:limit]),
        len(found) <= limit,
        "" if found else _reason(questions),
    )


def _questions(padding: Any, max_kernel: Any, **arguments: Any) -> list[Question]:
    """The arguments checked, one question an axis."""
    ndim = next((len(value) for value in arguments.values() if checks.is_sequence(value)), 1)
    if ndim == 0:
        checks.wrong("sizes and parameters must have at least 1 axis; got an empty sequence")
    scales = _scales(arguments.pop("scale"), ndim)
    each: dict[str, Sequence[int | None]] = {
        name: (None,) * ndim if value is None else checks.per_axis(name, value, ndim, _LEAST.get(name, 1))
        for name, value in arguments.items()
    }
    largest = _largest(max_kernel, each["kernel"])
    sized = [_sizes(*ends) for ends in zip(each["coarse"], each["fine"], scales, strict=True)]
    return [
        Question(coarse, fine, scale, kernel, stride, pad, a, dilation or 1, largest)
        for (coarse, fine, scale), kernel, stride, pad, a, dilation in zip(
            sized,
            each["kernel"],
            each["stride"],
            _paddings(padding, ndim),
            each["output_padding"],
            each["dilation"],
            strict=True,
        )
    ]


def _scales(value: Any, ndim: int) -> Sequence[int | Fraction | None]:
    """The scale of each axis, a fraction where it is not whole."""
    entries = value if checks.is_sequence(value) else (value,) * ndim
    whole = [_whole(entry) for entry in entries]
    if not any(isinstance(entry, Fraction) for entry in whole):
        whole_value = whole if checks.is_sequence(value) else whole[0]
        return (None,) * ndim if value is None else checks.per_axis("scale", whole_value, ndim, 1)
    if len(whole) != ndim:
        numbers, got = checks.count(ndim, "number"), ", ".join(map(str, whole))
        checks.wrong(f"scale must be a number or a sequence of {numbers}, one an axis; got {got}")
    return [e if isinstance(e, Fraction) else checks.integer(f"scale[{i}]", e, 1) for i, e in enumerate(whole)]


def _whole(entry: Any) -> Any:
    """A positive number that is no integer as a fraction, of the digits it was written with; else the entry itself."""
    if not isinstance(entry, float | Fraction) or not 0 < entry < 2**53:
        return entry
    number = Fraction(repr(float(entry))) if isinstance(entry, float) else entry
    return int(number) if number.denominator == 1 else number


def _by_fraction(coarse: int | None, fine: int | None, scale: Fraction) -> tuple[int, int, None]:
    """Both sizes of an axis from one of them and a scale that holds there."""
    if coarse is not None:
        size = _whole_size(scale * coarse, f"scale * coarse = {scale} * {coarse}")
        if fine not in (None, size):
            checks.wrong(f"fine must be scale * coarse = {scale} * {coarse} = {size} where all are given; got {fine}")
        return coarse, size, None
    if fine is not None:
        return _whole_size(fine / scale, f"fine / scale = {fine} / ({scale})"), fine, None
    return checks.wrong(f"scale must be an integer where no size is given: {scale} holds at some sizes only")


def _whole_size(size: Fraction, said: str) -> int:
    if size.denominator > 1:
        checks.wrong(f"scale must lead to a whole size; {said} is {size}")
    return int(size)


def _sizes(coarse: int | None, fine: int | None, scale: int | Fraction | None) -> tuple[int, int, int | None]:
    """Both sizes of an axis, from two of the three or from the scale alone."""
    if isinstance(scale, Fraction):
        return _by_fraction(coarse, fine, scale)
    if scale is None:
        if coarse is None or fine is None:
            checks.wrong(f"coarse and fine must both be given, or scale; got coarse={coarse} and fine={fine}")
        return coarse, fine, None
    if fine is not None:
        checks.divides("scale", scale, "fine", fine)
    if coarse is None:
        coarse = 1 if fine is None else fine // scale
    if fine is not None and fine != scale * coarse:
        checks.wrong(
            f"fine must be scale * coarse = {scale} * {coarse} = {scale * coarse} where all are given; got {fine}"
        )
    return coarse, scale * coarse, scale


def _paddings(padding: Any, ndim: int) -> Sequence[tuple[int, int] | None]:
    if padding is None:
        return (None,) * ndim
    if isinstance(padding, str):
        checks.wrong_type(
            f"padding must be integers or (low, high) pairs of them, or left out to be found; got {padding!r}"
        )
    if not checks.is_sequence(padding):
        return [checks.padding_pair("padding", padding)] * ndim
    if len(padding) != ndim:
        hint = f"; write ({checks.shorten(padding)},) for a (low, high) pair" if (ndim, len(padding)) == (1, 2) else ""
        checks.wrong(
            f"padding must be one integer, or a sequence of {checks.count(ndim, 'entry', 'entries')}, one an axis, "
            f"each an integer or a (low, high) pair; got {checks.shorten(padding)}{hint}"
        )
    return [checks.padding_pair(f"padding[{i}]", pair) for i, pair in enumerate(padding)]


def _largest(max_kernel: Any, kernels: Sequence[int | None]) -> int | None:
    """max_kernel, which the kernels that are given must not exceed."""
    if max_kernel is None:
        return None
    largest = checks.integer("max_kernel", max_kernel, 1)
    given = max((kernel for kernel in kernels if kernel is not None), default=1)
    if largest < given:
        checks.wrong(f"max_kernel must be at least kernel = {given}; got {largest}")
    return largest


def _heading(questions: Sequence[Question], sized: bool) -> str:
    """What was asked."""
    scales = [question.scale for question in questions if question.scale is not None]
    ends = [f"{name} {'x'.join(str(getattr(q, name)) for q in questions)}" for name in ("coarse", "fine")]
    return " -> ".join(ends) if sized else f"fine = {joined(scales)} * coarse"


def _reason(questions: Sequence[Question]) -> str:
    """Why there is no solution: that of the first axis that has none."""
    i, text = next((i, reason(q)) for i, q in enumerate(questions) if not ranked([q], 1))
    return text if len(questions) == 1 else f"axis {i}: {text}"


def _unreached(axes: Sequence[Axis]) -> list[str]:
    """The fine positions beyond the first and the last tap, unless there are gaps between taps anyway."""
    texts = []
    for i, axis in enumerate(axes):
        place = f" of axis {i}" if len(axes) > 1 else ""
        for end, number in zip(("first", "last"), beyond_taps(axis), strict=True):
            if number and axis.kernel >= axis.stride:
                positions = f"{end} position{place} is" if number == 1 else f"{end} {number} positions{place} are"
                texts.append(f"the {positions} beyond every tap")
    return texts


def _table(solutions: Sequence[Solution]) -> list[str]:
    """The solutions as lines, columns aligned; dilation only where there is any."""
    geometries = [solution.geometry for solution in solutions]
    columns = [
        ["", *(str(i) for i in range(1, len(solutions) + 1))],
        ["kernel", *(joined(g.kernel) for g in geometries)],
        ["stride", *(joined(g.stride) for g in geometries)],
        ["padding", *(padding_text(g.padding) for g in geometries)],
        ["output padding", *(joined(g.output_padding) for g in geometries)],
        ["dilation", *(joined(g.dilation) for g in geometries)],
    ]
    if all(d == 1 for g in geometries for d in g.dilation):
        columns.pop()
    columns = [[cell.rjust(max(map(len, column))) for cell in column] for column in columns]
    columns.append(["coverage", *(solution.coverage for solution in solutions)])
    return ["  ".join(row) for row in zip(*columns, strict=True)]
