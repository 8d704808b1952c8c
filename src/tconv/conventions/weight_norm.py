"""Weights that PyTorch's weight_norm keeps as a length g and a direction v: w = g v / |v|.

The norm is taken over all axes but those along which there is a g each: for weight_norm's default, dim=0, over all but
the first. A checkpoint holds the halves under one of two pairs of names, by the version of PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv import checks

Array = NDArray[Any]
#: How the halves of an array X.weight are named, old and new: what is before, and g and v after the name.
_HALVES = (("", "_g", "_v"), ("parametrizations.", ".original0", ".original1"))


def halves(arrays: dict[str, Array]) -> dict[str, tuple[str, str]]:
    """The arrays that a file holds in halves: by the name of the whole, the names of its g and its v."""
    found = {}
    for direction in arrays:
        for before, g, v in _HALVES:
            owner, dot, name = direction.removesuffix(v).rpartition(".")
            if not direction.endswith(v) or not f"{owner}{dot}".endswith(before):
                continue
            whole = f"{owner}{dot}".removesuffix(before) + name
            length = direction.removesuffix(v) + g
            if length in arrays and whole not in arrays:
                found[whole] = (length, direction)
    return found


def joined(name: str, g: Array, v: Array) -> Array:
    """The whole array, in the dtype of v, computed in float64; raises `checks.Rejected` where the halves do not fit."""
    if g.ndim not in (0, v.ndim) or any(a not in (1, b) for a, b in zip(g.shape, v.shape, strict=False)):
        checks.wrong(f"{name!r} must have a g with an entry for each slice of its v; got {g.shape} and {v.shape}")
    over = tuple(axis for axis in range(v.ndim) if g.ndim == 0 or g.shape[axis] == 1)
    wide = v.astype(np.float64)
    norm = np.sqrt((wide**2).sum(over, keepdims=True))
    whole: Array = (g.astype(np.float64) * wide / norm).astype(v.dtype)
    return whole
