"""What one call computes, as integers and words: all that stays fixed while JAX traces, differentiates and compiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
from jax import Array, lax

from tconv.problem import Problem

#: How weights lie: (Cin, Cout / groups, *kernel), as tconv and PyTorch have them, or (*kernel, Cin / groups, Cout),
#: where the channels of a group follow each other.
Order: TypeAlias = Literal["channels_first", "taps_first"]


class Choice(NamedTuple):
    """The variants that compute a transposed convolution, and its derivatives by x and by w."""

    forward: str
    by_x: str
    by_w: str

    def yielding(self, array: str) -> str:
        """The one that y, x or w is computed by."""
        return {"y": self.forward, "x": self.by_x, "w": self.by_w}[array]


@dataclass(frozen=True, slots=True)
class Task:
    """A problem, how its weights lie, flipped or not, and the precision that lax is asked for.

    Variants see x as (N, *coarse, Cin) and return (N, *fine, Cout).
    """

    problem: Problem
    order: Order
    precision: Any = None
    flipped: bool = False  #: whether tap t lies at kernel - 1 - t

    @property
    def ndim(self) -> int:
        """The number of axes of size."""
        return self.problem.geometry.ndim


def weights_in(task: Task, w: Array, order: Order, flipped: bool) -> Array:
    """The weights of a task in this order, flipped or not. XLA copies what it flips, also to flip it back."""
    w = _ordered(task, w, order)
    first = 0 if order == "taps_first" else 2
    return w if task.flipped == flipped else lax.rev(w, tuple(range(first, first + task.ndim)))


def _ordered(task: Task, w: Array, order: Order) -> Array:
    p, k, nd = task.problem, task.problem.geometry.kernel, task.ndim
    if order == task.order:
        return w
    if order == "taps_first":
        split = w.reshape(p.groups, p.cin, p.cout, *k)
        return jnp.transpose(split, (*range(3, 3 + nd), 1, 0, 2)).reshape(*k, p.cin, p.out_channels)
    split = w.reshape(*k, p.cin, p.groups, p.cout)
    return jnp.transpose(split, (nd + 1, nd, nd + 2, *range(nd))).reshape(p.in_channels, p.cout, *k)
