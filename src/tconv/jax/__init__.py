"""Transposed convolution for JAX: phases as dense convolutions and matrix products, in operations of lax.

It takes `tconv.jax.conv_transpose`, or `tconv.conv_transpose` on JAX arrays, or `tconv.jax.lax_conv_transpose` in place
of `jax.lax.conv_transpose`. It is imported when it is first asked for, and needs JAX.
"""

# ruff: noqa: E402 - what is missing is said before anything is imported that needs it
from tconv import extras

extras.need("jax", "JAX", "jax")

from tconv.jax.drop_in import lax_conv_transpose
from tconv.jax.functional import conv_transpose
from tconv.jax.variants import VARIANTS

__all__ = ["VARIANTS", "conv_transpose", "lax_conv_transpose"]
