"""Calls that somebody wants to know of: compilers, exporters, modes, transforms, subclasses, other devices and dtypes.

A graph of `torch.compile`, and `grad` and `vmap` of torch.func, get tconv's registered operator. Everybody else gets
PyTorch's own, which whoever listens understands: an exported program needs no tconv and an ONNX file has a standard
ConvTranspose, autocast casts, a counter of flops counts, and forward differentiation finds its formula.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function

from tconv.torch import messages, native, windows
from tconv.torch.engine import DTYPES


def conv_transpose(ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: Any) -> Tensor:
    """The transposed convolution of ndim axes, in operations that the dispatcher sees."""
    if has_torch_function((x, w, bias)):
        return _overridden(ndim, x, w, bias, given)
    if torch.compiler.is_compiling():
        return _conv_transpose(ndim, x, w, bias, given)
    with messages.explained(ndim, x, w, bias, given):
        messages.check_tensors(ndim, x, w, bias)
        return _conv_transpose(ndim, x, w, bias, given)


def _overridden(ndim: int, x: Any, w: Any, bias: Any, given: Any) -> Any:
    from tconv.torch import functional

    function = getattr(functional, f"conv_transpose{ndim}d")
    *listed, size = given
    return handle_torch_function(function, (x, w, bias), x, w, bias, *listed, output_size=size)


def _conv_transpose(ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: Any) -> Tensor:
    if x.dim() == ndim + 1:
        return _conv_transpose(ndim, x.unsqueeze(0), w, bias, given).squeeze(0)
    stride, padding, output_padding, groups, dilation, size = given
    window = windows.window(tuple(w.shape[2:]), stride, padding, output_padding, groups, dilation)
    if size is not None:
        window = windows.for_size(window, tuple(x.shape[2:]), padding, size)
    if by_engine(x, w, bias):
        fine = window.fine(x.shape[2:])
        operator = torch.ops.tconv.conv_transpose
        return operator(x, w, bias, window.stride, window.low, fine, window.dilation, window.groups)  # type: ignore[no-any-return]
    return native.conv_transpose(
        x, w, bias, window.stride, window.low, window.extra, window.dilation, window.groups
    )


def by_engine(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    """Whether the registered operator takes this call."""
    return _is_served(x, w, bias) and (_is_compiling() or _is_transformed())


def _is_served(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    same = w.dtype == x.dtype and (bias is None or bias.dtype == x.dtype)
    return x.dtype in DTYPES and same and x.is_cpu and w.is_cpu and not torch.is_autocast_enabled("cpu")


def _is_compiling() -> bool:
    return torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting()


def _is_transformed() -> bool:
    """Whether there are transforms of torch.func, but none that differentiates forwards."""
    if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
        return False
    stack = _functorch.get_interpreter_stack() or []
    return bool(stack) and all(level.key() != _functorch.TransformType.Jvp for level in stack)
