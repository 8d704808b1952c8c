"""What the transposed convolutions of a model are: geometry, cost, coverage, and where runtimes disagree."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import ModelProto, TensorProto

from tconv import checks
from tconv.conventions import Layer
from tconv.conventions.onnx import OPEN_SIZES
from tconv.geometry import joined, padding_text
from tconv.onnx import counts
from tconv.onnx.functions import inlined
from tconv.onnx.given import given_model, with_shapes
from tconv.onnx.graphs import Dims, inferred, opset
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.possible import sizes_of
from tconv.onnx.tensors import type_name
from tconv.solving.solutions import Solution
from tconv.tables import aligned, printable


@dataclass(frozen=True, slots=True)
class Inspected:
    """One ConvTranspose of a model."""

    name: str  #: of its node, or of its result where the node has none
    place: str  #: "" in the model's graph; else the node and the attribute whose graph it is in
    layer: Layer | None  #: None where it cannot be known; `problem` then says why
    x: Dims  #: the shape of its input, None for sizes that are known only when the model runs
    y: Dims  #: the shape of its result, likewise
    weights: str  #: the type of the constant weights, such as FLOAT, or why they are not constant
    is_constant: bool
    flops: int | None  #: of one run, exact: taps that land inside the result; None where sizes are not known
    counter_flops: int | None  #: as counters such as PyTorch's FlopCounterMode say: every tap of every cell
    share: float | None  #: of the model's operations, between 0 and 1
    coverage: str
    disagreements: tuple[str, ...]  #: sentences: which runtimes compute something else, and what
    problem: str  #: why there is no layer; "" where there is one

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        geometry = None if self.layer is None else self.layer.geometry
        return {
            "name": self.name,
            "place": self.place,
            "x": self.x,
            "y": self.y,
            "in_channels": None if self.layer is None else self.layer.in_channels,
            "out_channels": None if self.layer is None else self.layer.out_channels,
            "groups": None if self.layer is None else self.layer.groups,
            "bias": None if self.layer is None else self.layer.bias,
            "kernel": None if geometry is None else geometry.kernel,
            **dict.fromkeys(("stride", "padding", "output_padding", "dilation")),
            **({} if geometry is None else geometry.keywords),
            "weights": self.weights,
            "constant_weights": self.is_constant,
            "flops": self.flops,
            "counter_flops": self.counter_flops,
            "share": self.share,
            "coverage": self.coverage,
            "disagreements": self.disagreements,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Inspection(Sequence[Inspected]):
    """The ConvTranspose nodes of a model, in the order in which they run; prints as a table."""

    layers: tuple[Inspected, ...]
    flops: int | None  #: of the model: its Conv, ConvTranspose, Gemm and MatMul; None where sizes are not known
    counter_flops: int | None  #: the same as counters count them
    unknown: int  #: how many of these have sizes that are not known
    opset: int
    impossible: str  #: where in the model sizes do not fit, in a sentence; "" where they do

    def __getitem__(self, index: Any) -> Any:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "opset": self.opset,
            "flops": self.flops,
            "counter_flops": self.counter_flops,
            "impossible": self.impossible,
            "nodes_of_unknown_size": self.unknown,
            "layers": [layer.as_dict() for layer in self.layers],
        }

    @property
    def heading(self) -> str:
        """How many transposed convolutions the model has, and their share of its flops."""
        number = checks.count(len(self.layers), "transposed convolution")
        shares = [layer.share for layer in self.layers]
        known = [share for share in shares if share is not None]
        if not self.layers or len(known) < len(shares):
            sizes = "" if not self.unknown else f"; the sizes of {checks.count(self.unknown, 'node')} are not known"
            return f"{number}{sizes}"
        return f"{number}, {sum(known):.1%} of the model's flops"

    @property
    def footnote(self) -> str:
        """The flops of the transposed convolutions in both ways of counting; "" where they are not known."""
        exact = [layer.flops for layer in self.layers if layer.flops is not None]
        counted = [layer.counter_flops for layer in self.layers if layer.counter_flops is not None]
        if not exact or len(exact) < len(self.layers):
            return ""
        if sum(exact) == sum(counted):
            return f"{sum(exact):,} flops: every tap of every cell lands in the result"
        return (
            f"{sum(exact):,} flops, of taps that land in the result; counters, which take every tap of every cell, say "
            f"{sum(counted):,}"
        )

    @property
    def remarks(self) -> list[tuple[str, str]]:
        """What a table has no room for: the name of a layer, and a sentence."""
        return [(printable(layer.name), text) for layer in self.layers for text in _remarks(layer)]

    def rows(self) -> list[list[str]]:
        """The cells of the table, a row a layer, as `COLUMNS` names them."""
        return [_row(layer) for layer in self.layers]

    def __str__(self) -> str:
        lines = [self.heading]
        if self.layers:
            lines += ["", *aligned(COLUMNS, self.rows(), right=NUMBERS), *filter(None, [self.footnote])]
        lines += [f"{name}: {text}" for name, text in self.remarks]
        return "\n".join([*lines, *filter(None, [self.impossible])])


COLUMNS = ("layer", "coarse -> fine", "channels", "kernel", "stride", "padding", "flops", "share", "coverage")
NUMBERS = ("flops", "share")


def inspect(
    model: ModelProto | str | os.PathLike[str], *, shapes: Mapping[str, Sequence[int]] | None = None
) -> Inspection:
    """Every ConvTranspose of a model: in its graph, in the graphs of If, Loop and Scan, and in its functions.

    `model` is a path or an onnx.ModelProto, which is not changed. Weights may be initializers or Constant nodes, or be
    computed while the model runs. `shapes` gives the shapes of inputs whose sizes are open: without sizes there is no
    count of operations, and the geometry is that of a nominal size.

    Geometry and disagreements are those of the ONNX dialect (`tconv.conventions`). A node that the specification does
    not allow is listed with its problem. ValueError and OSError as in `load`, ValueError for shapes that do not fit.

    >>> import numpy as np, onnx, tconv.onnx
    >>> from onnx import TensorProto, helper, numpy_helper
    >>> node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2, 2], pads=[1, 1, 1, 1])
    >>> x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, "H", "W"])
    >>> y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    >>> w = numpy_helper.from_array(np.ones((16, 8, 4, 4), np.float32), "w")
    >>> model = helper.make_model(helper.make_graph([node], "g", [x], [y], [w]))
    >>> print(tconv.onnx.inspect(model, shapes={"x": (1, 16, 32, 32)}))
    1 transposed convolution, 100.0% of the model's flops
    <BLANKLINE>
    layer  coarse -> fine  channels  kernel  stride  padding   flops   share  coverage
    up     32x32 -> 64x64  16 -> 8   4       2       1        4.1 M  100.0%  even
    4,064,256 flops, of taps that land in the result; counters, which take every tap of every cell, say 4,194,304
    """
    with checks.explained("onnx.inspect"):
        read = given_model(model)
        sized = with_shapes(read, shapes)
        flat = inlined(sized)
        all_flat = inlined(flat, everything=True)
        known, impossible = sizes_of(all_flat)
        total = counts.total(all_flat, known)
        found = list(conv_transposes(all_flat, known))
        open_ones = found if sized is read else _as_they_are(read)
        layers = tuple(_inspected(each, total, own.is_open) for each, own in zip(found, open_ones, strict=True))
    too_small = (f"sizes are impossible at {each.name!r}: {each.problem}" for each in found if each.is_impossible)
    return Inspection(
        layers, total.flops, total.counter_flops, total.unknown, opset(read), impossible or next(too_small, "")
    )


def _as_they_are(model: ModelProto) -> list[ConvTransposeNode]:
    """The same nodes with the sizes that the model itself says, which is all that a runtime knows when it loads it."""
    flat = inlined(model, everything=True)
    return list(conv_transposes(flat, inferred(flat)))


def _inspected(found: ConvTransposeNode, total: counts.Total, is_open: bool) -> Inspected:
    flops = counts.flops(found.scope, found.node)
    is_constant = isinstance(found.weights, TensorProto)
    return Inspected(
        name=found.name,
        place=found.scope.place,
        layer=found.layer,
        x=found.x,
        y=_result(found),
        weights=type_name(found.weights) if isinstance(found.weights, TensorProto) else found.weights,
        is_constant=is_constant,
        flops=None if flops is None else flops.exact,
        counter_flops=None if flops is None else flops.counter,
        share=None if flops is None or not total.flops else flops.exact / total.flops,
        coverage="" if found.layer is None else Solution(found.layer.geometry).coverage,
        disagreements=tuple(note for note in found.notes if is_open or note != OPEN_SIZES),
        problem=found.problem,
    )


def _result(found: ConvTransposeNode) -> Dims:
    """The shape of the result, where that of x is known."""
    if found.layer is None or found.x is None:
        return found.scope.dims(found.node.output[0])
    coarse, fine = found.x[2:], found.layer.geometry.fine
    sizes = (None if known is None else size for known, size in zip(coarse, fine, strict=True))
    return (found.x[0], found.layer.out_channels, *sizes)


def _row(each: Inspected) -> list[str]:
    if each.layer is None:
        return [printable(each.name), *["?"] * (len(COLUMNS) - 2), ""]
    g, layer = each.layer.geometry, each.layer
    grouped = f", {layer.groups} groups" if layer.groups > 1 else ""
    padding = padding_text(g.padding) + (f" + {joined(g.output_padding)}" if any(g.output_padding) else "")
    return [
        printable(each.name),
        f"{_sizes(each.x, g.ndim)} -> {_sizes(each.y, g.ndim)}",
        f"{layer.in_channels} -> {layer.out_channels}{grouped}",
        joined(g.kernel) + (f", dilation {joined(g.dilation)}" if max(g.dilation) > 1 else ""),
        joined(g.stride),
        padding,
        "?" if each.flops is None else _short(each.flops),
        "?" if each.share is None else f"{each.share:.1%}",
        "even" if g.is_even else "uneven",
    ]


def _remarks(each: Inspected) -> list[str]:
    place = [f"in {each.place}"] if each.place else []
    problem = [f"cannot be read: {each.problem}"] if each.problem else []
    weights = [] if each.is_constant else [f"weights are not constant: {each.weights}"]
    coverage = [f"coverage: {each.coverage}"] if each.layer is not None and not each.layer.geometry.is_even else []
    return [*place, *problem, *weights, *coverage, *each.disagreements]


def _sizes(dims: Dims, ndim: int) -> str:
    sizes = (None,) * ndim if dims is None else dims[2:]
    return "x".join("?" if size is None else str(size) for size in sizes)


def _short(number: int) -> str:
    """A count with a letter for its thousands, as people say it: 4.1 M."""
    for letter, scale in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= scale:
            return f"{number / scale:.1f} {letter}"
    return str(number)
