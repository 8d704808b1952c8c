"""`tconv.dask.store`: blocks computed where they belong are those that Dask would copy, and nothing else is written."""

import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask
import dask.array as da
import dask.threaded
import numpy as np
import pytest
from dask.local import get_async, get_sync
from hypothesis import given
from hypothesis import strategies as st
from test_of_dask_blocks import calls, whole

import tconv
import tconv.dask
from tconv import boxed
from tconv.dask import blocks, storing
from tconv.dask.lending import Lender
from tconv.dask.target import Target

RNG = np.random.default_rng(0)
ELSEWHERE = (
    'scheduler must be "threads" or "sync", in this process, where out is; got one of other processes, or of a cluster'
)
KEYWORDS = (
    "keywords must be among scheduler, num_workers, pool, chunksize, callbacks, cache, rerun_exceptions_locally, "
    "optimize_graph, traverse"
)
#: How what is stored into lies: as an array of its own, as a box of a larger one, with its axes the other way round.
TARGETS = ("own", "box", "turned")


def target(shape, how):
    """An array to store into, and all that holds it; NaN beside it."""
    if how == "turned":
        larger = np.full(shape[::-1], np.nan, np.float32)
        return larger.T, larger
    beside = [int(how == "box")] * len(shape)
    larger = np.full([n + 2 * at for n, at in zip(shape, beside, strict=True)], np.nan, np.float32)
    return larger[tuple(slice(at, at + n) for n, at in zip(shape, beside, strict=True))], larger


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@given(call=calls(), how=st.sampled_from(TARGETS), then=st.sampled_from(("", "relu", "residual")), turned=st.booleans())
def test_what_is_stored_is_the_result(operation, call, how, then, turned):
    """Sums of small whole numbers are exact, in any order: nothing may differ."""
    geometry, groups, last, w, grids, asked = call
    x, there = grids[operation == "conv"]
    if turned:  # chunks whose cells are not in the order of the layout
        there = da.from_array(np.asfortranarray(x), chunks=there.chunks)
    window = {"groups": groups, "layout": "channels_last" if last else "channels_first", **geometry.keywords}
    bias = whole((w.shape[1] * groups if operation == "conv_transpose" else w.shape[0],))
    wanted = getattr(tconv, operation)(x, w, bias, **window)
    given = {"relu": {"activation": "relu"}, "residual": {"residual": whole(wanted.shape)}}.get(then, {})
    wanted = np.maximum(wanted, 0) if then == "relu" else wanted + given.get("residual", 0)
    y = getattr(tconv.dask, operation)(there, w, bias, **window, **given, chunks=asked)
    out, larger = target(y.shape, how)
    assert tconv.dask.store(y, out, scheduler="sync") is None
    np.testing.assert_array_equal(out, wanted)
    assert np.isnan(larger).sum() == larger.size - out.size


LAYERS = {
    "channels first": ((1, 3, 20, 18), (3, 4, 4, 4), "channels_first", (1, 3, 8, 18)),
    "cubes": ((1, 3, 20, 18), (3, 4, 4, 4), "channels_first", (1, 3, 8, 7)),
    "channels last": ((2, 20, 18, 3), (3, 4, 4, 4), "channels_last", (1, 8, 7, 3)),
    "one channel": ((1, 9, 20, 18), (1, 1, 4, 4, 4), "channels_first", (1, 4, 20, 18)),
    "small": ((3, 9), (3, 2, 3), "channels_first", (3, 2)),
}


def layer(name, dtype="float32"):
    shape, kernel, layout, chunks = LAYERS[name]
    x, w = RNG.normal(size=shape).astype(dtype), RNG.normal(size=kernel).astype(dtype)
    window = {"stride": 2, "padding": 1, "layout": layout}
    return x, w, tconv.dask.conv_transpose(da.from_array(x, chunks=chunks), w, **window), window


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int16"])
def test_rounding_is_that_of_the_dtype(name, dtype):
    """Sums of the same products in some order; what is not for kernels as it is is computed apart, and copied."""
    x, w, y, window = layer(name, dtype)
    stored = np.full(y.shape, 77, dtype)
    tconv.dask.store(y, stored, scheduler="sync")
    whole = tconv.conv_transpose(x, w, **window)
    if dtype.startswith("int"):
        np.testing.assert_array_equal(stored, whole)
    else:
        sums = tconv.conv_transpose(np.abs(x), np.abs(w), **window)
        assert (np.abs(stored.astype("c16") - whole) <= 8 * np.finfo(dtype).eps * np.abs(sums)).all()


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_is_copied(name, monkeypatch):
    """Neither x on its way into a block nor a result: both are read and written where they lie."""
    monkeypatch.setattr(blocks, "gathered", None)
    monkeypatch.setattr(Lender, "empty", None)
    *_, y, _ = layer(name)
    seen, x = [], next(iter(y.dask.layers[next(iter(y.dask.layers))].values())).base  # a copy: Dask made it

    def into(operator, grid, out, whole, run=boxed.into):
        seen.append((np.shares_memory(grid, x), np.shares_memory(out, stored), run(operator, grid, out, whole)))
        return seen[-1][-1]

    monkeypatch.setattr(boxed, "into", into)
    stored = np.empty(y.shape, np.float32)
    tconv.dask.store(y, stored, scheduler="sync")
    assert seen == [(True, True, True)] * y.npartitions


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_chunks_that_tasks_make_are_read_by_their_rims(scheduler):
    """Where they come from elsewhere, they can be forgotten; blocks are still computed where they belong."""
    x, w = whole((1, 3, 20, 18)), whole((3, 4, 4, 4))
    there = da.from_array(x, chunks=(1, 3, 8, 7)) + np.float32(0)
    y = tconv.dask.conv_transpose(there, w, stride=2, padding=1)
    out = np.empty(y.shape, np.float32)
    tconv.dask.store(y, out, scheduler=scheduler)
    np.testing.assert_array_equal(out, tconv.conv_transpose(x, w, stride=2, padding=1))


def test_not_finite_values_reach_what_they_reach_in_one_piece():
    x, w = RNG.normal(size=(1, 2, 12, 12)).astype(np.float32), RNG.normal(size=(2, 2, 3, 3)).astype(np.float32)
    for spoiled in (x, w):
        kept = spoiled[0, 1, 2, 2]
        spoiled[0, 1, 2, 2] = np.inf
        y = tconv.dask.conv_transpose(da.from_array(x, chunks=(1, 2, 5, 5)), w, stride=2, padding=1)
        out, exact = np.empty(y.shape, np.float32), tconv.conv_transpose(x, w, stride=2, padding=1)
        tconv.dask.store(y, out, scheduler="sync")
        np.testing.assert_array_equal(np.isfinite(out), np.isfinite(exact))
        spoiled[0, 1, 2, 2] = kept


OTHER_CHUNKS = {
    "more images": (lambda chunk: np.concatenate([chunk, chunk]), "out must have shape (2, 4, 18, 16); got (1, "),
    "fewer cells": (lambda chunk: chunk[..., :-1].copy(), "could not broadcast input array from shape (1,3,9,7) into"),
    "no batch": (lambda chunk: chunk[0], "out must have shape (4, 18, 16); got (1, 4, 18, 16)"),
    "integers": (lambda chunk: chunk.astype(np.int32), "x must have the dtype of w, float32; got int32"),
}


@pytest.mark.parametrize("name", OTHER_CHUNKS)
def test_chunks_that_are_not_what_dask_was_told(name):
    """They are refused, as where blocks are computed apart: kernels would go on beside the arrays."""
    change, said = OTHER_CHUNKS[name]
    x, larger = whole((1, 3, 9, 8)), np.full((3, 4, 18, 16), np.nan, np.float32)
    there = da.from_array(x, chunks=-1).map_blocks(change, dtype=x.dtype, meta=np.empty((0,) * 4, x.dtype))
    y = tconv.dask.conv_transpose(there, whole((3, 4, 4, 4)), stride=2, padding=1)
    with pytest.raises((ValueError, TypeError)) as caught:
        tconv.dask.store(y, larger[1:2], scheduler="sync")
    assert said in str(caught.value)
    assert np.isnan(larger).all()


@pytest.mark.parametrize("first", [0, 1])
def test_chunks_in_another_byte_order_are_read_as_they_are(first):
    x, w = whole((2, 3, 9, 8)), whole((3, 4, 4, 4))
    native = da.from_array(x, chunks=(1, 3, 9, 8))
    swapped = native.map_blocks(lambda chunk: chunk.astype(">f4"), dtype=x.dtype, meta=native._meta)
    some = [native + np.float32(0), swapped]
    there = da.concatenate([some[first][:1], some[1 - first][1:]])
    y = tconv.dask.conv_transpose(there, w, stride=2, padding=1)
    out = np.empty(y.shape, np.float32)
    tconv.dask.store(y, out, scheduler="sync")
    np.testing.assert_array_equal(out, tconv.conv_transpose(x, w, stride=2, padding=1))


def test_one_block_over_what_it_is_made_of():
    x = RNG.normal(size=(1, 2, 9, 8)).astype(np.float32)
    w = RNG.normal(size=(2, 2, 3, 3)).astype(np.float32)
    wanted = tconv.conv(x, w, padding=1)
    tconv.dask.store(tconv.dask.conv(da.from_array(x, chunks=-1), w, padding=1), x, scheduler="sync")
    np.testing.assert_array_equal(x, wanted)


def test_other_arrays_are_stored_as_dask_does(tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.float32, shape=(5, 7))
    tconv.dask.store(da.ones((5, 7), chunks=3, dtype=np.float32) + 1, out, scheduler="sync")
    assert (out == 2).all()


def test_into_a_memory_map(tmp_path):
    x, w, y, window = layer("cubes")
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.float32, shape=y.shape)
    tconv.dask.store(y, out, scheduler="threads")
    np.testing.assert_allclose(out, tconv.conv_transpose(x, w, **window), rtol=0, atol=1e-4)


def test_weights_are_packed_once_for_all_ends():
    """Blocks at the ends of the grid are layers of other paddings: nine here, of one set of packed weights."""
    x, w = whole((1, 16, 96, 96)), whole((16, 16, 4, 4))
    y = tconv.dask.conv_transpose(da.from_array(x, chunks=(1, 16, 32, 32)), w, stride=2, padding=1)
    (weights,) = (value for _, value in weights_of(y))
    tconv.dask.store(y, np.empty(y.shape, np.float32), scheduler="sync")
    operators = list(weights._operators.values())
    assert len(operators) == 9
    made = [call.packed for op in operators for call in op._ready.values()]
    assert len(made) == 9
    assert len(set(map(id, made))) == 1


def weights_of(y):
    """The nodes of weights in the graph of an array."""
    return [
        (k, v.value) for name, one in y.dask.layers.items() if name.startswith("tconv-weights") for k, v in one.items()
    ]


@pytest.mark.parametrize("given", [{}, {"scheduler": "processes"}])
@pytest.mark.parametrize("ours", [True, False])
def test_processes_would_write_into_copies(given, ours):
    *_, y, _ = layer("small")
    y = y if ours else y + 1
    with dask.config.set(scheduler="processes"), pytest.raises(ValueError) as caught:
        tconv.dask.store(y, np.empty(y.shape, np.float32), **given)
    assert str(caught.value) == f"store: {ELSEWHERE}"


@pytest.mark.parametrize("ours", [True, False])
def test_nor_do_pools_of_processes(ours):
    *_, y, _ = layer("small")
    y = y if ours else y + 1
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(TypeError, match="of this process"):
        tconv.dask.store(y, np.empty(y.shape, np.float32), pool=pool)


def test_any_array_of_dask_is_stored():
    """Also of a dtype that has no short name."""
    for kind in ("O", "U3", "M8[s]", [("a", "i4"), ("b", "f8")]):
        values = np.zeros((2, 5), kind)
        out = np.ones((2, 5), kind)
        tconv.dask.store(da.from_array(values, chunks=2), out, scheduler="sync")
        np.testing.assert_array_equal(out, values)


def test_what_blocks_read_is_no_target():
    """Dask copies arrays that it is given, but a graph may hold the very array."""
    a = np.ones((1, 2, 8, 8), np.float32)
    x = da.Array(
        {("x", 0, 0, 0, 0): a[..., :4], ("x", 0, 0, 0, 1): a[..., 4:]}, "x", ((1,), (2,), (8,), (4, 4)), a.dtype
    )
    y = tconv.dask.conv(x, np.ones((2, 2, 3, 3), np.float32), padding=1)
    with pytest.raises(ValueError) as caught:
        tconv.dask.store(y, a, scheduler="sync")
    must = "store: out must share no memory with what y is computed from"
    assert str(caught.value) == f"{must}; got an array that overlaps ('x', 0, 0, 0, 0) of its graph"
    assert (a == 1).all()


def test_targets_are_not_sent():
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Target(np.ones(3)))
    said = 'tconv.dask.store writes into memory of this process: scheduler="threads" computes there'
    assert str(caught.value) == said


WRONG = [
    (
        {"y": np.ones(3)},
        TypeError,
        "store: y must be a Dask array; got array([1., 1., 1.]) of type ndarray",
    ),
    ({"out": [1.0]}, TypeError, "store: out must be a NumPy array; got [1.0] of type list"),
    ({"out": np.empty((3, 8), np.float32)}, ValueError, "store: out must have shape (2, 17); got (3, 8)"),
    ({"out": np.empty((2, 17))}, TypeError, "store: out must have dtype float32, in native byte order; got float64"),
    ({"compute": False}, TypeError, f"store: {KEYWORDS}; got compute, which is of the method y.store"),
    ({"scheduler": get_sync, "lock": True}, TypeError, f"store: {KEYWORDS}; got lock, which is of the method y.store"),
    ({"num_worker": 2}, TypeError, f"store: {KEYWORDS}; got num_worker"),
]


@pytest.mark.quick
@pytest.mark.parametrize(("changed", "kind", "said"), WRONG)
def test_what_is_wrong(changed, kind, said):
    *_, y, _ = layer("small")
    with pytest.raises(kind) as caught:
        tconv.dask.store(**{"y": y, "out": np.empty(y.shape, np.float32), **changed})
    assert str(caught.value) == said


def test_keywords_are_those_of_dask():
    """All that its schedulers in one process name, but for what they are given by Dask itself."""
    ours = {"self", "args", "kwargs", "get", "submit", "dsk", "keys", "result", "get_id", "pack_exception"}
    ours |= {"raise_exception", "dumps", "loads"}
    some = (dask.compute, dask.threaded.get, get_async)
    assert {name for function in some for name in inspect.signature(function).parameters} - ours == set(
        storing.KEYWORDS
    )
    *_, y, _ = layer("small")
    given = {"num_workers": 2, "chunksize": 1, "callbacks": None, "rerun_exceptions_locally": True, "traverse": True}
    for one in (y, y + 1):
        tconv.dask.store(one, np.empty(y.shape, np.float32), scheduler="threads", **given)


def test_a_scheduler_of_ones_own_takes_its_own_keywords():
    *_, y, _ = layer("small")
    seen, out = [], np.empty(y.shape, np.float32)

    def scheduler(graph, keys, *, patience, **keywords):
        seen.append(patience)
        return get_sync(graph, keys, **keywords)

    tconv.dask.store(y, out, scheduler=scheduler, patience=3)
    with dask.config.set(scheduler=scheduler):
        tconv.dask.store(y, out, patience=4)
    assert seen == [3, 4]
    np.testing.assert_array_equal(out, y.compute(scheduler="sync"))
