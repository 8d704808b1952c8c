"""The three operations as operators of PyTorch: schemas, shapes for fake tensors, derivatives, batching by vmap.

`size` is that of the result, `low` the padding at the low end: with both grids known, nothing else is left to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, library

from tconv.torch import engine, formats, gradients, kept, native
from tconv.torch.engine import OperationWindow

_ARGUMENTS = "int[] stride, int[] low, SymInt[] size, int[] dilation, int groups"
#: By minimal filtering, if that can be; derivatives are exact. Whether channels are last in the result; None: by the
#: rule.
FILTERED = f"{_ARGUMENTS}, bool filtered=False, bool? last=None"
_SCHEMAS = {
    "conv_transpose": f"(Tensor x, Tensor w, Tensor? bias, {FILTERED}) -> Tensor",
    "conv": f"(Tensor y, Tensor w, Tensor? bias, {FILTERED}) -> Tensor",
    "weight_gradient": f"(Tensor x, Tensor y, {_ARGUMENTS}) -> Tensor",
}
#: Operands may come with channels first or last, whatever the trace had: a graph in channels last copies nothing.
TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.flexible_layout)
for _name, _schema in _SCHEMAS.items():
    library.define(f"tconv::{_name}", _schema, tags=TAGS)

ops = torch.ops.tconv
Ints = Sequence[int]


# ---- what they compute


@library.impl("tconv::conv_transpose", "CompositeExplicitAutograd")
def _conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None, *given: Any) -> Tensor:
    return _computed("conv_transpose", x, w, bias, *given)


@library.impl("tconv::conv", "CompositeExplicitAutograd")
def _conv(y: Tensor, w: Tensor, bias: Tensor | None, *given: Any) -> Tensor:
    return _computed("conv", y, w, bias, *given)


@library.impl("tconv::weight_gradient", "CompositeExplicitAutograd")
def _weight_gradient(x: Tensor, y: Tensor, *window: Any) -> Tensor:
    given = _window(window)
    w = x.new_empty((1,)).expand(x.shape[1], y.shape[1] // given.groups, *given.size)
    if gradients.served(x, y, given.groups):
        dw = gradients.weights(x, y, w, given)
    else:
        dw = native.weight_gradient(x, y, w, *engine.by_extra(given, x.shape[2:], y.shape[2:]))
    return formats.laid(dw, formats.strides(dw.shape, formats.Format(False)))


def _window(given: Sequence[Any]) -> OperationWindow:
    stride, low, size, dilation, groups = given
    return OperationWindow(tuple(stride), tuple(low), tuple(size), tuple(dilation), groups)


def _computed(
    operation: engine.Operation, x: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, low: Ints, size: Ints,
    dilation: Ints, groups: int, filtered: bool = False, last: bool | None = None,
) -> Tensor:  # fmt: skip
    # A compiled model comes here for each of its layers: what need not be asked again is found under one key.
    window = tuple(stride), tuple(low), tuple(size), tuple(dilation), groups
    key = operation, window, x.shape, x.stride(), x.dtype, w.shape, w.stride(), w.dtype, last
    call = engine.remembered(key)
    if call is None and fits(operation, x, w, groups):
        call = engine.made(operation, x, w, OperationWindow(*window), last)
        engine.remember(key, call)
    if call is not None and gradients.in_memory(x, w, bias) and (bias is None or call.bias_fits(bias)):
        return call.compute(x, w, bias, kept.of(w), filtered)  # a profiler was told of the operator
    result = engine.natively(operation, x, w, bias, OperationWindow(*window))
    return formats.laid(result, formats.strides(result.shape, _format(x, w, last)))


def fits(operation: engine.Operation, x: Tensor, w: Tensor, groups: int) -> bool:
    """Whether the engine takes tensors of such shapes and dtypes; PyTorch says what is wrong with others."""
    read = w.shape[0] if operation == "conv_transpose" else w.shape[1] * groups
    return x.shape[1] == read and gradients.served(x, w, groups)


# ---- the shapes and strides of their results


def _like_conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, low: Ints, size: Ints,
                         dilation: Ints, groups: int, filtered: bool = False,
                         last: bool | None = None) -> Tensor:  # fmt: skip
    return _empty(x, w, w.shape[0], w.shape[1] * groups, size, last)


def _like_conv(y: Tensor, w: Tensor, bias: Tensor | None, stride: Ints, low: Ints, size: Ints,
               dilation: Ints, groups: int, filtered: bool = False, last: bool | None = None) -> Tensor:  # fmt: skip
    return _empty(y, w, w.shape[1] * groups, w.shape[0], size, last)


def _like_weights(x: Tensor, y: Tensor, stride: Ints, low: Ints, size: Ints, dilation: Ints, groups: int) -> Tensor:
    return x.new_empty((x.shape[1], y.shape[1] // groups, *size))


def _empty(x: Tensor, w: Tensor, read: int, channels: int, size: Ints, last: bool | None) -> Tensor:
    # Otherwise a graph with derivatives would find out in its backward, and say something of that.
    check: Any = torch._check
    check(x.shape[1] == read, lambda: f"input must have {read} channels, as weight has; got {x.shape[1]}")
    shape = (x.shape[0], channels, *size)
    return x.new_empty_strided(shape, formats.strides(shape, _format(x, w, last)))


def _format(x: Tensor, w: Tensor, last: bool | None) -> formats.Format:
    return formats.of(x, w) if last is None else formats.Format(last)


LIKE: dict[str, Callable[..., Tensor]] = {
    "conv_transpose": _like_conv_transpose,
    "conv": _like_conv,
    "weight_gradient": _like_weights,
}
for _name, _like in LIKE.items():
    library.register_fake(f"tconv::{_name}", _like)


# ---- derivatives


def _remember(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:
    """The arguments of an operation; of the last ones, how sums are made and where they lie, no derivative knows."""
    first, second, _, *window, _, _ = inputs
    ctx.save_for_backward(first, second)
    ctx.window = window


def _remember_gradient(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:
    first, second, *window = inputs
    ctx.save_for_backward(first, second)
    ctx.window = window


def _back_conv_transpose(ctx: Any, dy: Tensor) -> Any:
    (x, w), (stride, low, _, dilation, groups) = ctx.saved_tensors, ctx.window
    wanted, same = ctx.needs_input_grad, (dilation, groups)
    dx = ops.conv(dy, w, None, stride, low, x.shape[2:], *same) if wanted[0] else None
    dw = ops.weight_gradient(x, dy, stride, low, w.shape[2:], *same) if wanted[1] else None
    return dx, dw, gradients.summed(dy) if wanted[2] else None, *[None] * 7


def _back_conv(ctx: Any, dx: Tensor) -> Any:
    (y, w), (stride, low, _, dilation, groups) = ctx.saved_tensors, ctx.window
    wanted, same = ctx.needs_input_grad, (dilation, groups)
    dy = ops.conv_transpose(dx, w, None, stride, low, y.shape[2:], *same) if wanted[0] else None
    dw = ops.weight_gradient(dx, y, stride, low, w.shape[2:], *same) if wanted[1] else None
    return dy, dw, gradients.summed(dx) if wanted[2] else None, *[None] * 7


def _back_weights(ctx: Any, dw: Tensor) -> Any:
    (x, y), (stride, low, _, dilation, groups) = ctx.saved_tensors, ctx.window
    wanted, same = ctx.needs_input_grad, (dilation, groups)
    dx = ops.conv(y, dw, None, stride, low, x.shape[2:], *same) if wanted[0] else None
    dy = ops.conv_transpose(x, dw, None, stride, low, y.shape[2:], *same) if wanted[1] else None
    return dx, dy, *[None] * 5


for _name, _back, _setup in (
    ("conv_transpose", _back_conv_transpose, _remember),
    ("conv", _back_conv, _remember),
    ("weight_gradient", _back_weights, _remember_gradient),
):
    library.register_autograd(f"tconv::{_name}", _back, setup_context=_setup)
