"""What users read who pass something wrong together with Dask arrays: the full texts, raised before any work."""

import os
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest

import tconv
import tconv.dask

pytestmark = pytest.mark.quick

X, W = da.ones((2, 8, 4, 5), chunks=(1, 8, 2, 2), dtype="float32"), np.ones((8, 6, 3, 3), np.float32)
CALLED = "\n  called with x=float32 (2, 8, 4, 5), w=float32 (8, 6, 3, 3)"
ALLOWED = 'an integer, -1, "auto", one of them or a tuple of lengths for each axis of size, or a stored array'

WRONG = [
    ({"stride": 0}, ValueError, "stride must be an integer of at least 1; got 0", ", stride=0"),
    ({"groups": 3}, ValueError, "groups must divide the channels of x, Cin = 8; got 3", ", groups=3"),
    (
        {"method": "matrices"},
        ValueError,
        'method must be one of "auto", "matrix", "zero_insertion", "gemm", "phases", "fft", '
        '"jit", "winograd"; got \'matrices\'',
        ", method='matrices'",
    ),
    (
        {"out": np.empty(3)},
        TypeError,
        "out must be None for Dask arrays, never written into; tconv.dask.store(y, out) computes into one",
        ", out=float64 (3,)",
    ),
    ({"bias": np.ones(5, np.float32)}, ValueError, "bias must have shape (6,); got (5,)", ", bias=float32 (5,)"),
    (
        {"residual": np.ones((2, 6, 4, 5), np.float32)},
        ValueError,
        "residual must have shape (2, 6, 6, 7); got (2, 6, 4, 5)",
        "",
    ),
    (
        {"residual": da.ones((2, 6, 6, 7))},
        TypeError,
        'residual must have the dtype of x, float32; got float64; residual.astype("float32")?',
        "",
    ),
    (
        {"activation": tconv.Activation("prelu", slope=np.ones(5))},
        ValueError,
        "slope of activation must have shape (6,); got (5,)",
        "",
    ),
    (
        {"bias": da.ones(6)},
        TypeError,
        'bias must have the dtype of x, float32; got float64; bias.astype("float32")?',
        ", bias=float64 (6,)",
    ),
]


@pytest.mark.parametrize(("arguments", "kind", "reason", "shown"), WRONG)
def test_wrong_arguments(arguments, kind, reason, shown):
    with pytest.raises(kind) as caught:
        tconv.conv_transpose(X, W, **arguments)
    assert str(caught.value) == f"conv_transpose: {reason}{CALLED}{shown}"


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ({2: 3}, f"chunks must be {ALLOWED}; got {{2: 3}} for 2 axes of size"),
        ((1, 8, 2, 2), f"chunks must be {ALLOWED}; got (1, 8, 2, 2) for 2 axes of size"),
        (0, "chunks must have at least 1 cell; got 0"),
        ((2, 0), "chunks must have at least 1 cell; got (2, 0)"),
        (-2, "chunks must have at least 1 cell; got -2"),
        (
            ((3, 4), (7,)),
            f"chunks must be {ALLOWED}; got ((3, 4), (7,)): Chunks do not add up to shape. "
            "Got chunks=((3, 4), (7,)), shape=(6, 7)",
        ),
        (((0, 6), (7,)), "chunks must have at least 1 cell; got ((0, 6), (7,))"),
        ("8 apples", f"chunks must be {ALLOWED}; got '8 apples': Could not interpret 'apples' as a byte unit"),
        (np.ones(3), "chunks must be an array of 4 axes, as the result is; got one of 1"),
    ],
)
def test_wrong_chunks(chunks, reason):
    if isinstance(chunks, np.ndarray):  # any array in chunks
        chunks = da.from_array(chunks)
    with pytest.raises(ValueError) as caught:
        tconv.dask.conv_transpose(X, W, chunks=chunks)
    assert str(caught.value) == f"conv_transpose: {reason}{CALLED}"


def test_chunks_of_unknown_sizes():
    x = da.ones(9, chunks=3)
    x = x[x > 0][None]
    with pytest.raises(ValueError) as caught:
        tconv.conv_transpose(x, np.ones((1, 1, 3)))
    assert str(caught.value) == (
        "conv_transpose: x must have chunks of known sizes; got shape (1, nan): call x.compute_chunk_sizes() first"
        "\n  called with x=float64 (1, nan), w=float64 (1, 1, 3)"
    )


def test_blocks_that_are_not_numpys():
    x = da.ma.masked_array(da.ones((1, 5)), mask=False)
    with pytest.raises(TypeError) as caught:
        tconv.conv_transpose(x, np.ones((1, 1, 3)))
    assert str(caught.value) == (
        "conv_transpose: x must have blocks of numpy.ndarray; got blocks of numpy.ma.MaskedArray"
        "\n  called with x=float64 (1, 5), w=float64 (1, 1, 3)"
    )


def test_what_is_no_dask_array():
    with pytest.raises(TypeError) as caught:
        tconv.dask.weight_gradient(np.ones((1, 2)), [1.0], 3)
    assert str(caught.value) == (
        "weight_gradient: x must be a Dask array, or an xarray.DataArray; got array([[1., 1.]]) of type ndarray; "
        "dask.array.from_array(x, chunks=...) is one"
    )
    with pytest.raises(TypeError) as caught:
        tconv.conv(da.ones((1, 5)), [[[1.0]]])
    assert str(caught.value) == (
        "conv: w must be a NumPy array; got [[[1.0]]] of type list\n  called with y=float64 (1, 5), w=[[[1.0]]]"
    )


def test_a_prepared_operator_says_who_takes_dask_arrays():
    with pytest.raises(TypeError, match=r"; tconv\.conv_transpose, conv and weight_gradient take Dask arrays\n"):
        tconv.ConvTranspose(W)(X)


def test_arrays_that_plan_their_queries():
    program = (
        "import dask.array as da, numpy as np, tconv\n"
        "try: tconv.conv_transpose(da.ones((1, 5)), np.ones((1, 1, 3)))\n"
        "except TypeError as error: print(error)"
    )
    environment = {**os.environ, "DASK_ARRAY__QUERY_PLANNING": "True"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[0] == (
        "conv_transpose: x must be an array with a graph of layers: "
        'dask.config.set({"array.query-planning": False}) before dask.array is imported'
    )


def test_a_method_that_cannot_compute_a_block():
    x = da.ones((1, 1, 64), chunks=(1, 1, 16), dtype="int32")
    with pytest.raises(ValueError) as caught:
        tconv.conv_transpose(x, np.ones((1, 1, 3), np.int32), method="jit")
    assert str(caught.value).startswith('conv_transpose: method "jit" computes')


def test_a_result_larger_than_memory_is_no_error_but_a_block_is():
    w = np.ones((1, 1, 2, 2), np.float32)
    x = da.ones((1, 1, 1 << 20, 1 << 20), chunks=(1, 1, 1 << 10, 1 << 15), dtype="float32")
    assert tconv.conv_transpose(x, w, stride=2).nbytes == 1 << 44
    with pytest.raises(MemoryError, match=r"^conv_transpose: the result must fit into memory"):
        tconv.dask.conv_transpose(x, w, stride=2, chunks=-1)


def test_a_dataset_holds_arrays():
    xarray = pytest.importorskip("xarray", exc_type=ModuleNotFoundError)
    scan = xarray.Dataset({"density": (("band", "x"), np.ones((1, 5)))})
    for called in (tconv.conv_transpose, tconv.dask.conv_transpose):
        with pytest.raises(TypeError) as caught:
            called(scan, np.ones((1, 1, 2)))
        hint = "; x['density'] is one of its arrays, and x.to_dataarray() all of them"
        assert str(caught.value).partition("\n  called with")[0].endswith(f"of type Dataset{hint}")
