"""lax's own convolutions, bound as tconv.jax is imported: whatever takes their place in lax, here they are the same."""

from __future__ import annotations

from jax.lax import conv_general_dilated, conv_transpose

__all__ = ["conv_general_dilated", "conv_transpose"]
