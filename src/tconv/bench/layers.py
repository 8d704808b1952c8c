"""The public layers, and arrays for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv.geometry import Geometry, Work

Sizes = int | tuple[int, ...]


@dataclass(frozen=True)
class BenchLayer:
    """A transposed convolution with the sizes of its arrays. One integer stands for all axes."""

    name: str
    network: str  #: where it comes from
    batch: int
    in_channels: int
    out_channels: int
    spatial: tuple[int, ...]
    kernel: Sizes
    stride: Sizes
    padding: Sizes
    output_padding: Sizes
    groups: int
    dilation: Sizes

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> BenchLayer:
        """A layer from what JSON holds, in which a tuple is a list."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """The layer as plain values for JSON; `read` takes it back."""
        return asdict(self)

    @property
    def ndim(self) -> int:
        """The number of axes of size."""
        return len(self.spatial)

    @property
    def keywords(self) -> dict[str, Any]:
        """The keywords of `tconv.conv_transpose` for this layer."""
        return {**self._window, "groups": self.groups}

    @property
    def _window(self) -> dict[str, Sizes]:
        names = ("stride", "padding", "output_padding", "dilation")
        return {name: getattr(self, name) for name in names}

    def each(self, name: str) -> tuple[int, ...]:
        """A parameter as one integer an axis."""
        value = getattr(self, name)
        return (value,) * self.ndim if isinstance(value, int) else tuple(value)

    @property
    def geometry(self) -> Geometry:
        """The sizes and the window of the layer."""
        return Geometry.conv_transpose(self.spatial, self.kernel, **self._window)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of x, channels first."""
        return (self.batch, self.in_channels, *self.spatial)

    @property
    def w_shape(self) -> tuple[int, ...]:
        """(Cin, Cout / groups, *kernel)."""
        return (self.in_channels, self.out_channels // self.groups, *self.each("kernel"))

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Channels first."""
        return (self.batch, self.out_channels, *self.geometry.fine)

    @property
    def work(self) -> Work:
        """Useful operations, two for each tap that lands inside the result, and bytes, each array moved once."""
        return self.geometry.work(self.in_channels, self.out_channels, batch=self.batch, groups=self.groups)

    @property
    def flops(self) -> int:
        """Useful ones."""
        return self.work.flops

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """x, channels first, and w in float32: the same ones every time."""
        rng = np.random.default_rng(0)
        x, w = (rng.standard_normal(shape, dtype=np.float32) for shape in (self.x_shape, self.w_shape))
        return x, w

    def gradient(self) -> NDArray[np.float32]:
        """A gradient by y, channels first in float32: the same one every time."""
        return np.random.default_rng(1).standard_normal(self.y_shape, dtype=np.float32)

    def __str__(self) -> str:
        channels = f"{self.in_channels} -> {self.out_channels} channels"
        groups = f", groups {self.groups}" if self.groups > 1 else ""
        return f"batch {self.batch}, {channels}{groups}, {self.geometry}"


@lru_cache(maxsize=1)
def public() -> dict[str, BenchLayer]:
    """The layers of published networks, by name."""
    rows = json.loads(files("tconv.bench").joinpath("layers.json").read_text(encoding="utf-8"))
    return {row["name"]: BenchLayer.read(row) for row in rows}
