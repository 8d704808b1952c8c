"""`tconv.dask.conv_transpose`, `conv` and `weight_gradient`: the operations on Dask arrays, by name."""

from __future__ import annotations

from typing import Any, NoReturn

from tconv import checks
from tconv.activations import Activation
from tconv.arguments import Layout
from tconv.dask import calls, labelled
from tconv.hints import words
from tconv.libraries import Library, library_of
from tconv.resolve import Ints, PaddingLike
from tconv.widening import widened


def conv_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints = 0,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    dtype: Any = None,
    activation: str | Activation | None = None,
    residual: Any = None,
    chunks: Any = None,
) -> Any:
    """`tconv.conv_transpose` of a Dask array: the same arguments and the same result, computed block by block.

        y[n, o, c * stride - low + t * dilation] += x[n, i, c] * w[i, o, t]

    Nothing is computed by the call. Each block of the result gathers the cells of x that it reads from the chunks that
    have them, of any sizes, and is computed once: nothing is added up, nothing trimmed.

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse) without a batch: a Dask array, or a DataArray of xarray, whose axes are
            told by their places, whatever the names of its dims. Chunks of channels are joined.
        w: (Cin, Cout / groups, *kernel), of NumPy; or a Dask array, which every worker has as a whole.
        bias: (Cout,), or None; of NumPy or Dask, as w is.
        stride, padding, output_padding, output_size, groups, dilation, layout, method, dtype, activation: as in
            `tconv.conv_transpose`.
        residual: of the shape and dtype of the result, of Dask or NumPy, added before the activation, or None.
        chunks: of the axes of size of the result: an integer, -1, "auto", one of them or a tuple of lengths for each
            axis, or an array of Zarr that the result is to be stored in, with whose shards, or else chunks, blocks then
            begin. None: chunks that read about a chunk of x each, of one size as Zarr wants them, smaller where a block
            would be larger than Dask's setting `array.chunk-size`.

    Returns:
        A Dask array of shape (N, Cout, *fine). A DataArray keeps dims, name, attributes and the coordinates along the
        batch, and has those along axes of size whose cells are evenly spaced: a fine cell lies where the middle of the
        kernel would meet the coarse grid. Other coordinates are dropped, those of channels too.

    Raises:
        ValueError, TypeError, MemoryError: as `tconv.conv_transpose`, and where sizes of chunks are not known.

    >>> import dask.array as da, numpy as np, tconv.dask
    >>> x = da.ones((1, 2, 1000, 1000), chunks=(1, 2, 250, 250), dtype="float32")
    >>> y = tconv.dask.conv_transpose(x, np.ones((2, 1, 4, 4), "float32"), stride=2, padding=1)
    >>> y.shape, y.chunksize
    ((1, 1, 2000, 2000), (1, 1, 500, 500))
    >>> y[0, 0, 998:1002, 7].compute()  # needs two blocks
    array([8., 8., 8., 8.], dtype=float32)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return _computed(
        "conv_transpose", {"x": x, "w": w}, None, bias, window, layout, method, dtype, chunks, activation, residual
    )


def conv(
    y: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints | None = None,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    dtype: Any = None,
    activation: str | Activation | None = None,
    residual: Any = None,
    chunks: Any = None,
) -> Any:
    """`tconv.conv` of a Dask array, the adjoint of `conv_transpose` with the same keywords, computed block by block.

        x[n, i, c] = sum of y[n, o, c * stride - low + t * dilation] * w[i, o, t]

    Args:
        y: (N, Cout, *fine), or (Cout, *fine): a Dask array, or a DataArray of xarray.
        w: (Cin, Cout / groups, *kernel), of NumPy or Dask.
        bias: (Cin,), or None.
        chunks: of the axes of size of the result, as in `conv_transpose`.
        stride, padding, output_padding, output_size, groups, dilation, layout, method, dtype, activation: as in
            `tconv.conv`.
        residual: as in `conv_transpose`.

    Returns:
        A Dask array of shape (N, Cin, *coarse), or a DataArray; errors and coordinates are as in `conv_transpose`.

    >>> import dask.array as da, numpy as np, tconv.dask
    >>> y = da.ones((1, 1000, 1000), chunks=(1, 300, 300), dtype="float32")
    >>> x = tconv.dask.conv(y, np.ones((2, 1, 3, 3), "float32"), stride=2, chunks=128)
    >>> x.shape, x.chunks[2]
    ((2, 499, 499), (128, 128, 128, 115))
    >>> x[0, 250, 7].compute()
    np.float32(9.0)
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return _computed("conv", {"y": y, "w": w}, None, bias, window, layout, method, dtype, chunks, activation, residual)


def weight_gradient(
    x: Any,
    y: Any,
    kernel_size: Ints,
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    output_padding: Ints | None = None,
    output_size: Ints | None = None,
    groups: int = 1,
    dilation: Ints = 1,
    layout: Layout = "channels_first",
    method: str = "auto",
    dtype: Any = None,
) -> Any:
    """`tconv.weight_gradient` of Dask arrays: the gradients of all blocks of x, added up as a tree.

        dw[i, o, t] = sum of x[n, i, c] * y[n, o, c * stride - low + t * dilation]

    Args:
        x: (N, Cin, *coarse), or (Cin, *coarse): a Dask array; its chunks are what tasks work on.
        y: (N, Cout, *fine), or (Cout, *fine): a Dask array in any chunks.
        kernel_size: an integer of at least 1, or one for each axis (needed where x has no batch axis).
        stride, padding, output_padding, output_size, groups, dilation, layout, method, dtype: as in
            `tconv.weight_gradient`.

    Returns:
        A Dask array of shape (Cin, Cout / groups, *kernel), in one chunk. Sums of float16 and bfloat16 are made in
        float32 and rounded once.

    >>> import dask.array as da, numpy as np, tconv.dask
    >>> x = da.ones((1, 500, 500), chunks=(1, 125, 125))
    >>> y = da.ones((1, 1000, 1000), chunks=(1, 250, 250))
    >>> tconv.dask.weight_gradient(x, y, (2, 2), stride=2).compute()
    array([[[[250000., 250000.],
             [250000., 250000.]]]])
    """
    window = (stride, padding, output_padding, output_size, groups, dilation)
    return _computed("weight_gradient", {"x": x, "y": y}, kernel_size, None, window, layout, method, dtype, None)


def _computed(
    operation: Any, operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...],
    layout: Any, method: Any, dtype: Any, chunks: Any, activation: Any = None, residual: Any = None,
) -> Any:  # fmt: skip
    """The result, a Dask array or a DataArray, once the operands are of the dtype that is asked for."""
    library = library_of(*operands.values(), bias)
    if library.name not in ("Dask", "xarray"):
        with checks.explained(operation):
            _refuse({**operands, "bias": bias}, library)
    if dtype is not None:
        operands, bias = widened(operation, operands, bias, None, dtype)
    compute = calls.compute if library.name == "Dask" else labelled.compute
    asked = {"activation": activation, "residual": residual}
    finishing = {} if activation is None and residual is None else asked
    return compute(operation, operands, kernel_size, bias, window, layout, method, None, chunks, **finishing)


def _refuse(operands: dict[str, Any], library: Library) -> NoReturn:
    """Say which array is of a library whose arrays are computed elsewhere, or that none is of Dask."""
    first, *_ = operands
    name, value = next((n, v) for n, v in operands.items() if library_of(v) is library)
    must, made = f"{name} must be an array of NumPy or Dask", ""
    if name == first:
        must = f"{name} must be a Dask array, or an xarray.DataArray"
        made = f"; dask.array.from_array({name}, chunks=...) is one" if hasattr(value, "__array__") else ""
        made = words.array(name, value) if hasattr(value, "data_vars") else made
    checks.wrong_type(f"{must}; got {checks.shorten(value)} of type {type(value).__name__}{made}")
