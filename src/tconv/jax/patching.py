"""`tconv.jax.patch`: lax's own names lead to tconv's functions, for libraries whose layers call lax.

Flax (linen and nnx), Haiku and Keras call `jax.lax.conv_transpose`, Equinox `jax.lax.conv_general_dilated`; all of them
look the name up as they are called, so that it is enough to change what it stands for.
"""

from __future__ import annotations

from types import TracebackType

from jax import lax

from tconv.jax import laxs
from tconv.jax.drop_in import lax_conv_transpose
from tconv.jax.general import lax_conv_general_dilated

_OURS = {"conv_transpose": lax_conv_transpose, "conv_general_dilated": lax_conv_general_dilated}


class Patch:
    """What `patch` returns: as a context manager it puts back, at its end, what was there before."""

    def __init__(self) -> None:
        self._before = {name: getattr(lax, name) for name in _OURS}

    def __enter__(self) -> Patch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name, function in self._before.items():
            setattr(lax, name, function)


def patch() -> Patch:
    """Have libraries compute their transposed convolutions by tconv: Flax, Equinox, Haiku, Keras on JAX, your own code.

    Until `unpatch`, or the end of a `with` block, `jax.lax.conv_transpose` is `tconv.jax.lax_conv_transpose`, and
    `jax.lax.conv_general_dilated` is `tconv.jax.lax_conv_general_dilated`; results are the same up to rounding. This
    holds for the whole process. What `jax.jit` has compiled before stays as it is: patch first, or call
    `jax.clear_caches()`. A name that somebody has taken out of lax (`from jax.lax import conv_transpose`) stays what it
    was, too.

    >>> import jax, jax.numpy as jnp, tconv.jax
    >>> with tconv.jax.patch():
    ...     y = jax.lax.conv_transpose(jnp.ones((1, 4, 4, 3)), jnp.ones((4, 4, 3, 2)), (2, 2), "SAME")
    >>> y.shape
    (1, 8, 8, 2)
    """
    patched = Patch()
    for name, function in _OURS.items():
        setattr(lax, name, function)
    return patched


def unpatch() -> None:
    """Give lax its own functions back, however often `patch` was called.

    >>> import jax, tconv.jax
    >>> patched = tconv.jax.patch()
    >>> tconv.jax.unpatch()
    >>> jax.lax.conv_transpose is tconv.jax.lax_conv_transpose
    False
    """
    for name in _OURS:
        setattr(lax, name, getattr(laxs, name))
