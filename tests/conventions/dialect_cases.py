"""What the tests of the dialects share: layers, their arrays, the result by definition, and the running of code lines.

Arrays hold small whole numbers, so that float32 is exact and results are compared without a tolerance.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from strategies import GEOMETRIES, geometries

from tconv import Geometry
from tconv.conventions import Layer, Saying
from tconv.conventions.ends import cuts

#: Every shared geometry as a layer; groups and bias take turns.
LAYERS = [
    Layer(parameter.values[0], 2 * (1 + i % 3), 1 + i % 3, 1 + i % 3, bias=i % 2 == 0)
    for i, parameter in enumerate(GEOMETRIES)
]
#: Layers whose results grow beyond every tap, with a bias that those cells must hold.
GROWN = [
    Layer(Geometry.conv_transpose(3, 2, stride=2, padding=((-2, -3),)), 2, 3, bias=True),
    Layer(Geometry.conv_transpose((3, 2), 3, stride=(2, 1), padding=((-1, 2), (2, -3))), 2, 4, 2, bias=True),
    Layer(Geometry.conv_transpose((2, 3), (1, 2), stride=(3, 2), padding=((0, -4), (0, 0))), 1, 1, bias=True),
    Layer(Geometry.conv_transpose((1, 2, 1), 2, stride=2, padding=((-1, 0), (0, -2), (1, 0))), 1, 2, bias=True),
]


#: (kernel, stride, padding, output padding) of Keras layers of one axis.
KERAS_CASES = [
    (kernel, stride, padding, added)
    for kernel in range(1, 7)
    for stride in range(1, 5)
    for padding in ("valid", "same")
    for added in (None, *range(stride))
]


def up_to(ndim: int) -> list[Layer]:
    """The shared layers of at most so many axes."""
    return [layer for layer in LAYERS + GROWN if layer.geometry.ndim <= ndim]


@st.composite
def layers(draw: st.DrawFn, max_ndim: int = 3, min_ndim: int = 1) -> Layer:
    """Any layer of a few channels."""
    geometry, groups = draw(geometries(min_ndim, max_ndim)), draw(st.integers(1, 3))
    cin, cout = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    return Layer(geometry, cin, cout, groups, draw(st.booleans()))


def arrays(layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (N, Cin, *coarse), w (Cin, Cout/groups, *kernel) and b (Cout,) of small whole numbers."""
    g = layer.geometry
    rng = np.random.default_rng(prod(g.fine))
    shapes = (
        (2, layer.in_channels, *g.coarse),
        (layer.in_channels, layer.out_channels // layer.groups, *g.kernel),
        (layer.out_channels,),
    )
    return tuple(rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes)


def transposed(layer: Layer, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """The result by definition: every tap adds its slice to the full result, and the ends are cut off or grown."""
    g, groups = layer.geometry, layer.groups
    per_group = w.shape[0] // groups
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(g.coarse, g.stride, g.dilation, g.kernel, strict=True)]
    y = np.zeros((len(x), groups, w.shape[1], *full))
    x = x.astype(float).reshape(len(x), groups, per_group, *g.coarse)
    w = w.astype(float).reshape(groups, per_group, *w.shape[1:])
    for tap in product(*map(range, g.kernel)):
        ends = zip(tap, g.dilation, g.coarse, g.stride, strict=True)
        cells = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in ends)
        y[(..., *cells)] += np.einsum("ngi...,gio->ngo...", x, w[(..., *tap)])
    y = y.reshape(len(x), -1, *full)
    y = np.pad(y, [(0, 0), (0, 0), *((max(-low, 0), max(-high, 0)) for low, high in cuts(g))])
    y = y[(..., *(slice(max(low, 0), max(low, 0) + length) for (low, _), length in zip(cuts(g), g.fine, strict=True)))]
    return y if b is None else y + b.astype(float).reshape(-1, *[1] * g.ndim)


def wanted(layer: Layer) -> np.ndarray:
    """The result of the layer on its arrays."""
    x, w, b = arrays(layer)
    return transposed(layer, x, w, b if layer.bias else None)


def run(code: str, **names: Any) -> dict[str, Any]:
    """Execute code lines as pasted; the variables they leave."""
    exec(compile(code, "<pasted>", "exec"), names)
    return names


def cuts_after(saying: Saying, said: Geometry) -> tuple[tuple[int, int], ...]:
    """What is cut in all, when a layer of the geometry `said` is followed by the crop and the pad of the saying."""
    return tuple(
        (cut[0] + crop[0] - pad[0], cut[1] + crop[1] - pad[1])
        for cut, crop, pad in zip(cuts(said), saying.crop, saying.pad, strict=True)
    )


def channels_last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1)


def channels_first(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, -1, 1)
