"""The zero-inserted picture of a transposed convolution as an array: what the stride-1 convolution of it reads."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv import arrays, checks
from tconv.geometry import Geometry, check_geometry
from tconv.hints import shapes as hints
from tconv.problem import Array


def zero_inserted(x: Array, geometry: Geometry, *, padded: bool = False, layout: str = "channels_first") -> Array:
    """The stretched grid of the zero-inserted picture: x with stride - 1 zeros between neighbouring coarse cells.

    Along each axis it has (coarse - 1) * stride + 1 cells. With `padded` it is also padded, or cropped where a number
    is negative, as `Geometry.zero_inserted` says: by dilation * (kernel - 1) - low before and by
    dilation * (kernel - 1) - high + output padding behind. The convolution of that at stride 1, with the kernel flipped
    and no padding, is the transposed convolution.

    Args:
        x: (..., *coarse), or (..., *coarse, C) with `layout="channels_last"`; of any dtype.
        geometry: of the transposed convolution.
        padded: whether to pad and crop.
        layout: where x and the result have their channels, "channels_first" or "channels_last".

    Returns:
        A new array of x's dtype: what is not copied from x is 0.

    Raises:
        ValueError, TypeError, MemoryError: before any work.

    >>> import numpy as np, tconv
    >>> geometry = tconv.Geometry.conv_transpose(3, 3, stride=2, padding=1, output_padding=1)
    >>> tconv.zero_inserted(np.array([1, 2, 3]), geometry)
    array([1, 0, 2, 0, 3])
    >>> tconv.zero_inserted(np.array([1, 2, 3]), geometry, padded=True)
    array([0, 1, 0, 2, 0, 3, 0, 0])
    """
    views = geometry.zero_inserted if isinstance(geometry, Geometry) else ()
    ends = [(view.padding[0], view.padding[1] + view.extra) if padded else (0, 0) for view in views]
    size = tuple(view.stretched + low + high for view, (low, high) in zip(views, ends, strict=True))
    with checks.explained("zero_inserted", lambda: f"x={arrays.summary(x)}, geometry={geometry}, layout={layout!r}"):
        check_geometry(geometry)
        checks.choice("layout", layout, ("channels_first", "channels_last"))
        arrays.array("x", x)
        if not isinstance(padded, bool):
            checks.wrong_type(f"padded must be True or False; got {checks.shorten(padded)}")
        shape, behind = _with_size(x.shape, geometry, size, layout == "channels_last")
        checks.fits_memory("the stretched grid", x.itemsize * prod(shape))
    result = np.zeros(shape, x.dtype)
    places, cells = zip(*map(_copied, geometry.stride, geometry.coarse, size, ends), strict=True)
    result[(..., *places, *behind)] = x[(..., *cells, *behind)]
    return result


def _with_size(
    shape: tuple[int, ...], geometry: Geometry, size: tuple[int, ...], last: bool
) -> tuple[tuple[int, ...], tuple[slice, ...]]:
    """The shape of the result, and the index of the channels that lie behind the size."""
    ndim = geometry.ndim
    _check_size(shape, geometry.coarse, last)
    if last:
        return (*shape[: -1 - ndim], *size, shape[-1]), (slice(None),)
    return (*shape[:-ndim], *size), ()


def _check_size(shape: tuple[int, ...], coarse: tuple[int, ...], last: bool) -> None:
    """The size is where the layout has it."""
    ends = {False: shape[-len(coarse) :], True: shape[-1 - len(coarse) : -1]}
    if ends[last] == coarse:
        return
    hint = ""
    if ends[not last] == coarse and len(shape) > len(coarse):
        hint = f"; {hints.other_end('x', shape[-1 - len(coarse) if last else -1], last)}?"
    if last and shape == coarse:
        hint = "; x[..., None] has one channel"
    must = f"x must have shape (..., *coarse{', C' if last else ''}) with the coarse size {coarse}"
    checks.wrong(f"{must}; got {shape}{hint}")


def _copied(stride: int, coarse: int, size: int, ends: tuple[int, int]) -> tuple[slice, slice]:
    """Along one axis: the cells of the padded grid that hold coarse cells, and these."""
    low = ends[0]
    first = max(0, -(low // stride))  # the first coarse cell that is not cropped
    count = max(0, min(coarse, -((low - size) // stride)) - first)
    start = first * stride + low
    return slice(start, start + max(0, (count - 1) * stride + 1) if count else start, stride), slice(
        first, first + count
    )
