"""The way of a call on JAX arrays: its arguments checked as everywhere in tconv, then computed by lax."""

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
from tconv.hints import words
from tconv.jax.choose import choose
from tconv.jax.derivatives import in_wide
from tconv.jax.task import Choice, Task
from tconv.jax.variants import VARIANTS
from tconv.problem import Operation, Problem

NATIVE = Choice("native", "native", "native")


def compute(
    operation: Operation,
    operands: dict[str, Any],
    kernel_size: Any,
    bias: Any,
    window: tuple[Any, ...],
    layout: Layout,
    method: str,
    out: Any,
) -> Array:
    """The result of an operation, a JAX array; `window` holds the geometry arguments in the order of `Window`."""
    shown = operands, kernel_size, bias, window, layout, method, out
    with checks.explained(operation, lambda: arguments.called_with(*shown)):
        checks.choice("layout", layout, LAYOUTS)
        checks.choice("method", method, ("auto", *VARIANTS))
        if out is not None:
            checks.wrong_type("out must be None for JAX arrays, which are never written into")
        dtype = _dtype(operands)
        first, second = operands.values()
        kernel, settled = arguments.freeze("kernel_size", kernel_size), arguments.window(*window)
        problem, batched = arguments.problem(operation, first.shape, second.shape, kernel, dtype, settled, layout)
        if bias is not None:
            _same_dtype("bias", bias, next(iter(operands)), dtype)
            channels = problem.out_channels if operation == "conv_transpose" else problem.in_channels
            arrays.exact_shape("bias", bias, (channels,))
    task, choice = _task(problem, method, dtype)
    result: Array = _run(task, choice, layout, batched, first, second, bias)
    return result


def _task(problem: Problem, method: str, dtype: str) -> tuple[Task, Choice]:
    """What is computed, and by which variants."""
    task = Task(problem, "channels_first")
    if method != "auto":
        return task, Choice(method, method, method)
    if on_cpu():
        return task, choose(task)
    # Other backends have units for half precision that sum in float32.
    return replace(task, problem=replace(problem, dtype=dtype)), NATIVE


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(
    task: Task, choice: Choice, layout: Layout, batched: bool, first: Array, second: Array, bias: Array | None
) -> Array:
    """One compiled computation, also where nothing around it is jitted."""
    operation = task.problem.operation
    dtype, first = first.dtype, _channels_last(first, layout, batched)
    if operation == "weight_gradient":
        return in_wide(task, choice, first, _channels_last(second, layout, batched)).astype(dtype)
    result = in_wide(task, choice, first, second)
    result = result if bias is None else result + bias.astype(result.dtype)
    result = result.astype(dtype)
    result = jnp.moveaxis(result, -1, 1) if layout == "channels_first" else result
    return result if batched else result[0]


def _channels_last(grid: Array, layout: Layout, batched: bool) -> Array:
    """x or y as (N, *size, C)."""
    grid = grid if batched else grid[None]
    return jnp.moveaxis(grid, 1, -1) if layout == "channels_first" else grid


def on_cpu() -> bool:
    """Whether JAX computes on a CPU unless it is told otherwise.

    lax.platform_dependent would know better, but XLA's CPU backend takes up to a hundred times longer for the gradient
    of a convolution within it (JAX 0.10).
    """
    device: Any = getattr(jax.config, "jax_default_device", None)  # a device, or the name of a platform
    platform = getattr(device, "platform", device) or jax.default_backend()
    return bool(platform == "cpu")


def _dtype(operands: dict[str, Any]) -> str:
    """The one that both have."""
    (name, first), (other, second) = operands.items()
    _array(name, first)
    dtype = arrays.dtype_name(f"the dtype of {name}", first.dtype)
    _same_dtype(other, second, name, dtype)
    return dtype


def _same_dtype(name: str, value: Any, other: str, dtype: str) -> None:
    _array(name, value)
    if str(value.dtype) != dtype:
        hint = words.cast(name, str(value.dtype), other, dtype)
        checks.wrong_type(f"{name} must have the dtype of {other}, {dtype}; got {value.dtype}{hint}")


def _array(name: str, value: Any) -> None:
    """An array of JAX, traced or not, or one of NumPy whose dtype JAX keeps."""
    if not isinstance(value, (Array, np.ndarray)):
        kind = type(value).__name__
        checks.wrong_type(f"{name} must be a JAX array; got {checks.shorten(value)} of type {kind}")
    if jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        checks.wrong_type(f'{name} must have a dtype that JAX keeps; {value.dtype} needs jax.config "jax_enable_x64"')
