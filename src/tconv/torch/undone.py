"""Running a model for a look, without a trace: what its forward methods change in it is put back, and chance with it.

Batch normalization counts what it sees, spectral normalization refines its vectors, caches are filled, weights are
computed into attributes, dropout draws numbers. Put back are the attributes, buffers, parameters, submodules and
hooks of every module, and the values in the buffers and in the tensors that the model is given. What a forward method
does elsewhere is not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.utils._pytree import tree_leaves

#: Attributes of every module that are dictionaries which are changed in place: parameters, submodules, hooks and such.
_TABLES = tuple(name for name, value in vars(Module()).items() if isinstance(value, dict))


@contextmanager
def undone(model: Module, given: Any = ()) -> Iterator[Callable[[], None]]:
    """Put back, however the block ends, what runs of the model in it have changed, tensors that it is given too.

    What the block gets puts everything back as soon as it is called, so that the next run begins where this one did.
    """
    states = [_State(module) for module in modules(model)]
    leaves = (leaf for leaf in tree_leaves(given) if type(leaf) is Tensor and leaf.layout is torch.strided)
    values = _Values(leaves)
    chance = _Chance()

    def put_back() -> None:
        for state in states:
            state.put_back()
        values.put_back()
        chance.put_back()

    try:
        yield put_back
    finally:
        put_back()


def modules(model: Module) -> list[Module]:
    """All modules, but for those of TorchScript, which are code of their own and have no attributes in Python."""
    return [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]


class _Chance:
    """The generators of random numbers that a forward method may use, as they are."""

    def __init__(self) -> None:
        self.of_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        self.of_torch, self.of_python = torch.get_rng_state(), random.getstate()
        self.of_numpy = np.random.get_state()  # noqa: NPY002  # what models use

    def put_back(self) -> None:
        """Make them that again."""
        if self.of_cuda:
            torch.cuda.set_rng_state_all(self.of_cuda)
        torch.set_rng_state(self.of_torch)
        random.setstate(self.of_python)
        np.random.set_state(self.of_numpy)  # noqa: NPY002


class _Values:
    """What is in tensors, in copies."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.copies = [(tensor, tensor.detach().clone()) for tensor in tensors if not tensor.is_meta]

    def put_back(self) -> None:
        """Put the values back into the tensors, only where they changed."""
        for tensor, value in self.copies:
            if not torch.equal(tensor, value):
                tensor.data.copy_(value)  # its version is that of its value, which graphs from before may need


class _State:
    """What a module has, and a copy of the values in its buffers."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.attributes = dict(module.__dict__)
        self.tables = {name: dict(module.__dict__[name]) for name in _TABLES}
        self.buffers = _Values(buffer for buffer in self.tables["_buffers"].values() if buffer is not None)

    def put_back(self) -> None:
        """Make the module have it again."""
        _refill(self.module.__dict__, self.attributes)
        for name, entries in self.tables.items():
            _refill(self.module.__dict__[name], entries)
        self.buffers.put_back()


def _refill(table: dict[str, Any], entries: dict[str, Any]) -> None:
    """Fill a table again, only where it changed: `torch.compile` guards some of them by their versions."""
    if table.keys() != entries.keys() or any(table[name] is not value for name, value in entries.items()):
        table.clear()
        table.update(entries)
