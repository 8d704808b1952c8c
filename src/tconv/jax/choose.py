"""Which variant is expected to be the fastest on a CPU: by expected times for the result, by sizes for derivatives."""

from __future__ import annotations

from functools import lru_cache

from tconv.jax.cost import operations, seconds
from tconv.jax.task import Choice, Task
from tconv.jax.variants import VARIANTS
from tconv.problem import Problem

#: A variant of more operations takes long to compile.
MOST_OPERATIONS = 64
#: How much of the time of lax's own a variant may be expected to take, to be taken.
CLEARLY = 0.9
#: Columns take so many times the memory of the result, at most.
MOST_COLUMNS = 27
#: Up to so many coarse cells, and from so many input channels of a group on, matrix products are the fastest
#: derivatives: bringing the weights into another order takes longer than multiplying by them.
FEW_CELLS, MANY_CHANNELS = 800, 64
#: From so many taps on, lax's own derivative of a convolution by its weights is the fastest in two axes: from so many
#: channels of x in all images on, and, where y has as many or more, up to so many coarse cells of all images.
MANY_TAPS, SOME_CHANNELS, SOME_CELLS = 25, 16, 13000
#: From so many output channels on, the derivative by w that lax has at stride 1 is the fastest in one and two axes.
MANY_RESULTS = 32


@lru_cache(maxsize=1024)
def choose(task: Task) -> Choice:
    """The variants for the result and for its derivatives by x and by w."""
    expected = {name: seconds(name, task) for name in VARIANTS if is_small(name, task.problem)}
    return Choice(fastest(expected), _by_x(task.problem), _by_w(task.problem))


def fastest(expected: dict[str, float]) -> str:
    """The variant that is expected to take the least time; lax's own unless it is clearly slower."""
    weighed = {name: value * (CLEARLY if name == "native" else 1) for name, value in expected.items()}
    return min(weighed, key=weighed.__getitem__)


def _by_x(p: Problem) -> str:
    """lax's own is a convolution with stride, without zeros; depthwise, or grouped in three axes, in plain loops."""
    if p.groups > 1 and (p.cin == 1 or p.geometry.ndim > 2):
        return _first_small(p, "taps", "columns", "native")
    if _few_cells(p):
        return _first_small(p, "columns", "native")
    return "native"


def _by_w(p: Problem) -> str:
    """lax's own multiplies by the zeros of the stretched input, with few exceptions; of a convolution it has none."""
    if p.operation != "conv_transpose" and _is_for_patches_of_y(p):
        return "native"
    stride_1 = max(p.geometry.stride) == 1 and not _few_cells(p)
    if stride_1 and _has_dense_gradient(p):
        return "native"
    if stride_1 or p.cin == 1 or any(axis.kernel % axis.stride or axis.dilation > 1 for axis in p.geometry.axes):
        return _first_small(p, "taps", "columns", "phases", "native")
    return _first_small(p, "columns", "taps", "phases", "native")


def _has_dense_gradient(p: Problem) -> bool:
    """At stride 1 there are no zeros; channels must be enough for the patches of lax's convolution to pay."""
    return p.groups == 1 and p.cout >= MANY_RESULTS and p.geometry.ndim < 3 and max(p.geometry.dilation) == 1


def _is_for_patches_of_y(p: Problem) -> bool:
    """Whether the product of patches of y and the cells of x is the fastest: lax's own for a convolution.

    Products of `columns` and `taps` are as wide as y has channels, which is slow for few, above all a tap at a time.
    """
    if p.groups > 1 or p.geometry.ndim != 2 or max(p.geometry.dilation) > 1 or p.batch * p.cin < SOME_CHANNELS:
        return False
    if p.cout < SOME_CHANNELS:
        return p.taps >= MANY_TAPS or any(axis.kernel % axis.stride for axis in p.geometry.axes)
    return p.taps >= MANY_TAPS and p.batch * p.coarse_cells <= SOME_CELLS


def _few_cells(p: Problem) -> bool:
    return p.batch * p.coarse_cells <= FEW_CELLS and p.cin >= MANY_CHANNELS


def _first_small(p: Problem, *names: str) -> str:
    return next(name for name in names if is_small(name, p))


def is_small(name: str, p: Problem) -> bool:
    """Whether it takes reasonably few operations, and memory."""
    number = operations(name, p.geometry)
    return number <= (MOST_COLUMNS if name == "columns" else MOST_OPERATIONS) or name == "native"
