"""`tconv.jax.patch`: lax's own names lead to tconv's functions, for libraries whose layers call lax.

Flax (linen and nnx), Haiku and Keras call `jax.lax.conv_transpose`, Equinox `jax.lax.conv_general_dilated`; all of them
look the name up as they are called, so that it is enough to change what it stands for.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from jax import lax

from tconv.jax import laxs
from tconv.jax.drop_in import lax_conv_transpose
from tconv.jax.general import lax_conv_general_dilated

_OURS = {"conv_transpose": lax_conv_transpose, "conv_general_dilated": lax_conv_general_dilated}


#: Patches that have begun and not ended, and what lax had before the first of them.
_active: list[Patch] = []
_before: dict[str, Any] = {}
_lock = threading.RLock()


class Patch:
    """What `patch` returns: as a context manager it ends at the end of the block, in whatever order patches end."""

    def __enter__(self) -> Patch:
        with _lock:
            if self not in _active:
                if not _active:
                    _before.update({name: getattr(lax, name) for name in _OURS})
                _active.append(self)
                for name, function in _OURS.items():
                    setattr(lax, name, function)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lock:
            if self not in _active:
                return
            _active.remove(self)
            if not _active:
                for name, function in _before.items():
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
    return Patch().__enter__()


def unpatch() -> None:
    """Give lax its own functions back, however often `patch` was called.

    >>> import jax, tconv.jax
    >>> patched = tconv.jax.patch()
    >>> tconv.jax.unpatch()
    >>> jax.lax.conv_transpose is tconv.jax.lax_conv_transpose
    False
    """
    with _lock:
        _active.clear()
        for name in _OURS:
            setattr(lax, name, getattr(laxs, name))
