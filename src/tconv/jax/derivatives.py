"""The result of a task and its derivatives, each by the variant that is chosen for it.

All three operations are bilinear, so the derivative of each is itself, of a tangent and the other operand. Reverse mode
is the transpose of that, which JAX derives from the operations of the variant, and which is another of the three. So
the variant for a tangent is the one that is chosen for what its transpose yields; forward mode, reverse mode and higher
derivatives all work, whichever variants are chosen.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import Array
from jax.custom_derivatives import SymbolicZero

from tconv.jax.adjoints import by_variant
from tconv.jax.task import Choice, Task
from tconv.problem import OPERANDS


def in_wide(task: Task, choice: Choice, first: Array, second: Array) -> Array:
    """Computed in the dtype of the problem, which is float32 for the half ones; not rounded yet."""
    return computed(task, choice, first.astype(task.problem.dtype), second.astype(task.problem.dtype))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def computed(task: Task, choice: Choice, first: Array, second: Array) -> Array:
    """The result of a task: x is (N, *coarse, Cin), y (N, *fine, Cout), weights are in the order of the task."""
    return by_variant(choice.yielding(task.problem.written), task, first, second)


@partial(computed.defjvp, symbolic_zeros=True)
def _differentiated(task: Task, choice: Choice, primals: Any, tangents: Any) -> tuple[Array, Any]:
    result = computed(task, choice, *primals)
    parts = []
    for place, (name, tangent) in enumerate(zip(OPERANDS[task.problem.operation], tangents, strict=True)):
        if not isinstance(tangent, SymbolicZero):
            first, second = (tangent, primals[1]) if place == 0 else (primals[0], tangent)
            parts.append(by_variant(choice.yielding(name), task, first, second, tangent=name))
    return result, sum(parts[1:], start=parts[0])
