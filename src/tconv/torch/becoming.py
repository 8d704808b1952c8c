"""What modules are to become, by what a report says of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn import Module

from tconv.torch.accelerated import class_after
from tconv.torch.fusing.alone import by_kernel
from tconv.torch.fusing.bordered import by_rows
from tconv.torch.fusing.sequences import with_runs
from tconv.torch.measured import Measured, MeasuredModule, MeasuredRun


def classes_after(model: Module, kept: Iterable[Measured]) -> dict[Module, type]:
    """The classes that modules have once these layers, runs and other modules are accelerated."""
    modules, after = dict(model.named_modules()), {}
    heads: dict[Module, dict[str, bool]] = {}
    for found in kept:
        if isinstance(found, MeasuredRun):
            heads.setdefault(modules[found.sequence], {})[found.members[0]] = found.winograd
        elif isinstance(found, MeasuredModule):
            kind = type(modules[found.name])
            after[modules[found.name]] = by_rows(kind, found.apart) if found.pads else by_kernel(kind)
        else:
            module = modules[found.name]
            after[module] = class_after(module, found.operations, filters=found.winograd)
    return after | {sequence: _with_runs(sequence, names) for sequence, names in heads.items()}


def _with_runs(sequence: Module, heads: dict[str, bool]) -> type:
    names = tuple(sorted(heads))
    made: type = with_runs(type(sequence), names, tuple(name for name in names if heads[name]))
    return made
