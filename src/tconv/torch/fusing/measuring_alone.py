"""Normalizations and activations measured by themselves, as they come by: by a kernel, and by PyTorch."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator
from typing import Any

from torch import Tensor
from torch.nn import Module

from tconv.measuring.contest import ORIGINAL, Contest
from tconv.measuring.rounds import Effort
from tconv.torch import both_ways
from tconv.torch.both_ways import OURS
from tconv.torch.fusing.alone import by_kernel, computed, serves
from tconv.torch.fusing.measuring import copied
from tconv.torch.measured import MeasuredModule, Shapes
from tconv.torch.measuring import saving_here, settled


class MeasuringAlone:
    """Measures modules that a kernel may compute, those that are alike once."""

    def __init__(self, model: Module, *, new_sizes: bool) -> None:
        self.names = {module: name for name, module in model.named_modules() if serves(module)}
        self.new_sizes = new_sizes
        #: None: some call of the module cannot be computed by a kernel.
        self.calls: dict[Module, list[tuple[Shapes, Contest | None]]] = {}
        self._contests: dict[Hashable, Contest | None] = {}

    def called(self, module: Module, args: Any, effort: Effort) -> None:
        """Measure a call of a module."""
        x = args[0] if len(args) == 1 and isinstance(args[0], Tensor) else None
        if x is None:
            self.calls.setdefault(module, []).append((((), ()), None))
            return
        key = x.dtype, x.shape, x.stride(), type(module), repr(module)
        if key not in self._contests:
            with saving_here():
                self._contests[key] = _contest(module, x.detach(), effort, new_sizes=self.new_sizes)
        shape = tuple(x.shape)
        self.calls.setdefault(module, []).append(((shape, shape), self._contests[key]))

    def by_themselves(self, others: Container[Module]) -> Iterator[MeasuredModule]:
        """Those that a kernel could compute, and what came of each; not those that are part of something."""
        for module, found in self.calls.items():
            contests = [contest for _, contest in found if contest is not None]
            if len(contests) == len(found) and module not in others:
                shapes = tuple(shapes for shapes, _ in found)
                measured = MeasuredModule(self.names[module], type(module).__name__, shapes, operations=())
                yield settled(measured, contests)


def _contest(module: Module, x: Tensor, effort: Effort, *, new_sizes: bool) -> Contest | None:
    """Compare and time; None where a kernel cannot compute it."""
    original, ours = copied(module), copied(module)
    ours.__class__ = by_kernel(type(module))
    try:
        if computed(ours, type(module), x) is None:
            return None
    except Exception:  # of any class: the model does without
        return None

    def by_ours() -> list[Tensor]:
        return [ours(x).detach()]

    runs = {
        ORIGINAL: lambda: [original(x).detach()],
        OURS: both_ways.anew(by_ours) if new_sizes else by_ours,
    }
    return both_ways.decided(runs, effort)
