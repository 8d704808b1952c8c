"""Transposed convolution for JAX: phases as dense convolutions and matrix products, in operations of lax.

The three operations are called as `tconv.jax.conv_transpose`, `conv` and `weight_gradient`, or as those of `tconv` on
JAX arrays; `tconv.jax.lax_conv_transpose` is there in place of `jax.lax.conv_transpose`, and `tconv.jax.patch` puts it
there. All of it is imported when it is first asked for, and needs JAX.
"""

# ruff: noqa: E402 - what is missing is said before anything is imported that needs it
from tconv import extras

extras.need("jax", "JAX", "jax")

from tconv.jax.drop_in import lax_conv_transpose
from tconv.jax.functional import conv, conv_transpose, weight_gradient
from tconv.jax.general import lax_conv_general_dilated
from tconv.jax.patching import patch, unpatch
from tconv.jax.variants import VARIANTS

__all__ = [
    "conv_transpose",
    "conv",
    "weight_gradient",
    "lax_conv_transpose",
    "lax_conv_general_dilated",
    "patch",
    "unpatch",
    "VARIANTS",
]
