"""Runs in the graphs of `torch.compile`: which of them stand there as operators, and which as their modules.

Inductor fuses nothing into the engine's operator, and what it makes of that itself is late or slow:

- Residuals it adds up late, in loops that read many arrays, which have left the caches by then. So where the graph has
  the engine's operator for a convolution, it has it for all of a run that `accelerate` has found faster.
- Of statistics it makes loops that take several times as long as a kernel of `planes.py`, and a convolution that
  oneDNN has packed returns channels last, in which they take longer still. So in such a run the convolution is the
  engine's, and an operator normalizes its result where it lies.

What is behind a convolution that Inductor packs for oneDNN is left to both, and batch normalization to Inductor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tconv.torch import dispatched, engine, formats
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.fusing import planes, runs
from tconv.torch.fusing.operators import FOLLOWED, NORMALIZED
from tconv.torch.fusing.runs import CONVOLUTIONS, Follower, Run
from tconv.torch.fusing.statistics import normalizes

_OURS = {*LAYERS.values(), *FILTERED.values()}
#: Dtypes in which the engine stores what follows.
_DTYPES = (torch.float32, torch.float64)


def in_graph(run: Run, x: Any, *, filters: bool) -> Any:
    """What a run makes of x while its graph is made; None where its modules are to stand in it one by one."""
    conv = run.conv
    known, follower = runs.follower_of(run.activation)
    operation, ndim = CONVOLUTIONS[type(conv)]
    if not known or run.norm is not None or conv.padding_mode != "zeros" or torch.is_grad_enabled():
        return None
    if not isinstance(x, Tensor) or x.dim() != ndim + 2 or not dispatched.by_operator(x, conv.weight, conv.bias):
        return None
    left = conv.output_padding if operation == "conv_transpose" else None
    given = conv.stride, conv.padding, left, conv.groups, conv.dilation, None
    if run.statistics is None:
        return _stored(run, x, follower, operation, given, filters)
    return _normalized(run, x, follower, operation, given)


def _stored(
    run: Run, x: Tensor, follower: Follower | None, operation: engine.Operation, given: Any, filters: bool
) -> Tensor | None:
    """What is added and activated where the convolution's result is stored."""
    w, bias = run.conv.weight, run.conv.bias
    if x.dtype not in _DTYPES:
        return None
    if not filters and dispatched.packed_by_inductor(operation, w, run.conv.stride, run.conv.groups):
        return None
    window = dispatched.said_to_operator(operation, x, w, given)
    shape = (x.shape[0], run.conv.out_channels, *window[2])
    strides = formats.strides(shape, formats.of(x, w))
    if formats.is_ambiguous(shape, strides):
        return None  # modules return now these strides, now others
    residual: Any = None if run.residual is None else run.residual.other
    if run.residual is not None and not (_is_of(residual, shape, x.dtype) and residual.stride() == strides):
        return None
    name, number, slope = ("", None, None) if follower is None else follower
    if slope is not None and not (dispatched.is_known(slope) and slope.shape in ((1,), (shape[1],))):
        return None
    return FOLLOWED[operation](x, w, bias, residual, slope, name, number, *window, filters, dispatched.lies_last(x, w))  # type: ignore[no-any-return]


def _normalized(
    run: Run, x: Tensor, follower: Follower | None, operation: engine.Operation, given: Any
) -> Tensor | None:
    """The engine's convolution, and what a normalization by statistics makes of its result."""
    norm, conv, ndim = run.statistics, run.conv, x.dim() - 2
    if type(conv) not in _OURS or not planes.serves(x.dtype):
        return None
    y = dispatched.computed(operation, ndim, x, conv.weight, conv.bias, given, filters=conv._filters, ours=True)
    residual: Any = None if run.residual is None else run.residual.other
    name, number, slope = ("", None, None) if follower is None else follower
    # With other strides modules make results whose strides are not always those of y. Where they differ along axes of 1
    # only, Inductor has the operator write into a view of y, and its scheduler fails (KeyError: 'op3').
    fits = run.residual is None or (_is_of(residual, y.shape, y.dtype) and residual.is_contiguous())
    others = residual, norm.weight, norm.bias, slope
    known = all(dispatched.is_known(each) for each in others[1:])
    if fits and known and formats.is_in_order(y) and normalizes(norm, y.shape, slope):
        NORMALIZED(y, *others, runs.groups_of(norm), norm.eps, name, number)
        return y
    for module in run.members[1:]:
        y = module(y)
    return y


def _is_of(residual: Any, shape: Sequence[int], dtype: torch.dtype) -> bool:
    lies = isinstance(residual, Tensor) and dispatched.is_known(residual)
    return lies and residual.shape == shape and residual.dtype is dtype
