"""The operations on NumPy arrays: everything checked, planned, and run by the method of the plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from tconv import arguments, arrays, checks, methods, repeated
from tconv.arguments import Layout
from tconv.finishing import Finishing, checked
from tconv.methods import METHODS, Operation
from tconv.plan import Plan, check_words, make_plan
from tconv.problem import Array


def compute(
    operation: Operation,
    operands: dict[str, Any],
    kernel_size: Any,
    bias: Any,
    window: tuple[Any, ...],
    layout: Layout,
    method: str,
    out: Any,
    activation: Any = None,
    residual: Any = None,
) -> Array:
    """The result in a new array, or in `out`; `window` holds the geometry arguments in the order of `Window`.

    `activation` and `residual` are those of `conv_transpose` and `conv`. What is wrong raises ValueError, TypeError or
    MemoryError, before any work. Calls of the engine are remembered.
    """
    shown = operands, kernel_size, bias, window, layout, method, out, activation, residual
    with checks.explained(operation, lambda: arguments.called_with(*shown)):
        check_words(layout, method)
        (first_name, first), (second_name, second) = operands.items()
        arrays.array(first_name, first)
        dtype = arrays.dtype_name(f"the dtype of {first_name}", first.dtype)
        arrays.same_dtype(second_name, second, first_name, dtype)
        plan = make_plan(
            operation,
            first.shape,
            second.shape,
            arguments.freeze("kernel_size", kernel_size),
            dtype,
            arguments.window(*window),
            layout,
            method,
        )
        if bias is not None:
            arrays.same_dtype("bias", bias, first_name, dtype)
            channels = plan.problem.out_channels if operation == "conv_transpose" else plan.problem.in_channels
            arrays.exact_shape("bias", bias, (channels,))
        asked = _finishing(plan, activation, residual, first_name)
        if out is not None:
            arrays.output(out, plan.result_shape, dtype, {**operands, "bias": bias, "residual": residual})
    result = _new(plan, dtype) if out is None else out
    run(plan, first, second, bias, result, asked)
    if plan.is_for_kernels and operation != "weight_gradient":
        repeated.remember(plan, first, second, window, layout, method, activation, asked)
    return result


def _finishing(plan: Plan, activation: Any, residual: Any, name: str) -> Finishing | None:
    """What is to be done with the result; most calls ask for nothing."""
    if activation is None and residual is None:
        return None
    problem = plan.problem
    channels = problem.out_channels if problem.written == "y" else problem.in_channels
    return checked(activation, residual, name, plan.dtype, plan.result_shape, channels)


def _new(plan: Plan, dtype: str) -> Array:
    """An array for the result; the engine writes whole vectors, and twice as fast where they lie in one cache line."""
    if not METHODS[plan.method].by_engine:
        return np.empty(plan.result_shape, dtype)
    from tconv.jit import engine

    return engine.empty(plan.result_shape, np.dtype(dtype))


def run(
    plan: Plan, first: Array, second: Array, bias: Array | None, result: Array, finishing: Finishing | None = None
) -> None:
    """Bring the arrays into the form that methods take, run the method, add the bias, finish the result."""
    dtype = np.dtype(plan.problem.dtype)
    first, second = np.asarray(first, dtype), np.asarray(second, dtype)
    bias = None if bias is None else np.asarray(bias, dtype)
    written = result if result.dtype == dtype else np.empty(result.shape, dtype)
    if plan.problem.operation == "conv_transpose":
        x, w, y = first, second, written
    elif plan.problem.operation == "conv":
        x, w, y = written, second, first
    else:
        x, w, y = first, written, second
    x, y = _grouped(plan, x), _grouped(plan, y)
    w = w.reshape(plan.problem.w_shape)
    if bias is not None:
        written_first = plan.problem.operation == "conv_transpose"
        bias = bias.reshape(plan.problem.groups, plan.problem.cout if written_first else plan.problem.cin)
    if finishing is not None and finishing.residual is not None:
        finishing = finishing._replace(residual=_grouped(plan, np.asarray(finishing.residual, dtype)))
    methods.run(METHODS[plan.method], plan.problem, x, w, y, bias, finishing)
    if written is not result:
        with np.errstate(all="ignore"):
            result[...] = written


def _grouped(plan: Plan, grid: Array) -> Array:
    """A view of x or y as (N, groups, C / groups, *size)."""
    if not plan.batched:
        grid = grid[None]
    if plan.layout == "channels_last":
        grid = np.moveaxis(grid, -1, 1)
    groups = plan.problem.groups
    return grid.reshape(grid.shape[0], groups, grid.shape[1] // groups, *grid.shape[2:])
