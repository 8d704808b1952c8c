"""Which modules of a model `accelerate` may change: layers and what computes like them, and why some have to stay."""

from __future__ import annotations

import itertools
import re

import torch
from torch.nn import Module

from tconv.torch import both_ways, nn
from tconv.torch.engine import Operation

_TRANSPOSED, _ANY = torch.nn.modules.conv._ConvTransposeNd, torch.nn.modules.conv._ConvNd


def unserved(module: Module) -> str:
    """Why a layer does not run on the engine, as far as that can be said without a call."""
    tensor = next((t for t in itertools.chain(module.parameters(), module.buffers())), torch.empty(0))
    return untouchable(module) or foreign(module) or both_ways.unserved(tensor)


def operation_of(module: Module) -> Operation | None:
    """The operation of a layer, also of one that is one by its name only, as quantized ones are."""
    if isinstance(module, _ANY):
        return "conv_transpose" if isinstance(module, _TRANSPOSED) else "conv"
    kind = module.original_name if isinstance(module, torch.jit.ScriptModule) else type(module).__name__
    if next(module.children(), None) is not None:
        return None
    return "conv_transpose" if "ConvTranspose" in kind else "conv" if re.search(r"Conv(ReLU)?[123]d", kind) else None


def untouchable(module: Module) -> str:
    """Why a module has to keep its class."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is TorchScript, which runs without Python; accelerate what it was made of, and trace that"
    if isinstance(module, nn._Layer):
        return "it is one of tconv's already"
    if getattr(module, "qconfig", None) is not None:
        return "torch.ao.quantization is to replace it; accelerate the model without a qconfig"
    if "forward" in vars(module):
        return "the object has a forward of its own, in place of its class's"
    return ""


def foreign(module: Module) -> str:
    """Why a module that is a layer by its name cannot become one of tconv's. Calls of its forward method might."""
    return (
        "" if isinstance(module, _ANY) else f"{type(module).__module__}.{type(module).__name__} is no layer of torch.nn"
    )
