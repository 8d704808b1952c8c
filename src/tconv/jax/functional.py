"""`tconv.jax.conv_transpose`, `conv` and `weight_gradient`: the operations on JAX arrays, by name."""

from __future__ import annotations

from jax import Array

from tconv.arguments import Layout
from tconv.jax.calls import compute
from tconv.resolve import Ints, PaddingLike


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
    out: None = None,
) -> Array:
    """`tconv.conv_transpose` for JAX: the same arguments and the same result, made of operations of lax.

    It can be jitted, differentiated in both modes and to any order, and batched by `jax.vmap`, on any backend.

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse) without a batch; with `layout="channels_last"` the channels come last.
        w: (Cin, Cout / groups, *kernel), as in PyTorch, whatever `layout` is.
        bias: (Cout,), or None.
        stride, padding, output_padding, output_size, groups, dilation: as in `tconv.conv_transpose`; fixed integers,
            not traced ones.
        layout: "channels_first" or "channels_last", of x and the result.
        method: "auto", or a name in `tconv.jax.VARIANTS`, which then computes the result and both derivatives on every
            backend. "auto" picks by sizes where JAX's default device is a CPU, and is lax's own convolution elsewhere.
        out: None. JAX arrays are never written into.

    All arrays have one dtype, one that `tconv.conv_transpose` takes. On a CPU, float16 and bfloat16 are computed in
    float32 and rounded once. Complex numbers are not conjugated, and derivatives follow JAX's convention for them.

    Returns:
        An array of shape (N, Cout, *fine), or (N, *fine, Cout).

    Raises:
        ValueError, TypeError: before any work; the text names the argument, its value, what is allowed.

    >>> import jax, jax.numpy as jnp, tconv.jax
    >>> x = jnp.array([[[1.0, 2.0, 3.0]]])
    >>> w = jnp.array([[[1.0, 1.0, 0.5]]])
    >>> up = jax.jit(lambda x: tconv.jax.conv_transpose(x, w, stride=2))
    >>> up(x)
    Array([[[1. , 1. , 2.5, 2. , 4. , 3. , 1.5]]], dtype=float32)
    >>> jax.grad(lambda x: up(x).sum())(x)
    Array([[[2.5, 2.5, 2.5]]], dtype=float32)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return compute("conv_transpose", {"x": x, "w": w}, None, bias, window, layout, method, out)


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
    out: None = None,
) -> Array:
    """`tconv.conv` for JAX: the adjoint of `conv_transpose` with the same keywords, made of operations of lax.

        x[n, i, c] = sum of y[n, o, c * stride - low + t * dilation] * w[i, o, t]

    over the channels o of the group and the taps t that land inside y; then the bias of its channel is added. It can be
    jitted, differentiated in both modes and to any order, and batched by `jax.vmap`, on any backend.

    Args:
        y: (N, Cout, *fine), or (Cout, *fine) without a batch; with `layout="channels_last"` the channels come last.
        w: (Cin, Cout / groups, *kernel): the weights of the transposed convolution, and of a Conv layer of PyTorch from
            Cout to Cin channels; whatever `layout` is.
        bias: (Cin,), or None.
        stride, padding, groups, dilation: as in `tconv.conv`; fixed integers, not traced ones.
        output_padding, output_size: checked if given: what the fine size leaves over, and the coarse size.
        layout: "channels_first" or "channels_last", of y and the result.
        method: "auto", or a name in `tconv.jax.VARIANTS`: the derivative of that variant by x computes the result. Of
            "native", and of integers always, it is lax's own convolution with strides.
        out: None. JAX arrays are never written into.

    All arrays have one dtype, as in `conv_transpose`, and errors are raised as there.

    Returns:
        An array of shape (N, Cin, *coarse), or (N, *coarse, Cin).

    >>> import jax, jax.numpy as jnp, tconv.jax
    >>> y = jnp.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    >>> w = jnp.array([[[1.0, 1.0, 0.5]]])
    >>> down = jax.jit(lambda y: tconv.jax.conv(y, w, stride=2))
    >>> down(y)
    Array([[[4.5, 9.5]]], dtype=float32)
    >>> jax.grad(lambda y: down(y).sum())(y)
    Array([[[1. , 1. , 1.5, 1. , 0.5]]], dtype=float32)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return compute("conv", {"y": y, "w": w}, None, bias, window, layout, method, out)


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
    out: None = None,
) -> Array:
    """`tconv.weight_gradient` for JAX: the derivative by w of <conv_transpose(x, w), y>, made of operations of lax.

        dw[i, o, t] = sum of x[n, i, c] * y[n, o, c * stride - low + t * dilation]

    over images n and coarse cells c whose tap t lands inside y. It can be jitted, differentiated in both modes and to
    any order, and batched by `jax.vmap`, on any backend.

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse) without a batch; with `layout="channels_last"` the channels come last.
        y: (N, Cout, *fine), or (Cout, *fine); a fine size that the coarse size of x reaches.
        kernel_size: an integer of at least 1, or one for each axis (needed where x has no batch axis).
        stride, padding, groups, dilation: as in `tconv.weight_gradient`; fixed integers, not traced ones.
        output_padding, output_size: checked if given; x and y imply them.
        layout: "channels_first" or "channels_last", of x and y.
        method: "auto", or a name in `tconv.jax.VARIANTS`: the derivative of that variant by w computes the result. Of
            "native", and of integers always, it is lax's own derivative of a convolution with strides.
        out: None. JAX arrays are never written into.

    All arrays have one dtype, as in `conv_transpose`, and errors are raised as there.

    Returns:
        An array of shape (Cin, Cout / groups, *kernel), whatever `layout` is.

    >>> import jax.numpy as jnp, tconv.jax
    >>> x = jnp.array([[[1.0, 10.0]]])
    >>> y = jnp.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    >>> tconv.jax.weight_gradient(x, y, 3, stride=2)
    Array([[[31., 42., 53.]]], dtype=float32)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return compute("weight_gradient", {"x": x, "y": y}, kernel_size, None, window, layout, method, out)
