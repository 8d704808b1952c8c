"""The public layers, and arrays for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tconv


@dataclass(frozen=True)
class Layer:
    """A transposed convolution of a published network; layers.json says which."""

    name: str
    network: str
    batch: int
    in_channels: int
    out_channels: int
    spatial: list[int]
    kernel: int
    stride: int
    padding: int
    output_padding: int
    groups: int
    dilation: int

    @property
    def keywords(self) -> dict[str, Any]:
        names = ("stride", "padding", "output_padding", "groups", "dilation")
        return {name: getattr(self, name) for name in names}

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, self.in_channels, *self.spatial)

    @property
    def w_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels // self.groups, *[self.kernel] * len(self.spatial))

    @property
    def flops(self) -> int:
        """Useful ones: two for each tap that lands inside the result."""
        geometry = tconv.plan(self.x_shape, self.w_shape, **self.keywords).geometry
        return geometry.work(self.in_channels, self.out_channels, batch=self.batch, groups=self.groups).flops

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """x and w in float32."""
        rng = np.random.default_rng(0)
        return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in (self.x_shape, self.w_shape))


LAYERS = {row["name"]: Layer(**row) for row in json.loads(Path(__file__).with_name("layers.json").read_text())}
