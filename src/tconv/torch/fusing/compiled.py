"""Runs in the graphs of `torch.compile`: where a normalization takes statistics of what a convolution returns.

Of statistics Inductor makes loops that take several times as long as a kernel of `planes.py`, and a convolution that
oneDNN has packed returns channels last, in which they take longer still. So where `accelerate` has found such a run
faster, the graph has the engine's operator and one that normalizes its result where it lies. All other runs are left
to Inductor, which folds batch normalization and activates along with whatever else it has to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, library
from torch.nn import functional as F

from tconv.torch import dispatched, formats
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.fusing import planes, runs
from tconv.torch.fusing.runs import BY_STATISTICS, CONVOLUTIONS, NOTHING, Follower, Run
from tconv.torch.fusing.statistics import normalizes
from tconv.torch.plain import plain

_OURS = {*LAYERS.values(), *FILTERED.values()}
library.define(
    "tconv::normalized_",
    "(Tensor(a!) x, Tensor? residual, Tensor? scale, Tensor? shift, Tensor? slope, int groups, float eps, "
    "str activation, float? number) -> ()",
    tags=(torch.Tag.needs_contiguous_strides,),
)


def takes_statistics(called: Sequence[Any], at: int) -> bool:
    """Whether a normalization that takes statistics is the first that does anything behind a module.

    Dynamo follows what is asked here for every run: so little is asked of most of them.
    """
    for module in called[at + 1 :]:
        if not isinstance(module, torch.nn.Module):
            return False
        for part in runs.parts(module):
            if type(part) not in NOTHING:
                return type(part) in BY_STATISTICS
    return False


def in_graph(run: Run, x: Any) -> Any:
    """What a run makes of x while its graph is made; None where its modules are to stand in it one by one."""
    norm, conv = run.statistics, run.conv
    known, follower = runs.follower_of(run.activation)
    if norm is None or not known or type(conv) not in _OURS or conv.padding_mode != "zeros":
        return None
    operation, ndim = CONVOLUTIONS[type(conv)]
    if not isinstance(x, Tensor) or x.dim() != ndim + 2 or not planes.serves(x.dtype) or torch.is_grad_enabled():
        return None
    if not dispatched.by_operator(x, conv.weight, conv.bias):
        return None
    left = conv.output_padding if operation == "conv_transpose" else None
    given = conv.stride, conv.padding, left, conv.groups, conv.dilation, None
    y = dispatched.computed(operation, ndim, x, conv.weight, conv.bias, given, filters=conv._filters, ours=True)
    residual = None if run.residual is None else run.residual.other
    name, number, slope = ("", None, None) if follower is None else follower
    # With other strides modules make results whose strides are not always those of y. Where they differ along axes of 1
    # only, Inductor has the operator write into a view of y, and its scheduler fails (KeyError: 'op3').
    if formats.is_in_order(y) and normalizes(norm, y.shape, slope) and (residual is None or _is_alike(residual, y)):
        others = residual, norm.weight, norm.bias, slope
        torch.ops.tconv.normalized_(y, *others, runs.groups_of(norm), norm.eps, name, number)
        return y
    for module in run.members[1:]:
        y = module(y)
    return y


def _is_alike(residual: Any, y: Tensor) -> bool:
    if not isinstance(residual, Tensor) or residual.shape != y.shape or residual.dtype is not y.dtype:
        return False
    return residual.is_contiguous()


# ---- the operator


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
    y = y if residual is None else y + residual
    x.copy_(y if follower is None else _BY_TORCH[activation](y, number, slope))


#: There is no result: x is written.
library.register_fake("tconv::normalized_", lambda *_: None)


def _snake(y: Tensor, alpha: Tensor) -> Tensor:
    alpha = alpha.view(-1, *[1] * (y.dim() - 2))
    return y + torch.where(alpha == 0, 0, torch.sin(alpha * y) ** 2 / alpha)


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
    "snake": lambda y, _, slope: _snake(y, slope),
}
