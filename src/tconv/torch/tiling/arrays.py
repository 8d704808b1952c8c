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
    if isinstance(array, np.ma.MaskedArray):
        checks.wrong_type(f"{name} must be an array without a mask; got a masked one; {name}.filled(0) is one without")
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape is None or dtype is None or not hasattr(array, "__getitem__"):
        kind = type(array).__name__
        checks.wrong_type(f"{name} must be a tensor, or an array such as NumPy's, a memmap or Zarr's; got {kind}")
    try:
        return torch.from_numpy(np.empty(0, np.dtype(dtype).newbyteorder("="))).dtype
    except TypeError:
        checks.wrong_type(f"{name} must have a dtype that torch has; got {dtype}")


def without_memory(shape: tuple[int, ...]) -> Tensor:
    """A tensor of a shape alone; raises `Rejected` where torch has none so large."""
    try:
        return torch.empty(shape, device="meta")
    except RuntimeError as error:
        checks.wrong(f"x must have a shape that a tensor can have; got {shape}: {checks.first_line(error)}")


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
    writeable = hasattr(out, "__setitem__") and getattr(getattr(out, "flags", None), "writeable", True)
    if not writeable or getattr(out, "read_only", False) or getattr(out, "is_meta", False):
        checks.wrong("out must be writeable")
    if _same(x, out):
        checks.wrong("out must lie elsewhere than x, which is read around a tile when others have been written already")
    return out


def _same(x: Any, out: Any) -> bool:
    """Whether an array is, or overlaps, another one, in memory or in a file."""
    if x is out:
        return True
    for place in ("store_path", "filename"):  # of Zarr's, and of a memmap
        if getattr(x, place, None) is not None and getattr(x, place) == getattr(out, place, None):
            return bool(getattr(x, "offset", 0) == getattr(out, "offset", 0))
    if not all(isinstance(array, Tensor | np.ndarray) and 0 not in array.shape for array in (x, out)):
        return False
    if isinstance(x, Tensor) and x.is_meta:
        return False
    try:
        return np.shares_memory(_addresses(x), _addresses(out), max_work=100_000)  # type: ignore[arg-type]  # any number is allowed
    except np.exceptions.TooHardError:
        return False


class _Addresses:
    """Where the elements of a tensor lie, for questions about that alone: it may be on a device."""

    def __init__(self, tensor: Tensor) -> None:
        strides = tuple(step * tensor.itemsize for step in tensor.stride())
        self.__array_interface__ = {
            "version": 3, "shape": tuple(tensor.shape), "typestr": f"|V{tensor.itemsize}", "strides": strides,
            "data": (tensor.data_ptr(), False),
        }  # fmt: skip


def _addresses(array: Any) -> Any:
    return np.asarray(_Addresses(array)) if isinstance(array, Tensor) else array


def write(out: Any, samples: tuple[int, int], cells: Cells, y: Tensor) -> None:
    """A box of the result."""
    index = (slice(*samples), slice(None), *(slice(*ends) for ends in cells))
    if isinstance(out, Tensor):
        out[index].copy_(y)
    else:
        out[index] = y.cpu().numpy()
