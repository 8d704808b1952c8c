"""Enlarging pictures by a transposed convolution, strip by strip, as arrays.

Each channel is upsampled on its own by one kernel (a depthwise layer, as in fully convolutional networks; see
`interpolation.py`). The edge is replicated: the coarse picture gets copies of its border cells, and the padding of the
geometry crops what they add. A strip needs the coarse rows beneath it and a few above and below, so the memory beside
the result depends on the width of the picture and not on its height.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tconv import arrays, checks, interpolation
from tconv.geometry import Geometry
from tconv.ops import conv_transpose

#: Fine elements, all channels counted, that a strip holds at most (unless one coarse row gives more): 8 MiB of float32.
STRIP = 2**21


class Rows(Protocol):
    """What is read of a picture: an array, or `bands.Bands` of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns), or (rows, columns, channels)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """One of those below."""

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[Any]:
        """Rows by their numbers."""


_DTYPES = ("uint8", "uint16", "float16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class Enlargement:
    """What enlarging a picture of `rows` x `columns` by one kernel takes: the plan, without the picture."""

    rows: int
    columns: int
    channels: int
    scale: int
    kernel: tuple[int, int]
    alpha: bool = False  #: the last channel is the opacity of the others

    @property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """The (low, high) padding of each axis that gives `scale` fine cells for each coarse one."""
        return tuple(interpolation.upsampling_padding(k, self.scale) for k in self.kernel)

    @property
    def halo(self) -> tuple[tuple[int, int], ...]:
        """How many cells before and after its own the result of a coarse cell reads, for each axis."""
        s = self.scale
        return tuple(
            ((k - 1 - low) // s, (s - 1 + low) // s) for k, (low, _) in zip(self.kernel, self.padding, strict=True)
        )

    @property
    def rows_per_strip(self) -> int:
        """Coarse rows computed at a time."""
        per_row = self.columns * self.channels * self.scale**2
        return max(1, min(self.rows, STRIP // per_row))

    @property
    def strips(self) -> int:
        """How many strips there are."""
        return -(-self.rows // self.rows_per_strip)

    def geometry(self, rows: int) -> Geometry:
        """The geometry of a strip of so many coarse rows with its halo; the padding crops the halo's share."""
        s, size = self.scale, (rows, self.columns)
        coarse = tuple(n + before + after for n, (before, after) in zip(size, self.halo, strict=True))
        padding = tuple(
            (low + before * s, high + after * s)
            for (low, high), (before, after) in zip(self.padding, self.halo, strict=True)
        )
        return Geometry.conv_transpose(coarse, self.kernel, stride=s, padding=padding)


def upsample(
    picture: NDArray[Any], scale: int, kernel: str | NDArray[Any] = "bilinear", *, alpha: bool = False
) -> NDArray[Any]:
    """A picture enlarged by a whole number, by a transposed convolution of stride `scale` with replicated edges.

    `picture` has shape (rows, columns) or (rows, columns, channels) and dtype uint8, uint16, float16, float32 or
    float64; the result has `scale` times the rows and columns and the same dtype. Integers are rounded to the nearest
    and clipped to their range. `kernel` is "nearest", "bilinear", "bicubic" or an array of two axes with at least
    `scale` taps each, used as it is: a sum of 1 over each phase keeps the brightness (`interpolation.phase_sums`).
    With `alpha` the last channel is the opacity of the others, which are then weighted by it, so that what is
    transparent lends its colour to nothing. Wrong values raise ValueError, wrong types TypeError, a result beyond
    memory MemoryError.

    >>> import numpy as np
    >>> from tconv.upsample import upsample
    >>> upsample(np.array([[0, 100]], np.uint8), 2)
    array([[  0,  25,  75, 100],
           [  0,  25,  75, 100]], dtype=uint8)
    """
    with checks.explained("upsample"):
        plan, weights = planned(picture, scale, kernel, alpha)
    result = np.empty((plan.rows * plan.scale, plan.columns * plan.scale, *picture.shape[2:]), picture.dtype)
    for first, strip in strips(picture, plan, weights):
        result[first : first + len(strip)] = strip
    return result


def planned(
    picture: object, scale: int, kernel: str | NDArray[Any], alpha: bool = False
) -> tuple[Enlargement, NDArray[Any]]:
    """The arguments of `upsample`, checked: what to do, and the weights in the dtype of the computation."""
    arrays.array("picture", picture)
    assert isinstance(picture, np.ndarray)
    found = planned_by_strips(picture, scale, kernel, alpha)
    checks.fits_memory("the result", picture.nbytes * scale**2)
    return found


def planned_by_strips(
    picture: Rows, scale: int, kernel: str | NDArray[Any], alpha: bool = False
) -> tuple[Enlargement, NDArray[Any]]:
    """As `planned`, of a picture of which rows are read, and a result that is nowhere as a whole."""
    if len(picture.shape) not in (2, 3) or 0 in picture.shape:
        checks.wrong(
            f"picture must have shape (rows, columns) or (rows, columns, channels), none 0; got {picture.shape}"
        )
    if picture.dtype.name not in _DTYPES:
        checks.wrong_type(f"picture must be of dtype {', '.join(_DTYPES)}; got {picture.dtype}")
    scale = checks.integer("scale", scale, 1)
    if not isinstance(alpha, bool):
        checks.wrong_type(f"alpha must be True or False; got {checks.shorten(alpha)}")
    weights = weights_of(kernel, scale)
    dtype = np.result_type(picture.dtype, np.float32)
    _check_range(weights, picture.dtype, dtype, alpha)
    rows, columns, channels = (*picture.shape, 1)[:3]
    if alpha and channels < 2:
        checks.wrong(f"picture must have a channel beside the alpha channel; got shape {picture.shape}")
    plan = Enlargement(rows, columns, channels, scale, (weights.shape[0], weights.shape[1]), alpha)
    return plan, weights.astype(dtype)


def _check_range(weights: NDArray[np.float64], picture: np.dtype[Any], computed: np.dtype[Any], alpha: bool) -> None:
    """No sum over the kernel overflows: with pixels of 1, or with the largest ones that integers can be."""
    largest = 1.0 if picture.kind == "f" else float(np.iinfo(picture).max) ** (1 + alpha)
    with np.errstate(over="ignore"):
        total = np.abs(weights).sum() * largest
    if total > np.finfo(computed).max:
        checks.wrong(
            f"kernel must hold weights whose sums are within {computed}, in which {picture} pictures are computed; "
            f"got weights up to {np.abs(weights).max():.3g}"
        )


def weights_of(kernel: object, scale: int) -> NDArray[np.float64]:
    """A kernel by its name, or an array that can serve as one."""
    if isinstance(kernel, str):
        return interpolation.KERNELS[checks.choice("kernel", kernel, tuple(interpolation.KERNELS))](scale)
    if not isinstance(kernel, np.ndarray) or kernel.dtype.kind not in "iuf":
        got = f"an array of dtype {kernel.dtype}" if isinstance(kernel, np.ndarray) else checks.shorten(kernel)
        checks.wrong_type(
            f"kernel must be {checks.words(tuple(interpolation.KERNELS))} or an array of numbers; got {got}"
        )
    arrays.array("kernel", kernel)
    if kernel.ndim != 2 or min(kernel.shape) < scale:
        checks.wrong(
            f"kernel must have 2 axes of at least scale = {scale} taps each, so that every fine cell is reached; "
            f"got shape {kernel.shape}"
        )
    if not np.isfinite(kernel).all():
        checks.wrong("kernel must hold finite numbers; got NaN or infinity among them")
    with np.errstate(over="ignore"):
        return kernel.astype(np.float64)


def strips(picture: Rows, plan: Enlargement, weights: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """The enlarged picture from top to bottom: (first fine row, rows), each strip in the dtype of the picture.

    The arguments are a picture and what `planned` made of it.
    """
    for first in range(0, plan.rows, plan.rows_per_strip):
        yield first * plan.scale, _strip(picture, plan, weights, first)


@np.errstate(all="ignore")  # infinity and NaN in a picture of floats, or float16 beyond its range, are no news
def _strip(picture: Rows, plan: Enlargement, weights: NDArray[Any], first: int) -> NDArray[Any]:
    """The strip that starts at a coarse row."""
    (above, below), (left, right) = plan.halo
    rows = min(plan.rows_per_strip, plan.rows - first)
    wanted = np.arange(first - above, first + rows + below).clip(0, plan.rows - 1)
    coarse = picture[wanted].reshape(len(wanted), plan.columns, plan.channels).astype(weights.dtype)
    coarse = np.pad(coarse, ((0, 0), (left, right), (0, 0)), mode="edge")
    if plan.alpha:
        coarse[..., :-1] *= coarse[..., -1:]
    fine = _transposed(coarse, weights, plan.geometry(rows))
    if plan.alpha:
        fine[..., :-1] = _divided(fine[..., :-1], fine[..., -1:])
    return _like(picture.dtype, fine).reshape(*fine.shape[:2], *picture.shape[2:])


def _transposed(coarse: NDArray[Any], weights: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    """Every channel by the same kernel, (rows, columns, channels) in and out."""
    x = np.ascontiguousarray(np.moveaxis(coarse, -1, 0))
    w = np.broadcast_to(weights, (len(x), 1, *weights.shape))
    return np.moveaxis(conv_transpose(x, w, **geometry.keywords, groups=len(x)), 0, -1)


def _divided(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours no longer weighted by their opacity; 0 where nothing is seen of them."""
    divided: NDArray[Any] = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    return divided


def _like(dtype: np.dtype[Any], values: NDArray[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    rounded: NDArray[Any] = np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
    return rounded
