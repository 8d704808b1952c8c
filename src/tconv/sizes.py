"""The sizes of one axis as plain functions: from one side to the other, or from both sides to what ties them.

The functions that settle an axis return what it needs beside kernel, stride and dilation: (coarse, padding,
output_padding). Their arguments are integers checked before; what does not fit together raises `checks.Rejected`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from tconv import checks

Padding: TypeAlias = tuple[int, int]
Ends: TypeAlias = tuple[int, Padding, int]

_WORD_AND_OUTPUT_PADDING = (
    'output_padding must be left out with padding="{pad}", where output_size names another size; got {a}'
)

_UNREACHABLE = {
    "conv": "output_size must be a coarse size that reaches fine size {fine}; got {coarse}, which reaches {sizes}",
    "conv_transpose": "output_size must be one of {sizes}, the sizes that coarse size {coarse} reaches; got {fine}",
    "weight_gradient": "y must have one of the sizes that coarse size {coarse} of x reaches, {sizes}; got {fine}",
}


def effective_kernel(kernel: int, dilation: int) -> int:
    """Cells from the first tap to the last."""
    return dilation * (kernel - 1) + 1


def fine_size(coarse: int, kernel: int, stride: int, padding: Padding, output_padding: int, dilation: int) -> int:
    """The size of the transposed convolution's result; below 1 where the padding crops all of it."""
    return (coarse - 1) * stride - sum(padding) + effective_kernel(kernel, dilation) + output_padding


def of_conv(fine: int, k: int, s: int, pad: Padding | str, a: int | None, size: int | None, d: int) -> Ends:
    """A convolution of `fine` cells: how many coarse cells it has, and the remainder that is the output padding."""
    _check_one_of_two(a, size, pad)
    if pad == "same":
        return between(-(-fine // s) if size is None else size, fine, k, s, pad, d, "conv")
    low, high = (0, 0) if isinstance(pad, str) else pad
    eff = effective_kernel(k, d)
    room = fine + low + high - eff
    if room < 0:
        checks.wrong(
            f"kernel must fit into the padded size: kernel {k} with dilation {d} spans {checks.count(eff, 'cell')}, "
            f"size {fine} with padding {(low, high)} has {fine + low + high}"
        )
    if size is not None:
        return between(size, fine, k, s, (low, high), d, "conv")
    if a is None:
        return room // s + 1, (low, high), room % s
    check_output_padding(a, s, d)
    if (room - a) % s or a > room:
        left_over = range(room % s, min(max(s, d), room + 1), s)
        checks.wrong(
            f"output_padding must be {checks.some_of(left_over)}, what fine size {fine} leaves over at stride {s}; "
            f"got {a} (leave it out to have it derived)"
        )
    return (room - a) // s + 1, (low, high), a


def of_conv_transpose(coarse: int, k: int, s: int, pad: Padding | str, a: int, size: int | None, d: int) -> Ends:
    """A transposed convolution of `coarse` cells, whose fine size `a` or `size` decides."""
    _check_one_of_two(a or None, size, pad)
    if isinstance(pad, str) and size is None:
        size = coarse * s + (max(effective_kernel(k, d) - s, 0) if pad == "valid" else 0)
    if size is not None:
        return between(coarse, size, k, s, pad, d, "conv_transpose")
    assert not isinstance(pad, str)
    check_output_padding(a, s, d)
    check_something_left(coarse, fine_size(coarse, k, s, pad, a, d), pad)
    return coarse, pad, a


def between(
    coarse: int,
    fine: int,
    k: int,
    s: int,
    pad: Padding | str,
    d: int,
    operation: Literal["conv", "conv_transpose", "weight_gradient"],
) -> Ends:
    """Both sizes are known: the output padding that ties them, if there is one."""
    smallest, beyond = 0, 0
    if pad == "same":
        smallest, beyond = (coarse - 1) * s + 1, coarse * s + 1
        total = max((coarse - 1) * s + effective_kernel(k, d) - fine, 0)
        pad = (total // 2, total - total // 2)
    pair = (0, 0) if isinstance(pad, str) else pad
    without = fine_size(coarse, k, s, pair, 0, d)
    if not beyond:
        smallest, beyond = max(without, 1), without + max(s, d)
        check_something_left(coarse, beyond - 1, pair)
    if not smallest <= fine < beyond:
        sizes = checks.some_of(range(smallest, beyond))
        checks.wrong(_UNREACHABLE[operation].format(coarse=coarse, fine=fine, sizes=sizes))
    return coarse, pair, fine - without


def check_output_padding(a: int, stride: int, dilation: int) -> None:
    """output_padding < max(stride, dilation), PyTorch's rule."""
    if a >= max(stride, dilation):
        checks.wrong(
            f"output_padding must be less than max(stride, dilation) = max({stride}, {dilation}) = "
            f"{max(stride, dilation)}; got {a}"
        )


def check_something_left(coarse: int, fine: int, padding: Padding) -> None:
    """Padding may crop, but not all of the result."""
    if fine < 1:
        checks.wrong(f"padding must leave at least 1 cell; {padding} crops coarse size {coarse} to fine size {fine}")


def _check_one_of_two(a: int | None, size: int | None, pad: Padding | str) -> None:
    if a is not None and size is not None:
        checks.wrong(f"output_padding and output_size must not both be given; got {a} and {size}")
    if a is not None and isinstance(pad, str):
        checks.wrong(_WORD_AND_OUTPUT_PADDING.format(pad=pad, a=a))
