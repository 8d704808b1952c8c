"""The sizes of one axis as plain functions: from one side to the other, or from both sides to what ties them.

The functions that settle an axis return what it needs beside kernel, stride and dilation: (coarse, padding,
output_padding). Their arguments are integers checked before; what does not fit together raises `checks.Rejected`.
"""

from __future__ import annotations

from typing import NoReturn, TypeAlias

from tconv import checks

Padding: TypeAlias = tuple[int, int]
Ends: TypeAlias = tuple[int, Padding, int]


def effective_kernel(kernel: int, dilation: int) -> int:
    """Cells from the first tap to the last."""
    return dilation * (kernel - 1) + 1


def fine_size(coarse: int, kernel: int, stride: int, padding: Padding, output_padding: int, dilation: int) -> int:
    """The size of the transposed convolution's result; below 1 where the padding crops all of it."""
    return (coarse - 1) * stride - padding[0] - padding[1] + dilation * (kernel - 1) + 1 + output_padding


def fine_sizes(coarse: int, k: int, s: int, pad: Padding | str, d: int) -> range:
    """The fine sizes that some output padding makes of a coarse size; raises where the padding leaves none."""
    if pad == "same":
        return range((coarse - 1) * s + 1, coarse * s + 1)
    pair = _pair(pad)
    smallest = fine_size(coarse, k, s, pair, 0, d)
    check_something_left(coarse, smallest + max(s, d) - 1, pair)
    return range(max(smallest, 1), smallest + max(s, d))


def coarse_sizes(fine: int, k: int, s: int, pad: Padding | str, d: int) -> range:
    """The coarse sizes of which some output padding makes a fine size; empty where the kernel does not fit into it."""
    if pad == "same":
        return range(-(-fine // s), -(-fine // s) + 1)
    room = fine + sum(_pair(pad)) - effective_kernel(k, d)
    return range(max(0, (room - max(s, d)) // s + 1) + 1, room // s + 2)


def of_conv(fine: int, k: int, s: int, pad: Padding | str, a: int | None, size: int | None, d: int) -> Ends:
    """A convolution of `fine` cells: how many coarse cells it has, and the remainder that is the output padding."""
    _check_one_of_two(a, size, pad)
    fitting = coarse_sizes(fine, k, s, pad, d)
    if not fitting:
        kernel_does_not_fit(fine, k, _pair(pad), d)
    if size is not None:
        if size not in fitting:
            checks.wrong(f"output_size must be {checks.one_of(fitting)} for fine size {fine}; got {size}")
        return _tied(size, fine, k, s, pad, d)
    coarse, pair, remainder = _tied(fitting[-1], fine, k, s, pad, d)
    if a is None:
        return coarse, pair, remainder
    check_output_padding(a, s, d)
    left_over = range(remainder, remainder + checks.length(fitting) * s, s)
    if a not in left_over:
        must = f"output_padding must be {checks.one_of(left_over)}, what fine size {fine} leaves over at stride {s}"
        checks.wrong(f"{must}; got {a} (leave it out to have it derived)")
    return coarse - (a - remainder) // s, pair, a


def of_conv_transpose(coarse: int, k: int, s: int, pad: Padding | str, a: int, size: int | None, d: int) -> Ends:
    """A transposed convolution of `coarse` cells, whose fine size `a` or `size` decides."""
    _check_one_of_two(a or None, size, pad)
    if isinstance(pad, str) and size is None:
        size = coarse * s + (max(effective_kernel(k, d) - s, 0) if pad == "valid" else 0)
    if size is not None:
        reached = fine_sizes(coarse, k, s, pad, d)
        if not reached.start <= size < reached.stop:  # not `in`: torch.compile has sizes that are symbols
            checks.wrong(f"output_size must be {checks.one_of(reached)} for coarse size {coarse}; got {size}")
        return _tied(coarse, size, k, s, pad, d)
    check_output_padding(a, s, d)
    check_something_left(coarse, fine_size(coarse, k, s, _pair(pad), a, d), _pair(pad))
    return coarse, _pair(pad), a


def of_both(coarse: int, fine: int, k: int, s: int, pad: Padding | str, d: int) -> Ends:
    """A weight gradient between `coarse` and `fine` cells: the output padding that ties them, if there is one."""
    reached = fine_sizes(coarse, k, s, pad, d)
    if not reached.start <= fine < reached.stop:  # not `in`: torch.compile has sizes that are symbols
        checks.wrong(f"the size of y must be {checks.one_of(reached)} for size {coarse} of x; got {fine}")
    return _tied(coarse, fine, k, s, pad, d)


def _tied(coarse: int, fine: int, k: int, s: int, pad: Padding | str, d: int) -> Ends:
    """Both sizes are known to fit: the padding that a word stands for, and the output padding."""
    pair = _pair(pad)
    if pad == "same":
        total = max(fine_size(coarse, k, s, (0, 0), 0, d) - fine, 0)
        pair = (total // 2, total - total // 2)
    return coarse, pair, fine - fine_size(coarse, k, s, pair, 0, d)


def _pair(pad: Padding | str) -> Padding:
    """The padding itself; nothing where a word stands for it."""
    return (0, 0) if isinstance(pad, str) else pad


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
        checks.wrong(
            f'output_padding must be left out with padding="{pad}", where output_size names another size; got {a}'
        )


def kernel_does_not_fit(fine: int, k: int, pair: Padding, d: int) -> NoReturn:
    """Refuse a convolution that would have no coarse cell."""
    span = checks.count(effective_kernel(k, d), "cell")
    checks.wrong(
        f"kernel must fit into the padded size: kernel {k} with dilation {d} spans {span}, "
        f"size {fine} with padding {pair} has {fine + sum(pair)}"
    )
