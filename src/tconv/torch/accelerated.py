"""What an accelerated module is: the same object, of a class that computes its convolutions on the engine.

Layers of torch.nn become layers of `tconv.torch.nn`, or of a class of these that computes by minimal filtering where no
derivative is recorded. Modules whose forward method calls `F.conv_transpose1d` to `3d` or
`F.conv1d` to `3d`, and layers with a forward method of their own, become a subclass of what they were that runs that
method under `CallsReplaced`. Nothing else about an object changes, so that its state, its hooks and who refers to it
stay, and a copy or a pickle of it is accelerated too. What a module was before is a matter of its class alone.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeAlias

import torch
from torch.nn.functional import pad
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from tconv.torch import bordering, functional, nn
from tconv.torch.engine import Operation

#: The calls that are replaced, and by what. Those of torch.ops are what programs of `torch.export` call.
CALLS: dict[Any, Callable[..., torch.Tensor]] = {
    torch.conv_transpose1d: functional.conv_transpose1d,
    torch.conv_transpose2d: functional.conv_transpose2d,
    torch.conv_transpose3d: functional.conv_transpose3d,
    torch.ops.aten.conv_transpose1d.default: functional.conv_transpose1d,
    torch.ops.aten.conv_transpose2d.input: functional.conv_transpose2d,
    torch.ops.aten.conv_transpose3d.input: functional.conv_transpose3d,
    torch.conv1d: functional.conv1d,
    torch.conv2d: functional.conv2d,
    torch.conv3d: functional.conv3d,
    torch.ops.aten.conv1d.default: functional.conv1d,
    torch.ops.aten.conv2d.default: functional.conv2d,
    torch.ops.aten.conv3d.default: functional.conv3d,
    torch.ops.aten.conv1d.padding: functional.conv1d,
    torch.ops.aten.conv2d.padding: functional.conv2d,
    torch.ops.aten.conv3d.padding: functional.conv3d,
}
#: Which operation each of them is.
OPERATION: dict[Any, Operation] = {
    theirs: "conv_transpose" if "transpose" in ours.__name__ else "conv" for theirs, ours in CALLS.items()
}
#: Operations in the order in which they are reported.
Operations: TypeAlias = tuple[Operation, ...]
EVERY: Operations = ("conv_transpose", "conv")


class CallsReplaced(TorchFunctionMode):
    """The functions of `CALLS` that are one of these operations run as tconv's in this thread, and so does `F.pad`.

    Every other operation in it takes about a microsecond longer.
    """

    def __init__(self, operations: Operations) -> None:
        super().__init__()
        self.operations = operations

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if OPERATION.get(func) in self.operations:
            func = CALLS[func]
        elif func is pad:
            func = bordering.padded
        return func(*args, **(kwargs or {}))


_RESTORE = "{what} PyTorch's own layers, and this model is accelerated: call tconv.torch.restore(model) first"


class _Accelerated:
    """What an accelerated layer does not allow: it is no longer of the class that others know."""

    def __prepare_scriptable__(self) -> Any:
        """What torch.jit.script asks for."""
        raise RuntimeError(_RESTORE.format(what="torch.jit.script compiles"))

    def __setattr__(self, name: str, value: Any) -> None:
        # Eager quantization sets this on every module that it is to replace, and finds it by its class.
        if name == "qconfig" and value is not None:
            raise RuntimeError(_RESTORE.format(what="torch.ao.quantization replaces"))
        super().__setattr__(name, value)


class ConvTranspose1d(_Accelerated, nn.ConvTranspose1d):
    """Once a `torch.nn.ConvTranspose1d`."""


class ConvTranspose2d(_Accelerated, nn.ConvTranspose2d):
    """Once a `torch.nn.ConvTranspose2d`."""


class ConvTranspose3d(_Accelerated, nn.ConvTranspose3d):
    """Once a `torch.nn.ConvTranspose3d`."""


class Conv1d(_Accelerated, nn.Conv1d):
    """Once a `torch.nn.Conv1d`."""


class Conv2d(_Accelerated, nn.Conv2d):
    """Once a `torch.nn.Conv2d`."""


class Conv3d(_Accelerated, nn.Conv3d):
    """Once a `torch.nn.Conv3d`."""


class _Filtered:
    """By minimal filtering, with weights that are kept, wherever the engine has filters; by the definition elsewhere.

    That is where a result is not finite, and so may have met others; where a derivative is recorded, or operations are
    traced; and with weights that come for the first time.
    """

    _filters = True

    def _get_name(self) -> str:
        """As it is printed: nothing that a name would tell has changed."""
        return type(self).__name__.removeprefix("Filtered")


class FilteredConvTranspose1d(_Filtered, ConvTranspose1d):
    """Once a `torch.nn.ConvTranspose1d`."""


class FilteredConvTranspose2d(_Filtered, ConvTranspose2d):
    """Once a `torch.nn.ConvTranspose2d`."""


class FilteredConvTranspose3d(_Filtered, ConvTranspose3d):
    """Once a `torch.nn.ConvTranspose3d`."""


class FilteredConv1d(_Filtered, Conv1d):
    """Once a `torch.nn.Conv1d`."""


class FilteredConv2d(_Filtered, Conv2d):
    """Once a `torch.nn.Conv2d`."""


class FilteredConv3d(_Filtered, Conv3d):
    """Once a `torch.nn.Conv3d`."""


#: Layers of torch.nn, and what they become.
LAYERS: dict[type, type] = {
    torch.nn.ConvTranspose1d: ConvTranspose1d,
    torch.nn.ConvTranspose2d: ConvTranspose2d,
    torch.nn.ConvTranspose3d: ConvTranspose3d,
    torch.nn.Conv1d: Conv1d,
    torch.nn.Conv2d: Conv2d,
    torch.nn.Conv3d: Conv3d,
}
#: And what they become to compute by minimal filtering.
FILTERED: dict[type, type] = {
    torch.nn.ConvTranspose1d: FilteredConvTranspose1d,
    torch.nn.ConvTranspose2d: FilteredConvTranspose2d,
    torch.nn.ConvTranspose3d: FilteredConvTranspose3d,
    torch.nn.Conv1d: FilteredConv1d,
    torch.nn.Conv2d: FilteredConv2d,
    torch.nn.Conv3d: FilteredConv3d,
}
_BEFORE = {after: before for layers in (LAYERS, FILTERED) for before, after in layers.items()}
#: What classes made here, at run time, are made from.
_FROM = "_tconv_before"


def plain_class(module: torch.nn.Module) -> type:
    """The class of a module, below the one that `torch.nn.utils.parametrize` makes for each that it changes."""
    return type(module).__bases__[0] if parametrize.is_parametrized(module) else type(module)


def is_accelerated(module: torch.nn.Module) -> bool:
    """Whether a module was accelerated, and not restored since."""
    return _before(plain_class(module)) is not plain_class(module)


def may_get_a_forward(module: torch.nn.Module) -> bool:
    """Whether a module may become one of a class made here, from its own, that has another forward method."""
    kind: Any = type(module)
    return not (
        isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule)
        or "forward" in vars(module)
        or kind.__call__ is not torch.nn.Module.__call__
        or not isinstance(kind.forward, FunctionType)
        or kind.__reduce_ex__ is not object.__reduce_ex__
        or kind.__reduce__ is not object.__reduce__
        or parametrize.is_parametrized(module)
    )


def class_after(module: torch.nn.Module, operations: Operations, *, filters: bool = False) -> type:
    """The class that accelerates a module, of which its forward method calls these operations.

    `filters`: by minimal filtering, which is for layers of torch.nn.
    """
    plain = plain_class(module)
    layers = FILTERED if filters else LAYERS
    return _with_plain(module, layers.get(plain) or _with_calls_replaced(plain, operations))


def class_before(module: torch.nn.Module) -> type:
    """The class that a module had before it was accelerated, its own where it was not."""
    now, plain = type(module), plain_class(module)
    if _before(plain) is plain:
        return now
    known = vars(now).get(_FROM)
    if known is not None and _parametrized(known) == _parametrized(now):
        return known  # type: ignore[no-any-return]
    return _with_plain(module, _before(plain))


def _parametrized(kind: type) -> set[str]:
    """The names of tensors that a class of `torch.nn.utils.parametrize` computes."""
    return {name for name, value in vars(kind).items() if isinstance(value, property)}


def _before(plain: type) -> type:
    return _BEFORE.get(plain) or vars(plain).get(_FROM, plain)


def _with_plain(module: torch.nn.Module, plain: type) -> type:
    """The class with another one below what parametrizations made.

    They are removed by going to the first base, so that has to be the class without them, accelerated or not.
    """
    now = type(module)
    if not parametrize.is_parametrized(module):
        return plain
    names = {name: value for name, value in vars(now).items() if name not in ("__dict__", "__weakref__", _FROM)}
    return _made(now, plain, names if _before(plain) is plain else {**names, _FROM: now})


def _made(like: Any, base: type, names: dict[str, Any]) -> type:
    """A class, by the metaclass of another one and with its name.

    What a base does with those who inherit from it, such as to keep them by their names, is not for this one.
    """
    metaclass: Any = type(like)
    made: type
    if isinstance(base.__init_subclass__, MethodType):  # that of object is none
        with contextlib.suppress(TypeError):  # of a base that lies in memory in another way
            made = metaclass(like.__name__, (torch.nn.Module,), names)
            made.__bases__ = (base,)
            return made
    made = metaclass(like.__name__, (base,), names)
    return made


@functools.cache
def _with_calls_replaced(plain: Any, operations: Operations) -> Any:
    @functools.wraps(plain.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        with CallsReplaced(operations):
            return plain.forward(self, *args, **kwargs)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        reduced = super(made, self).__reduce_ex__(protocol)
        if isinstance(reduced, str):  # the name of an object that there is once
            return reduced
        make, args, *rest = reduced
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            return new, (plain, operations, *args[1:]), *rest
        return remade, (operations, plain if make is made else make, *args), *rest

    names = ("__module__", "__qualname__", "__doc__")
    same = {name: getattr(plain, name) for name in names}
    own = {"forward": forward, "__reduce_ex__": __reduce_ex__, _FROM: plain}
    own["__prepare_scriptable__"] = _Accelerated.__prepare_scriptable__
    if issubclass(plain, torch.fx.GraphModule):
        own |= {name: _as_before(plain, operations, name) for name in ("recompile", "__copy__", "__deepcopy__")}
    made: Any = _made(plain, plain, same | own)
    return made


def _as_before(plain: Any, operations: Operations, name: str) -> Any:
    """A method of a module of torch.fx, which has a class of its own and writes its forward method there."""

    @functools.wraps(getattr(plain, name))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        now = type(self)
        self.__class__ = plain
        try:
            result = getattr(plain, name)(self, *args, **kwargs)
        finally:
            self.__class__ = now
        return _accelerated(result, operations) if isinstance(result, torch.nn.Module) else result

    return method


def new(plain: Any, operations: Operations, *args: Any) -> Any:
    """An accelerated module of a class that had calls replaced, as pickles make it: they find classes by name."""
    made = _with_calls_replaced(plain, operations)
    return made.__new__(made, *args)


def remade(operations: Operations, make: Any, *args: Any) -> Any:
    """An accelerated module as its pickle makes it, where a function of its own does so."""
    return _accelerated(make(*args), operations)


def _accelerated(module: Any, operations: Operations) -> Any:
    module.__class__ = class_after(module, operations)
    return module
