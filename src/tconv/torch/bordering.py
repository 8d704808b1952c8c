"""A border of copies around one axis, row by row: there PyTorch's `F.pad` goes through all of it cell by cell.

One thread of an AMD Zen 4, two cells at an end of 32x24000 floats: 0.09 ms, and PyTorch's 0.63. In two and three axes
PyTorch copies rows, too, and circular padding it does in any number of axes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tconv import checks
from tconv.sizes import Padding
from tconv.torch.plain import Deaf, needs_graph, plain

MODES = ("reflect", "replicate")
#: PyTorch has no such border in some others.
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
#: Elements up to which PyTorch is done sooner.
FEW = 8192


class PadsReplaced(Deaf):
    """`F.pad` runs as `padded` in this thread. Every other operation in it takes about a microsecond longer."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (padded if func is F.pad else func)(*args, **(kwargs or {}))


def padded(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """`F.pad`, row by row where that is quicker."""
    ends = ends_of(input, pad, mode, value)
    return F.pad(input, pad, mode, value) if ends is None else _by_rows(input, ends, mode)


def ends_of(x: Any, pad: Any, mode: Any, value: Any = None) -> Padding | None:
    """How many cells `F.pad` is to add at the ends of the last axis; None where it should do so itself.

    That is where somebody listens or traces, where a derivative is recorded, where arguments are wrong, or tensors
    small, and for other modes and axes.
    """
    if torch.compiler.is_compiling() or mode not in MODES or not checks.is_sequence(pad) or len(pad) != 2:
        return None
    if not isinstance(x, Tensor) or not plain(x, x, None) or needs_graph(x, x) or not all(map(_is_whole, pad)):
        return None
    if x.dtype not in DTYPES or x.dim() not in (2, 3) or x.numel() <= FEW or not x.is_contiguous():
        return None
    if value is not None and not (type(value) in (int, float) and value == 0):
        return None
    low, high = int(pad[0]), int(pad[1])
    fits = min(low, high) >= 0 and (mode == "replicate" or max(low, high) < x.shape[-1])
    return (low, high) if fits else None


def _is_whole(cells: Any) -> bool:
    """Whether it is a number of cells, in a tensor too, as models compute it."""
    return type(cells) is int or (type(cells) is Tensor and cells.dim() == 0 and cells.dtype is torch.int64)


def _by_rows(x: Tensor, ends: Padding, mode: str) -> Tensor:
    (low, high), cells, mirrors = ends, x.shape[-1], mode == "reflect"
    y = x.new_empty((*x.shape[:-1], low + cells + high))
    y[..., low : low + cells].copy_(x)
    if low:
        y[..., :low].copy_(x[..., 1 : low + 1].flip(-1) if mirrors else x[..., :1])
    if high:
        y[..., low + cells :].copy_(x[..., cells - 1 - high : -1].flip(-1) if mirrors else x[..., -1:])
    return y
