"""Classes that are made at run time, each like another one but for what it has of its own: its forward method, mostly.

An accelerated module is the same object, of such a class. What it was before is a matter of its class alone.

There is one class for all that is made from the same, as long as anybody has it. It is not kept beyond that, and keeps
nobody: what it is made from may be a class of a cell of a notebook, which is made anew whenever the cell is run.
Copies and pickles begin with an object of the class that it is made from, which pickles find by its name.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Hashable
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch.nn import Module
from torch.nn.utils import parametrize

from tconv.forks import uninterrupted

#: The attribute of a class that says which one it is instead of, which an unchanged model has.
FROM = "_tconv_before"
#: What PyTorch does with its own classes only.
RESTORE = "{what} PyTorch's own layers, and this model is accelerated: call tconv.torch.restore(model) first"

#: Those that somebody has, by who made them, and from what.
_made: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()


def derives(own: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """A function that makes a class from another one, and from what else it is given, which is hashable and pickled.

    `own` says by the same arguments what the class has of its own. The same arguments make the same class.
    """

    @functools.wraps(own)
    def kind(plain: Any, *given: Hashable) -> Any:
        key = kind, plain, *given
        made = _made.get(key)
        if made is None:
            derived = _derived(kind, plain, given, own(plain, *given))
            with uninterrupted:  # another thread may have made it meanwhile
                made = _made.setdefault(key, derived)
        return made

    return kind


def _derived(kind: Callable[..., Any], plain: Any, given: tuple[Hashable, ...], own: dict[str, Any]) -> Any:
    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        reduced = super(made, self).__reduce_ex__(protocol)
        now = type(self)
        # The name of an object that there is once, or an object of a class that somebody has made from ours.
        if isinstance(reduced, str) or FROM not in vars(now):
            return reduced
        make, args, *rest = reduced
        make, *args = [plain if each is now else each for each in (make, *args)]
        return remade, (kind, given, make, *args), *rest

    made = like(plain, {"__reduce_ex__": __reduce_ex__, "__prepare_scriptable__": refuse_scripting} | own)
    return made


def remade(kind: Callable[..., Any], given: tuple[Hashable, ...], make: Callable[..., Any], *args: Any) -> Any:
    """A module of a class that is made here, as its copies and pickles begin."""
    return become(make(*args), kind, *given)


def become(module: Any, kind: Callable[..., Any], *given: Hashable) -> Any:
    """The same module, of a class that is made from its own."""
    module.__class__ = with_plain(module, kind(plain_class(module), *given))
    return module


def refuse_scripting(module: Any) -> Any:
    """What `torch.jit.script` asks a module for, of classes that it knows nothing of."""
    raise RuntimeError(RESTORE.format(what="torch.jit.script compiles"))


def like(kind: Any, own: dict[str, Any]) -> Any:
    """A class like another one but for what it has of its own."""
    same = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    return _inheriting(kind, kind, same | {FROM: before(kind)} | own)


def _inheriting(kind: Any, base: type, names: dict[str, Any]) -> type:
    """A class, by the metaclass of another one and with its name.

    What a base does with those who inherit from it, such as to keep them by their names, is not for this one.
    """
    metaclass: Any = type(kind)
    made: type
    if isinstance(base.__init_subclass__, MethodType):  # that of object is none
        with contextlib.suppress(TypeError):  # of a base that lies in memory in another way
            made = metaclass(kind.__name__, (Module,), names)
            made.__bases__ = (base,)
            return made
    made = metaclass(kind.__name__, (base,), names)
    return made


def may_get_a_forward(module: Module) -> bool:
    """Whether a module may become one of a class made here, from its own, that has another forward method."""
    kind: Any = type(module)
    return not (
        isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule)
        or "forward" in vars(module)
        or kind.__call__ is not Module.__call__
        or not isinstance(kind.forward, FunctionType)
        or kind.__reduce_ex__ is not object.__reduce_ex__
        or kind.__reduce__ is not object.__reduce__
        or parametrize.is_parametrized(module)
    )


def before(kind: type) -> type:
    """The class that one is instead of; the same where it is an ordinary one."""
    return vars(kind).get(FROM, kind)  # type: ignore[no-any-return]


def plain_class(module: Module) -> type:
    """The class of a module, below the one that `torch.nn.utils.parametrize` makes for each that it changes."""
    return type(module).__bases__[0] if parametrize.is_parametrized(module) else type(module)


def is_accelerated(module: Module) -> bool:
    """Whether a module was accelerated, and not restored since."""
    return before(plain_class(module)) is not plain_class(module)


def class_before(module: Module) -> type:
    """The class that a module had before it was accelerated, its own where it was not."""
    now, plain = type(module), plain_class(module)
    if before(plain) is plain:
        return now
    known = before(now)
    if known is not now and _parametrized(known) == _parametrized(now):
        return known
    return with_plain(module, before(plain))


def with_plain(module: Module, plain: type) -> type:
    """The class of a module with another one below what parametrizations made.

    They are removed by going to the first base, so that has to be the class without them, accelerated or not.
    """
    now = type(module)
    if not parametrize.is_parametrized(module):
        return plain
    names = {name: value for name, value in vars(now).items() if name not in ("__dict__", "__weakref__", FROM)}
    return _inheriting(now, plain, names if before(plain) is plain else {**names, FROM: now})


def _parametrized(kind: type) -> set[str]:
    """The names of tensors that a class of `torch.nn.utils.parametrize` computes."""
    return {name for name, value in vars(kind).items() if isinstance(value, property)}
