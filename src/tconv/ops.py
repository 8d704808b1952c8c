"""The three operations, on arrays of any library: calls that are repeated, and the table that finds who computes.

A convolution of fixed geometry is a sparse matrix C, built from the weights. `conv` applies C, `conv_transpose` its
transpose, and `weight_gradient` is the derivative of either by the weights. They are closed under differentiation:

    y = conv_transpose(x, w):   dL/dx = conv(dL/dy, w),             dL/dw = weight_gradient(x, dL/dy)
    x = conv(y, w):             dL/dy = conv_transpose(dL/dx, w),   dL/dw = weight_gradient(dL/dx, y)
"""

from __future__ import annotations

from typing import Any

from tconv import repeated
from tconv.activations import Activation
from tconv.arguments import Layout
from tconv.libraries import compute as _compute
from tconv.problem import Array
from tconv.resolve import Ints, PaddingLike
from tconv.widening import widened


def conv_transpose(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    out: Array | None = None,
    dtype: Any = None,
    activation: str | Activation | None = None,
    residual: Array | None = None,
) -> Array:
    """Transposed convolution: from x on the coarse grid to the result on the fine grid.

        y[n, o, c * stride - low + t * dilation] += x[n, i, c] * w[i, o, t]

    summed over the input channels i of the group, coarse cells c and taps t; then the bias of its channel is added to
    every cell, also to cells that no tap reaches. The fine size is, on each axis,

        (coarse - 1) * stride - low - high + dilation * (kernel - 1) + 1 + output_padding

    as in PyTorch's ConvTranspose layers (V. Dumoulin and F. Visin, arXiv:1603.07285, relationship 14).

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse) without a batch; any number of axes of size, any strides.
        w: (Cin, Cout / groups, *kernel), as in PyTorch, whatever `layout` is.
        bias: (Cout,), or None.
        stride: fine cells from one coarse cell to the next: an integer of at least 1, or one for each axis.
        padding: cells cropped off the result: one integer, for each axis an integer or a (low, high) pair, "same"
            (coarse * stride cells remain) or "valid" (none is cropped). Negative padding adds cells.
        output_padding: cells added at the high end, 0 <= output_padding < max(stride, dilation).
        output_size: the fine size itself, instead of `output_padding`.
        groups: channels are split into so many groups that do not mix; `groups=Cin` is depthwise.
        dilation: fine cells from one tap to the next: an integer of at least 1, or one for each axis.
        layout: "channels_first", or "channels_last" where x and the result are (N, *size, C).
        method: "auto", or a name in `tconv.methods.METHODS`; `tconv.plan` tells what "auto" picks and why.
        out: an array for the result, with any strides, that shares no memory with the others.
        dtype: of the result, and of the computation: one that holds all values of x, w and bias, which are cast to it,
            and may then differ. None: theirs, or that of an `out` of integers for integers. int8 and uint8 are added up
            without loss in "int32".
        activation: a function that is applied to the result: a name, such as "relu", "silu" or "gelu_tanh", or a
            `tconv.Activation` with its parameter. Kernels apply it to rows of the result that are still in a cache.
            Integers know "relu" only, complex numbers none.
        residual: an array of the shape and dtype of the result, with any strides, that is added before the activation:
            the result is activation(sums + bias + residual). It shares no memory with `out`. Of tensors of PyTorch and
            arrays of JAX both are left out.

    x and w may also be arrays of JAX, traced or not: the call is then `tconv.jax.conv_transpose`, and so is its result.
    Tensors of PyTorch are computed as by `tconv.torch.functional`, with derivatives; by a named method, as integers, or
    with more than three axes as the arrays on their memory, without. `out` is then a tensor too, and no derivative is
    recorded.

    All arrays have one dtype: float32 or float64; float16 or bfloat16 (of ml_dtypes), which are computed in float32 and
    rounded once; complex64 or complex128; or an integer type, whose sums wrap around as NumPy's do: `plan` says whether
    they may. NaN and Inf reach the cells that a tap ties to them, and no others.

    Of complex numbers it is the transpose of `conv`, with nothing conjugated: the adjoint is
    `conv_transpose(x, w.conj())`.

    Returns:
        A new array of shape (N, Cout, *fine), or `out`. The other arrays are not changed.

    Raises:
        ValueError, TypeError, MemoryError: before any work; the text names the argument, its value, what is allowed.

    >>> import numpy as np, tconv
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> w = np.array([[[1.0, 1.0, 0.5]]])
    >>> tconv.conv_transpose(x, w, stride=2)
    array([[1. , 1. , 2.5, 2. , 4. , 3. , 1.5]])
    >>> tconv.conv_transpose(x - 2, w, stride=2, activation="relu")
    array([[0. , 0. , 0. , 0. , 1. , 1. , 0.5]])
    >>> tconv.conv_transpose(np.full((1, 1), 200, "uint8"), np.full((1, 1, 2), -3, "int8"), dtype="int32")
    array([[-600, -600]], dtype=int32)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    if (
        out is None
        and dtype is None
        and (made := repeated.call("conv_transpose", x, w, bias, window, layout, method, activation, residual))
        is not None
    ):
        return made
    asked = {"activation": activation, "residual": residual}
    finishing = {} if activation is None and residual is None else asked
    operands = {"x": x, "w": w}
    return _computed("conv_transpose", operands, None, bias, window, layout, method, out, dtype, **finishing)


def conv(
    y: Array,
    w: Array,
    bias: Array | None = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints | None = None,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    out: Array | None = None,
    dtype: Any = None,
    activation: str | Activation | None = None,
    residual: Array | None = None,
) -> Array:
    """Convolution, the transpose of `conv_transpose` with the same keywords: from y on the fine grid to the coarse one.

        x[n, i, c] = sum of y[n, o, c * stride - low + t * dilation] * w[i, o, t]

    over the channels o of the group and the taps t that land inside y. The coarse size is, on each axis,

        floor((fine + low + high - dilation * (kernel - 1) - 1) / stride) + 1

    as in PyTorch's Conv layers. It is the gradient of `conv_transpose` by its input. Nothing is conjugated: the adjoint
    of `conv_transpose(x, w)` is `conv(y, w.conj())`.

    Args:
        y: (N, Cout, *fine), or (Cout, *fine) without a batch.
        w: (Cin, Cout / groups, *kernel), the weights of the transposed convolution: a Conv layer of PyTorch from Cout
            to Cin channels holds them in the same order.
        bias: (Cin,), or None.
        padding: zeros around y; negative padding crops y. "same" gives ceil(fine / stride) cells.
        output_padding: checked if given: what the fine size leaves over. It decides only where dilation > stride.
        output_size: checked if given: the coarse size.
        stride, groups, dilation, layout, method, out, dtype, activation, residual: as in `conv_transpose`, and so are
            dtypes and errors.

    y and w may be tensors of PyTorch, as x and w of `conv_transpose` may; derivatives of every order are recorded. Of
    arrays of JAX the call is `tconv.jax.conv`.

    Returns:
        A new array of shape (N, Cin, *coarse), or `out`.

    >>> import numpy as np, tconv
    >>> y = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    >>> w = np.array([[[1.0, 1.0, 0.5]]])
    >>> tconv.conv(y, w, stride=2)
    array([[4.5, 9.5]])
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    if (
        out is None
        and dtype is None
        and (made := repeated.call("conv", y, w, bias, window, layout, method, activation, residual)) is not None
    ):
        return made
    asked = {"activation": activation, "residual": residual}
    finishing = {} if activation is None and residual is None else asked
    operands = {"y": y, "w": w}
    return _computed("conv", operands, None, bias, window, layout, method, out, dtype, **finishing)


def weight_gradient(
    x: Array,
    y: Array,
    kernel_size: Ints,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints | None = None,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    out: Array | None = None,
    dtype: Any = None,
) -> Array:
    """The derivative by the weights of <conv_transpose(x, w), y>, which is <x, conv(y, w)>.

        dw[i, o, t] = sum of x[n, i, c] * y[n, o, c * stride - low + t * dilation]

    over images n and coarse cells c whose tap t lands inside y; nothing is conjugated. With y the gradient of a loss by
    the result of `conv_transpose`, it is the gradient by the weights; with x the gradient by the result of `conv`,
    likewise.

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse) without a batch.
        y: (N, Cout, *fine), or (Cout, *fine); a fine size that the coarse size of x reaches.
        kernel_size: an integer of at least 1, or one for each axis (needed where x has no batch axis).
        output_padding, output_size: checked if given; x and y imply them.
        stride, padding, groups, dilation, layout, method, out, dtype: as in `conv_transpose`, and so are dtypes and
            errors.

    x and y may be tensors of PyTorch, as x and w of `conv_transpose` may; derivatives of every order are recorded. Of
    arrays of JAX the call is `tconv.jax.weight_gradient`.

    Returns:
        A new array of shape (Cin, Cout / groups, *kernel), or `out`.

    >>> import numpy as np, tconv
    >>> x = np.array([[[1.0, 10.0]]])
    >>> y = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    >>> tconv.weight_gradient(x, y, 3, stride=2)
    array([[[31., 42., 53.]]])
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return _computed("weight_gradient", {"x": x, "y": y}, kernel_size, None, window, layout, method, out, dtype)


def _computed(
    operation: str, operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...],
    layout: Layout, method: str, out: Any, dtype: Any, **finishing: Any,
) -> Array:  # fmt: skip
    """The result by the library of the operands, once these are of the dtype that is asked for."""
    if dtype is not None or out is not None:
        operands, bias = widened(operation, operands, bias, out, dtype)
    return _compute(operation, operands, kernel_size, bias, window, layout, method, out, **finishing)
