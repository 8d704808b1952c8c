"""What forward methods call one behind the other, met while the model runs once.

A method says `conv(x)` of a variable, and takes one way or another at an `if`. Which modules it calls, and where, is
known when it does. So for one run the modules that have such methods are of a class which writes down what they call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch.nn import Module

from tconv.torch import watching
from tconv.torch.classes import like
from tconv.torch.fusing import chains, links
from tconv.torch.fusing.sequences import calls_chains
from tconv.torch.undone import modules


class Met(NamedTuple):
    """Calls one behind the other."""

    owner: Module  #: whose forward method calls
    names: tuple[str, ...]  #: of what is called, as the method says them
    called: tuple[Any, ...]  #: modules, functions and links; of additions only how
    times: int = 1  #: how often


def met(model: Module, run: Callable[[], Any]) -> list[Met]:
    """All that a run of the model calls in such a way; nothing is run where no method calls so."""
    before: dict[Module, Any] = {module: type(module) for module in modules(model) if calls_chains(module)}
    found: dict[Any, Met] = {}
    if not before:
        return []
    kinds = {kind: _listening(kind, found) for kind in before.values()}
    try:
        for module, kind in before.items():
            module.__class__ = kinds[kind]
        with watching.eagerly():
            run()
    finally:
        for module, kind in before.items():
            module.__class__ = kind
    return list(found.values())


def _listening(kind: Any, found: dict[Any, Met]) -> Any:
    """A class whose modules write down what they call."""

    def chain(self: Any, names: Sequence[str], called: Sequence[Any], x: Any) -> Any:
        calls = links.given(names, called)
        # Of residuals only that they are added: they may be large.
        kept = tuple(links.Add(each.how, None) if type(each) is links.Add else each for each in calls)
        key = self, names, tuple(map(_known_by, kept))
        known = found.get(key)
        found[key] = Met(self, tuple(names), kept) if known is None else known._replace(times=known.times + 1)
        for each in calls:
            x = each(x)
        return x

    rewritten: Any = chains.chained(kind.forward)
    return like(kind, {"forward": rewritten.function, links.METHOD: chain})


def _known_by(called: Any) -> Any:
    """What calls that are alike share."""
    if type(called) is links.Add:
        return called.how
    if type(called) is links.Pair:
        number = called.argument if type(called.argument) in (int, float) else None
        return id(called.function), number
    return id(called)
