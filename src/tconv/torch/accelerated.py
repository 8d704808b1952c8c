"""What an accelerated module becomes: the same object, of a class that computes its convolutions on the engine.

Layers of torch.nn become layers of `tconv.torch.nn`, or of a class of these that computes by minimal filtering where no
derivative is recorded. Modules whose forward method calls `F.conv_transpose1d` to `3d` or
`F.conv1d` to `3d`, and layers with a forward method of their own, become a subclass of what they were that runs that
method under `CallsReplaced`. Nothing else about an object changes, so that its state, its hooks and who refers to it
stay, and a copy or a pickle of it is accelerated too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.nn.functional import pad
from torch.overrides import TorchFunctionMode

from tconv.torch import bordering, classes, functional, nn
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


class _Accelerated:
    """What an accelerated layer does not allow: it is no longer of the class that others know."""

    __prepare_scriptable__ = classes.refuse_scripting

    def __setattr__(self, name: str, value: Any) -> None:
        # Eager quantization sets this on every module that it is to replace, and finds it by its class.
        if name == "qconfig" and value is not None:
            raise RuntimeError(classes.RESTORE.format(what="torch.ao.quantization replaces"))
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
for _layers in (LAYERS, FILTERED):
    for _theirs, _ours in _layers.items():
        setattr(_ours, classes.FROM, _theirs)


def class_after(module: torch.nn.Module, operations: Operations, *, filters: bool = False) -> type:
    """The class that accelerates a module, of which its forward method calls these operations.

    `filters`: by minimal filtering, which is for layers of torch.nn.
    """
    plain = classes.plain_class(module)
    layers = FILTERED if filters else LAYERS
    return classes.with_plain(module, layers.get(plain) or calls_replaced(plain, operations))


@classes.derives
def calls_replaced(plain: Any, operations: Operations) -> dict[str, Any]:
    """What a class has of its own whose forward method runs with these operations replaced."""

    @functools.wraps(plain.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        with CallsReplaced(operations):
            return plain.forward(self, *args, **kwargs)

    own: dict[str, Any] = {"forward": forward}
    if issubclass(plain, torch.fx.GraphModule):
        own |= {name: _as_before(plain, operations, name) for name in ("recompile", "__copy__", "__deepcopy__")}
    return own


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
        is_module = isinstance(result, torch.nn.Module)
        return classes.become(result, calls_replaced, operations) if is_module else result

    return method
