"""TensorFlow Lite: TRANSPOSE_CONV, two axes, whose result is told its size.

With L the size said, "SAME" cuts max((n - 1) s + k - L, 0), half of it in front and the odd cell at the end; "VALID"
cuts nothing in front. L is one of the sizes that a convolution with that padding maps back to n: for "SAME" from
(n - 1) s + 1 to n s, for "VALID" from (n - 1) s + k to n s + k - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying, end_notes
from tconv.conventions.ends import Pairs, cuts, difference
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry

_SPREAD = "TRANSPOSE_CONV has no dilation: the kernel is written out with zeros."
_DENSE = "TRANSPOSE_CONV has no groups: the kernel is dense, with zeros between the {g} groups."
_SIZE = "output_shape is for coarse size {coarse}; in the code it follows x."


class TfLite(Dialect):
    """The options of TRANSPOSE_CONV and its output_shape, (height, width) or (N, height, width, channels)."""

    name = "tflite"
    title = "TFLite"
    other_lengths = ("output_shape",)
    channels = "channels_last"
    known = ("padding", "stride_h", "stride_w", "output_shape")
    words: ClassVar[Mapping[str, str]] = {"stride": "stride_h", "padding": "padding", "output_size": "output_shape"}

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(Cout, *kernel, Cin)."""
        return WeightLayout("O*I", grouping="dense")

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        if word == "padding" and isinstance(value, str):
            return {"padding": value.upper()}
        if word == "stride":
            height, width = checks.per_axis("stride", value, 2, 1)
            return {"stride_h": height, "stride_w": width}
        return super()._spelt(word, value)

    def _geometry(self, given: Given) -> Geometry:
        if given.ndim != 2:
            checks.wrong(f"kernel must have 2 axes, which TRANSPOSE_CONV has; got {given.ndim}")
        word = given.choice("padding", ("SAME", "VALID"), "SAME")
        strides = (given.count("stride_h") or 1, given.count("stride_w") or 1)
        if "output_shape" not in given:
            checks.wrong("output_shape must be given: TRANSPOSE_CONV is told the size of its result; got none")
        sizes = _height_and_width(given["output_shape"])
        rows = zip(given.known_coarse("output_shape"), given.kernel, strides, sizes, strict=True)
        pairs = [_cut(word, n, k, s, length) for n, k, s, length in rows]
        return given.geometry(strides, pairs, (0, 0), (1, 1))

    def _write(self, layer: Layer) -> Saying:
        g = layer.geometry
        if g.ndim != 2:
            checks.wrong(f"geometry must have 2 axes, which TRANSPOSE_CONV has; got {g.ndim}")
        kernel = tuple(axis.effective_kernel for axis in g.axes)
        spread = g.dilation if kernel != g.kernel else None
        word, sizes, said = _nearest(g, kernel)
        crop, pad = difference(said, cuts(g))
        stride_h, stride_w = g.stride
        parameters = {"padding": word, "stride_h": stride_h, "stride_w": stride_w, "output_shape": sizes}
        notes = end_notes(self.title, 'it knows "SAME" and "VALID" only', crop, pad, layer.bias)
        notes += [_SPREAD] if spread else []
        notes += [_DENSE.format(g=layer.groups)] if layer.groups > 1 else []
        notes += [_SIZE.format(coarse="x".join(map(str, g.coarse)))]
        lines = _lines(layer, parameters, crop, pad, spread)
        return Saying(self.name, parameters, kernel, crop, pad, tuple(notes), lines)


def _height_and_width(value: Any) -> tuple[int, ...]:
    if checks.is_sequence(value) and len(value) == 4:
        value = value[1:3]
    return checks.per_axis("output_shape", value, 2, 1)


def _sizes(word: str, coarse: int, kernel: int, stride: int) -> range:
    """The sizes that a convolution with this padding maps to `coarse`."""
    first = (coarse - 1) * stride + (1 if word == "SAME" else kernel)
    return range(first, first + stride)


def _cut(word: str, coarse: int, kernel: int, stride: int, size: int) -> tuple[int, int]:
    sizes = _sizes(word, coarse, kernel, stride)
    if size not in sizes:
        allowed = (
            f"one of {checks.some_of(sizes)} with {word}, kernel {kernel}, stride {stride} and coarse size {coarse}"
        )
        checks.wrong(f"output_shape must be {allowed}; got {size}")
    total = (coarse - 1) * stride + kernel - size
    low = max(total, 0) // 2 if word == "SAME" else 0
    return (low, total - low)


def _nearest(g: Geometry, kernel: tuple[int, ...]) -> tuple[str, tuple[int, ...], Pairs]:
    wanted = cuts(g)
    rows = list(zip(g.coarse, kernel, g.stride, g.fine, strict=True))
    for word in ("VALID", "SAME"):
        if all(length in _sizes(word, n, k, s) for n, k, s, length in rows):
            said = tuple(_cut(word, n, k, s, length) for n, k, s, length in rows)
            if said == wanted:
                return word, g.fine, said
    full = tuple((n - 1) * s + k for n, k, s, _ in rows)
    return "VALID", full, ((0, 0), (0, 0))


def _lines(layer: Layer, parameters: dict[str, Any], crop: Pairs, pad: Pairs, spread: tuple[int, ...] | None) -> str:
    """TensorFlow's own call: its converter writes it as TRANSPOSE_CONV, and moves the kernel's axes."""
    g, sizes = layer.geometry, parameters["output_shape"]
    beyond = [size - (n - 1) * s for size, n, s in zip(sizes, g.coarse, g.stride, strict=True)]
    shape = ", ".join(
        f"(x.shape[{i + 1}] - 1) * {s} + {r}" for i, (s, r) in enumerate(zip(g.stride, beyond, strict=True))
    )
    weights = from_tconv_lines(TfLite().layout(parameters), layer.groups, spread, 2)
    word = code.literal(parameters["padding"])
    call = f"tf.nn.conv2d_transpose(x, kernel.transpose(1, 2, 0, 3), shape, {g.stride}, {word})"
    after = [
        *code.padded(pad, "tf.pad", "channels_last"),
        *code.cropped(crop, "channels_last"),
        *(["y = y + b"] if layer.bias else []),
    ]
    build = [
        "# x and y: (N, height, width, channels); the converter writes the call as TRANSPOSE_CONV",
        *weights,
        "def layer(x):",
        f"    shape = (x.shape[0], {shape}, kernel.shape[0])",
        f"    y = {call}",
        *(f"    {line}" for line in after),
        "    return y",
        "y = layer(x)",
    ]
    head = ["import numpy as np"] if any("np." in line for line in weights) else []
    return code.joined([*head, "import tensorflow as tf", ""], build)
