"""The three operations on tensors, closed under differentiation: each is the others' derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv.torch import engine, native


class ConvTranspose(torch.autograd.Function):
    """From the coarse grid to the fine grid."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, *window: Any) -> Tensor:
        """Compute."""
        ctx.save_for_backward(x, w)
        ctx.window = window
        y = engine.run("conv_transpose", x, w, bias, *window) if engine.serves(x, w, bias) else None
        return native.conv_transpose(x, w, bias, *window) if y is None else y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:  # type: ignore[override]
        """By x, w and bias."""
        x, w = ctx.saved_tensors
        stride, low, _, dilation, groups = ctx.window
        dx = dw = db = None
        if ctx.needs_input_grad[0]:
            dx = Conv.apply(dy, w, None, stride, low, x.shape[2:], dilation, groups)
        if ctx.needs_input_grad[1]:
            dw = native.weight_gradient(x, dy, w.shape[2:], stride, low, dilation, groups)
        if ctx.needs_input_grad[2]:
            db = dy.sum((0, *range(2, dy.dim())))
        return dx, dw, db, *[None] * 5


class Conv(torch.autograd.Function):
    """From the fine grid to the coarse grid."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, bias: Tensor | None, *window: Any) -> Tensor:
        """Compute."""
        ctx.save_for_backward(y, w)
        ctx.window = window
        x = engine.run("conv", y, w, bias, *window) if engine.serves(y, w, bias) else None
        return native.conv(y, w, bias, *window) if x is None else x

    @staticmethod
    def backward(ctx: Any, dx: Tensor) -> Any:  # type: ignore[override]
        """By y, w and bias."""
        y, w = ctx.saved_tensors
        stride, low, _, dilation, groups = ctx.window
        dy = dw = db = None
        if ctx.needs_input_grad[0]:
            dy = ConvTranspose.apply(dx, w, None, stride, low, y.shape[2:], dilation, groups)
        if ctx.needs_input_grad[1]:
            dw = native.weight_gradient(dx, y, w.shape[2:], stride, low, dilation, groups)
        if ctx.needs_input_grad[2]:
            db = dx.sum((0, *range(2, dx.dim())))
        return dy, dw, db, *[None] * 5


def conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None, window: Any) -> Tensor:
    """Compute, and record the derivative."""
    y: Tensor = ConvTranspose.apply(x, w, bias, *window)
    return y
