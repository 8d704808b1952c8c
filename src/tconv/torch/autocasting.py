"""Calls under autocast on the CPU: tensors are cast as autocast would, and the call is then one like any other.

Left to autocast, PyTorch's own operator computes, which in float16 takes 10 to 20 times as long as the engine.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from tconv.torch.halves import HALVES
from tconv.torch.plain import plain

#: What is cast, as in PyTorch: float64 is not.
_CAST = {torch.float32, *HALVES}


def without() -> AbstractContextManager[None]:
    """Nothing is cast in the block."""
    return torch.autocast("cpu", enabled=False)


def is_all(x: Tensor, w: Tensor, bias: Tensor | None) -> bool:
    """Whether autocast on the CPU, to half precision, is all that wants to know of a call of plain tensors."""
    if not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") not in HALVES:
        return False
    with without():
        return plain(x, w, bias)


def cast(t: Tensor) -> Tensor:
    """A tensor as autocast hands it on; derivatives go through."""
    return t.to(torch.get_autocast_dtype("cpu")) if t.dtype in _CAST else t
