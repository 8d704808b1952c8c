"""Arrays of xarray: dims and coordinates of the result, in memory and on Dask."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray

import tconv
import tconv.dask

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
W = RNG.normal(size=(3, 2, 4, 4))


@pytest.fixture(params=["in memory", "on Dask"])
def x(request):
    coords = {
        "time": pd.date_range("2020", periods=2),
        "band": list("abc"),
        "lat": ("lat", np.linspace(-4.5, 4.5, 10), {"units": "degrees"}),
        "lon": np.arange(8) * 10,
        "run": 7,
        "area": (("lat", "lon"), np.ones((10, 8))),
        "orbit": ("time", [3, 4]),
    }
    made = xarray.DataArray(
        RNG.normal(size=(2, 3, 10, 8)), coords, ("time", "band", "lat", "lon"), name="t", attrs={"units": "K"}
    )
    return made if request.param == "in memory" else made.chunk({"lat": 3, "band": 1})


def test_dims_and_coordinates(x):
    y = tconv.conv_transpose(x, W, stride=2, padding=1)
    assert isinstance(y.data, type(x.data))
    np.testing.assert_allclose(y.values, tconv.conv_transpose(x.values, W, stride=2, padding=1), atol=1e-12)
    assert (y.dims, y.name, y.attrs) == (x.dims, "t", {"units": "K"})
    assert sorted(y.coords) == ["lat", "lon", "orbit", "run", "time"]  # neither bands nor what lies on both axes
    np.testing.assert_allclose(y.lat, np.arange(20) / 2 - 4.75)  # pixels halved: centres a quarter further out
    assert y.lat.attrs == {"units": "degrees"}
    np.testing.assert_allclose(y.lon, np.arange(16) * 5 - 2.5)
    pd.testing.assert_index_equal(y.indexes["time"], x.indexes["time"])


def test_there_and_back(x):
    y = tconv.dask.conv_transpose(x, W, stride=2, padding=1)
    back = tconv.conv(y, W, stride=2, padding=1)
    for name in ("lat", "lon"):
        np.testing.assert_allclose(back[name], x[name], atol=1e-12)
    found = tconv.weight_gradient(x, y, 4, stride=2, padding=1)
    np.testing.assert_allclose(
        np.asarray(found), tconv.weight_gradient(x.values, y.values, 4, stride=2, padding=1), rtol=1e-10
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "wanted"),
    [(1, 1, 0, [0, 1, 2]), (3, 1, 1, [0, 1, 2]), (2, 1, 0, [-0.5, 0.5, 1.5, 2.5]), (3, 2, 1, [0, 0.5, 1, 1.5, 2])],
)
def test_cells_lie_where_the_middle_of_the_kernel_meets_the_coarse_grid(kernel, stride, padding, wanted):
    x = xarray.DataArray(np.ones((1, 3)), {"t": np.arange(3)}, ("c", "t"))
    assert tconv.conv_transpose(x, np.ones((1, 1, kernel)), stride=stride, padding=padding).t.values.tolist() == wanted


def test_times():
    """Times between times are known where they are whole units, to which nothing is rounded."""
    for freq, known in (("h", True), ("ns", False)):
        times = pd.date_range("2020", periods=3, freq=freq).as_unit("ns")
        x = xarray.DataArray(np.ones((1, 3)), {"time": times}, ("c", "time"))
        y = tconv.conv_transpose(x, np.ones((1, 1, 2)), stride=2)
        assert ("time" in y.coords) == known
        if known:
            assert (
                y.time.values[:2].tolist() == (times[0] + pd.to_timedelta([-15, 15], "min")).as_unit("ns").asi8.tolist()
            )


@pytest.mark.parametrize("places", [[0.0, 1.0, 3.0], [0, 1, 3], list("abc"), [0.0, np.nan, 2.0], [0, 2**62, -(2**62)]])
def test_coordinates_that_cannot_be_scaled_are_dropped(places):
    x = xarray.DataArray(np.ones((1, 3)), {"t": places}, ("c", "t"))
    assert "t" not in tconv.conv_transpose(x, np.ones((1, 1, 2)), stride=2).coords


def test_one_cell_has_no_spacing():
    x = xarray.DataArray(np.ones((1, 1)), {"t": [5.0]}, ("c", "t"))
    assert "t" not in tconv.conv_transpose(x, np.ones((1, 1, 2)), stride=2).coords


def test_channels_last():
    x = xarray.DataArray(np.ones((4, 3)), {"t": np.arange(4.0)}, ("t", "c"))
    y = tconv.conv_transpose(x, np.ones((3, 2, 2)), stride=2, layout="channels_last")
    assert (y.dims, y.shape) == (("t", "c"), (8, 2))
    assert y.t.values.tolist() == (np.arange(8) / 2 - 0.25).tolist()


def test_chunks_are_for_lazy_arrays():
    x = xarray.DataArray(np.ones((1, 4)), dims=("c", "t"))
    with pytest.raises(ValueError) as caught:
        tconv.dask.conv_transpose(x, np.ones((1, 1, 2)), chunks=2)
    assert str(caught.value) == (
        "conv_transpose: chunks must be None for arrays that are in memory; x.chunk() makes a lazy one"
        "\n  called with x=float64 (1, 4), w=float64 (1, 1, 2)"
    )
    assert isinstance(tconv.dask.conv_transpose(x.chunk(), np.ones((1, 1, 2)), chunks=2).data, da.Array)


def test_a_dtype_of_the_result():
    x = xarray.DataArray(np.full((1, 4), 100, "uint8"), dims=("c", "t"))
    y = tconv.conv_transpose(x, np.full((1, 1, 2), 3, "uint8"), dtype="int32")
    assert (y.dtype, int(y.max())) == (np.dtype("int32"), 600)


def test_big_endian_values():
    """As files of netCDF 3 have them."""
    values = np.arange(90.0).reshape(1, 3, 5, 6).astype(">f4")
    given = xarray.DataArray(values, dims=("n", "c", "a", "b"))
    wanted = tconv.conv_transpose(values, W.astype(np.float32), stride=2)
    for one in (given, given.chunk({"a": 2})):
        found = tconv.conv_transpose(one, W.astype(np.float32), stride=2)
        assert found.dtype == found.values.dtype == np.float32
        np.testing.assert_allclose(found.values, wanted, rtol=1e-5)
