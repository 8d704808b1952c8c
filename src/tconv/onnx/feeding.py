"""What a model is run on where nothing is given: arrays of its inputs' types and shapes, the same every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, helper

from tconv import checks
from tconv.onnx.given import with_shapes

Array = NDArray[Any]
#: Stands in for sizes that a model leaves open; an open batch is 1.
OPEN_SIZE = 64


def feeds_for(
    model: ModelProto, feeds: Mapping[str, Array] | None, shapes: Mapping[str, Sequence[int]] | None
) -> dict[str, Array]:
    """An array for each input of the model: those given, and drawn ones for the rest. Raises `checks.Rejected`."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    sized = with_shapes(model, shapes)
    inputs = {value.name: value for value in sized.graph.input if value.name not in defaults}
    given = {} if feeds is None else feeds
    if not isinstance(given, Mapping):
        checks.wrong_type(f"feeds must map names of inputs to arrays; got {checks.shorten(feeds)}")
    for name, array in given.items():
        if name not in inputs:
            checks.wrong(f"feeds must name inputs of the model, which are {checks.words(list(inputs))}; got {name!r}")
        if not isinstance(array, np.ndarray):
            checks.wrong_type(f"feeds[{name!r}] must be a NumPy array; got {checks.shorten(array)}")
    rng = np.random.default_rng(0)
    return {name: given[name] if name in given else _drawn(value, rng) for name, value in inputs.items()}


def _drawn(value: ValueInfoProto, rng: np.random.Generator) -> Array:
    """Normally distributed numbers where the type has fractions, else zeros and ones."""
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        checks.wrong(f"feeds must hold input {value.name!r}, for which nothing can be drawn: its shape is not known")
    shape = tuple(
        size.dim_value if size.HasField("dim_value") else OPEN_SIZE if place else 1
        for place, size in enumerate(kind.shape.dim)
    )
    checks.shape(f"the shape of input {value.name!r}", shape)
    checks.fits_memory(f"input {value.name!r}", 8 * prod(shape))
    try:
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    except (KeyError, TypeError):
        dtype = np.dtype(object)
    if dtype.kind not in "fbiu":
        checks.wrong(f"feeds must hold input {value.name!r}, for which nothing can be drawn: it is of another type")
    return (rng.normal(size=shape) if dtype.kind == "f" else rng.integers(0, 2, shape)).astype(dtype)
