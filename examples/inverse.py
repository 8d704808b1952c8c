"""A photograph that was blurred and halved, and what least squares find of it: the picture of docs/inverse.md.

python -m examples.inverse [--out docs/images/inverse.png]
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.linalg import LinearOperator, lsqr

import tconv

Grid = NDArray[np.float64]
KERNEL, STRIDE, WIDTH = 15, 2, 1.5
#: Rows and columns of the photograph that the picture shows: an eye, and fur.
SHOWN = (slice(60, 210), slice(110, 260))


def photograph() -> Grid:
    """The cat in shades of grey, from 0 to 1."""
    with Image.open(str(files("tconv") / "data" / "chelsea.png")) as image:
        return np.asarray(image.convert("L"), float) / 255


def blur() -> Grid:
    """A Gaussian whose standard deviation is `WIDTH` pixels."""
    along = np.exp(-((np.arange(KERNEL) - KERNEL // 2) ** 2) / (2 * WIDTH**2))
    kernel = np.outer(along, along)
    return kernel / kernel.sum()


def camera(size: tuple[int, ...], kernel: Grid) -> LinearOperator:
    """What takes the photograph: blurs it and keeps every second pixel of every second row."""
    geometry = tconv.Geometry.conv(size, KERNEL, stride=STRIDE, padding=KERNEL // 2)
    return tconv.linear_operator(geometry, kernel[None, None])


def seen(photo: Grid, kernel: Grid) -> Grid:
    """What is left of a photograph, in 256 shades."""
    result: Grid = (camera(photo.shape, kernel) @ photo * 255).round() / 255
    return result


def undone(x: Grid, size: tuple[int, ...], kernel: Grid, steps: int = 12) -> Grid:
    """The photograph of that size that explains x, as far as some steps of LSQR go: more would explain the rounding."""
    result: Grid = lsqr(camera(size, kernel), x.ravel(), iter_lim=steps)[0].reshape(size)
    return result


def decibels(found: Grid, photo: Grid) -> float:
    """The peak signal-to-noise ratio."""
    return float(-10 * np.log10(np.mean((found - photo) ** 2)))


def picture() -> Image.Image:
    """Side by side: the photograph, what the camera saw, its transpose (which is no inverse), and least squares."""
    photo, kernel = photograph(), blur()
    x = seen(photo, kernel)
    enlarged = np.kron(x, np.ones((STRIDE, STRIDE)))[: photo.shape[0], : photo.shape[1]]
    spread = camera(photo.shape, kernel).H @ x * STRIDE**2
    parts = [each[SHOWN] for each in (photo, enlarged, spread, undone(x, photo.shape, kernel))]
    gap = np.ones((parts[0].shape[0], 6))
    row = np.hstack([part for each in parts for part in (each, gap)][:-1])
    grey = (row.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(grey).resize((grey.shape[1] * 2, grey.shape[0] * 2), Image.Resampling.NEAREST)


def main() -> None:
    """Write the picture, and print how near each part is."""
    parser = argparse.ArgumentParser(prog="python -m examples.inverse", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("inverse.png"))
    out = parser.parse_args().out
    photo, kernel = photograph(), blur()
    x = seen(photo, kernel)
    print(f"undone: {decibels(undone(x, photo.shape, kernel), photo):.1f} dB")
    picture().save(out, optimize=True)


if __name__ == "__main__":
    main()
