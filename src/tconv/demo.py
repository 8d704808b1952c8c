"""What `tconv demo` computes: transposed convolution on a photograph, by every method that this machine has.

y, on the fine grid, is the photograph, C a depthwise convolution of kernel 4, stride 2, padding 1 whose weights
[1 3 3 1] / 8 along each axis sum to 1: it smooths and halves. x = C y lies on the coarse grid. The transposed
convolution Cᵀ x brings the shape back, and not the values: the weights that reach a fine cell sum to 1/4 only, and what
smoothing removed stays removed. Cᵀ times stride² = 4 is bilinear upsampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tconv import explain
from tconv.geometry import Geometry
from tconv.interpolation import KERNELS, bilinear_kernel
from tconv.methods import METHODS
from tconv.operators import sparse_matrix
from tconv.ops import conv, conv_transpose
from tconv.plan import plan
from tconv.upsample import upsample

#: Channels, rows, columns; values from 0 to 1.
Picture: TypeAlias = NDArray[Any]
Report: TypeAlias = Callable[[int, int, str], None]

#: Each time is the best of so many runs.
RUNS = 3


@dataclass(frozen=True, slots=True)
class MethodRun:
    """One method in float32: its best times, and its largest difference from the float64 matrix.

    None for conv where a method computes only the way up.
    """

    name: str
    conv_ms: float | None
    conv_transpose_ms: float
    conv_difference: float | None
    conv_transpose_difference: float


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """The pictures and the numbers of the demo."""

    geometry: Geometry  #: of C
    matrix: explain.MatrixShape  #: the shape of C, all channels together
    kernel: Picture  #: the weights of a channel
    photo: Picture  #: y, on the fine grid
    coarse: Picture  #: x = C y, on the coarse grid
    back: Picture  #: Cᵀ x, on the fine grid again
    upsampled: Picture  #: x enlarged by bilinear upsampling with replicated edges
    methods: tuple[MethodRun, ...]
    decibels: dict[str, float]  #: peak signal-to-noise ratio of x enlarged by each interpolation kernel, against y
    uneven: Geometry  #: kernel 3, stride 2
    even: Geometry  #: kernel 4, stride 2
    checkerboard: Picture  #: x through equal weights of the uneven geometry
    smooth: Picture  #: x through equal weights of the even geometry

    @property
    def brightness(self) -> float:
        """The mean of Cᵀ x over that of y."""
        return float(self.back.mean() / self.photo.mean())

    @property
    def best_factor(self) -> float:
        """The factor f for which f Cᵀ x comes nearest to y."""
        y, back = self.photo.astype(np.float64).ravel(), self.back.astype(np.float64).ravel()
        return float(y @ back / (back @ back))

    @property
    def lost(self) -> Picture:
        """What is left of y then: y - f Cᵀ x."""
        lost: Picture = self.photo - self.best_factor * self.back.astype(np.float64)
        return lost

    @property
    def left_over(self) -> float:
        """How large that is, relative to y: |y - f Cᵀ x| / |y|."""
        return float(np.linalg.norm(self.lost) / np.linalg.norm(self.photo.astype(np.float64)))

    @property
    def inner_products(self) -> tuple[float, float]:
        """<C y, x> and <y, Cᵀ x>: equal, because one operator is the transpose of the other."""
        y, x, back = (picture.astype(np.float64).ravel() for picture in (self.photo, self.coarse, self.back))
        return float(x @ x), float(y @ back)


def milliseconds(value: float) -> str:
    """A time as it is shown: two digits where it is short.

    >>> milliseconds(12.96), milliseconds(0.0413)
    ('13.0 ms', '0.041 ms')
    """
    return f"{value:.1f} ms" if value >= 1 else f"{value:.2g} ms"


def photograph() -> NDArray[np.uint8]:
    """Chelsea the cat, 300 rows of 448 RGB pixels, by Stéfan van der Walt (CC0); needs Pillow.

    >>> photograph().shape
    (300, 448, 3)
    """
    from PIL import Image

    with (files("tconv") / "data" / "chelsea.png").open("rb") as file, Image.open(file) as image:
        return np.asarray(image)


def demo(report: Report = lambda done, total, what: None) -> Demo:
    """Compute the demo, in a few seconds. `report` is called with the steps done, their number and what comes next."""
    names = _able()
    total = len(names) + 4
    steps = iter(range(total))

    def step(what: str) -> None:
        report(next(steps), total, what)

    step("photograph")
    photo = np.ascontiguousarray(np.moveaxis(photograph(), -1, 0), np.float32) / 255
    weights = np.stack([bilinear_kernel(2, dtype="float32")[None] / 4] * 3)
    geometry = Geometry.conv(photo.shape[1:], 4, stride=2, padding=1)
    coarse = conv(photo, weights, **geometry.keywords, groups=3)
    step("float64 matrix")
    compare = _oracle(geometry, weights, photo, coarse)
    runs = []
    for name in names:
        step(name)
        runs.append(_run(name, geometry, weights, photo, coarse, compare))
    step("interpolation")
    enlarged = {name: _enlarged(coarse, name) for name in KERNELS}
    step("coverage")
    uneven = Geometry.conv_transpose(coarse.shape[1:], 3, stride=2, padding=1, output_padding=1)
    even = Geometry.conv_transpose(coarse.shape[1:], 4, stride=2, padding=1)
    return Demo(
        geometry=geometry,
        matrix=explain.matrix(geometry, 3, 3, groups=3),
        kernel=weights[0, 0],
        photo=photo,
        coarse=coarse,
        back=conv_transpose(coarse, weights, **geometry.keywords, groups=3),
        upsampled=enlarged["bilinear"],
        methods=tuple(runs),
        decibels={name: decibels(picture, photo) for name, picture in enlarged.items()},
        uneven=uneven,
        even=even,
        checkerboard=_equal_weights(coarse, uneven),
        smooth=_equal_weights(coarse, even),
    )


def decibels(picture: Picture, original: Picture) -> float:
    """Peak signal-to-noise ratio, 10 log10(1 / mean squared difference), for values from 0 to 1."""
    return float(-10 * np.log10(np.mean((picture.astype(np.float64) - original) ** 2)))


def _able() -> list[str]:
    """The methods that compute the way up here: on some processors no kernels can be generated."""
    candidates = plan((3, 150, 224), (3, 1, 4, 4), stride=2, padding=1, groups=3).candidates
    return [candidate.method for candidate in candidates if not candidate.excluded]


Compare: TypeAlias = Callable[[Picture | None, Picture], tuple[float | None, float]]


def _oracle(geometry: Geometry, weights: NDArray[Any], photo: Picture, coarse: Picture) -> Compare:
    """How far results of conv(photo), if there is one, and conv_transpose(coarse) are from C and Cᵀ in float64."""
    c = sparse_matrix(geometry, weights.astype(np.float64), groups=3)
    down = (c @ photo.astype(np.float64).ravel()).reshape(coarse.shape)
    up = (c.T @ coarse.astype(np.float64).ravel()).reshape(photo.shape)

    def compare(conved: Picture | None, transposed: Picture) -> tuple[float | None, float]:
        return None if conved is None else float(abs(conved - down).max()), float(abs(transposed - up).max())

    return compare


def _run(
    name: str, geometry: Geometry, weights: NDArray[Any], photo: Picture, coarse: Picture, compare: Compare
) -> MethodRun:
    keywords = {**geometry.keywords, "groups": 3, "method": name}
    conved, conv_ms = None, None
    if "conv" in METHODS[name].operations:
        conved, conv_ms = _timed(lambda: conv(photo, weights, **keywords))
    transposed, conv_transpose_ms = _timed(lambda: conv_transpose(coarse, weights, **keywords))
    return MethodRun(name, conv_ms, conv_transpose_ms, *compare(conved, transposed))


def _timed(compute: Callable[[], Picture]) -> tuple[Picture, float]:
    """A result, and the best of some times it took, in milliseconds."""
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        result = compute()
        times.append((perf_counter() - start) * 1e3)
    return result, min(times)


def _enlarged(coarse: Picture, kernel: str) -> Picture:
    return np.moveaxis(upsample(np.moveaxis(coarse, 0, -1), 2, kernel), -1, 0)


def _equal_weights(coarse: Picture, geometry: Geometry) -> Picture:
    """Through equal weights whose mean sum over the phases is 1, so that coverage alone makes the difference."""
    taps, phases = np.prod(geometry.kernel), np.prod(geometry.stride)
    weights = np.full((3, 1, *geometry.kernel), phases / taps, np.float32)
    return conv_transpose(coarse, weights, **geometry.keywords, groups=3)
