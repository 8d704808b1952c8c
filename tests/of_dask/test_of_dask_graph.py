"""The graph: nothing is computed, little is in it, and what is not asked for is left out."""

import pickle
import threading

import dask
import dask.array as da
import numpy as np
import pytest
from dask.base import tokenize

import tconv
import tconv.dask
from tconv.dask import blocks, threads, weights
from tconv.jit.machine import launch

pytestmark = pytest.mark.quick

W = np.ones((2, 3, 4, 4), np.float32)


def volume(cells=64, chunk=16, **keywords):
    """A picture in chunks, and it enlarged."""
    x = da.ones((1, 2, cells, cells), chunks=(1, 2, chunk, chunk), dtype="float32")
    return x, tconv.conv_transpose(x, keywords.pop("w", W), stride=2, padding=1, **keywords)


def tasks(array):
    """What is left of the graph once Dask has optimized it, by the kind of the task."""
    (optimized,) = dask.optimize(array)
    kinds = [key[0] if isinstance(key, tuple) else key for key in optimized.__dask_graph__()]
    return {
        kind: sum(str(k).startswith(kind) for k in kinds) for kind in ("conv-", "tconv-rims", "tconv-weights", "ones")
    }


def test_keys_are_by_content():
    _, y = volume()
    assert volume(w=W.copy())[1].name == y.name
    assert volume(w=W + 1)[1].name != y.name
    assert volume(chunk=32)[1].name != y.name
    assert volume(method="phases")[1].name != y.name
    assert tokenize(y) == tokenize(volume()[1])


def test_graphs_are_of_the_values_that_weights_had():
    w, bias = np.ones((1, 1, 3)), np.ones(1)
    y = tconv.conv_transpose(da.ones((1, 4), chunks=2), w, bias)
    w[:] = bias[:] = 0
    np.testing.assert_array_equal(y.compute(), [[2, 3, 4, 4, 3, 2]])


def test_a_block_a_task_and_a_rim():
    _, y = volume()
    assert tasks(y) == {"conv-": 16, "tconv-rims": 16, "tconv-weights": 1, "ones": 16}


def test_what_a_slice_does_not_need_is_left_out():
    _, y = volume()
    assert tasks(y[..., :16, :16]) == {"conv-": 1, "tconv-rims": 3, "tconv-weights": 1, "ones": 4}


def test_no_rims_where_blocks_read_whole_chunks():
    """A kernel as long as the stride: a block reads one chunk."""
    x = da.ones((1, 2, 64), chunks=(1, 2, 16))
    y = tconv.conv_transpose(x, np.ones((2, 1, 2)), stride=2)
    assert tasks(y) == {"conv-": 4, "tconv-rims": 0, "tconv-weights": 1, "ones": 4}


def test_chunks_that_are_all_rim_are_taken_whole():
    x = da.ones((1, 1, 12), chunks=(1, 1, 1))
    y = tconv.conv_transpose(x, np.ones((1, 1, 7)), stride=2)
    assert tasks(y)["tconv-rims"] == 0


def test_what_follows_is_fused_and_nothing_in_front_is_done_twice():
    _, y = volume()
    assert tasks(y + 1)["ones"] == 16
    with dask.config.set(scheduler="sync"):
        assert float((y + 1).sum()) == float(y.sum()) + y.size
    assert len(dict(dask.optimize(y + 1)[0].__dask_graph__())) <= len(dict(dask.optimize(y)[0].__dask_graph__())) + 16


def test_tasks_are_made_when_they_are_asked_for():
    _, y = volume(2048, 2)  # a million blocks would take minutes
    assert y.numblocks == (1, 1, 1024, 1024)
    layer = y.dask.layers[y.name]
    assert not layer.is_materialized()
    key = (y.name, 0, 0, 5, 7)
    assert layer[key].key == key
    assert key in layer
    assert (y.name, 0, 0, 5, 1024) not in layer
    with pytest.raises(KeyError):
        layer[y.name, 0, 0, 5, 1024]
    assert len(pickle.dumps(layer)) < len(layer) * 100


def test_blocks_of_a_length_are_one_layer_at_the_borders_too():
    """Nine blocks, corners and edges among them: one operator, and as many programs as there are last blocks."""
    x = da.ones((1, 2, 48, 48), chunks=(1, 2, 16, 16), dtype="float32")
    y = tconv.conv_transpose(x, W, stride=2, padding=1)
    made = y.dask.layers[f"tconv-weights-{y.name.rpartition('-')[2]}"]
    (node,) = made.values()
    y.compute(scheduler="sync")
    (operator,) = node.value._operators.values()
    assert list(operator._ready) == [(1, 2, 18, 18)]


def test_blocks_are_not_fused_with_what_stores_them():
    """Dask would order all rims that a block needs each time such a task runs."""
    _, y = volume()
    (optimized,) = dask.optimize(y + 1)
    functions = [getattr(task, "func", None) for task in optimized.__dask_graph__().values()]
    assert functions.count(blocks.computed) == y.npartitions


def test_operators_are_not_sent_with_weights():
    node = weights.Weights("conv_transpose", W, None, (2, 2), (1, 1), 1, "channels_first", "auto")
    node(np.ones((1, 2, 4, 4), np.float32), ((1, 1), (1, 1)), (8, 8))
    assert len(node._operators) == 1
    assert pickle.loads(pickle.dumps(node))._operators == {}
    assert tokenize(node) == tokenize(pickle.loads(pickle.dumps(node)))


def test_few_operators_are_kept():
    node = weights.Weights("conv_transpose", W, None, (2, 2), (1, 1), 1, "channels_first", "auto")
    for low in range(weights.MOST + 3):
        node(np.ones((1, 2, 40, 40), np.float32), ((low, 1), (1, 1)), (81 - low, 80))
    assert len(node._operators) == weights.MOST


def test_tasks_beside_each_other_compute_on_one_thread_each():
    assert threads.of_a_task() == launch.MOST_THREADS  # here nothing runs beside
    seen = []
    thread = threading.Thread(target=lambda: seen.append(threads.of_a_task()))
    thread.start()
    thread.join()
    assert seen == [1]


def test_a_limit_of_threads_is_of_one_thread_and_ends():
    before = tconv.get_num_threads()
    tconv.set_num_threads(3)
    seen = []
    with launch.at_most(2), launch.at_most(5):
        assert tconv.get_num_threads() == 2
        thread = threading.Thread(target=lambda: seen.append(tconv.get_num_threads()))
        thread.start()
        thread.join()
    assert (seen, tconv.get_num_threads()) == ([3], 3)
    tconv.set_num_threads(None)
    assert tconv.get_num_threads() == before


def test_memory_of_a_thread_is_not_given_away():
    """What blocks read is gathered in memory that serves the next block too: results must not lie in it."""
    x = da.from_array(np.arange(40.0).reshape(1, 1, 40), chunks=(1, 1, 8))
    for method in ("auto", "phases", "gemm", "matrix", "zero_insertion", "fft"):
        y = tconv.conv_transpose(x, np.ones((1, 1, 1)), padding=-1, method=method)
        parts = dask.compute(*y.to_delayed().ravel(), scheduler="sync")
        np.testing.assert_allclose(np.concatenate(parts, -1)[0, 0, 1:-1], np.arange(40.0), atol=1e-9)
