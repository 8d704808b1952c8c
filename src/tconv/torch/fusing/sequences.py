"""What an `nn.Sequential` becomes that has runs in it, or a module whose forward method calls them in order.

It is the same object, of a class that computes runs in one call. That is done in the forward method of who calls the
modules, which has the whole run before it: it calls either the engine once, or the modules one by one. So nothing can
be half done, as it could be if each of the modules had to know whether the one before had done its work. What the
modules are is asked in every call; they, their hooks and their tensors may be changed, replaced and removed as before.
Only the names of the convolutions, which won when they were measured, are part of the class, and which of their runs
are by minimal filtering. A convolution that is called out of a variable or a list has its name while it stands where
it stood.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import Module

from tconv.torch.classes import derives, may_get_a_forward
from tconv.torch.fusing import chains, compiled, links, runs
from tconv.torch.fusing.call import computed
from tconv.torch.kept import PackedWeights

#: The attribute of who calls runs in which their packed weights are.
KEPT = "_tconv_kept"
#: Names of modules in a sequence.
Heads = tuple[str, ...]


class KeptRuns(dict[str, PackedWeights]):
    """The packed weights of runs, by the names of their convolutions. Copies and pickles of it are empty."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        super().__init__()
        #: The names of convolutions that are called out of a variable or a list, by their ids.
        self.names: dict[int, str] = {}

    def __reduce__(self) -> Any:
        return KeptRuns, ()


def is_sequence(module: Module) -> bool:
    """Whether a module calls those in it one behind the other, and may get another class."""
    kind: Any = type(module)
    return _may_change(module) and kind.forward is nn.Sequential.forward


def calls_chains(module: Module) -> bool:
    """Whether the forward method of a module calls others one behind the other, and it may get another class."""
    kind: Any = type(module)
    return _may_change(module) and chains.chained(kind.forward) is not None


def _may_change(module: Module) -> bool:
    return may_get_a_forward(module) and not hasattr(type(module), links.METHOD)


def in_order(owner: Module, names: Sequence[str], called: Sequence[Any], x: Any, heads: Heads, filtered: Heads) -> Any:
    """What comes of x when all are called in order, those runs in one call that begin with these names.

    `filtered`: those of them that are by minimal filtering. While `torch.compile` makes a graph of it, some of these
    runs stand there as operators.
    """
    compiles, quiet, at = torch.compiler.is_compiling(), not runs.hooked_everywhere(), 0
    while at < len(called):
        name = names[at]
        if quiet and name == links.LOOKED_UP:
            name = _found_in(owner, called[at], heads) if compiles else _name_of(owner, called[at], heads)
        run = runs.starting(called, at) if quiet and name in heads else None
        if run is None:
            result = None
        elif compiles:
            result = compiled.in_graph(run, x, filters=name in filtered)
        else:
            result = computed(run, x, _kept(owner, name, filtered))
        if run is None or result is None:
            x, at = called[at](x), at + 1
        else:
            x, at = result, at + run.span
    return x


def _found_in(owner: Module, called: Any, heads: Heads) -> str:
    """The one of these names that a module has in its owner, for graphs, which know nothing of ids; "" of another."""
    for head in heads:
        if found(owner, head) is called:
            return head
    return ""


def _name_of(owner: Module, called: Any, heads: Heads) -> str:
    """The one of these names that a module has in its owner now; "" of another."""
    names = _of(owner).names
    if not names:
        names.update({id(found(owner, head)): head for head in heads})
    name = names.get(id(called), "")
    return name if name and found(owner, name) is called else ""


def found(owner: Any, path: str) -> Any:
    """The module at the end of a path; None where there is nothing."""
    for name in path.split("."):
        owner = None if owner is None else owner._modules.get(name)
    return owner


def _of(owner: Module) -> KeptRuns:
    kept: KeptRuns | None = owner.__dict__.get(KEPT)
    return owner.__dict__.setdefault(KEPT, KeptRuns()) if kept is None else kept


def _kept(owner: Module, name: str, filtered: Heads) -> PackedWeights:
    kept = _of(owner)
    known = kept.get(name)
    return kept.setdefault(name, PackedWeights(name in filtered)) if known is None else known


@derives
def with_runs(plain: Any, heads: Heads, filtered: Heads) -> dict[str, Any]:
    """What a class has of its own whose modules compute the runs in one call that begin with these names."""

    def whole(self: Any, input: Any) -> Any:
        return in_order(self, tuple(self._modules), tuple(self._modules.values()), input, heads, filtered)

    def chain(self: Any, names: Sequence[str], called: Sequence[Any], x: Any) -> Any:
        return in_order(self, names, links.given(names, called), x, heads, filtered)

    if plain.forward is nn.Sequential.forward:
        forward: Any = functools.wraps(plain.forward)(whole)
    else:  # as it was where its source is not to be found, as in another process that was given a pickle
        rewritten = chains.chained(plain.forward, heads)
        forward = plain.forward if rewritten is None else rewritten.function
    return {"forward": forward, links.METHOD: chain}
