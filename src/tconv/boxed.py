"""Prepared operators on boxes of larger arrays, which are read and written where they lie: nothing is copied.

For who computes a result block by block: a block is a layer with a padding of its own, and all share their weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tconv import checks
from tconv.finishing import Finishing
from tconv.forks import uninterrupted
from tconv.jit import boxes
from tconv.prepared import UNSEEN, Conv, ConvTranspose
from tconv.problem import Array

if TYPE_CHECKING:
    from tconv.jit.call import Packed

Operator = TypeVar("Operator", bound=ConvTranspose | Conv)


def into(operator: ConvTranspose | Conv, grid: Array, out: Array, whole: int) -> bool:
    """Compute a box of a result of `whole` elements where it lies, from a grid that may be a box of one too.

    Whether it could be done: kernels go through boxes whose rows of cells, and channels that are last, lie in one
    piece, in the order of the layout. The two share no memory; what is not of the shapes and the dtype of a call is for
    the operator, which says so.
    """
    ready = _ready(operator, grid, out, whole)
    if ready is None:
        return False
    if not ready.finish(grid, out, None):
        operator._otherwise(grid, out)
    return True


def padded(operator: Operator, padding: tuple[tuple[int, int], ...]) -> Operator:
    """The same operator with other zeros around the grid, (low, high) of each axis; weights are shared."""
    other = object.__new__(type(operator))  # a copy would be of what is pickled, without packed weights
    other.__dict__.update(operator.__dict__, _window=operator._window._replace(padding=padding), _ready={})
    with uninterrupted:
        operator._alike.add(other)
    return other


def _ready(operator: ConvTranspose | Conv, grid: Array, out: Array, whole: int) -> Packed | None:
    """Everything a call needs, kept for the next one; None: kernels cannot go through these boxes."""
    of_grid, of_out = ((a.shape, a.strides, a.dtype, a.flags.aligned) for a in (grid, out))
    key = of_grid, of_out, whole
    known: Packed | None = operator._ready.get(key, UNSEEN)
    if known is None or (known is not UNSEEN and known.is_current()):
        return known
    with checks.explained(type(operator).__name__):
        plan = operator._plan(grid.shape)
    problem = None
    if plan.is_for_kernels and grid.dtype == out.dtype == plan.problem.dtype and out.shape == plan.result_shape:
        problem = boxes.posed(plan.problem, plan.layout == "channels_last", grid, out, whole)
    finishing = None if operator.activation is None else Finishing(operator.activation, None)
    with uninterrupted:  # what is packed is in use from the beginning
        ready = None if problem is None else operator._made(plan, problem, finishing)
        operator._remember(key, ready)
    return ready
