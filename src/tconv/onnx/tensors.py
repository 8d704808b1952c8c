"""Tensors inside a model: how many bytes they must have, checked before anything of their size is allocated."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from tconv import checks

_WIDTHS = {
    64: "INT64 UINT64 DOUBLE COMPLEX64",
    32: "FLOAT INT32 UINT32",
    16: "FLOAT16 BFLOAT16 INT16 UINT16",
    8: "INT8 UINT8 BOOL FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ FLOAT8E8M0",
    4: "INT4 UINT4 FLOAT4E2M1",
    2: "INT2 UINT2",
    128: "COMPLEX128",
}
#: Bits of an element, by the name of its type; types of later standards are not known, and not looked into.
_BITS = {name: bits for bits, names in _WIDTHS.items() for name in names.split()}
#: The field that holds the elements of a type where they are no raw bytes.
_FIELDS = {
    "FLOAT": "float_data",
    "COMPLEX64": "float_data",
    "DOUBLE": "double_data",
    "COMPLEX128": "double_data",
    "INT64": "int64_data",
    "UINT32": "uint64_data",
    "UINT64": "uint64_data",
    "STRING": "string_data",
}


def type_name(tensor: TensorProto) -> str:
    """The name of an element's type, such as FLOAT."""
    known = tensor.data_type in TensorProto.DataType.values()
    return TensorProto.DataType.Name(tensor.data_type) if known else f"type {tensor.data_type}"


def is_external(tensor: TensorProto) -> bool:
    """Whether the elements are in a file of their own."""
    return tensor.data_location == TensorProto.EXTERNAL


def byte_count(tensor: TensorProto) -> int:
    """The bytes that a tensor of this shape and type has; raises where no array could have such a shape."""
    name = f"the dimensions of tensor {tensor.name!r}"
    for size in tensor.dims:
        if size < 0:
            checks.wrong(f"{name} must be at least 0; got {list(tensor.dims)}")
    size = -(-_count(tensor) * _BITS.get(type_name(tensor), 8) // 8)
    if size > checks.INDEX_MAX:
        checks.wrong(f"{name} must make a size below 2**63 bytes; got {checks.shorten(list(tensor.dims))}")
    return size


def check(tensor: TensorProto) -> None:
    """The elements that a tensor holds are as many as its dimensions say."""
    size, kind = byte_count(tensor), type_name(tensor)
    if is_external(tensor) or (kind not in _BITS and kind != "STRING"):
        return
    if tensor.HasField("raw_data"):
        held, wanted = len(tensor.raw_data), size
    else:
        held, wanted = len(getattr(tensor, _FIELDS.get(kind, "int32_data"))), _entries(tensor, kind)
    if held != wanted:
        what = "bytes" if tensor.HasField("raw_data") else "entries"
        checks.wrong(
            f"tensor {tensor.name!r} must hold {wanted} {what}, as its type {kind} and dimensions "
            f"{checks.shorten(list(tensor.dims))} say; it holds {held}"
        )


def _entries(tensor: TensorProto, kind: str) -> int:
    """Entries of the typed field: complex numbers take two, small types share one as they share a byte."""
    count, bits = _count(tensor), _BITS.get(kind, 8)
    if kind.startswith("COMPLEX"):
        return 2 * count
    return -(-count * bits // 8) if bits < 8 else count


def is_floating(tensor: TensorProto) -> bool:
    """Whether convolutions of every runtime take such elements."""
    return tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)


def _count(tensor: TensorProto) -> int:
    return prod(int(size) for size in tensor.dims)


def values(tensor: TensorProto) -> NDArray[Any]:
    """The elements as an array; the tensor is one that `check` has passed."""
    return np.asarray(numpy_helper.to_array(tensor))


def from_values(array: NDArray[Any], name: str) -> TensorProto:
    """An array as a tensor."""
    return numpy_helper.from_array(np.ascontiguousarray(array), name)
