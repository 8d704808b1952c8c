"""`plan`: who computes a call, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from tconv import checks
from tconv.plan import Plan as EnginePlan
from tconv.plan import plan as plan_of_arrays
from tconv.resolve import Ints, PaddingLike
from tconv.torch import autocasting, calls, engine, formats, messages
from tconv.torch.engine import Operation, OperationWindow
from tconv.torch.plain import needs_graph, overheard, plain


@dataclass(frozen=True)
class Plan:
    """Who computes an operation on tensors; `print(plan)` shows what is known of it."""

    by: str  #: "tconv" or "torch"
    why: str
    engine: EnginePlan | None  #: the engine's own plan, where it computes

    def __str__(self) -> str:
        who = {"tconv": "tconv's engine", "torch": "PyTorch's own operator"}[self.by]
        return f"by {who}: {self.why}" + ("" if self.engine is None else f"\n{self.engine}")


def plan(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    operation: Operation = "conv_transpose",
) -> Plan:
    """Say who would compute `conv_transpose1d` to `3d` with these arguments, here and now, without computing.

    `operation="conv"` asks the same of `conv1d` to `3d`, which have no `output_padding` and no `output_size`.

    >>> import torch, tconv.torch
    >>> x, w = torch.ones(1, 64, 32, 32), torch.ones(64, 32, 4, 4)
    >>> tconv.torch.plan(x, w, stride=2, padding=1).by
    'tconv'
    >>> print(tconv.torch.plan(x.to(torch.complex64), w.to(torch.complex64), stride=2, padding=1))
    by PyTorch's own operator: the engine computes float32, float64, float16, bfloat16; got complex64
    """
    left: Ints | None = output_padding
    with checks.explained("plan"):
        checks.choice("operation", operation, get_args(Operation))
        if operation == "conv":
            left = None
            if output_padding != 0 or output_size is not None:
                checks.wrong(f"a convolution has no output_padding or output_size; got {output_padding}, {output_size}")
    given = calls.frozen(operation, stride, padding, left, groups, dilation, output_size)
    ndim = weight.dim() - 2
    with messages.explained(operation, ndim, input, weight, bias, given):
        messages.check_tensors(ndim, input, weight, bias)
    if autocasting.is_all(input, weight, bias):
        input, weight = autocasting.cast(input), autocasting.cast(weight)
        bias = None if bias is None else autocasting.cast(bias)
        with autocasting.without():
            return plan(
                input, weight, bias, stride, padding, output_padding, groups, dilation,
                output_size=output_size, operation=operation,
            )  # fmt: skip
    why = reason(input, weight, bias)
    if why:
        return Plan("torch", why, None)
    x = input.unsqueeze(0) if input.dim() == ndim + 1 else input
    call = calls.prepared(operation, ndim, x, weight, bias, given)
    if call.engines is None:
        return Plan("torch", call.why, None)
    if call.short if needs_graph(x, weight, bias) else call.tiny:
        return Plan("torch", "it is done before a call of the engine would be", None)
    why = "plain tensors of a dtype and a shape that it computes"
    if call.half:
        why = f"{messages.name_of(x.dtype)} is cast to float32 for it, which is quicker, and the result is rounded once"
    return Plan("tconv", why, _by_engine(operation, x, weight, call.window))


def _by_engine(operation: Operation, x: Tensor, w: Tensor, window: OperationWindow) -> EnginePlan:
    """The engine's plan, of arrays that lie as the tensors do."""
    g, last = engine.problem_of(operation, x, w, window).geometry, formats.of(x, w).last
    shape = (x.shape[0], *x.shape[2:], x.shape[1]) if last else tuple(x.shape)
    return plan_of_arrays(
        shape, tuple(w.shape), operation=operation, dtype=engine.DTYPES[x.dtype], stride=g.stride, padding=g.padding,
        output_padding=g.output_padding, groups=window.groups, dilation=g.dilation,
        layout="channels_last" if last else "channels_first", method="jit",
    )  # fmt: skip


def reason(x: Tensor, w: Tensor, bias: Tensor | None) -> str:
    """Why PyTorch computes, whatever the shapes; "" where the engine may."""
    if not (x.is_cpu and w.is_cpu):
        return f"the engine computes on the CPU; the tensors are on {x.device}"
    if x.dtype not in engine.DTYPES:
        names = ", ".join(map(messages.name_of, engine.DTYPES))
        return f"the engine computes {names}; got {messages.name_of(x.dtype)}"
    if overheard():
        return "a mode, a trace, a transform or forward differentiation is at work, and wants to see operators"
    if not plain(x, w, bias):
        kinds = ", ".join(sorted({type(t).__name__ for t in (x, w, bias) if t is not None}))
        return f"the engine reads plain, strided tensors; got {kinds} of layout {x.layout}"
    return ""
