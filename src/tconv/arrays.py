"""Checks of arrays themselves: their type, dtype and shape, and whether a result may be written into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tconv import checks
from tconv.hints import shapes, words

#: The allowed dtypes, and the one each is computed in: float16 and bfloat16 in float32, then rounded once; integers
#: wrap as NumPy's do; complex numbers are multiplied as they are, never conjugated. NumPy knows bfloat16 once ml_dtypes
#: is imported, which whoever has such arrays has done.
DTYPES = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "float64": "float64",
    "complex64": "complex64",
    "complex128": "complex128",
    **{name: name for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
}
_NAMES = {
    dtype: name for name in DTYPES if name != "bfloat16" for dtype in (np.dtype(name), np.dtype(name).newbyteorder("S"))
}


def dtype_name(name: str, dtype: Any) -> str:
    """The name of an allowed dtype, whatever its byte order."""
    if isinstance(dtype, str) and dtype == "bfloat16":  # a name that NumPy may not know yet
        return dtype
    try:
        known = _known(np.dtype(dtype))
    except TypeError:
        known = None
    if known is None:
        shown = str(dtype) if isinstance(dtype, np.dtype) else checks.shorten(dtype)
        hint = words.dtype(shown, tuple(DTYPES))
        checks.wrong_type(f"{name} must be one of {', '.join(DTYPES)}; got {shown}{hint}")
    return known


def name_of(dtype: Any) -> str:
    """The name of a dtype of any library."""
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def _known(dtype: np.dtype[Any]) -> str | None:
    """The name of an allowed dtype; None for another."""
    # The name of a dtype is slow to ask for.
    return _NAMES.get(dtype) or ("bfloat16" if dtype.name == "bfloat16" else None)


def array(name: str, value: object) -> None:
    """A NumPy array: no mask, which would be lost, and no np.matrix, which cannot have more axes."""
    if type(value) is np.ndarray:  # most are; to ask for masks imports numpy.ma, which takes 5 ms
        return
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray | np.matrix):
        kind = type(value).__name__
        hint = words.array(name, value)
        checks.wrong_type(f"{name} must be a NumPy array; got {checks.shorten(value)} of type {kind}{hint}")


def same_dtype(name: str, value: Any, other: str, dtype: str) -> None:
    """An array of the dtype that another argument has."""
    array(name, value)
    if _known(value.dtype) != dtype:
        hint = words.cast(name, str(value.dtype), other, dtype)
        checks.wrong_type(f"{name} must have the dtype of {other}, {dtype}; got {value.dtype}{hint}")


def exact_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """An array of exactly this shape."""
    if value.shape != shape:
        checks.wrong(f"{name} must have shape {shape}; got {value.shape}")


def trailing_shape(name: str, shape: tuple[int, ...], what: str, expected: tuple[int, ...]) -> None:
    """The last axes of an array have the expected sizes."""
    if shape[max(0, len(shape) - len(expected)) :] != expected:
        hint = shapes.trailing(name, shape, expected)
        checks.wrong(f"{name} must have a shape that ends in the {what} size {expected}; got {shape}{hint}")


def output(out: Any, shape: tuple[int, ...], dtype: str, others: Mapping[str, Any]) -> None:
    """An array that a result of this shape and dtype can be written into while the others are read."""
    array("out", out)
    exact_shape("out", out, shape)
    if out.dtype != np.dtype(dtype):
        checks.wrong_type(f"out must have dtype {dtype}, in native byte order; got {out.dtype}")
    if not out.flags.writeable:
        checks.wrong("out must be writeable; got a read-only array")
    if _overlaps_itself(out):
        checks.wrong(f"out must hold each element once; got strides {out.strides} for shape {out.shape}")
    for name, other in others.items():
        if other is not None and share_memory(out, other):
            checks.wrong(f"out must share no memory with {name}; got arrays that overlap")


def _overlaps_itself(a: Any) -> bool:
    """Whether two elements may share memory: certain where an axis steps over all that smaller steps reach."""
    if a.size == 0:
        return False
    reach = a.itemsize
    for step, size in sorted((abs(step), size) for step, size in zip(a.strides, a.shape, strict=True) if size > 1):
        if step < reach:
            return True
        reach += step * (size - 1)
    return False


def share_memory(a: Any, b: Any) -> bool:
    """Whether two arrays of NumPy have an element in common, or may have where that is hard to tell."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]  # any limit is allowed
    except np.exceptions.TooHardError:  # intricate strides: refuse rather than search for long
        return True


def summary(value: Any) -> str:
    """An array, of any library, by dtype and shape, anything else by its repr."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {value.shape}"
    return checks.shorten(value)
