"""`tconv.jax.lax_conv_transpose`: in place of jax.lax.conv_transpose, with its arguments and its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tconv.jax import laxs, rewriting
from tconv.jax.calls import on_cpu
from tconv.jax.rewriting import Rewritten, frozen, run

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
        return laxs.conv_transpose(lhs, rhs, **keywords)

    def rewritten(self, lhs: Array, rhs: Array) -> Rewritten | None:
        """The call as a task; None where it is left to lax."""
        numbers = self.dimension_numbers
        if numbers is None and (numbers := _DEFAULT.get(jnp.ndim(lhs) - 2)) is None:
            return None
        said = {name: getattr(self, name) for name in ("strides", "padding", "rhs_dilation", "use_consistent_padding")}
        return rewriting.rewritten(self, lhs, rhs, numbers, said, transposed_kernel=self.transpose_kernel)


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
        frozen(strides),
        frozen(padding),
        frozen(rhs_dilation),
        frozen(dimension_numbers),
        transpose_kernel,
        frozen(precision),
        preferred_element_type,
        use_consistent_padding,
    )
    rewritten = call.rewritten(lhs, rhs) if on_cpu() else None
    return call.by_lax(lhs, rhs) if rewritten is None else run(call, rewritten, lhs, rhs)
