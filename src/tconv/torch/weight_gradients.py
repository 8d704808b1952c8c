"""How tensors reach the engine for the gradient by the weights: on their memory, or by PyTorch where it is faster."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from tconv import checks
from tconv.jit import engine
from tconv.methods.jit import weight_gradient
from tconv.problem import Array, Problem
from tconv.torch import choice, formats, native
from tconv.torch.engine import DTYPES, Call, OperationWindow, by_extra, threads
from tconv.torch.halves import widened
from tconv.torch.windows import geometry


def served(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> bool:
    """Whether the engine computes the weight gradient of plain tensors, sooner than PyTorch as far as is known."""
    if 0 in x.shape or 0 in y.shape or 0 in like.shape:
        return False
    return _served(problem_of(x, y, like, window), formats.of(x, y).last, Call.current())


@lru_cache(maxsize=1024)
def _served(problem: Problem, channels_last: bool, _: object) -> bool:
    try:
        return not engine.limit(problem) and not choice.is_slower(problem, channels_last)
    except checks.Rejected:  # TCONV_ISA is wrong
        return False


def computed(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Tensor:
    """The weight gradient by the engine, in the memory format of these weights."""
    problem, dtype = problem_of(x, y, like, window), x.dtype
    x, y = widened(x.detach()), widened(y.detach())
    result = torch.empty(like.shape, dtype=x.dtype)
    formats.ask_for_huge_pages(result)
    first, second = (_grouped(grid.numpy(), problem.groups) for grid in (x, y))
    weight_gradient(problem, first, result.numpy().reshape(problem.w_shape), second, most=threads(), openmp=True)
    return result.to(dtype) if like.is_contiguous() else torch.empty_like(like, dtype=dtype).copy_(result)


def by_torch(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Tensor:
    """The weight gradient by PyTorch's own operator."""
    dw = native.weight_gradient(widened(x), widened(y), widened(like), *by_extra(window, x.shape[2:], y.shape[2:]))
    return dw.to(x.dtype)


def _grouped(grid: Array, groups: int) -> Array:
    return grid.reshape(grid.shape[0], groups, grid.shape[1] // groups, *grid.shape[2:])


def problem_of(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Problem:
    """What is to be computed from both grids."""
    stride, low, _, dilation, groups = window
    found = geometry(tuple(like.shape[2:]), stride, low, dilation, tuple(x.shape[2:]), tuple(y.shape[2:]))
    return Problem("weight_gradient", found, x.shape[0], x.shape[1], y.shape[1], groups, DTYPES[x.dtype])
