"""`tconv.jax.lax_conv_general_dilated`: in place of jax.lax.conv_general_dilated, where it says a transposed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from tconv.jax import laxs, rewriting
from tconv.jax.calls import on_cpu
from tconv.jax.rewriting import Rewritten, frozen, run


class _Call(NamedTuple):
    """The arguments that are not arrays, hashable, under lax's names."""

    window_strides: Any
    padding: Any
    lhs_dilation: Any
    rhs_dilation: Any
    dimension_numbers: Any
    feature_group_count: Any
    batch_group_count: Any
    precision: Any
    preferred_element_type: Any
    out_sharding: Any

    def by_lax(self, lhs: Array, rhs: Array) -> Array:
        """What lax does with it."""
        keywords = self._asdict()
        if self.out_sharding is None:  # older versions of JAX have no such argument
            del keywords["out_sharding"]
        return laxs.conv_general_dilated(lhs, rhs, **keywords)

    def rewritten(self, lhs: Array, rhs: Array) -> Rewritten | None:
        """The call as a task; None where it is left to lax, as everything is that is no transposed convolution."""
        stretched = isinstance(self.lhs_dilation, tuple) and any(step != 1 for step in self.lhs_dilation)
        if not stretched or self.batch_group_count != 1 or self.out_sharding is not None or jnp.ndim(lhs) < 3:
            return None
        if any(step != 1 for step in self.window_strides) or len(self.window_strides) != len(self.lhs_dilation):
            return None
        said = {"strides": self.lhs_dilation, "padding": self.padding, "rhs_dilation": self.rhs_dilation}
        groups = self.feature_group_count
        return rewriting.rewritten(self, lhs, rhs, self.dimension_numbers, said, groups=groups)


def lax_conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Array:
    """`jax.lax.conv_general_dilated`, faster on a CPU where it says a transposed convolution, as Equinox says it.

    That is, with an `lhs_dilation` above 1 and no window strides, grouped or not. Such calls are computed as those of
    `tconv.jax.lax_conv_transpose` are. Everything else is given to lax as it is.

    >>> import jax, jax.numpy as jnp, tconv.jax
    >>> lhs, rhs = jnp.ones((1, 3, 4, 4)), jnp.ones((2, 3, 4, 4))
    >>> tconv.jax.lax_conv_general_dilated(lhs, rhs, (1, 1), [(2, 2), (2, 2)], lhs_dilation=(2, 2)).shape
    (1, 2, 8, 8)
    """
    call = _Call(
        frozen(window_strides),
        frozen(padding),
        frozen(lhs_dilation),
        frozen(rhs_dilation),
        frozen(dimension_numbers),
        feature_group_count,
        batch_group_count,
        frozen(precision),
        preferred_element_type,
        out_sharding,
    )
    rewritten = call.rewritten(lhs, rhs) if on_cpu() else None
    return call.by_lax(lhs, rhs) if rewritten is None else run(call, rewritten, lhs, rhs)
