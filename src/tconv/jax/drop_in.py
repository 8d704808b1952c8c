"""`tconv.jax.lax_conv_transpose`: in place of jax.lax.conv_transpose, with its arguments and its results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from tconv.conventions import DIALECTS
from tconv.geometry import Geometry
from tconv.jax.calls import on_cpu
from tconv.jax.choose import choose
from tconv.jax.derivatives import in_wide
from tconv.jax.task import Order, Task
from tconv.problem import Problem

#: What is rewritten, and in which dtype it is computed. The rest, such as complex numbers, is left to lax.
_COMPUTED_IN = {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}
#: What lax takes where no dimension numbers are given.
_DEFAULT = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


class _Call(NamedTuple):
    """The arguments that are not arrays, hashable, under lax's names."""

    strides: Any
    padding: Any
    rhs_dilation: Any
    dimension_numbers: Any
    transpose_kernel: Any
    precision: Any
    preferred_element_type: Any
    use_consistent_padding: Any

    def by_lax(self, lhs: Array, rhs: Array) -> Array:
        """What lax does with it."""
        keywords = self._asdict()
        if not self.use_consistent_padding:  # older versions of JAX have no such argument
            del keywords["use_consistent_padding"]
        return lax.conv_transpose(lhs, rhs, **keywords)


class _Rewritten(NamedTuple):
    """A call as a task, and which dimensions of its arrays are which."""

    task: Task
    lhs: tuple[int, ...]  #: the dimensions (N, *size, C) of lhs
    rhs: tuple[int, ...]  #: the dimensions of rhs in the order of the task
    out: tuple[int, ...]  #: the dimensions (N, *size, C) of the result


def lax_conv_transpose(
    lhs: Array,
    rhs: Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Array:
    """`jax.lax.conv_transpose`, faster on a CPU: its arguments, its results up to rounding, its errors.

    Where JAX's default device is a CPU, floating-point arrays are computed by the variant that
    `tconv.jax.conv_transpose` would take, and half precision in float32, rounded once. Everything else is given to lax
    as it is: other platforms and dtypes, empty arrays and results, and arguments that lax refuses.

    >>> import jax, jax.numpy as jnp, tconv.jax
    >>> lhs, rhs = jnp.ones((1, 4, 4, 3)), jnp.ones((4, 4, 3, 2))
    >>> tconv.jax.lax_conv_transpose(lhs, rhs, (2, 2), "SAME").shape
    (1, 8, 8, 2)
    """
    call = _Call(
        _frozen(strides),
        _frozen(padding),
        _frozen(rhs_dilation),
        _frozen(dimension_numbers),
        transpose_kernel,
        _frozen(precision),
        preferred_element_type,
        use_consistent_padding,
    )
    rewritten = _rewritten(call, lhs, rhs) if on_cpu() else None
    if rewritten is None:
        return call.by_lax(lhs, rhs)
    y: Array = _run(call, rewritten, lhs, rhs)
    return y


@partial(jax.jit, static_argnums=(0, 1))
def _run(call: _Call, rewritten: _Rewritten, lhs: Array, rhs: Array) -> Array:
    jax.eval_shape(call.by_lax, lhs, rhs)  # raises what lax raises
    x = jnp.transpose(lhs, rewritten.lhs)
    w = jnp.transpose(rhs, rewritten.rhs)
    y = in_wide(rewritten.task, choose(rewritten.task), x, w)
    y = y.astype(call.preferred_element_type or lhs.dtype)
    return jnp.moveaxis(y, range(y.ndim), rewritten.out)


def _frozen(value: Any) -> Any:
    """An argument with its lists turned into tuples; dimension numbers and the like are kept."""
    return tuple(map(_frozen, value)) if isinstance(value, list) or type(value) is tuple else value


def _rewritten(call: _Call, lhs: Any, rhs: Any) -> _Rewritten | None:
    """The call as a task; None where it is left to lax."""
    dtype, ndim = _computed_in(call, lhs, rhs), jnp.ndim(lhs) - 2
    if dtype is None or jnp.ndim(rhs) - 2 != ndim or (call.dimension_numbers is None and ndim not in _DEFAULT):
        return None
    try:
        numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, call.dimension_numbers or _DEFAULT[ndim])
        geometry = _geometry(call, lhs.shape, rhs.shape, numbers)
    except (ValueError, TypeError):
        return None
    (batch, channels, *size), (outs, ins, *taps) = numbers.lhs_spec, numbers.rhs_spec
    if call.transpose_kernel:
        outs, ins = ins, outs
    cin, cout, images = rhs.shape[ins], rhs.shape[outs], lhs.shape[batch]
    if lhs.shape[channels] != cin or 0 in (cin, cout, images):
        return None
    channels_first = max(ins, outs) < min(taps)
    order: Order = "channels_first" if channels_first else "taps_first"
    problem = Problem("conv_transpose", geometry, images, cin, cout, 1, dtype)
    return _Rewritten(
        Task(problem, order, call.precision, flipped=not call.transpose_kernel),
        (batch, *size, channels),
        (ins, outs, *taps) if channels_first else (*taps, ins, outs),
        (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]),
    )


def _computed_in(call: _Call, lhs: Any, rhs: Any) -> str | None:
    """The dtype to compute in; None for what is no floating-point array, or mixed."""
    if not all(isinstance(array, Array) for array in (lhs, rhs)) or lhs.dtype != rhs.dtype:
        return None
    wanted = lhs.dtype if call.preferred_element_type is None else jnp.dtype(call.preferred_element_type)
    dtypes = [_COMPUTED_IN.get(str(dtype)) for dtype in (lhs.dtype, wanted)]
    return None if None in dtypes else max(dtypes, key=str)


def _geometry(call: _Call, lhs: tuple[int, ...], rhs: tuple[int, ...], numbers: Any) -> Geometry:
    """What the arguments say, as tconv's JAX dialect reads them; ValueError or TypeError where they say nothing."""
    names = ("strides", "padding", "rhs_dilation", "use_consistent_padding")
    return (
        DIALECTS["jax"]
        .read(
            {name: getattr(call, name) for name in names},
            kernel=tuple(rhs[axis] for axis in numbers.rhs_spec[2:]),
            coarse=tuple(lhs[axis] for axis in numbers.lhs_spec[2:]),
        )
        .geometry
    )
