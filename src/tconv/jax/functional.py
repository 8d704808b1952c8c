"""`tconv.jax.conv_transpose`: the arguments checked as everywhere in tconv, then computed by lax."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from tconv import arguments, arrays, checks
from tconv.arguments import LAYOUTS, Layout
from tconv.jax.choose import choose
from tconv.jax.derivatives import computed
from tconv.jax.task import Choice, Task
from tconv.jax.variants import VARIANTS
from tconv.resolve import Ints, PaddingLike

NATIVE = Choice("native", "native", "native")


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
    float32 and rounded once.

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
    return by_window(x, w, bias, (stride, padding, output_padding, output_size, groups, dilation), layout, method, out)


def by_window(x: Any, w: Any, bias: Any, window: tuple[Any, ...], layout: Layout, method: str, out: Any) -> Array:
    """`conv_transpose` with its geometry arguments in the order of `arguments.Window`."""
    shown = {"x": x, "w": w}, None, bias, window, layout, method, out
    with checks.explained("conv_transpose", lambda: arguments.called_with(*shown)):
        checks.choice("layout", layout, LAYOUTS)
        checks.choice("method", method, ("auto", *VARIANTS))
        if out is not None:
            checks.wrong_type("out must be None for JAX arrays, which are never written into")
        dtype = _dtype(x)
        _same_dtype("w", w, dtype)
        settled = arguments.window(*window)
        problem, batched = arguments.problem("conv_transpose", x.shape, w.shape, None, dtype, settled, layout)
        if bias is not None:
            _same_dtype("bias", bias, dtype)
            arrays.exact_shape("bias", bias, (problem.out_channels,))
    if method != "auto":
        choice = Choice(method, method, method)
    elif on_cpu():
        choice = choose(Task(problem, "channels_first"))
    else:  # other backends have units for half precision that sum in float32
        choice, problem = NATIVE, replace(problem, dtype=dtype)
    y: Array = _run(Task(problem, "channels_first"), choice, layout, batched, x, w, bias)
    return y


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(task: Task, choice: Choice, layout: Layout, batched: bool, x: Array, w: Array, bias: Array | None) -> Array:
    """One compiled computation, also where nothing around it is jitted."""
    x = x if batched else x[None]
    x = jnp.moveaxis(x, 1, -1) if layout == "channels_first" else x
    y = in_wide(task, choice, x, w)
    y = y if bias is None else y + bias.astype(y.dtype)
    y = y.astype(x.dtype)
    y = jnp.moveaxis(y, -1, 1) if layout == "channels_first" else y
    return y if batched else y[0]


def on_cpu() -> bool:
    """Whether JAX computes on a CPU unless it is told otherwise.

    lax.platform_dependent would know better, but XLA's CPU backend takes up to a hundred times longer for the gradient
    of a convolution within it (JAX 0.10).
    """
    device: Any = getattr(jax.config, "jax_default_device", None)  # a device, or the name of a platform
    platform = getattr(device, "platform", device) or jax.default_backend()
    return bool(platform == "cpu")


def in_wide(task: Task, choice: Choice, x: Array, w: Array) -> Array:
    """Computed in the dtype of the problem, which is float32 for the half ones; not rounded yet."""
    return computed(task, choice, x.astype(task.problem.dtype), w.astype(task.problem.dtype))


def _dtype(x: Any) -> str:
    _array("x", x)
    return arrays.dtype_name("the dtype of x", x.dtype)


def _same_dtype(name: str, value: Any, dtype: str) -> None:
    _array(name, value)
    if str(value.dtype) != dtype:
        checks.wrong_type(f"{name} must have the dtype of x, {dtype}; got {value.dtype}")


def _array(name: str, value: Any) -> None:
    """An array of JAX, traced or not, or one of NumPy whose dtype JAX keeps."""
    if not isinstance(value, (Array, np.ndarray)):
        kind = type(value).__name__
        checks.wrong_type(f"{name} must be a JAX array; got {checks.shorten(value)} of type {kind}")
    if jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        checks.wrong_type(f'{name} must have a dtype that JAX keeps; {value.dtype} needs jax.config "jax_enable_x64"')
