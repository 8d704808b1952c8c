"""`zero_inserted`: the convolution at stride 1 of what it returns is the transposed convolution, to the last bit."""

import random

import numpy as np
import problems
import pytest
from strategies import GEOMETRIES

import tconv
from tconv import Geometry

DRAW = random.Random(15)
CASES = [case.values[0] for case in GEOMETRIES] + [problems.geometry(DRAW.choice, (1, 1, 2, 2, 3)) for _ in range(300)]
CASES = [geometry for geometry in CASES if np.prod(geometry.fine) * np.prod(geometry.kernel) < 20_000]


def whole(rng, *shape):
    return rng.integers(-9, 10, shape)


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_the_stride_1_convolution_of_it_is_the_transposed_convolution(layout):
    rng = np.random.default_rng(3)
    for geometry in CASES:
        x, w = whole(rng, 2, 3, *geometry.coarse), whole(rng, 3, 2, *geometry.kernel)
        y = tconv.conv_transpose(x, w, **geometry.keywords, method="gemm")
        given = x if layout == "channels_first" else np.moveaxis(x, 1, -1)
        read = tconv.zero_inserted(given, geometry, padded=True, layout=layout)
        flipped = np.ascontiguousarray(np.flip(w, tuple(range(2, w.ndim))).swapaxes(0, 1))
        result = tconv.conv(read, flipped, dilation=geometry.dilation, layout=layout, method="gemm")
        assert np.array_equal(result if layout == "channels_first" else np.moveaxis(result, -1, 1), y), geometry


def test_the_stretched_grid_holds_the_cells_and_zeros():
    rng = np.random.default_rng(4)
    for geometry in CASES:
        x = whole(rng, 3, *geometry.coarse)
        stretched = tconv.zero_inserted(x, geometry)
        assert stretched.shape == (3, *(view.stretched for view in geometry.zero_inserted))
        assert stretched.dtype == x.dtype
        assert np.array_equal(stretched[(..., *(slice(None, None, s) for s in geometry.stride))], x)
        assert np.count_nonzero(stretched) == np.count_nonzero(x)


@pytest.mark.parametrize("dtype", ["bool", "float16", "complex64", "U3"])
def test_any_dtype_and_no_other_axes(dtype):
    geometry = Geometry.conv_transpose(5, 3, stride=2, padding=3)
    x = np.array([1, 0, 2, 3, 4]).astype(dtype)
    cropped = tconv.zero_inserted(x, geometry, padded=True)
    assert cropped.dtype == x.dtype
    assert np.array_equal(cropped, tconv.zero_inserted(x, geometry)[1:-1])


ERRORS = [
    (lambda g: tconv.zero_inserted([1], g), TypeError, "x must be a NumPy array; got [1] of type list"),
    (lambda g: tconv.zero_inserted(np.ones(3), None), TypeError, "geometry must be a tconv.Geometry; got None"),
    (lambda g: tconv.zero_inserted(np.ones((4, 5)), g, padded=1), TypeError, "padded must be True or False; got 1"),
    (
        lambda g: tconv.zero_inserted(np.ones((4, 4)), g),
        ValueError,
        "x must have shape (..., *coarse) with the coarse size (4, 5); got (4, 4)",
    ),
    (
        lambda g: tconv.zero_inserted(np.ones((4, 5, 3)), g),
        ValueError,
        "x must have shape (..., *coarse) with the coarse size (4, 5); got (4, 5, 3); x has 3 channels last: "
        'layout="channels_last"?',
    ),
    (
        lambda g: tconv.zero_inserted(np.ones((3, 4, 5)), g, layout="channels_last"),
        ValueError,
        "x must have shape (..., *coarse, C) with the coarse size (4, 5); got (3, 4, 5); x has 3 channels first: "
        'layout="channels_first"?',
    ),
    (
        lambda g: tconv.zero_inserted(np.ones((4, 5)), g, layout="channels_last"),
        ValueError,
        "x must have shape (..., *coarse, C) with the coarse size (4, 5); got (4, 5); x[..., None] has one channel",
    ),
    (
        lambda g: tconv.zero_inserted(np.ones((4, 5)), g, layout="NHWC"),
        ValueError,
        'layout must be one of "channels_first", "channels_last"; got \'NHWC\'; did you mean "channels_last"?',
    ),
]


@pytest.mark.parametrize(("call", "kind", "reason"), ERRORS)
def test_errors(call, kind, reason):
    with pytest.raises(kind) as caught:
        call(Geometry.conv_transpose((4, 5), 3, stride=2))
    assert str(caught.value).startswith(f"zero_inserted: {reason}\n  called with x=")


def test_more_than_memory_is_refused(monkeypatch):
    monkeypatch.setattr(tconv.checks, "physical_memory", lambda: 2**20)
    with pytest.raises(MemoryError, match="the stretched grid must fit into memory"):
        tconv.zero_inserted(np.ones((4, 5)), Geometry.conv_transpose((4, 5), 3, stride=2000))
