"""A day of inverse problems: a photograph deblurred, a kernel measured, PyLops, and the picture of docs/inverse.md."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.linalg import lsqr

import tconv

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)
inverse = pytest.importorskip("examples.inverse", exc_type=ModuleNotFoundError)

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "inverse.png"


def test_a_blurred_and_halved_photograph_is_undone():
    photo, kernel = inverse.photograph(), inverse.blur()
    x = inverse.seen(photo, kernel)
    assert x.shape == (150, 224)
    repeated = np.kron(x, np.ones((2, 2)))
    gained = inverse.decibels(inverse.undone(x, photo.shape, kernel), photo) - inverse.decibels(repeated, photo)
    assert gained > 4


def test_its_kernel_is_measured():
    photo, kernel = inverse.photograph(), inverse.blur()
    geometry = tconv.Geometry.conv(photo.shape, 15, stride=2, padding=7)
    shots = tconv.kernel_operator(geometry, photo)
    found = lsqr(shots, inverse.seen(photo, kernel).ravel(), iter_lim=60)[0].reshape(kernel.shape)
    assert np.abs(found - kernel).max() < 0.05 * kernel.max()


def test_the_picture_in_the_docs_is_what_the_command_draws(tmp_path, monkeypatch, capsys):
    path = tmp_path / "drawn.png"
    monkeypatch.setattr("sys.argv", ["inverse", "--out", str(path)])
    inverse.main()
    assert capsys.readouterr().out == "undone: 33.0 dB\n"
    with Image.open(path) as drawn, Image.open(PICTURE) as kept:
        assert drawn.size == kept.size
        difference = np.asarray(drawn, int) - np.asarray(kept, int)
    assert np.abs(difference).max() <= 2  # the order of sums may differ from processor to processor


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_operators_pass_the_dot_test_of_pylops(dtype):
    pylops = pytest.importorskip("pylops")
    rng = np.random.default_rng(0)

    def drawn(*shape):
        real = rng.normal(size=shape)
        return real + 1j * rng.normal(size=shape) if dtype == "complex128" else real

    geometry = tconv.Geometry.conv((12, 10), 3, stride=2, padding=1)
    for operator in (
        tconv.linear_operator(geometry, drawn(2, 3, 3, 3)),
        tconv.kernel_operator(geometry, drawn(3, 12, 10), in_channels=2),
    ):
        wrapped = pylops.aslinearoperator(operator)
        assert (wrapped.dims, wrapped.dimsd) == (operator.dims, operator.dimsd)
        for flag in range(4):
            assert pylops.utils.dottest(wrapped, *operator.shape, complexflag=flag)
            assert pylops.utils.dottest(operator, *operator.shape, complexflag=flag)
        grid = drawn(*operator.dims)
        np.testing.assert_array_equal(wrapped @ grid, operator @ grid)
