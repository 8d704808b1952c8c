"""Models from files and into files, with care: what a stranger's model refers to, and what a crash leaves behind.

A model is read whole, with the external files that hold its weights, and only if they lie in the model's own folder.
It is written whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # onnx brings it, without types
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from tconv import checks
from tconv.onnx import tensors
from tconv.onnx.wellformed import check_model, node_tensors, subgraphs
from tconv.placing import check_file, write

#: What protobuf can hold in one piece.
LARGEST = 2**31 - 1


def load(path: str | os.PathLike[str]) -> ModelProto:
    """The model in a file, with its external weights read into it, checked to be complete and in order.

    OSError where the file cannot be read. ValueError where it holds no model, a truncated one, or one that refers to
    files outside of its folder (symbolic links count as what they lead to), to weights that are not there, or to values
    in a cycle; MemoryError where its weights would not fit into memory. Nothing is written.
    """
    with checks.explained("onnx.load", lambda: checks.echo(path=str(path))):
        return read_model(Path(path))


def read_model(file: Path) -> ModelProto:
    """A model from a file, its weights included, as `load` reads it; raises `checks.Rejected`."""
    model = _parsed(file)
    _read_external(model, file.parent)
    check_model(model)
    return model


def save(model: ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model, its weights included, to one file: whole, or not at all.

    OSError where it cannot be written, ValueError where it is larger than the 2 GiB that one such file can hold.
    """
    with checks.explained("onnx.save", lambda: checks.echo(path=str(path))):
        if any(tensors.is_external(tensor) for tensor in all_tensors(model)):
            checks.wrong("model must hold its weights itself; some are in external files: read it with tconv.onnx.load")
        weights = sum(len(tensor.raw_data) for tensor in all_tensors(model))
        if weights > LARGEST:
            checks.wrong(f"model must have at most 2 GiB of weights; it has {checks.memory(weights)}")
        content = model.SerializeToString()
    write(Path(path), content)


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: initializers and attributes, of the graph, its subgraphs and the functions."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _nodes_tensors(list(function.node))


def _graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _nodes_tensors(list(graph.node))


def _nodes_tensors(nodes: list[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        yield from node_tensors(node)
        for _, graph in subgraphs(node):
            yield from _graph_tensors(graph)


def _parsed(file: Path) -> ModelProto:
    check_file(file)
    size = file.stat().st_size
    if size > LARGEST:
        checks.wrong(f"the file must have at most 2 GiB, all that protobuf reads; it has {checks.memory(size)}")
    model = ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError:
        checks.wrong("the file must hold a whole ONNX model; it is truncated, or holds something else")
    return model


def _read_external(model: ModelProto, folder: Path) -> None:
    external = [tensor for tensor in all_tensors(model) if tensors.is_external(tensor)]
    checks.fits_memory("the model's external weights", sum(map(tensors.byte_count, external)))
    places = [_place(tensor, folder) for tensor in external]  # all are checked before the first is read
    for tensor, (file, offset, length) in zip(external, places, strict=True):
        with file.open("rb") as opened:
            opened.seek(offset)
            tensor.raw_data = opened.read(length)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _place(tensor: TensorProto, folder: Path) -> tuple[Path, int, int]:
    """Where the elements are: a file in the model's folder, that holds as many bytes as the tensor has."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    what, location = f"the external data of tensor {tensor.name!r}", entries.get("location", "")
    inside = folder.resolve()
    file = _resolved(inside, location)
    if not location or file is None or not file.is_relative_to(inside):
        checks.wrong(f"{what} must be a file in the model's folder; got location {checks.shorten(location)}")
    if not file.is_file():
        checks.wrong(f"{what} must be a file in the model's folder; there is no file {checks.shorten(location)}")
    wanted = tensors.byte_count(tensor)
    offset, length = (
        _count(what, key, entries.get(key), default) for key, default in (("offset", 0), ("length", wanted))
    )
    if length != wanted:
        kind, dims = tensors.type_name(tensor), checks.shorten(list(tensor.dims))
        checks.wrong(f"{what} must have length {wanted}, as its type {kind} and dimensions {dims} say; got {length}")
    if offset + length > file.stat().st_size:
        checks.wrong(
            f"{what} must lie within its file {location!r} of {file.stat().st_size} bytes; got offset {offset} and "
            f"length {length}: the file is truncated, or another one"
        )
    return file, offset, length


def _resolved(folder: Path, location: str) -> Path | None:
    """What a location leads to; None where the system knows no such path."""
    try:
        return (folder / location).resolve()
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
        return None


def _count(what: str, key: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        checks.wrong(f"{what} must have as {key} an integer of at least 0; got {checks.shorten(text)}")
    return int(text)
