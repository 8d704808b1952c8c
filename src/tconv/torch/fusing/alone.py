"""A normalization or an activation that a kernel computes without a convolution: in front of one, mostly.

Codecs and vocoders activate what goes into a convolution, decoders of images normalize it. Such a module stays the same
object, of a class whose forward method calls the kernel; where that may not be, or cannot be, it is the forward method
of the class that it had: where derivatives are recorded, where somebody listens, of tensors that lie in another way.
"""

from __future__ import annotations

import functools
from math import gcd
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from tconv.activations import ACTIVATIONS as DEFINITIONS
from tconv.torch import formats
from tconv.torch.classes import derives, may_get_a_forward
from tconv.torch.fusing import planes, snakes
from tconv.torch.fusing.runs import ACTIVATIONS, BY_STATISTICS, Follower, follower_of, gathers, groups_of, readable
from tconv.torch.fusing.statistics import normalizes
from tconv.torch.plain import plain

#: Elements are one after the other in parts of a tensor, for threads.
PARTS = 64


def serves(module: Module) -> bool:
    """Whether a kernel may compute a module. What is made of products and choices takes the time of its memory only."""
    kind: Any = type(module)
    if not may_get_a_forward(module):
        return False
    if kind in BY_STATISTICS:
        return not gathers(module)
    if kind in ACTIVATIONS:
        known, follower = follower_of(module)
        return known and follower is not None and not DEFINITIONS[follower.name].exact
    return snakes.is_snake(module) or snakes.is_snake_beta(module)


def computed(module: Any, kind: type, x: Any) -> Tensor | None:
    """What a module that had a class makes of x, None where its forward method has to compute it."""
    if torch.compiler.is_compiling() or not isinstance(x, Tensor) or not plain(x, x, None):
        return None
    if not planes.serves(x.dtype) or not x.data_ptr() or getattr(module, "inplace", False):
        return None
    if kind in BY_STATISTICS:
        return _normalized(module, kind, x)
    if snakes.is_snake_beta(module, kind):
        return _of_two(module, kind, x)
    known, follower = follower_of(module, kind)
    if not known or follower is None or not _is_readable(x, follower.slope):
        return None
    if follower.name == "snake" and x.dim() != 3 and not snakes.has_any_axes(module, kind):
        return None
    step, shape = _step(x), x.shape
    if step < 0 or (follower.slope is not None and (x.dim() < 3 or follower.slope.shape != (shape[1],))):
        return None
    if follower.slope is None and not step:
        parts = gcd(x.numel(), PARTS)
        shape = torch.Size((1, parts, x.numel() // parts))
    kernel, y = planes.prepared(shape, x.dtype, 0, follower), _like(x)
    if kernel is None or not y.is_contiguous():
        return None
    kernel.run(x, y, follower.slope, step=step)
    return y


def _of_two(module: Any, kind: type, x: Tensor) -> Tensor | None:
    """Snake with two parameters for each channel."""
    if x.dim() != 3 or x.dtype is not torch.float32 or not _is_readable(x, *snakes.operands(module)):
        return None
    alpha, share = snakes.factors(module, kind)
    step = _step(x)
    if step < 0 or alpha.shape != (x.shape[1],):
        return None
    kernel = planes.prepared(x.shape, x.dtype, 0, Follower("snake_beta", slope=alpha))
    if kernel is None:
        return None
    kernel.run(x, y := _like(x), alpha, share, step=step)
    return y


def _step(x: Tensor) -> int:
    """Bytes from one channel of x to the next, as where cells were cut off; 0: it is dense, -1: there is no step.

    There is none either where x is contiguous in both memory formats: modules return now one, now the other.
    """
    if x.is_contiguous():
        return -1 if x.dim() > 3 and not formats.is_in_order(x) else 0
    if x.dim() < 3:
        return -1
    channels, step = x.shape[1], x.stride(1)
    dense = x[0, 0].is_contiguous() and step >= x[0, 0].numel()
    return step * x.element_size() if dense and (x.shape[0] == 1 or x.stride(0) == channels * step) else -1


def _normalized(norm: Any, kind: type, x: Tensor) -> Tensor | None:
    own = norm._parameters
    scale, shift = own.get("weight"), own.get("bias")
    axes = BY_STATISTICS[kind]
    if (
        x.dim() < 3
        or _step(x)
        or not x.data_ptr()
        or (axes and x.dim() != axes + 2)
        or gathers(norm)
        or not _is_readable(x, scale, shift)
    ):
        return None
    if not normalizes(norm, x.shape, None, kind):
        return None
    kernel = planes.prepared(x.shape, x.dtype, groups_of(norm, kind), None)
    if kernel is None:
        return None
    kernel.run(x, y := _like(x), None, scale, shift, norm.eps)
    return y


def _is_readable(x: Tensor, *others: Tensor | None) -> bool:
    """Whether tensors can be read beside x, and no derivative is to be recorded."""
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *others)):
        return False
    return readable(others, x.dtype)


def _like(x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    if x.numel() * x.element_size() >= formats.LARGE:
        formats.ask_for_huge_pages(y)
    return y


@derives
def by_kernel(plain_kind: Any) -> dict[str, Any]:
    """What a class has of its own whose modules a kernel computes."""

    @functools.wraps(plain_kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = computed(self, plain_kind, args[0]) if len(args) == 1 and not kwargs else None
        return plain_kind.forward(self, *args, **kwargs) if result is None else result

    return {"forward": forward}
