"""`tconv.conv` and `weight_gradient` on tensors, with derivatives of every order: what backward runs, by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv import arguments, checks
from tconv.arguments import Layout
from tconv.geometry import Geometry
from tconv.methods import Operation
from tconv.torch import autocasting, dispatched, engine, gradients, kept, messages, native
from tconv.torch.engine import OperationWindow


def computed(
    operation: Operation, operands: dict[str, Tensor], kernel_size: Any, bias: Tensor | None,
    window: tuple[Any, ...], layout: Layout,
) -> Tensor:  # fmt: skip
    """Compute conv or weight_gradient, its geometry in the order of `arguments.Window`; raises `checks.Rejected`."""
    _check_alike({**operands, "bias": bias})
    first, second = operands.values()
    shapes = tuple(first.shape), tuple(second.shape)
    kernel, settled = arguments.freeze("kernel_size", kernel_size), arguments.window(*window)
    # Of the dtype only the geometry is asked for, which has none.
    problem, batched = arguments.problem(operation, *shapes, kernel, "float32", settled, layout)
    g, ndim = problem.geometry, len(problem.geometry.stride)
    messages.check_bias(bias, problem.in_channels)
    if autocasting.is_all(first, second, None):
        first, second = autocasting.cast(first), autocasting.cast(second)
    first = _first(first, ndim, layout, batched)
    if operation == "weight_gradient":
        second = _first(second, ndim, layout, batched)
        return _weight_gradient(first, second, _window(g, g.kernel, problem.groups))
    x = _conv(first, second, bias, _window(g, g.coarse, problem.groups))
    x = x if batched else x.squeeze(0)
    return x if layout == "channels_first" else x.movedim(-1 - ndim, -1).contiguous()


def _check_alike(tensors: dict[str, Tensor | None]) -> None:
    """One dtype, unless autocast will see to it, and one device."""
    (name, first), *others = tensors.items()
    assert first is not None
    for other, value in others:
        if value is None:
            continue
        if value.dtype is not first.dtype and not torch._C._is_any_autocast_enabled():
            said, got = (messages.name_of(t.dtype) for t in (first, value))
            hint = messages.cast(other, got, name, said)
            checks.wrong_type(f"{other} must have the dtype of {name}, {said}; got {got}{hint}")
        if value.device != first.device:
            checks.wrong(f"{other} must be on the device of {name}, {first.device}; got {value.device}")


def _first(grid: Tensor, ndim: int, layout: Layout, batched: bool) -> Tensor:
    """A view with a batch, and with the channels behind it."""
    grid = grid if batched else grid.unsqueeze(0)
    return grid if layout == "channels_first" else grid.movedim(-1, -1 - ndim)


def _window(g: Geometry, size: tuple[int, ...], groups: int) -> OperationWindow:
    return OperationWindow(g.stride, tuple(pair[0] for pair in g.padding), size, g.dilation, groups)


def _conv(y: Tensor, w: Tensor, bias: Tensor | None, window: OperationWindow) -> Tensor:
    if dispatched.by_operator(y, w, bias):
        return torch.ops.tconv.conv(y, w, bias, *window)  # type: ignore[no-any-return]
    if torch.compiler.is_compiling():
        x = engine.natively("conv", y, w, None, window)
    else:
        x = gradients.applied("conv", y, w, window, kept.of(w))
    return x if bias is None else torch.add(x, bias.to(x.dtype).reshape(-1, *[1] * len(window.stride)))


def _weight_gradient(x: Tensor, y: Tensor, window: OperationWindow) -> Tensor:
    if x.is_complex():  # for which PyTorch has no operator
        of = [[_weight_gradient(a, b, window) for b in (y.real, y.imag)] for a in (x.real, x.imag)]
        return torch.complex(of[0][0] - of[1][1], of[0][1] + of[1][0])
    if dispatched.by_operator(x, y, None):
        return torch.ops.tconv.weight_gradient(x, y, *window)  # type: ignore[no-any-return]
    like = x.new_empty((1,)).expand(x.shape[1], y.shape[1] // window.groups, *window.size)
    if torch.compiler.is_compiling():
        extra = engine.by_extra(window, x.shape[2:], y.shape[2:])
        return native.weight_gradient(x, y, like, *extra).contiguous()
    return gradients.weight_gradient(x, y, like, window).contiguous()
