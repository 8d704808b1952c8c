"""Modules that pad one axis with copies in a forward method of their own: row by row, where PyTorch goes cell by cell.

Codecs pad what their convolutions read by lengths that they compute there, other networks have layers that pad. Such a
module stays the same object, of a class that runs its method while `F.pad` is another function, and as it is where
derivatives are recorded or somebody listens.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tconv.torch.bordering import PadsReplaced, padded
from tconv.torch.classes import derives
from tconv.torch.plain import overheard

#: Layers whose forward method is nothing but a call of `F.pad`, and its mode.
LAYERS = {torch.nn.ReflectionPad1d: "reflect", torch.nn.ReplicationPad1d: "replicate"}
#: Said where a graph is asked for that does not end.
_APART = "the lengths of its padding are in tensors, where a graph ends"


def form(kind: type) -> Callable[..., Tensor]:
    """`F.pad` as the forward method of a module that had a class comes to it."""
    return padded if kind in LAYERS else _replaced


def _replaced(*given: Any) -> Tensor:
    with PadsReplaced():
        return F.pad(*given)


@derives
def by_rows(plain_kind: Any, apart: bool = False) -> dict[str, Any]:
    """What a class has of its own whose modules pad row by row.

    `apart`: a graph of `torch.compile` would end in the forward method. It stays out of graphs, then, whole, and pads
    as it does without one; else Dynamo would make graphs of its pieces.
    """
    mode = LAYERS.get(plain_kind)

    def by_kernels(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled() or overheard():
            return plain_kind.forward(self, *args, **kwargs)
        if mode is not None and len(args) == 1 and not kwargs:
            return padded(args[0], self.padding, mode)
        with PadsReplaced():
            return plain_kind.forward(self, *args, **kwargs)

    disable: Any = torch.compiler.disable
    outside = disable(by_kernels, reason=_APART) if apart else plain_kind.forward

    @functools.wraps(plain_kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            return by_kernels(self, *args, **kwargs)
        whole = torch.compiler.is_exporting() or torch.is_grad_enabled()
        return (plain_kind.forward if whole else outside)(self, *args, **kwargs)

    return {"forward": forward}
