"""Results that are cells of the input, or lie between two of them: interpolation, and padding with copies.

Where they lie depends on the size of the whole, also with `align_corners` or a `size` that is given, so places are
computed for the whole, in the arithmetic of PyTorch's own kernels (`aten/src/ATen/native/UpSample.h`): of two ways that
differ by rounding the wrong one takes the neighbour of a cell.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tconv.torch.tiling.maps import Read

#: Modes of `torch.nn.functional.interpolate`, and whether two cells have a share in a result.
INTERPOLATIONS = {"nearest": False, "nearest-exact": False, "linear": True, "bilinear": True, "trilinear": True}
#: Modes of `torch.nn.functional.pad` that copy cells from nearby.
COPIES = ("reflect", "replicate")


@dataclass(frozen=True, slots=True)
class Copied:
    """Padding with copies: "reflect" mirrors the n cells at the outermost ones, "replicate" repeats these."""

    n: int
    low: int
    mode: str

    def places(self, start: int, stop: int) -> tuple[NDArray[np.int64], None]:
        """The cell of each result."""
        cells = np.arange(start - self.low, stop - self.low)
        if self.mode == "replicate":
            return cells.clip(0, self.n - 1), None
        cells = np.abs(cells)
        return np.where(cells < self.n, cells, 2 * (self.n - 1) - cells), None

    def read(self, start: int, stop: int) -> Read:
        """From the least of them to the largest."""
        return _range(self.places(start, stop)[0])

    def computed(self, cells: int) -> None:
        """Nothing but what is wanted."""


@dataclass(frozen=True, slots=True)
class Interpolated:
    """n cells interpolated to `size`; `factor` is the scale factor if that decides where results lie."""

    n: int
    size: int
    mode: str
    factor: float | None = None
    align_corners: bool = False
    double: bool = False  #: whether cells are float64, and places too

    def places(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[Any] | None]:
        """The cell of each result, and the share of the cell behind it."""
        real: Any = np.float64 if self.double and INTERPOLATIONS[self.mode] else np.float32
        results = np.arange(start, stop).astype(real)
        if not INTERPOLATIONS[self.mode]:
            half = real(0.5 if self.mode == "nearest-exact" else 0)
            return np.minimum(np.floor((results + half) * self._step(real)), self.n - 1).astype(np.int64), None
        if self.align_corners:
            at = results * (real(self.n - 1) / real(self.size - 1) if self.size > 1 else real(0))
        else:
            at = np.maximum(_between(self._step(real), results + real(0.5), real, _is_fused()), real(0))
        cells = np.minimum(np.floor(at), self.n - 1).astype(np.int64)
        return cells, (at - cells).clip(0, 1).astype(real)

    def _step(self, real: Any) -> Any:
        """Cells from one result to the next."""
        if self.size == self.n and not INTERPOLATIONS[self.mode]:
            return real(1)
        return real(1.0 / self.factor) if self.factor else real(self.n) / real(self.size)

    def read(self, start: int, stop: int) -> Read:
        """From the first cell to the one behind the last."""
        cells = _range(self.places(start, stop)[0])
        return Read(cells.start, min(self.n, cells.stop + INTERPOLATIONS[self.mode]))

    def computed(self, cells: int) -> None:
        """Nothing but what is wanted."""


def _between(step: Any, centres: NDArray[Any], real: Any, fused: bool) -> NDArray[Any]:
    """step * centres - 1/2, rounded once, for which float64 has room, or twice."""
    if fused:
        step, centres = np.float64(step), centres.astype(np.float64)
    between: NDArray[Any] = (step * centres - step.dtype.type(0.5)).astype(real)
    return between


@functools.cache
def _is_fused() -> bool:
    """Whether PyTorch's kernels round that once, as those for processors with fused instructions do.

    A last place of where a result lies among 50,000 cells is 1/256 of the way from one to the next.
    """
    n, size = 50_000, 70_001
    cells = torch.arange(n, dtype=torch.float32, device="cpu") % 2
    seen = torch.nn.functional.interpolate(cells.reshape(1, 1, n), size, mode="linear").reshape(size).numpy()
    centres, step = np.arange(size, dtype=np.float32) + np.float32(0.5), np.float32(n) / np.float32(size)
    apart = []
    for fused in (True, False):
        at = _between(step, centres, np.float32, fused).clip(0, n - 1)
        low = np.floor(at)
        apart.append(np.abs(np.where(low % 2, 1 - (at - low), at - low)[:-2] - seen[:-2]).max())
    return bool(apart[0] <= apart[1])


def gathered(x: Tensor, axis: int, along: Copied | Interpolated, first: int, start: int, stop: int) -> Tensor:
    """The results [start, stop) along one axis, from a part of the input whose first cell is `first`."""
    cells, shares = along.places(start, stop)
    before = torch.from_numpy(cells - first).to(x.device)
    low = x.index_select(axis, before)
    if shares is None:
        return low
    high = x.index_select(axis, (before + 1).clamp(max=x.shape[axis] - 1))
    share = torch.from_numpy(shares).to(x.device).reshape(-1, *[1] * (-1 - axis))
    if x.dtype in (torch.float32, torch.float64):
        return torch.lerp(low, high, share.to(x.dtype).expand_as(low))
    return torch.lerp(low.float(), high.float(), share.float().expand_as(low)).to(x.dtype)


def _range(cells: NDArray[np.int64]) -> Read:
    return Read(int(cells.min()), int(cells.max()) + 1)
