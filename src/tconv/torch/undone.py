"""Running a model for a look, without a trace: what its forward methods change in it is put back, and chance with it.

Batch normalization counts what it sees, spectral normalization refines its vectors, caches are filled, weights are
computed into attributes, dropout draws numbers. Put back are the attributes, buffers, parameters, submodules and
hooks of every module, and the values in the buffers. What a forward method does elsewhere is not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

#: Attributes of every module that are dictionaries which are changed in place: parameters, submodules, hooks and such.
_TABLES = tuple(name for name, value in vars(Module()).items() if isinstance(value, dict))


@contextmanager
def undone(model: Module) -> Iterator[None]:
    """Put back, however the block ends, what runs of the model in it have changed."""
    states = [_State(module) for module in modules(model)]
    with _chance():
        try:
            yield
        finally:
            for state in states:
                state.put_back()


def modules(model: Module) -> list[Module]:
    """All modules, but for those of TorchScript, which are code of their own and have no attributes in Python."""
    return [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]


@contextmanager
def _chance() -> Iterator[None]:
    """The generators of random numbers that a forward method may use, as they were."""
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002  # what models use
    cuda: Any = torch.cuda
    devices = range(cuda.device_count()) if cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(list(devices)):
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)


class _State:
    """What a module has, and a copy of the values in its buffers."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.attributes = dict(module.__dict__)
        self.tables = {name: dict(module.__dict__[name]) for name in _TABLES}
        buffers = (b for b in self.tables["_buffers"].values() if b is not None and not b.is_meta)
        self.buffers: list[tuple[Tensor, Tensor]] = [(b, b.detach().clone()) for b in buffers]

    def put_back(self) -> None:
        """Make the module have it again."""
        _refill(self.module.__dict__, self.attributes)
        for name, entries in self.tables.items():
            _refill(self.module.__dict__[name], entries)
        for buffer, value in self.buffers:
            if not torch.equal(buffer, value):
                buffer.data.copy_(value)  # its version is that of its value, which graphs from before may need


def _refill(table: dict[str, Any], entries: dict[str, Any]) -> None:
    """Only where something changed: `torch.compile` guards some of these dictionaries by their versions."""
    if table.keys() != entries.keys() or any(table[name] is not value for name, value in entries.items()):
        table.clear()
        table.update(entries)
