"""Workers in processes of their own: threads, one of them killed in the middle; and memory, in a child."""

import inspect
import os
import signal
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

import tconv
import tconv.dask
from benchmarks.memory import peak

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise")

W = np.arange(64, dtype=np.float32).reshape(2, 2, 4, 4) % 7


@pytest.fixture(scope="module")
def client():
    """Two processes of one thread each, as `LocalCluster` starts them on two cores, without a page to watch them."""
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, host="127.0.0.1"
    )
    with cluster, Client(cluster) as client:
        yield client


def picture(block_id=None, marker=None, deadly=None):
    """A block of whole numbers; the first time that the deadly one is made, its worker dies."""
    if block_id == deadly and not os.path.exists(marker):
        with open(marker, "w"):
            os.kill(os.getpid(), signal.SIGKILL)
    rng = np.random.default_rng(block_id)
    return rng.integers(-4, 5, (1, 2, 24, 24)).astype(np.float32)


def made(**keywords):
    chunks = ((1,), (2,), (24,) * 6, (24,) * 6)
    return da.map_blocks(picture, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 4, np.float32), **keywords)


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(client, tmp_path):
    marker = str(tmp_path / "killed")
    before = client.run(os.getpid)
    y = tconv.conv_transpose(made(marker=marker, deadly=(0, 0, 3, 2)), W, stride=2, padding=1)
    found = client.compute(y).result(timeout=120)
    assert os.path.exists(marker)
    client.wait_for_workers(2, timeout=120)
    assert set(client.run(os.getpid).values()) != set(before.values())
    whole = tconv.conv_transpose(made().compute(scheduler="sync"), W, stride=2, padding=1)
    np.testing.assert_array_equal(found, whole)


@pytest.mark.usefixtures("client")
def test_what_is_in_memory_here_is_computed_here():
    y = tconv.conv_transpose(made(), W, stride=2, padding=1)
    out = np.zeros(y.shape, np.float32)
    with pytest.raises(ValueError, match=r"^store: scheduler must be "):
        tconv.dask.store(y, out)
    tconv.dask.store(y, out, scheduler="threads")
    np.testing.assert_array_equal(out, y.compute(scheduler="sync"))


def test_all_operations_on_a_cluster(client):
    x = made()
    y = tconv.conv_transpose(x, W, stride=2, padding=1)
    back, gradient = tconv.conv(y, W, stride=2, padding=1), tconv.weight_gradient(x, y, 4, stride=2, padding=1)
    found = [future.result(timeout=120) for future in client.compute([back, gradient])]
    x = x.compute(scheduler="sync")
    y = tconv.conv_transpose(x, W, stride=2, padding=1)
    np.testing.assert_array_equal(found[0], tconv.conv(y, W, stride=2, padding=1))
    np.testing.assert_allclose(found[1], tconv.weight_gradient(x, y, 4, stride=2, padding=1), rtol=1e-5)


def test_a_task_takes_as_many_threads_as_the_nanny_says(client):
    """`OMP_NUM_THREADS` in its environment, which is 1 unless it is configured."""

    def found():
        from tconv.dask import threads

        return threads.of_a_task(), os.environ["OMP_NUM_THREADS"]

    assert client.submit(found, pure=False).result(timeout=120) == (1, "1")

    def with_three():
        before, os.environ["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"], "3"
        try:
            return found()[0]
        finally:
            os.environ["OMP_NUM_THREADS"] = before

    assert client.submit(with_three, pure=False).result(timeout=120) == 3


CHILD = (
    inspect.getsource(peak)
    + """
import sys
import dask, dask.array as da, numpy as np, tconv, zarr

folder = sys.argv[1]
cells, chunk = 192, 48
x = zarr.create_array(f"{folder}/x.zarr", shape=(1, 2, *[cells] * 3), chunks=(1, 2, *[chunk] * 3), dtype="float32")
for first in range(0, cells, chunk):
    x[:, :, first : first + chunk] = first
y = tconv.conv_transpose(da.from_zarr(x), np.ones((2, 1, 4, 4, 4), np.float32), stride=2, padding=1)
y[..., :8, :8, :8].compute(scheduler="sync")  # all is imported and compiled
before = peak()
with dask.config.set(scheduler="threads", num_workers=2):
    y.to_zarr(f"{folder}/y.zarr")
print(y.nbytes, peak() - before)
found = zarr.open_array(f"{folder}/y.zarr", mode="r")
assert found[0, 0, 100, 100, 100] == 2 * 8 * 48 and found[0, 0, 383, 0, 0] == 2 * 144
"""
)


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
def test_memory_is_that_of_blocks(tmp_path):
    """From Zarr to Zarr, a result of 226 MB takes far less: a few blocks, and rims."""
    command = [sys.executable, "-W", "error", "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result, taken = map(int, done.stdout.split())
    assert result == 4 * 384**3
    assert taken < 120e6
