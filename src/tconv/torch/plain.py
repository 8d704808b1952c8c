"""Whether a call may take the short way to the engine: plain tensors in memory, and nobody who listens in between."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils._device import DeviceContext

#: Their elements lie where `data_ptr` says. Subclasses, such as fake tensors, may have none, and know no operators but
#: PyTorch's.
CLASSES = (Tensor, torch.nn.Parameter)

_function_modes: Any = torch._C._len_torch_function_stack
_dispatch_modes: Any = torch._C._len_torch_dispatch_stack
_transforms: Any = torch._C._are_functorch_transforms_active
_stack: Any = torch.overrides._get_current_function_mode_stack
_tracing: Any = torch._C._get_tracing_state
_autocast: Any = torch._C._is_any_autocast_enabled
_grad_enabled = torch.is_grad_enabled
_strided = torch.strided


def plain(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    """Whether nothing but autograd may want to know of this call, and the tensors are plain, on the CPU."""
    return (
        type(x) in CLASSES
        and type(w) in CLASSES
        and (bias is None or (type(bias) in CLASSES and not bias.is_neg()))
        and not (_function_modes() and _modes_listen())
        and not _dispatch_modes()
        and not _transforms()
        and _tracing() is None
        and forward_ad._current_level < 0
        and not _autocast()
        and x.is_cpu
        and w.is_cpu
        and x.layout is _strided
        and w.layout is _strided
        and not x.is_neg()  # such as the imaginary part of a conjugate: its elements lie there with the other sign
        and not w.is_neg()
    )


class Deaf(TorchFunctionMode):
    """A mode of tconv's own that has nothing to do with convolutions, nor with what is computed along with them."""


def _modes_listen() -> bool:
    """Whether a mode is another than `torch.set_default_device("cpu")` or `with torch.device("cpu")` leave behind."""
    return not all(
        (type(mode) is DeviceContext and mode.device.type == "cpu") or isinstance(mode, Deaf) for mode in _stack()
    )


def overheard() -> bool:
    """Whether there is a mode, a transform of torch.func, a trace, forward differentiation or autocast."""
    return bool(
        (_function_modes() and _modes_listen())
        or _dispatch_modes()
        or _transforms()
        or _tracing() is not None
        or forward_ad._current_level >= 0
        or _autocast()
    )


def needs_graph(x: Tensor, w: Tensor, bias: Tensor | None = None) -> bool:
    """Whether the derivative is to be recorded."""
    return _grad_enabled() and (w.requires_grad or x.requires_grad or (bias is not None and bias.requires_grad))
