"""Operands in the dtype that the result is asked for in: narrow integers whose sums are not to wrap, and others.

To add up int8 in int32 without loss, int8 is computed as int32. That holds for the arrays of every library alike.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tconv import arrays, checks
from tconv.libraries import NUMPY, library_of

Operands = dict[str, Any]


def widened(operation: str, operands: Operands, bias: Any, out: Any, dtype: Any) -> tuple[Operands, Any]:
    """The operands and the bias in the dtype that is asked for, by name or by an `out` for sums of integers."""
    with checks.explained(operation):
        wanted = _of_out(operands, bias, out) if dtype is None else _name("dtype", dtype)
        if wanted is None:
            return operands, bias
        return {name: _cast(name, value, wanted) for name, value in operands.items()}, _cast("bias", bias, wanted)


def _name(name: str, dtype: Any) -> str:
    """The name of a dtype of any library; raises for what is none that tconv computes."""
    return arrays.dtype_name(name, arrays.name_of(dtype) if type(dtype).__module__ == "torch" else dtype)


def _of_out(operands: Operands, bias: Any, out: Any) -> str | None:
    """The dtype of `out` where it holds sums of the integers of all operands; None: they are as they are."""
    names = [_integer(value) for value in (*operands.values(), *(() if bias is None else (bias,)), out)]
    if None in names or len(set(names)) == 1:
        return None
    return names[-1]


def _integer(value: Any) -> str | None:
    """The name of the dtype of an array of integers."""
    name = _own(value)
    return name if name is not None and name.startswith(("int", "uint")) and name in arrays.DTYPES else None


def _own(value: Any) -> str | None:
    """The name of the dtype of an array of any library."""
    return arrays.name_of(value.dtype) if hasattr(value, "dtype") and hasattr(value, "shape") else None


def _cast(name: str, value: Any, wanted: str) -> Any:
    own = _own(value)
    if own is None or own == wanted or own not in arrays.DTYPES:
        return value  # what is no array of ours is said where arrays are checked
    if not _fits(own, wanted):
        checks.wrong_type(f"{name} must have a dtype whose values {wanted} holds; got {own}")
    library = library_of(value)
    if library is NUMPY:
        arrays.array(name, value)  # a mask would be lost
        return np.asarray(value, wanted)
    if library.name == "JAX":
        from jax.dtypes import canonicalize_dtype

        if canonicalize_dtype(wanted) != wanted:
            checks.wrong_type(f'dtype must be one that JAX keeps; {wanted} needs jax.config "jax_enable_x64"')
        return value.astype(wanted)
    if library.name in ("Dask", "xarray"):
        return value.astype(wanted)
    return value.to(_of_torch(wanted))


def _fits(own: str, wanted: str) -> bool:
    """Whether every value of one dtype is one of another."""
    try:
        return bool(np.can_cast(np.dtype(own), np.dtype(wanted), "safe"))
    except TypeError:  # bfloat16, of which NumPy knows once ml_dtypes is imported
        floats = own == "bfloat16" and wanted in ("float32", "float64", "complex64", "complex128")
        return floats or (own in ("int8", "uint8") and wanted == "bfloat16")


def _of_torch(name: str) -> Any:
    return getattr(sys.modules["torch"], name)
