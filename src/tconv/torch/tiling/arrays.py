"""Where boxes come from and go to: tensors, and arrays that are read and written box by box, in memory or in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tconv import checks
from tconv.torch.messages import summary

#: (start, stop) of each axis.
Cells: TypeAlias = Sequence[tuple[int, int]]


def dtype_of(name: str, array: Any) -> torch.dtype:
    """The dtype of an array, a tensor's or one that torch has the like of."""
    if isinstance(array, Tensor):
        return array.dtype
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape is None or dtype is None or not hasattr(array, "__getitem__"):
        kind = type(array).__name__
        checks.wrong_type(f"{name} must be a tensor, or an array such as NumPy's, a memmap or Zarr's; got {kind}")
    try:
        return torch.from_numpy(np.empty(0, np.dtype(dtype).newbyteorder("="))).dtype
    except TypeError:
        checks.wrong_type(f"{name} must have a dtype that torch has; got {dtype}")


def read(x: Any, samples: tuple[int, int], cells: Cells, device: torch.device) -> Tensor:
    """A box of some samples, on the device of the module."""
    index = (slice(*samples), slice(None), *(slice(*ends) for ends in cells))
    if isinstance(x, Tensor):
        return x[index].detach().to(device)
    box = np.ascontiguousarray(x[index])
    box = box.astype(box.dtype.newbyteorder("="), copy=not box.flags.writeable)
    return torch.from_numpy(box).to(device)


def result(x: Any, out: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Any:
    """Where the result goes: `out` if it fits, or an array like x."""
    if out is None:
        if isinstance(x, Tensor):
            return torch.empty(shape, dtype=dtype, device=x.device)
        return np.empty(shape, str(dtype).removeprefix("torch."))
    if dtype_of("out", out) != dtype or tuple(out.shape) != shape:
        wanted = f"{str(dtype).removeprefix('torch.')} {shape}"
        got = summary(out) if isinstance(out, Tensor) else f"{out.dtype} {tuple(out.shape)}"
        checks.wrong(f"out must be {wanted}, as the module gives; got {got}")
    if not hasattr(out, "__setitem__") or not getattr(getattr(out, "flags", None), "writeable", True):
        checks.wrong("out must be writeable")
    return out


def write(out: Any, samples: tuple[int, int], cells: Cells, y: Tensor) -> None:
    """A box of the result."""
    index = (slice(*samples), slice(None), *(slice(*ends) for ends in cells))
    if isinstance(out, Tensor):
        out[index].copy_(y)
    else:
        out[index] = y.cpu().numpy()
