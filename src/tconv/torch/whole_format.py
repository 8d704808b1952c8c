"""A whole model with channels innermost in memory, called as before: its weights lie so, its results as they did.

Where the weights of a convolution have channels innermost its result has, in PyTorch and on the engine, and most of
what stands between two of them hands that on. So nothing else is moved: what the model is given is laid by the first
convolution that reads it. Results that would lie otherwise than before are copied, in a forward method that the model's
class gets.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.utils._pytree import tree_flatten, tree_unflatten

from tconv.torch.classes import derives
from tconv.torch.formats import suggests_last

#: PyTorch's formats with channels innermost, by the number of axes.
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
#: The attribute of a class that says what was laid.
_LAID = "_tconv_laid"


class Order(NamedTuple):
    """How a tensor lies, whatever its size."""

    axes: tuple[int, ...]  #: from the outermost in memory to the innermost
    step: int = 1  #: from cell to cell of the innermost


class Laid(NamedTuple):
    """What of a model is channels last, and how its results lie without that."""

    weights: tuple[str, ...]  #: names of parameters
    orders: tuple[Order, ...]  #: of the tensors in its result, one after the other


class ChannelsLast:
    """A model that may become channels last, with its weights in both formats; parameters stay the objects they are."""

    def __init__(self, model: Module, laid: Laid) -> None:
        self.model, self.laid = model, laid
        parameters = dict(model.named_parameters(remove_duplicate=False))
        with torch.inference_mode(False), torch.no_grad():
            self.before = {parameters[name]: parameters[name].data for name in laid.weights}
            # `contiguous` would leave weights of one channel or tap, which have both formats, in the one they had.
            self.after = {each: data.clone(memory_format=FORMATS[data.dim()]) for each, data in self.before.items()}

    @contextmanager
    def lying(self) -> Iterator[None]:
        """Weights are channels last, and as they were in the end."""
        lie(self.after)
        try:
            yield
        finally:
            lie(self.before)

    def kind(self, kind: Any) -> type:
        """The class of the model, made from one that it would have otherwise."""
        made: type = channels_last(kind, self.laid)
        return made

    def take(self) -> None:
        """Let the model be channels last."""
        lie(self.after)
        self.model.__class__ = self.kind(type(self.model))


def lie(weights: Mapping[Parameter, Tensor]) -> None:
    """Let parameters have their values in this memory."""
    for parameter, data in weights.items():
        parameter.data = data


def order_of(t: Tensor) -> Order:
    """How a tensor lies."""
    strides = t.stride()
    axes = tuple(sorted(range(t.dim()), key=lambda axis: -strides[axis]))
    return Order(axes, *_strides(t, axes)[-1:])


def _strides(t: Tensor, axes: Sequence[int]) -> list[int]:
    return [t.stride(axis) for axis in axes if t.shape[axis] != 1]  # of one cell they say nothing


def laid_in(model: Module) -> dict[Parameter, Tensor]:
    """The memory of weights that are channels last, of a model and of those inside of it."""
    found: dict[Parameter, Tensor] = {}
    for module in model.modules():
        laid: Laid | None = getattr(type(module), _LAID, None)
        if laid is not None:
            weights = dict(module.named_parameters(remove_duplicate=False))
            found |= {weights[name]: weights[name].data for name in laid.weights if name in weights}
    return found


def as_before(result: Any, orders: Sequence[Order]) -> Any:
    """A result with its tensors in these orders; one that nobody has seen before is contiguous."""
    leaves, held = tree_flatten(result, is_leaf=is_size)
    known, changed = iter(orders), False
    for number, leaf in enumerate(leaves):
        if is_laid(leaf):
            order = next(known, Order(()))
            leaves[number] = _in_order(
                leaf, order if len(order.axes) == leaf.dim() else Order(tuple(range(leaf.dim())))
            )
            changed |= leaves[number] is not leaf
    return tree_unflatten(leaves, held) if changed else result


def is_laid(leaf: Any) -> bool:
    """Whether something is a tensor whose elements lie in some order."""
    return isinstance(leaf, Tensor) and leaf.layout is torch.strided


def is_size(held: Any) -> bool:
    """Whether something is a size, of which a tree would make a tuple."""
    return isinstance(held, torch.Size)


def _in_order(t: Tensor, order: Order) -> Tensor:
    strides = _strides(t, order.axes)
    if all(a >= b for a, b in pairwise(strides)) and (not strides or strides[-1] <= order.step):
        return t
    back = [order.axes.index(axis) for axis in range(t.dim())]
    return t.permute(order.axes).contiguous().permute(back)


def put_back(model: Module) -> None:
    """Let the weights of a model lie as before; its class is somebody else's to put back."""
    laid: Laid | None = getattr(type(model), _LAID, None)
    if laid is None:
        return
    weights = dict(model.named_parameters(remove_duplicate=False))
    for name in laid.weights:
        parameter = weights.get(name)
        if parameter is not None and parameter.dim() in FORMATS and suggests_last(parameter):
            with torch.inference_mode(False), torch.no_grad():
                parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)


@derives
def channels_last(kind: Any, laid: Laid) -> dict[str, Any]:
    """What a class has of its own whose models are channels last."""

    @functools.wraps(kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return as_before(kind.forward(self, *args, **kwargs), laid.orders)

    return {"forward": forward, _LAID: laid}
