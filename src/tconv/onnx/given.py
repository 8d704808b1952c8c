"""The model that a public call is given, as a path or in memory, checked before anything else looks at it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from tconv import checks
from tconv.onnx.files import read_model
from tconv.onnx.wellformed import check_model


def given_model(model: ModelProto | str | os.PathLike[str]) -> ModelProto:
    """The model itself, or the one in a file; raises `checks.Rejected` or OSError."""
    if isinstance(model, str | os.PathLike):
        return read_model(Path(model))
    if not isinstance(model, ModelProto):
        checks.wrong_type(f"model must be a path or an onnx.ModelProto; got {checks.shorten(model)}")
    check_model(model)
    return model


def with_shapes(model: ModelProto, shapes: Mapping[str, Sequence[int]] | None) -> ModelProto:
    """A copy in which the inputs have these shapes; the model itself where there are none."""
    if shapes is None:
        return model
    if not isinstance(shapes, Mapping):
        checks.wrong_type(f"shapes must map names of inputs to shapes; got {checks.shorten(shapes)}")
    sized = ModelProto()
    sized.CopyFrom(model)
    inputs = {value.name: value for value in sized.graph.input}
    for name, shape in shapes.items():
        if name not in inputs:
            checks.wrong(f"shapes must name inputs of the model, which are {checks.words(list(inputs))}; got {name!r}")
        _set(inputs[name], name, checks.shape(f"shapes[{name!r}]", shape))
    del sized.graph.value_info[:]  # what was inferred for open sizes would be in the way
    for value in sized.graph.output:
        value.type.tensor_type.ClearField("shape")
    return sized


def _set(value: object, name: str, shape: tuple[int, ...]) -> None:
    """Give an input a shape that agrees with what the model says of it."""
    kind = value.type.tensor_type  # type: ignore[attr-defined]  # protobuf's classes are made when they are imported
    said = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
    fits = not kind.HasField("shape") or (
        len(said) == len(shape) and all(s in (None, size) for s, size in zip(said, shape, strict=True))
    )
    if not fits:
        allowed = ", ".join("any" if size is None else str(size) for size in said)
        checks.wrong(f"shapes[{name!r}] must be a shape ({allowed}), as the model says; got {shape}")
    kind.ClearField("shape")
    for size in shape:
        kind.shape.dim.add(dim_value=size)
