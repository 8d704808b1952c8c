"""Rules of torch.func.vmap for the registered operators: what is mapped over becomes part of the batch, or groups."""

from __future__ import annotations

from typing import Any

from torch import Tensor, library

from tconv.torch.engine import OperationWindow
from tconv.torch.registered import ops as _ops

#: Arguments of a window, of which groups are the last.
_WINDOW = len(OperationWindow._fields)


def _in_batch(t: Tensor, dim: int) -> Tensor:
    """(B, N, ...) as (B * N, ...)."""
    return t.movedim(dim, 0).flatten(0, 1)


def _in_channels(t: Tensor, dim: int | None, count: int) -> Tensor:
    """(N, B, C, ...) as (N, B * C, ...); what is not mapped over is repeated."""
    t = t.unsqueeze(1).expand(-1, count, *t.shape[1:]) if dim is None else t.movedim(dim, 1)
    return t.flatten(1, 2)


def _with_weights(operator: Any) -> Any:
    """The rule of an operator that takes a grid, weights and a bias."""

    def rule(info: Any, dims: Any, x: Tensor, w: Tensor, bias: Tensor | None, *window: Any) -> Any:
        if dims[2] is None and dims[1] is None:
            y = operator(_in_batch(x, dims[0]), w, bias, *window)
            return y.unflatten(0, (info.batch_size, -1)), 0
        y, dim = _mapped(operator, info, dims, x, w, window)
        if bias is None:
            return y, dim
        bias = bias.unsqueeze(0) if dims[2] is None else bias.movedim(dims[2], 0)
        shape = [1] * y.dim()
        shape[dim], shape[dim + 1 if dim else 2] = bias.shape
        return y + bias.reshape(shape), dim

    return rule


def _mapped(operator: Any, info: Any, dims: Any, x: Tensor, w: Tensor, window: tuple[Any, ...]) -> Any:
    """Without a bias, (N, B, C, ...) and 1 where weights are mapped over, (B, N, C, ...) and 0 where they are not."""
    count = info.batch_size
    if dims[1] is None:
        if dims[0] is None:  # only the bias is mapped over
            return operator(x, w, None, *window).unsqueeze(0).expand(count, *[-1] * x.dim()), 0
        return operator(_in_batch(x, dims[0]), w, None, *window).unflatten(0, (count, -1)), 0
    *shared, groups = window[:_WINDOW]
    w = w.movedim(dims[1], 0).flatten(0, 1)
    # Arguments with their default may be left out: of minimal filtering there is nothing behind the window, or one.
    result = operator(_in_channels(x, dims[0], count), w, None, *shared, groups * count, *window[_WINDOW:])
    return result.unflatten(1, (count, -1)), 1


def _weight_gradient(info: Any, dims: Any, x: Tensor, y: Tensor, *window: Any) -> Any:
    *shared, groups = window
    count = info.batch_size
    x, y = _in_channels(x, dims[0], count), _in_channels(y, dims[1], count)
    return _ops.weight_gradient(x, y, *shared, groups * count).unflatten(0, (count, -1)), 0


for _name, _rule in (
    ("conv_transpose", _with_weights(_ops.conv_transpose)), ("conv", _with_weights(_ops.conv)),
    ("weight_gradient", _weight_gradient),
):  # fmt: skip
    library.register_vmap(f"tconv::{_name}", _rule)
