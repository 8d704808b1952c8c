"""What an `nn.Sequential` becomes that has runs in it: the same object, of a class that computes them in one call.

The whole run is computed in the forward method of the sequence, which has it all before it: it calls either the engine
once, or the modules one by one. So nothing can be half done, as it could be if each of the modules had to know whether
the one before had done its work. What the modules are is asked in every call; they, their hooks and their tensors may
be changed, replaced and removed as before. Only the names of the convolutions, which won when they were measured, are
part of the class.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import Module

from tconv.torch.accelerated import _FROM, _Accelerated, _made
from tconv.torch.fusing import runs
from tconv.torch.fusing.call import computed
from tconv.torch.kept import PackedWeights

#: Names of modules in a sequence.
Heads = tuple[str, ...]


class KeptRuns(dict[str, PackedWeights]):
    """The packed weights of runs, by the names of their convolutions. Copies and pickles of it are empty."""

    def __reduce__(self) -> Any:
        return KeptRuns, ()


def is_sequence(module: Module) -> bool:
    """Whether a module is a sequence, called, copied and pickled as torch.nn's are."""
    kind: Any = type(module)
    return (
        isinstance(module, nn.Sequential)
        and "forward" not in vars(module)
        and kind.forward is nn.Sequential.forward
        and kind.__call__ is Module.__call__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
    )


def in_order(sequence: nn.Sequential, x: Any, heads: Heads) -> Any:
    """What comes out of a sequence, those runs in one call that begin with modules of these names."""
    modules: list[Any] = list(sequence._modules.values())
    names = list(sequence._modules)
    quiet, at = not runs.hooked_everywhere(), 0
    while at < len(modules):
        run = runs.starting(modules, at) if quiet and names[at] in heads else None
        result = None if run is None else computed(run, x, _kept(sequence, names[at]))
        if run is None or result is None:
            x, at = modules[at](x), at + 1
        else:
            x, at = result, at + len(run.members)
    return x


def _kept(sequence: nn.Sequential, name: str) -> PackedWeights:
    kept: KeptRuns = sequence.__dict__.setdefault("_kept", KeptRuns())
    return kept.setdefault(name, PackedWeights())


def with_runs(plain: Any, heads: Heads) -> Any:
    """The class of a sequence that computes runs in one call, made from the class that it had."""
    return _with_runs(plain, heads)


@functools.cache
def _with_runs(plain: Any, heads: Heads) -> Any:
    @functools.wraps(plain.forward)
    def forward(self: Any, input: Any) -> Any:
        if torch.compiler.is_compiling():
            return plain.forward(self, input)
        return in_order(self, input, heads)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        _, args, *rest = super(made, self).__reduce_ex__(max(2, protocol))
        return new, (plain, heads, *args[1:]), *rest

    same = {name: getattr(plain, name) for name in ("__module__", "__qualname__", "__doc__")}
    own = {"forward": forward, "__reduce_ex__": __reduce_ex__, _FROM: plain}
    own["__prepare_scriptable__"] = _Accelerated.__prepare_scriptable__
    made: Any = _made(plain, plain, same | own)
    return made


def new(plain: Any, heads: Heads, *args: Any) -> Any:
    """A sequence with runs, as pickles make it: they find classes by name."""
    made = with_runs(plain, heads)
    return made.__new__(made, *args)
