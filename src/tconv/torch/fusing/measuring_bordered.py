"""Padding with copies measured as it comes by, module by module: row by row, and by PyTorch."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from tconv.measuring.contest import ORIGINAL, Contest
from tconv.measuring.rounds import Effort
from tconv.torch import both_ways
from tconv.torch.bordering import ends_of
from tconv.torch.both_ways import OURS
from tconv.torch.classes import may_get_a_forward
from tconv.torch.fusing.bordered import LAYERS, form
from tconv.torch.measured import MeasuredModule, Shapes
from tconv.torch.measuring import settled

#: Modules of which a padding one has no more when it is a layer: a convolution, a normalization, an activation.
_PARTS = 3


class MeasuringBordered:
    """Measures calls of `F.pad` by the modules whose forward methods have them, those that are alike once."""

    def __init__(self, model: Module) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.calls: dict[Module, list[tuple[Shapes, Contest]]] = {}
        self.apart: set[Module] = set()  #: who computes lengths in tensors
        self._contests: dict[Hashable, Contest] = {}

    def padded(
        self, module: Module, effort: Effort, x: Tensor, pad: Any, mode: str = "constant", value: Any = None
    ) -> None:
        """Measure a call that may be computed row by row; what else a module pads takes as long as before."""
        ends = None if torch.is_grad_enabled() else ends_of(x, pad, mode, value)
        if ends is None or not may_get_a_forward(module):
            return
        pad_as = form(type(module))
        key = x.dtype, x.shape, ends, mode, pad_as
        if key not in self._contests:
            given = x, pad, mode, value
            runs = {ORIGINAL: lambda: [F.pad(*given)], OURS: lambda: [pad_as(*given)]}
            self._contests[key] = both_ways.decided(runs, effort)
        shapes = tuple(x.shape), (*x.shape[:-1], sum(ends) + x.shape[-1])
        self.calls.setdefault(module, []).append((shapes, self._contests[key]))
        if any(isinstance(cells, Tensor) for cells in pad):
            self.apart.add(module)

    def by_themselves(
        self, others: Container[Module], operations: Mapping[Module, int], slowed: float
    ) -> Iterator[MeasuredModule]:
        """What came of each module but others, which get another class.

        Every operation of its forward method takes so much longer then, unless that is one call of `F.pad`.
        """
        for module, found in self.calls.items():
            if module not in others:
                extra = 0.0 if type(module) in LAYERS else slowed * operations[module]
                shapes, contests = zip(*found, strict=True)
                kind = type(module).__name__
                apart = module in self.apart and _is_layer(module)
                measured = MeasuredModule(self.names[module], kind, shapes, operations=(), pads=True, apart=apart)
                yield settled(measured, contests, extra)


def _is_layer(module: Module) -> bool:
    """Whether a module has little beside its padding: of a network that stays out of graphs nothing is compiled."""
    return sum(next(each.children(), None) is None for each in module.modules()) <= _PARTS
