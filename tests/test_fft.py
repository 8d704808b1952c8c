"""The method `fft`: its residues, its tiles, its rounding, and when it is taken."""

from itertools import product
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import expected
from registry import needs_kernels
from strategies import GEOMETRIES, geometries

import tconv
from tconv.methods import METHODS, OPERATIONS, Problem, fft
from tconv.methods.spectra import fast_length
from tconv.methods.tiling import Tiling, _options, residues, tiling

RNG = np.random.default_rng(0)
BUDGET = 1 << 19


def arrays(geometry, dtype="float64", batch=2, cin=2, cout=3):
    shapes = (batch, cin, *geometry.coarse), (cin, cout, *geometry.kernel), (batch, cout, *geometry.fine)
    real, imaginary = ([RNG.normal(size=shape) for shape in shapes] for _ in range(2))
    if dtype.startswith("complex"):
        return [(a + 1j * b).astype(dtype) for a, b in zip(real, imaginary, strict=True)]
    return [a.astype(dtype) for a in real]


def computed(operation, geometry, x, w, y, **keywords):
    keywords |= geometry.keywords
    if operation == "weight_gradient":
        return tconv.weight_gradient(x, y, geometry.kernel, **keywords)
    first = x if operation == "conv_transpose" else y
    return getattr(tconv, operation)(first, w, **keywords)


def test_lengths_have_small_factors_only_and_are_the_next_ones():
    smooth = [n for n in range(1, 4000) if not _rest(n) > 1]
    for least in range(1, 3000):
        assert fast_length(least) == next(n for n in smooth if n >= least)
    assert fast_length(2**40 + 1) == 2**41
    assert fast_length(2**62 - 1) == 2**62


def _rest(n):
    for factor in (2, 3, 5):
        while n % factor == 0:
            n //= factor
    return n


@given(geometry=geometries())
def test_residues_hold_every_tap_once_where_it_stands(geometry):
    for axis in geometry.axes:
        found = []
        for each in residues(axis):
            taps = range(axis.kernel)[each.taps]
            positions = range(each.positions.start, each.positions.stop, each.positions.step)
            assert len(taps) == len(positions)
            found += taps
            for tap, m in zip(taps, positions, strict=True):
                assert m * axis.stride + each.residue == tap * axis.dilation
        assert sorted(found) == list(range(axis.kernel))


@given(geometry=geometries(small=True), operation=st.sampled_from(OPERATIONS), data=st.data())
def test_tiles_of_any_length_give_the_definition(geometry, operation, data):
    """Every way to cut that is considered, also where another one is expected to be quicker; here of short tiles."""
    short = dict.fromkeys((1, 2, 3), (data.draw(st.integers(1, 4)), 2))
    dtype = data.draw(st.sampled_from(("float64", "complex128")))
    x, w, y = arrays(geometry, dtype)
    problem = Problem(operation, geometry, 2, 2, 3, 1, dtype)
    wanted = expected(operation, geometry, x, w, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tconv.methods.tiling.LENGTHS", short)
        options = [_options(axis, 2) for axis in geometry.axes]
    for axes in product(*options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fft, "tiling", lambda *_, axes=axes: Tiling(problem, axes, BUDGET))
            result = computed(operation, geometry, x, w, y, method="fft")
        np.testing.assert_allclose(result, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_long_axis_is_cut(operation):
    geometry = tconv.Geometry.conv(100_000, 200, stride=2, padding=99, dilation=3)
    x, w, y = arrays(geometry, batch=1, cin=1, cout=1)
    cut = tiling(Problem(operation, geometry, 1, 1, 1, 1, "float64"), BUDGET)
    assert cut.tiles > 3
    assert cut.lengths[0] < 20_000
    result = computed(operation, geometry, x, w, y, method="fft")
    np.testing.assert_allclose(result, computed(operation, geometry, x, w, y, method="gemm"), atol=1e-9)


def test_what_padding_crops_is_not_transformed():
    """512 cells, 63 taps, as many cells out: positions that are cropped may overlap, 543 are enough for all 574."""
    (axis,) = tiling(Problem("conv", tconv.Geometry.conv(512, 63, padding=31), 1, 1, 1, 1, "float64"), BUDGET).axes
    assert axis.length == fast_length(543) < fast_length(574) + 1
    (axis,) = tiling(Problem("conv", tconv.Geometry.conv(512, 63), 1, 1, 1, 1, "float64"), BUDGET).axes
    assert axis.length == 512


def test_strides_transform_no_zeros():
    """All phases together are about as many numbers as the fine grid."""
    geometry = tconv.Geometry.conv((512, 512), 64, stride=8)
    found = tiling(Problem("conv_transpose", geometry, 1, 1, 1, 1, "float64"), BUDGET)
    assert found.residues == 64
    assert found.tiles * found.residues * found.numbers < 0.75 * 512 * 512
    gaps = tconv.Geometry.conv((512, 512), 2, stride=8)
    assert tiling(Problem("conv_transpose", gaps, 1, 1, 1, 1, "float64"), BUDGET).residues == 4


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("geometry", GEOMETRIES[::4])
def test_rounding_is_within_what_is_stated(geometry, operation, dtype):
    """An error is at most a few units in the last place, times the logarithm of the length, of the norms."""
    x, w, y = arrays(geometry, dtype)
    result, wanted = computed(operation, geometry, x, w, y, method="fft"), expected(operation, geometry, x, w, y)
    assert result.dtype == dtype
    first, second = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
    bound = np.linalg.norm(first.ravel()) * np.linalg.norm(second.ravel())
    length = max(tiling(Problem(operation, geometry, 2, 2, 3, 1, dtype), BUDGET).lengths)
    assert np.abs(result - wanted).max() <= np.finfo(dtype).eps * (1 + log2(length)) * bound


def test_what_overflows_in_spectra_only_is_computed_without_them():
    x = np.full((1, 1, 64), 1e308)
    x[..., 1::2] *= -1
    w = np.ones((1, 1, 2))
    y = tconv.conv_transpose(x, w, method="fft")
    assert y[0, 0, 1:-1].tolist() == [0.0] * 63
    assert y[0, 0, 0] == 1e308


@pytest.mark.parametrize("operation", OPERATIONS)
def test_auto_takes_it_for_large_kernels(operation):
    def picked(size, kernel, **keywords):
        geometry = tconv.Geometry.conv(size, kernel)
        w, y = (1, 1, *geometry.kernel), (1, 1, *geometry.fine)
        x = (1, 1, *geometry.coarse)
        first, second = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
        sizes = {"kernel_size": geometry.kernel} if operation == "weight_gradient" else {}
        return tconv.plan(first, second, operation=operation, **sizes, **keywords).method

    assert picked((512, 512), (63, 63), dtype="float64") == "fft"
    assert picked((512, 512), (63, 63)) == "fft"
    assert picked((100_000,), (1025,), dtype="complex64") == "fft"
    assert picked((64, 64), (3, 3)) != "fft"
    assert picked((512, 512), (63, 63), dtype="int32") != "fft"


@needs_kernels
def test_a_prepared_operator_takes_it_too():
    w = RNG.normal(size=(1, 1, 63, 63))
    op, x = tconv.ConvTranspose(w, padding=31), RNG.normal(size=(1, 1, 512, 512))
    assert op.plan(x.shape).method == "fft"
    np.testing.assert_array_equal(op(x), tconv.conv_transpose(x, w, padding=31, method="fft"))
    small = tconv.ConvTranspose(np.ones((1, 1, 4, 4)), stride=2)
    assert small.plan((1, 1, 512, 512)).method == "jit"


def test_threads_change_no_bit():
    x, w = RNG.normal(size=(3, 1, 200, 200)), RNG.normal(size=(1, 1, 31, 31))
    try:
        tconv.set_num_threads(1)
        alone = tconv.conv_transpose(x, w, method="fft")
        tconv.set_num_threads(2)
        np.testing.assert_array_equal(tconv.conv_transpose(x, w, method="fft"), alone)
    finally:
        tconv.set_num_threads(None)


def test_integers_are_refused():
    x, w = np.ones((1, 1, 4), int), np.ones((1, 1, 3), int)
    with pytest.raises(ValueError) as error:
        tconv.conv_transpose(x, w, method="fft")
    reason = 'conv_transpose: method "fft" computes floating point and complex numbers only, not int64'
    assert str(error.value).splitlines()[0] == reason


def test_memory_of_spectra_is_bounded_by_pieces():
    """Channels come in pieces: all spectra of these weights would take 5 GB."""
    geometry = tconv.Geometry.conv_transpose((64, 64), 31)
    for operation in OPERATIONS:
        scratch = METHODS["fft"].cost(Problem(operation, geometry, 8, 512, 256, 1, "float32")).scratch
        assert scratch < 400 << 20
