"""Memory of results that is lent again: never while somebody has it, and no more than the bound is kept."""

import gc
import threading

import dask.array as da
import numpy as np
import pytest

import tconv.dask
from tconv.dask.lending import LEAST, Lender

pytestmark = pytest.mark.quick

CELLS = LEAST // 4  # of float32


def place(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def lender():
    return Lender(most=4 * LEAST)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "complex128"])
def test_memory_comes_back_and_is_lent_again(lender, dtype):
    dtype = np.dtype(dtype)
    first = lender.empty((2, LEAST // dtype.itemsize), dtype)
    assert (first.shape, first.dtype, first.flags.carray) == ((2, LEAST // dtype.itemsize), dtype, True)
    where = place(first)
    assert where % 64 == 0
    del first
    assert lender.kept == 2 * LEAST
    assert place(lender.empty((LEAST * 2 // dtype.itemsize,), dtype)) == where


def test_what_somebody_keeps_is_not_lent(lender):
    kept = lender.empty((4, CELLS), np.dtype(np.float32))
    kept[:] = 7
    view = kept[1:2, ::3].T
    del kept
    gc.collect()
    others = [lender.empty((4, CELLS), np.dtype(np.float32)) for _ in range(3)]
    for other in others:
        other[:] = 0
    assert (view == 7).all()
    assert lender.kept == 0


def test_no_more_than_the_bound_is_kept(lender):
    pieces = [lender.empty((CELLS,), np.dtype(np.float32)) for _ in range(7)]
    last = place(pieces[-1])
    while pieces:
        del pieces[0]
    assert lender.kept == 4 * LEAST
    assert place(lender.empty((CELLS,), np.dtype(np.float32))) == last  # the one that is in the cache
    del pieces
    lender.empty((5 * CELLS,), np.dtype(np.float32))  # more than all that may be kept
    assert lender.kept == 4 * LEAST


def test_a_piece_is_not_lent_to_a_result_that_is_much_smaller(lender):
    """A result may be kept for ever, and with it all of its memory."""
    lender.empty((3 * CELLS,), np.dtype(np.float32))
    smaller = lender.empty((2 * CELLS,), np.dtype(np.float32))
    assert lender.kept == 3 * LEAST
    nearly = lender.empty((3 * CELLS - 5,), np.dtype(np.float32))
    assert lender.kept == 0
    assert (smaller.shape, nearly.shape) == ((2 * CELLS,), (3 * CELLS - 5,))


def test_small_results_are_left_to_numpy(lender):
    lender.empty((CELLS - 1,), np.dtype(np.float32))
    assert lender.kept == 0


def test_who_does_not_get_the_lock_does_not_wait(lender):
    """A result may be let go by the garbage collector, in the middle of the lender itself."""
    there = lender.empty((CELLS,), np.dtype(np.float32))
    with lender._lock:
        other = lender.empty((CELLS,), np.dtype(np.float32))
        del there, other
    assert lender.kept == 0


def test_threads_have_memory_of_their_own(lender):
    wrong = []

    def work(number):
        for turn in range(300):
            mine = lender.empty((CELLS,), np.dtype(np.int32))
            mine[::64] = 1000 * number + turn
            if (mine[::64] != 1000 * number + turn).any():
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert lender.kept <= lender.most


def test_blocks_that_are_kept_stay_what_they_are(monkeypatch):
    monkeypatch.setattr("tconv.dask.weights.lender", lender := Lender())
    x = da.from_array(np.arange(4 * 512.0).reshape(1, 1, 4, 512), chunks=(1, 1, 1, 512))
    y = tconv.dask.conv_transpose(x, np.ones((1, 64, 1, 1)), chunks=(1, 512))
    kept = y.persist(scheduler="threads")
    one = kept.blocks[0, 0, 2, 0].compute()
    del kept
    (2 * y).compute(scheduler="threads")  # other blocks come, and go
    assert lender.kept > 0
    np.testing.assert_array_equal(one, np.broadcast_to(x[:, :, 2:3], one.shape))
