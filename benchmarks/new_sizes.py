"""What a new size costs: the first call of a layer at sizes that it has not met, against its second. No other library.

    python -m benchmarks.new_sizes [--threads 1] [--layer NAME]

Each of 12 layers is prepared and called at two sizes, so that its kernels are there; then at 20 more, twice and again.
Results are written into memory that was written to before: new memory costs a first call what it costs any library's.
Printed are medians: of the first call, of the best of the later ones, and of what the first takes longer.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

import tconv

#: Sizes of each layer that are timed.
SIZES = 20


class Layer(NamedTuple):
    """A layer, and the sizes along every axis at which it is called."""

    w: tuple[int, ...]
    sides: range
    keywords: dict[str, object]


DOUBLE = {"stride": 2, "padding": 1}
LAYERS = {
    "decoder, 2-D": Layer((64, 32, 4, 4), range(64, 164, 5), DOUBLE),
    "decoder, 2-D, channels last": Layer((64, 32, 4, 4), range(64, 164, 5), {**DOUBLE, "layout": "channels_last"}),
    "U-Net, kernel 2": Layer((256, 128, 2, 2), range(16, 56, 2), {"stride": 2}),
    "segmentation, kernel 3": Layer((128, 64, 3, 3), range(24, 104, 4), {**DOUBLE, "output_padding": 1}),
    "last layer of a generator": Layer((128, 3, 4, 4), range(40, 120, 4), DOUBLE),
    "FCN, kernel 16, stride 8": Layer((21, 21, 16, 16), range(20, 60, 2), {"stride": 8, "padding": 4}),
    "super-resolution, kernel 9": Layer((56, 1, 9, 9), range(48, 128, 4), {"stride": 3, "padding": 4}),
    "depthwise, 2-D": Layer((64, 1, 4, 4), range(40, 140, 5), {**DOUBLE, "groups": 64}),
    "HiFi-GAN, first layer": Layer((512, 256, 16), range(40, 200, 8), {"stride": 8, "padding": 4}),
    "HiFi-GAN, second layer": Layer((256, 128, 16), range(320, 1600, 64), {"stride": 8, "padding": 4}),
    "volumes": Layer((32, 16, 4, 4, 4), range(16, 56, 2), DOUBLE),
    "volumes, depthwise": Layer((32, 1, 4, 4, 4), range(16, 56, 2), {**DOUBLE, "groups": 32}),
}


def times(layer: Layer) -> list[tuple[float, float]]:
    """Seconds of the first call, and of the best of three later ones, for each size."""
    rng = np.random.default_rng(0)
    op = tconv.ConvTranspose(rng.normal(size=layer.w).astype("float32"), **layer.keywords)  # type: ignore[arg-type]
    found, ndim = [], len(layer.w) - 2
    warm = (layer.sides[0] + 1, layer.sides[-1] + 1)
    for number, side in enumerate((*warm, *layer.sides[:SIZES])):
        size = (side,) * ndim
        shape = (1, *size, layer.w[0]) if "layout" in layer.keywords else (1, layer.w[0], *size)
        x = rng.normal(size=shape).astype("float32")
        y = np.ones(_result(layer, size), "float32")
        of_calls = [_seconds(op, x, y) for _ in range(4)]
        if number >= len(warm):
            found.append((of_calls[0], min(of_calls[1:])))
    return found


def _result(layer: Layer, size: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the result, without a plan: nothing of what is timed may be known before."""
    keywords = {name: value for name, value in layer.keywords.items() if name not in ("layout", "groups")}
    fine = tconv.Geometry.conv_transpose(size, layer.w[2:], **keywords).fine  # type: ignore[arg-type]
    channels = layer.w[1] * layer.keywords.get("groups", 1)  # type: ignore[operator]
    return (1, *fine, channels) if "layout" in layer.keywords else (1, channels, *fine)


def _seconds(op: tconv.ConvTranspose, x: np.ndarray, y: np.ndarray) -> float:
    begun = perf_counter()
    op(x, out=y)
    return perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.new_sizes", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layer", choices=LAYERS, action="append")
    asked = parser.parse_args()
    tconv.set_num_threads(asked.threads)
    print(f"{'layer':30}{'first, ms':>12}{'later, ms':>12}{'longer, ms':>12}{'ratio':>8}")
    for name in asked.layer or LAYERS:
        found = times(LAYERS[name])
        first, later = (median(each) * 1e3 for each in zip(*found, strict=True))
        longer = median(a - b for a, b in found) * 1e3
        print(f"{name:30}{first:12.2f}{later:12.2f}{longer:12.2f}{first / later:8.2f}", flush=True)


if __name__ == "__main__":
    main()
