"""What is computed together as operators of PyTorch, for the graphs of `torch.compile`.

Inductor fuses nothing into an operator. So these are whole runs: a convolution with an addition and an activation where
its result is stored, and what a normalization by statistics makes of a result. Of a run that no kernel can compute, on
such tensors, or on this machine, PyTorch computes the parts.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, library
from torch.nn import functional as F

from tconv.torch import engine, gradients, kept, registered
from tconv.torch.engine import MOST_CALLS, Operation, OperationWindow
from tconv.torch.fusing import planes, runs
from tconv.torch.fusing.call import Operands, RunCall
from tconv.torch.fusing.links import Add
from tconv.torch.fusing.runs import Follower, Run
from tconv.torch.plain import plain

_BEHIND = "Tensor? residual, Tensor? slope, str activation, float? number"
OPERATIONS: tuple[Operation, ...] = ("conv_transpose", "conv")
for _operation in OPERATIONS:
    library.define(
        f"tconv::{_operation}_followed",
        f"(Tensor x, Tensor w, Tensor? bias, {_BEHIND}, {registered.FILTERED}) -> Tensor",
        tags=registered.TAGS,
    )
library.define(
    "tconv::normalized_",
    "(Tensor(a!) x, Tensor? residual, Tensor? scale, Tensor? shift, Tensor? slope, int groups, float eps, "
    "str activation, float? number) -> ()",
    tags=(torch.Tag.needs_contiguous_strides,),
)

#: What graphs have for a run that begins with an operation, and for what is behind a convolution.
FOLLOWED: dict[Operation, Any] = {each: getattr(torch.ops.tconv, f"{each}_followed") for each in OPERATIONS}
NORMALIZED = torch.ops.tconv.normalized_


# ---- a convolution with what is done where its result is stored


#: Calls by what they depend on.
_calls: dict[Hashable, RunCall] = {}


def _followed(
    operation: Operation, x: Tensor, w: Tensor, bias: Tensor | None, residual: Tensor | None, slope: Tensor | None,
    activation: str, number: float | None, stride: Any, low: Any, size: Any, dilation: Any, groups: int,
    filtered: bool = False, last: bool | None = None,
) -> Tensor:  # fmt: skip
    """The operation, then what is added, then an activation; of new memory, with the strides of the operation's."""
    window = OperationWindow(tuple(stride), tuple(low), tuple(size), tuple(dilation), groups)
    operands = Operands(w, bias, slope, None, None, None, None)
    run = Run(None, residual=None if residual is None else Add("+", residual))
    call = _call(operation, x, operands, run, (activation, number), window, filtered, last)
    if call is not None:
        fits, added = runs.residual_of(run, (call.call.shape, call.call.strides), x.dtype)
        result = call.compute(run, x, operands, added, kept.of(w)) if fits else None
        if result is not None:
            return result
    y: Tensor = getattr(torch.ops.tconv, operation)(x, w, bias, *window, filtered, last)
    y.copy_(_behind(y, residual, slope, activation, number))
    return y


def _call(
    operation: Operation, x: Tensor, operands: Operands, run: Run, words: tuple[str, float | None],
    window: OperationWindow, filtered: bool, last: bool | None,
) -> RunCall | None:  # fmt: skip
    """The engine's call; None where there is none, on such tensors."""
    w, bias, slope, *_ = operands
    if x.dtype not in (torch.float32, torch.float64) or not gradients.in_memory(x, w, bias):
        return None
    if not operands.are_readable(x.dtype):
        return None
    adds, sloped = run.residual is not None, None if slope is None else slope.shape
    key = operation, window, x.shape, x.stride(), x.dtype, w.shape, w.stride(), words, sloped, adds, filtered, last
    known = _calls.get(key)
    if known is None or not known.is_current():
        if not registered.fits(operation, x, w, window.groups):
            return None
        call = engine.made(operation, x, w, window, last)
        if call.engines is None or not call.weights.dense or not operands.fit(call.bias_shape):
            return None
        follower = Follower(*words, slope) if words[0] else None
        if len(_calls) >= MOST_CALLS:
            _calls.clear()
        known = _calls[key] = RunCall(call, call.engines, follower, adds, filtered)
    return known if operands.fit(known.call.bias_shape) else None


for _operation in OPERATIONS:
    library.impl(f"tconv::{_operation}_followed", "CompositeExplicitAutograd", functools.partial(_followed, _operation))


def _like(operation: Operation, x: Tensor, w: Tensor, bias: Tensor | None, *given: Any) -> Tensor:
    return registered.LIKE[operation](x, w, bias, *given[4:])


for _operation in OPERATIONS:
    library.register_fake(f"tconv::{_operation}_followed", functools.partial(_like, _operation))


# ---- what is behind a convolution


@library.impl("tconv::normalized_", "CompositeExplicitAutograd")
def _normalized(
    x: Tensor, residual: Tensor | None, scale: Tensor | None, shift: Tensor | None, slope: Tensor | None, groups: int,
    eps: float, activation: str, number: float | None,
) -> None:  # fmt: skip
    """Normalize x by the statistics of groups of channels, add and activate, where it lies."""
    follower = Follower(activation, number, slope) if activation else None
    others = residual, scale, shift, slope
    if plain(x, x, None) and planes.serves(x.dtype) and runs.readable((x, *others), x.dtype) and x.data_ptr():
        kernel = planes.prepared(x.shape, x.dtype, groups, follower, residual is not None)
        if kernel is not None:
            kernel.run(x, x, slope, scale, shift, eps, residual)
            return
    y = F.group_norm(x, groups, scale, shift, eps)
    x.copy_(_behind(y, residual, slope, activation, number))


#: There is no result: x is written.
library.register_fake("tconv::normalized_", lambda *_: None)


# ---- by PyTorch


def _behind(y: Tensor, residual: Tensor | None, slope: Tensor | None, activation: str, number: float | None) -> Tensor:
    y = y if residual is None else y + residual
    return _BY_TORCH[activation](y, number, slope) if activation else y


#: What kernels do, of a result, a number and a slope, for machines that have none.
_BY_TORCH: dict[str, Any] = {
    "relu": lambda y, *_: F.relu(y),
    "leaky_relu": lambda y, number, _: F.leaky_relu(y, number),
    "prelu": lambda y, _, slope: F.prelu(y, slope),
    "elu": lambda y, number, _: F.elu(y, number),
    "silu": lambda y, *_: F.silu(y),
    "gelu_tanh": lambda y, *_: F.gelu(y, approximate="tanh"),
    "tanh": lambda y, *_: torch.tanh(y),
    "sigmoid": lambda y, *_: torch.sigmoid(y),
}
