"""im2col and col2im: each other's transpose, and together a multiplication by the coverage."""

import numpy as np
import pytest
from definition import links_of
from strategies import GEOMETRIES

import tconv

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_they_are_each_others_transpose(geometry):
    fine, columns = (2, *geometry.fine), (2, *geometry.kernel, *geometry.coarse)
    assert tconv.dot_test(lambda y: tconv.im2col(y, geometry), lambda c: tconv.col2im(c, geometry), fine, columns)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_after_the_other_multiplies_by_the_coverage(geometry):
    y = RNG.integers(1, 9, (3, *geometry.fine))
    again = tconv.col2im(tconv.im2col(y, geometry), geometry)
    np.testing.assert_array_equal(again, y * geometry.coverage())


def test_they_are_not_each_others_inverse():
    geometry = tconv.Geometry.conv(5, 3, stride=2)
    y = np.ones(5)
    assert not np.array_equal(tconv.col2im(tconv.im2col(y, geometry), geometry), y)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_im2col_gathers_by_the_definition(geometry):
    y = RNG.normal(size=geometry.fine)
    columns = np.zeros((*geometry.kernel, *geometry.coarse))
    for c, t, fine in links_of(geometry):
        columns[(*t, *c)] = y[fine]
    np.testing.assert_array_equal(tconv.im2col(y, geometry), columns)


def test_im2col_is_unfold_and_col2im_is_fold_of_pytorch():
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    geometry = tconv.Geometry.conv((7, 9), (3, 2), stride=2, padding=1, dilation=(1, 2))
    y = RNG.normal(size=(2, 3, 7, 9))
    keywords = {"kernel_size": (3, 2), "stride": 2, "padding": 1, "dilation": (1, 2)}
    unfolded = torch.nn.functional.unfold(torch.from_numpy(y), **keywords)
    columns = tconv.im2col(y, geometry)
    np.testing.assert_array_equal(columns.reshape(unfolded.shape), unfolded)
    folded = torch.nn.functional.fold(unfolded, (7, 9), **keywords)
    np.testing.assert_allclose(tconv.col2im(columns, geometry), folded, atol=1e-12)


@pytest.mark.parametrize("function", [tconv.im2col, tconv.col2im])
def test_what_is_no_geometry(function):
    with pytest.raises(TypeError) as caught:
        function(np.ones(5), (5,))
    assert str(caught.value) == f"{function.__name__}: geometry must be a tconv.Geometry; got (5,)"


def test_what_has_no_sum():
    with pytest.raises(TypeError, match=r"^col2im: columns must be of a numeric dtype; got datetime64\[D\]$"):
        tconv.col2im(np.zeros((3, 2), "datetime64[D]"), tconv.Geometry.conv(5, 3, stride=2))


def test_errors():
    geometry = tconv.Geometry.conv(5, 3, stride=2)
    with pytest.raises(TypeError, match=r"^im2col: y must be a NumPy array; got \[1\] of type list$"):
        tconv.im2col([1], geometry)
    with pytest.raises(
        ValueError, match=r"^im2col: y must have a shape that ends in the fine size \(5,\); got \(4,\)$"
    ):
        tconv.im2col(np.ones(4), geometry)
    expected = r"^col2im: columns must have a shape that ends in the kernel and coarse size \(3, 2\); got \(2, 2\)$"
    with pytest.raises(ValueError, match=expected):
        tconv.col2im(np.ones((2, 2)), geometry)
