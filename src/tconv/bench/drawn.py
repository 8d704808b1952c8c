"""Random layers: whether the engine is ahead on layers that nobody chose."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from tconv.bench.layers import BenchLayer, Sizes

#: What a layer may take, so that a hundred of them end, by peers at a thousandth of the machine's peak too.
MOST_FLOPS, MOST_BYTES = 5e9, 200e6
#: im2col's matrix, which several peers build.
MOST_COLUMN_BYTES = 400e6
MOST_CHANNELS = 768
#: Cells of the longest axis, by the number of axes.
LONGEST = {1: 4096, 2: 160, 3: 40}
STRIDES = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32)
STRIDE_SHARES = (0.10, 0.30, 0.12, 0.18, 0.06, 0.05, 0.04, 0.09, 0.03, 0.03)


def draw(seed: int, number: int) -> BenchLayer:
    """The layer of this number: it depends on nothing but the seed."""
    rng = np.random.default_rng([seed, number])
    while True:
        layer = _candidate(rng, f"random.{number}", f"drawn with seed {seed}")
        if _fits(layer):
            return layer


def _candidate(rng: np.random.Generator, name: str, source: str) -> BenchLayer:
    ndim = int(rng.choice([1, 2, 3], p=[0.25, 0.5, 0.25]))
    cin, cout, groups = _channels(rng)
    count = ndim if rng.random() < 0.2 else 1  # one window for all axes, or one an axis
    windows = [_window(rng) for _ in range(count)]
    kernel, stride, padding, output_padding, dilation = (_sizes(values) for values in zip(*windows, strict=True))
    return BenchLayer(
        name=name,
        network=source,
        batch=_batch(rng),
        in_channels=cin,
        out_channels=cout,
        spatial=tuple(_spread(rng, LONGEST[ndim]) for _ in range(ndim)),
        kernel=kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def _spread(rng: np.random.Generator, most: int) -> int:
    """From 1 to most, odd numbers too: of two powers of two, the larger is the likelier, yet small ones are drawn."""
    return int(most ** rng.random() ** 0.6 + 0.5)


def _channels(rng: np.random.Generator) -> tuple[int, int, int]:
    """In, out, groups: dense, grouped, or depthwise with a multiplier of 1 to 3."""
    kind = rng.choice(["dense", "grouped", "depthwise"], p=[0.75, 0.15, 0.1])
    if kind == "dense":
        return _spread(rng, MOST_CHANNELS), _spread(rng, MOST_CHANNELS), 1
    if kind == "depthwise":
        multiplier = int(rng.choice([1, 1, 1, 2, 3]))
        channels = _spread(rng, MOST_CHANNELS // multiplier)
        return channels, multiplier * channels, channels
    groups = int(rng.integers(2, 33))
    cin, cout = (groups * _spread(rng, MOST_CHANNELS // groups) for _ in range(2))
    return cin, cout, groups


def _window(rng: np.random.Generator) -> tuple[int, int, int, int, int]:
    """Kernel, stride, padding, output padding and dilation of an axis."""
    stride = int(rng.choice(STRIDES, p=STRIDE_SHARES))
    kinds: list[Callable[[], int]] = [
        lambda: stride,
        lambda: 2 * stride,
        lambda: stride + 1,
        lambda: int(rng.integers(1, 17)),
        lambda: int(rng.integers(25, 65)),
    ]
    kernel = kinds[rng.choice(len(kinds), p=[0.2, 0.25, 0.15, 0.32, 0.08])]()
    dilation = 1 if rng.random() < 0.88 else int(rng.integers(2, 4))
    padding = int(rng.integers(0, dilation * (kernel - 1) // 2 + 1))
    output_padding = 0 if rng.random() < 0.6 else int(rng.integers(0, max(stride, dilation)))
    return kernel, stride, padding, output_padding, dilation


def _sizes(values: tuple[int, ...]) -> Sizes:
    return values[0] if len(values) == 1 else values


def _batch(rng: np.random.Generator) -> int:
    low, high = ((1, 1), (2, 8), (9, 64))[rng.choice(3, p=[0.55, 0.25, 0.2])]
    return int(rng.integers(low, high + 1))


def _fits(layer: BenchLayer) -> bool:
    """Whether a layer has a result at all, and keeps within what a layer may take."""
    sizes = zip(*map(layer.each, ("spatial", "stride", "padding", "dilation", "kernel", "output_padding")), strict=True)
    if any((n - 1) * s - 2 * p + d * (k - 1) + 1 + a < 1 for n, s, p, d, k, a in sizes):
        return False
    taps = prod(layer.each("kernel"))
    columns = 4 * layer.batch * layer.out_channels * taps * prod(layer.spatial)
    work = layer.work
    return 0 < work.flops <= MOST_FLOPS and work.bytes <= MOST_BYTES and columns <= MOST_COLUMN_BYTES
