"""A call of one of lax's convolutions as a task, and its result: what the functions in place of lax's share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from tconv.conventions import DIALECTS
from tconv.geometry import Geometry
from tconv.jax.choose import choose
from tconv.jax.derivatives import in_wide
from tconv.jax.task import Order, Task
from tconv.problem import Problem

#: What is rewritten, and in which dtype it is computed. The rest, such as complex numbers, is left to lax.
_COMPUTED_IN = {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}


class Call(Protocol):
    """The arguments of a call that are not arrays, hashable, under lax's names."""

    @property
    def precision(self) -> Any:
        """What lax is asked for."""

    @property
    def preferred_element_type(self) -> Any:
        """The dtype of the result, or None."""

    def by_lax(self, lhs: Array, rhs: Array) -> Array:
        """What lax does with it."""


class Rewritten(NamedTuple):
    """A call as a task, and which dimensions of its arrays are which."""

    task: Task
    lhs: tuple[int, ...]  #: the dimensions (N, *size, C) of lhs
    rhs: tuple[int, ...]  #: the dimensions of rhs in the order of the task
    out: tuple[int, ...]  #: the dimensions (N, *size, C) of the result


@partial(jax.jit, static_argnums=(0, 1))
def run(call: Call, rewritten: Rewritten, lhs: Array, rhs: Array) -> Array:
    """The result, by the variant that is expected to be the fastest."""
    jax.eval_shape(call.by_lax, lhs, rhs)  # raises what lax raises
    x = jnp.transpose(lhs, rewritten.lhs)
    w = jnp.transpose(rhs, rewritten.rhs)
    y = in_wide(rewritten.task, choose(rewritten.task), x, w)
    y = y.astype(call.preferred_element_type or lhs.dtype)
    return jnp.moveaxis(y, range(y.ndim), rewritten.out)


def frozen(value: Any) -> Any:
    """An argument with its lists turned into tuples; dimension numbers and the like are kept."""
    if isinstance(value, np.ndarray):
        return frozen(value.tolist())
    return tuple(map(frozen, value)) if isinstance(value, list) or type(value) is tuple else value


def rewritten(
    call: Call,
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    said: Mapping[str, Any],
    *,
    groups: int = 1,
    transposed_kernel: bool = False,
) -> Rewritten | None:
    """The call as a task, its geometry being what JAX's dialect reads; None where it is left to lax."""
    dtype, ndim = _computed_in(call, lhs, rhs), jnp.ndim(lhs) - 2
    if dtype is None or jnp.ndim(rhs) - 2 != ndim:
        return None
    try:
        numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
        geometry = _geometry(said, lhs.shape, rhs.shape, numbers)
    except (ValueError, TypeError):
        return None
    (batch, channels, *size), (outs, ins, *taps) = numbers.lhs_spec, numbers.rhs_spec
    if transposed_kernel:
        outs, ins = ins, outs
    cin, cout, images = rhs.shape[ins] * groups, rhs.shape[outs], lhs.shape[batch]
    if lhs.shape[channels] != cin or cout % groups or 0 in (cin, cout, images):
        return None
    # With groups, lax's kernels are (Cin / groups, Cout) whatever their order, as taps_first has them.
    channels_first = groups == 1 and max(ins, outs) < min(taps)
    order: Order = "channels_first" if channels_first else "taps_first"
    problem = Problem("conv_transpose", geometry, images, cin, cout, groups, dtype)
    return Rewritten(
        Task(problem, order, call.precision, flipped=not transposed_kernel),
        (batch, *size, channels),
        (ins, outs, *taps) if channels_first else (*taps, ins, outs),
        (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]),
    )


def _computed_in(call: Call, lhs: Any, rhs: Any) -> str | None:
    """The dtype to compute in; None for what is no floating-point array, or mixed."""
    if not all(isinstance(array, Array) for array in (lhs, rhs)) or lhs.dtype != rhs.dtype:
        return None
    if lhs.weak_type and rhs.weak_type:  # the result is weak, too
        return None
    if not all(isinstance(size, int) for size in (*lhs.shape, *rhs.shape)):  # symbols of jax.export
        return None
    if any(_is_explicit(array) for array in (lhs, rhs)):
        return None
    wanted = lhs.dtype if call.preferred_element_type is None else jnp.dtype(call.preferred_element_type)
    dtypes = [_COMPUTED_IN.get(str(dtype)) for dtype in (lhs.dtype, wanted)]
    return None if None in dtypes else max(dtypes, key=str)


def _geometry(said: Mapping[str, Any], lhs: tuple[int, ...], rhs: tuple[int, ...], numbers: Any) -> Geometry:
    """What the arguments say, as tconv's JAX dialect reads them; ValueError or TypeError where they say nothing."""
    kernel = tuple(rhs[axis] for axis in numbers.rhs_spec[2:])
    coarse = tuple(lhs[axis] for axis in numbers.lhs_spec[2:])
    return DIALECTS["jax"].read(said, kernel=kernel, coarse=coarse).geometry


def _is_explicit(array: Array) -> bool:
    """Whether a mesh has axes along which shardings are part of types, which reshapes have to name."""
    mesh = getattr(getattr(jax.typeof(array), "sharding", None), "mesh", None)
    return any(str(kind).endswith("Explicit") for kind in getattr(mesh, "axis_types", ()))
