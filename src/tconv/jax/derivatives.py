"""The result of a task and its derivatives, each by the variant that is chosen for it.

A transposed convolution is bilinear, so its derivative is itself, of a tangent and the other operand. Reverse mode is
the transpose of that, which JAX derives from the operations of the variant; so forward mode, reverse mode and higher
derivatives all work, whichever variants are chosen.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import Array
from jax.custom_derivatives import SymbolicZero

from tconv.jax.task import Choice, Task
from tconv.jax.variants import VARIANTS


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def computed(task: Task, choice: Choice, x: Array, w: Array) -> Array:
    """(N, *fine, Cout) from x (N, *coarse, Cin) and weights in the order of the task."""
    return VARIANTS[choice.forward](task, x, w)


@partial(computed.defjvp, symbolic_zeros=True)
def _differentiated(task: Task, choice: Choice, primals: Any, tangents: Any) -> tuple[Array, Any]:
    (x, w), (dx, dw) = primals, tangents
    y = computed(task, choice, x, w)
    parts = []
    if not isinstance(dx, SymbolicZero):
        parts.append(VARIANTS[choice.by_x](task, dx, w))
    if not isinstance(dw, SymbolicZero):
        parts.append(VARIANTS[choice.by_w](task, x, dw))
    return y, sum(parts[1:], start=parts[0])
