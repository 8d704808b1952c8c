"""Derivatives in eager mode: the three operations are closed under differentiation, each is the others' derivative.

y = conv_transpose(x, w):    dx = conv(dy, w),             dw = weight_gradient(x, dy)
x = conv(y, w):              dy = conv_transpose(dx, w),   dw = weight_gradient(dx, y)
w = weight_gradient(x, y):   dx = conv(y, dw),             dy = conv_transpose(x, dw)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.profiler import record_function

from tconv.torch import choice, engine, native, weight_gradients
from tconv.torch.engine import Call, Operation, OperationWindow
from tconv.torch.halves import HALVES
from tconv.torch.kept import PackedWeights
from tconv.torch.plain import needs_graph, plain


class _Operation(Function):
    """An operation with weights, which is differentiated by the grid that it reads, the weights and the bias."""

    @staticmethod
    def forward(
        ctx: Any, grid: Tensor, w: Tensor, bias: Tensor | None, call: Call, kept: PackedWeights | None
    ) -> Tensor:
        """Compute, and remember the grid and w."""
        ctx.save_for_backward(grid, w)
        ctx.operation, ctx.window = call.operation, call.window
        return call.run(grid, w, bias, kept)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        """The gradients by the grid, w and the bias, as far as they are asked for."""
        (grid, w), window, wanted = ctx.saved_tensors, ctx.window, ctx.needs_input_grad
        back = TRANSPOSE[ctx.operation]
        coarse, fine = (grid, d) if ctx.operation == "conv_transpose" else (d, grid)
        dgrid = applied(back, d, w, with_size(window, grid)) if wanted[0] else None
        dw = weight_gradient(coarse, fine, w, window) if wanted[1] else None
        return dgrid, dw, summed(d) if wanted[2] else None, None, None


class ConvTranspose(_Operation):
    """The transposed convolution."""


class Conv(_Operation):
    """The convolution."""


class WeightGradient(Function):
    """The gradient by the weights, which is differentiated by both grids."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Tensor:
        """Compute, and remember x and y."""
        ctx.save_for_backward(x, y)
        ctx.window = window
        return weights(x, y, like, window)

    @staticmethod
    def backward(ctx: Any, dw: Tensor) -> Any:
        """The gradients by x and y, as far as they are asked for."""
        (x, y), window, wanted = ctx.saved_tensors, ctx.window, ctx.needs_input_grad
        dx = applied("conv", y, dw, with_size(window, x)) if wanted[0] else None
        dy = applied("conv_transpose", x, dw, with_size(window, y)) if wanted[1] else None
        return dx, dy, None, None


#: Each is the derivative of the other by the grid that it reads.
TRANSPOSE: dict[Operation, Operation] = {"conv_transpose": "conv", "conv": "conv_transpose"}
_Record: TypeAlias = Callable[[Tensor, Tensor, Tensor | None, Call, PackedWeights | None], Tensor]
#: Compute and record: what PyTorch calls `apply`, of which it does not say the types.
RECORD: dict[Operation, _Record] = {"conv_transpose": ConvTranspose.apply, "conv": Conv.apply}
_record_weight_gradient: Callable[[Tensor, Tensor, Tensor, OperationWindow], Tensor] = WeightGradient.apply


def applied(
    operation: Operation, grid: Tensor, w: Tensor, window: OperationWindow, kept: PackedWeights | None = None
) -> Tensor:
    """Differentiable, from the grid that the operation reads to the other one."""
    if not served(grid, w, window.groups):
        return engine.natively(operation, grid, w, None, window)
    call = engine.call(operation, grid, w, window)
    if needs_graph(grid, w):
        return RECORD[operation](grid, w, None, call, None)
    return call.run(grid, w, None, kept)


def weight_gradient(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Tensor:
    """Differentiable, from both grids to weights like these, in shape and memory format."""
    if not served(x, y, window.groups):
        return native.weight_gradient(x, y, like, *engine.by_extra(window, x.shape[2:], y.shape[2:]))
    if needs_graph(x, y):
        return _record_weight_gradient(x, y, like.detach(), window)
    return weights(x, y, like, window)


def weights(x: Tensor, y: Tensor, like: Tensor, window: OperationWindow) -> Tensor:
    """The weight gradient itself, by whoever computes it faster."""
    if weight_gradients.served(x, y, like, window):
        with record_function("tconv::weight_gradient") if engine.profiled() else nullcontext():
            return weight_gradients.computed(x, y, like, window)
    return weight_gradients.by_torch(x, y, like, window)


def served(x: Tensor, w: Tensor, groups: int) -> bool:
    """Whether two tensors are what the engine takes."""
    if not in_memory(x, w) or x.dtype is not w.dtype or x.dtype not in engine.DTYPES:
        return False
    return x.dtype not in HALVES or not choice.is_left_to_onednn(x.dtype, groups)


def in_memory(x: Tensor, w: Tensor, bias: Tensor | None = None) -> bool:
    """Whether tensors of any dtype can be read where they lie, and nobody but autograd wants to know of it."""
    return not (_is_batched(x) or _is_batched(w)) and plain(x, w, bias)


#: Whether a gradient stands for many: `torch.autograd.grad(..., is_grads_batched=True)` and jacobian(vectorize=True)
#: map backward over them in a way of their own, which no transform of torch.func shows.
_is_batched: Callable[[Tensor], bool] = torch._C._functorch.is_legacy_batchedtensor


def with_size(window: OperationWindow, grid: Tensor) -> OperationWindow:
    """The window of an operation whose result is like this grid."""
    return OperationWindow(window.stride, window.low, tuple(grid.shape[2:]), window.dilation, window.groups)


def summed(dy: Tensor) -> Tensor:
    """The derivative by the bias."""
    return torch.sum(dy, (0, *range(2, dy.dim())))
