"""Chunks of results: as Zarr wants them, near the chunks that are read, and as they are asked for."""

import dask
import dask.array as da
import numpy as np
import pytest
import zarr

import tconv
import tconv.dask

pytestmark = pytest.mark.quick


def up(size, chunk, kernel=4, stride=2, padding=1, chunks=None, **keywords):
    x = da.ones((1, size), chunks=((1,), chunk), dtype="float32")
    w = np.ones((1, 1, kernel), np.float32)
    return tconv.dask.conv_transpose(x, w, stride=stride, padding=padding, chunks=chunks, **keywords).chunks[1]


def regular(chunks):
    return len(set(chunks[:-1])) <= 1 and chunks[-1] <= chunks[0]


@pytest.mark.parametrize(
    ("size", "chunk", "kernel", "stride", "padding", "wanted"),
    [
        (64, 16, 4, 2, 1, (32,) * 4),  # as many strides as cells
        (64, 16, 4, 2, 0, (34, 34, 34, 28)),  # two cells more: blocks of one stride more, rather than a sliver
        (64, 16, 12, 2, 0, (32, 32, 32, 32, 10)),  # so many more that longer blocks would read much from two chunks
        (64, 16, 2, 3, 1, (48, 48, 48, 45)),
        (60, (25, 20, 15), 2, 2, 0, (50, 50, 20)),  # the longest chunk decides where sizes differ
        (5, 5, 2, 2, 0, (10,)),
        (6, 1, 1, 1, 0, (1,) * 6),
    ],
)
def test_chunks_follow_those_that_are_read(size, chunk, kernel, stride, padding, wanted):
    assert up(size, chunk, kernel, stride, padding) == wanted


@pytest.mark.parametrize("kernel", range(1, 9))
@pytest.mark.parametrize("stride", range(1, 5))
@pytest.mark.parametrize("chunk", [1, 7, (3, 9, 30, 22)])
def test_all_are_as_zarr_wants_them(kernel, stride, chunk):
    chunks = up(64, chunk, kernel, stride, 0)
    assert regular(chunks)
    assert chunks[0] % stride == 0 or len(chunks) == 1


def test_conv():
    y = da.ones((1, 640), chunks=(1, 100), dtype="float32")
    assert tconv.conv(y, np.ones((1, 1, 4), np.float32), stride=3, padding=1).chunks[1] == (34,) * 6 + (9,)


def test_blocks_are_no_larger_than_dask_is_told():
    """A layer from one channel to many, whose results would be 64 times what is read."""
    x = da.ones((1, 1, 64, 64), chunks=(1, 1, 64, 64), dtype="float32")
    w = np.ones((1, 16, 2, 2), np.float32)
    assert tconv.conv_transpose(x, w, stride=2).chunksize == (1, 16, 128, 128)
    with dask.config.set({"array.chunk-size": "256KiB"}):
        assert tconv.conv_transpose(x, w, stride=2).chunksize == (1, 16, 64, 64)


def test_a_kernel_that_reaches_far_beyond_the_grid_does_not_make_many_blocks():
    assert up(4, 1, kernel=2, stride=1, padding=0, dilation=1000) == (251,) * 3 + (251,)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [(50, (50, 50, 28)), (-1, (128,)), ("auto", (128,)), (((100, 28),), (100, 28)), ((64,), (64, 64))],
)
def test_chunks_that_are_asked_for(asked, wanted):
    assert up(64, 16, chunks=asked) == wanted


def test_shards_of_an_array_that_is_there():
    x = da.ones((4, 1, 64, 64), chunks=(3, 1, 20, 20), dtype="float32")
    w = np.ones((1, 2, 4, 4), np.float32)
    stored = zarr.create_array(
        zarr.storage.MemoryStore(), shape=(4, 2, 128, 128), chunks=(1, 1, 8, 8), shards=(2, 2, 16, 32), dtype="float32"
    )
    y = tconv.dask.conv_transpose(x, w, stride=2, padding=1, chunks=stored)
    assert y.chunks == ((2, 2), (2,), (32,) * 4, (32,) * 4)
    y.store(stored, lock=False, scheduler="threads")
    np.testing.assert_array_equal(
        stored[:], tconv.conv_transpose(np.ones((4, 1, 64, 64), "f4"), w, stride=2, padding=1)
    )


def test_chunks_of_an_array_without_shards():
    stored = zarr.create_array(zarr.storage.MemoryStore(), shape=(1, 128), chunks=(1, 5), dtype="float32")
    assert up(64, 16, chunks=stored) == (30,) * 4 + (8,)  # whole strides


def test_to_zarr_takes_them_as_they_are(tmp_path):
    x = da.random.default_rng(0).normal(size=(1, 2, 30, 30), chunks=(1, 2, 8, 8)).astype("float32")
    w = np.ones((2, 1, 5, 5), np.float32)
    y = tconv.conv_transpose(x, w, stride=2)
    with dask.config.set(scheduler="threads"):
        y.to_zarr(str(tmp_path / "y.zarr"))
        np.testing.assert_array_equal(da.from_zarr(str(tmp_path / "y.zarr")).compute(), y.compute())
    assert zarr.open_array(str(tmp_path / "y.zarr"), mode="r").chunks == (1, 1, 16, 16)
