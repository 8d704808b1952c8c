"""Calls that somebody wants to know of: compilers, exporters, modes, transforms, subclasses, other devices and dtypes.

A graph of `torch.compile` gets tconv's registered operator. Everybody else gets PyTorch's own, which whoever listens
understands: an exported program needs no tconv and an ONNX file has a standard ConvTranspose, a counter of flops
counts, torch.func and forward differentiation find their rules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from tconv import checks
from tconv.torch import formats, halves, messages, native, windows
from tconv.torch.engine import DTYPES, Operation
from tconv.torch.plain import CLASSES

#: By operation and number of axes, what users call: whoever overrides functions is told of that. `functional.py`
#: enters them.
PUBLIC: dict[tuple[Operation, int], Callable[..., Tensor]] = {}


def computed(
    operation: Operation, ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: Any, *, filters: bool = False,
    ours: bool = False,
) -> Tensor:  # fmt: skip
    """The operation on ndim axes, in operations that the dispatcher sees; `filters`: by minimal filtering, if it can.

    Only the registered operator can, where no derivative is recorded.
    """
    if has_torch_function((x, w, bias)):
        return _overridden(operation, ndim, x, w, bias, given)
    if torch.compiler.is_compiling():
        filters = filters and not torch.is_grad_enabled()
        try:
            return _computed(operation, ndim, x, w, bias, given, filters, ours or filters)
        except checks.Rejected as rejected:
            raise messages.error(operation, rejected) from None
    with messages.explained(operation, ndim, x, w, bias, given):
        messages.check_tensors(ndim, x, w, bias)
        return _computed(operation, ndim, x, w, bias, given, False, False)


def _overridden(operation: Operation, ndim: int, x: Any, w: Any, bias: Any, given: Any) -> Tensor:
    stride, padding, left, groups, dilation, size = given
    public, tensors = PUBLIC[operation, ndim], (x, w, bias)
    if operation == "conv":
        return handle_torch_function(public, tensors, *tensors, stride, padding, dilation, groups)
    listed = (stride, padding, left, groups, dilation)
    return handle_torch_function(public, tensors, *tensors, *listed, output_size=size)


def _computed(
    operation: Operation, ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: Any, filters: bool, ours: bool
) -> Tensor:
    function = _conv if operation == "conv" else _conv_transpose
    if x.dim() == ndim + 1:
        return function(x.unsqueeze(0), w, bias, given, filters, ours).squeeze(0)
    return function(x, w, bias, given, filters, ours)


def _conv(y: Tensor, w: Tensor, bias: Tensor | None, given: Any, filters: bool, ours: bool) -> Tensor:
    stride, padding, _, groups, dilation, _ = given
    if by_operator(y, w, bias) and (ours or not packed_by_inductor("conv", w, stride, groups)):
        return _by_operator("conv", y, w, bias, given, filters)
    ndim = w.dim() - 2
    stride, dilation = windows.each("stride", stride, ndim, 1), windows.each("dilation", dilation, ndim, 1)
    pads = windows.paddings_of_conv(padding, _kernel(w), stride, dilation)
    return native.padded_conv(y, w, bias, stride, pads, dilation, groups)


def _conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None, given: Any, filters: bool, ours: bool) -> Tensor:
    if by_operator(x, w, bias) and (ours or not packed_by_inductor("conv_transpose", w, given[0], given[3])):
        return _by_operator("conv_transpose", x, w, bias, given, filters)
    kernel, stride, low, extra, dilation, groups = _window(x, w, given)
    return native.conv_transpose(x, w, bias, stride, low, extra, dilation, groups, kernel)


def _by_operator(operation: Operation, x: Tensor, w: Tensor, bias: Tensor | None, given: Any, filters: bool) -> Tensor:
    operator, said = getattr(torch.ops.tconv, operation), said_to_operator(operation, x, w, given)
    return operator(x, w, bias, *said, filters, lies_last(x, w))  # type: ignore[no-any-return]


def lies_last(x: Tensor, w: Tensor) -> bool | None:
    """What a registered operator is told of its result: that channels are last, or None, to see by itself.

    Inductor hands it one image with another step from image to image than its trace has, as that is of no account. But
    PyTorch's rule reads it: the result would lie channels first.
    """
    return formats.of(x, w).last or None


def said_to_operator(operation: Operation, x: Tensor, w: Tensor, given: Any) -> tuple[Any, ...]:
    """What registered operators are told beside tensors: stride, low, the size of the result, dilation, groups."""
    if operation == "conv_transpose":
        window = _window(x, w, given)
        return window.stride, window.low, window.fine(x.shape[2:]), window.dilation, window.groups
    stride, padding, _, groups, dilation, _ = given
    kernel, ndim = _kernel(w), w.dim() - 2
    stride, dilation = windows.each("stride", stride, ndim, 1), windows.each("dilation", dilation, ndim, 1)
    pads = windows.paddings_of_conv(padding, kernel, stride, dilation)
    coarse = windows.coarse_size(x.shape[2:], kernel, stride, pads, dilation)
    return stride, [pair[0] for pair in pads], coarse, dilation, groups


def _window(x: Tensor, w: Tensor, given: Any) -> windows.SettledWindow:
    """That of a transposed convolution."""
    stride, padding, output_padding, groups, dilation, size = given
    window = windows.window(_kernel(w), stride, padding, output_padding if size is None else 0, groups, dilation)
    return window if size is None else windows.for_size(window, tuple(x.shape[2:]), padding, size)


def _kernel(w: Tensor) -> tuple[int, ...]:
    """The sizes of the kernel, numbers also within torch.jit.trace, which would have them depend on the weights."""
    jit, trace = cast(Any, torch.jit), cast(Any, torch._C)
    if not jit.is_tracing():
        return tuple(w.shape[2:])
    state = trace._get_tracing_state()
    trace._set_tracing_state(None)
    try:
        return tuple(w.shape[2:])
    finally:
        trace._set_tracing_state(state)


def is_known(t: Tensor | None) -> bool:
    """Whether a tensor is of no subclass, or there is none."""
    return t is None or type(t) in CLASSES


def by_operator(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    """Whether this call is to become a call of the registered operator."""
    if not torch.compiler.is_dynamo_compiling() or torch.compiler.is_exporting() or is_transformed():
        return False
    if not (is_known(x) and is_known(w) and is_known(bias)):
        return False
    same = w.dtype == x.dtype and (bias is None or bias.dtype == x.dtype)
    ours = x.dtype in DTYPES and x.dtype not in halves.BY_ONEDNN
    return ours and same and x.is_cpu and w.is_cpu and not torch.is_autocast_enabled("cpu")


#: Where fewer channels are written, most of what oneDNN computes is padding.
FEW_CHANNELS = 8


def packed_by_inductor(operation: Operation, w: Tensor, stride: Any, groups: int) -> bool:
    """Whether Inductor, which freezes weights, is to have a convolution that the engine would be no faster at.

    In two and three axes it packs weights for oneDNN when it compiles, keeps channels last throughout, and has oneDNN
    do what follows, of which the engine's operator has nothing. What was measured of each kind is in docs/torch.md.
    """
    if w.dim() == 3 or w.dtype is not torch.float32 or torch.is_grad_enabled() or not _freezes():
        return False
    if operation == "conv":
        return w.shape[0] >= FEW_CHANNELS and w.shape[1] * groups > 1
    overlapping = any(k > s for k, s in zip(_kernel(w), windows.each("stride", stride, w.dim() - 2, 1), strict=True))
    return w.dim() == 4 and overlapping and groups == 1 and w.shape[1] >= FEW_CHANNELS and w.shape[0] > 1


def _freezes() -> bool:
    config: Any = sys.modules.get("torch._inductor.config")
    onednn: Any = torch.backends.mkldnn
    return config is not None and bool(config.freezing) and bool(onednn.is_available())


# As `torch.compiler.assume_constant_result` says, which loads the compiler: what is set while a graph is made holds for
# it, and is no reason to make another when it is set back.
_freezes._dynamo_marked_constant = True  # type: ignore[attr-defined]


def is_transformed() -> bool:
    """Whether a transform of torch.func is at work."""
    return bool(torch._C._are_functorch_transforms_active())
