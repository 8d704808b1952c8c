"""ONNX: the ConvTranspose operator, with explicit pads, with auto_pad, or with an output_shape.

pads are (low of every axis..., high of every axis...), none negative. auto_pad SAME_UPPER and SAME_LOWER make n s cells
and output_shape makes what it says; both cut

    total = (n - 1) s + eff + output_padding - L

in halves, the odd cell at the end for SAME_UPPER and in front for everything else. A negative total grows the end: so
do the runtimes where they keep to the size at all (see `disagreements`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying, end_notes
from tconv.conventions.ends import Pairs, cuts, difference, nearest_ends
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry
from tconv.sizes import effective_kernel

_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
_SHORT_SAME = (
    "auto_pad={pad} with a kernel that spans less than a stride: the specification says n * stride cells, which "
    "is what is meant here, zeros at the end; ONNX Runtime and OpenVINO leave the shorter result, "
    "and onnx.reference shifts it."
)
GROUPS = "onnx.reference fails for groups of more than one input or output channel; ONNX Runtime is right."
_OPENVINO = "OpenVINO ignores auto_pad=SAME_UPPER where output_shape is given, and puts the odd crop in front."
_REFUSED = "ONNX Runtime refuses a result that is longer by a stride or more than the kernel and the crop make it."
EXPLICIT_SHAPE = "onnx.reference fails for an output_shape that crops, unless auto_pad is SAME_UPPER or SAME_LOWER."
OPEN_SIZES = (
    "OpenVINO (2026.4) computes something else where the batch or a size of x is open: for auto_pad=SAME it does not "
    "crop, for output_shape it crops other cells; it is right where they are fixed, or where pads are written out."
)
#: What is a fault of one of them, and nothing that runtimes take to mean different things.
UNDISPUTED = (GROUPS, EXPLICIT_SHAPE, OPEN_SIZES)


class Onnx(Dialect):
    """The attributes of ConvTranspose; whether there is a bias is a matter of its inputs."""

    name = "onnx"
    title = "ONNX"
    other_lengths = ("pads", "output_shape")
    channels = "channels_first"
    known = (
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "output_padding",
        "output_shape",
        "pads",
        "strides",
    )
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_shape",
        "stride": "strides",
        "padding": "pads",
        "output_padding": "output_padding",
        "output_size": "output_shape",
        "groups": "group",
        "dilation": "dilations",
    }

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(Cin, Cout/groups, *kernel), which is tconv's."""
        return WeightLayout("IO*")

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        if word == "padding" and isinstance(value, str):
            return {"auto_pad": {"same": "SAME_UPPER", "valid": "VALID"}.get(value, value)}
        return super()._spelt(word, value)

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """All lows, then all highs."""
        return [low for low, _ in pairs] + [high for _, high in pairs]

    def disagreements(self, parameters: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
        """On SAME, on output_shape, on groups, and on results that grow by a stride or more."""
        g, auto_pad = layer.geometry, parameters.get("auto_pad") or "NOTSET"
        sized = parameters.get("output_shape") is not None
        notes = []
        short = any(axis.effective_kernel + axis.output_padding < axis.stride for axis in g.axes)
        if auto_pad.startswith("SAME") and not sized and short:
            notes.append(_SHORT_SAME.format(pad=auto_pad))
        if sized and auto_pad == "SAME_UPPER":
            notes.append(_OPENVINO)
        if sized and auto_pad in ("NOTSET", "VALID"):
            notes.append(EXPLICIT_SHAPE)
        if layer.groups > 1 and _several_channels(layer):
            notes.append(GROUPS)
        halved = sized and auto_pad.startswith("SAME")
        if (sized or auto_pad.startswith("SAME")) and any(_is_miscut(sum(pair), halved) for pair in g.padding):
            notes.append(OPEN_SIZES)
        added = zip(cuts(g), g.output_padding, g.stride, strict=True)
        if any(max(-high, a) >= s for (_, high), a, s in added):
            notes.append(_REFUSED)
        return tuple(notes)

    def _geometry(self, given: Given) -> Geometry:
        auto_pad = given.choice("auto_pad", _AUTO_PADS, "NOTSET")
        strides, dilation = given.ints("strides", 1, 1), given.ints("dilations", 1, 1)
        added = given.ints("output_padding", 0, 0)
        pads = self._pads(given)
        if auto_pad != "NOTSET" and "pads" in given:
            checks.wrong(f"pads must be left out with auto_pad={auto_pad}; got {checks.shorten(given['pads'])}")
        if "output_shape" in given and any(map(any, pads)):
            checks.wrong(
                f"pads must be left out with output_shape, for which ONNX ignores them; got pads {given['pads']} and "
                f"output_shape {given['output_shape']}"
            )
        eff = tuple(map(effective_kernel, given.kernel, dilation))
        if "output_shape" in given:
            coarse, shape = given.known_coarse("output_shape"), given.ints("output_shape", 0, 1)
            rows = zip(coarse, strides, eff, added, shape, strict=True)
            pads = [_split((n - 1) * s + e + a - length, auto_pad) for n, s, e, a, length in rows]
        elif auto_pad.startswith("SAME"):
            pads = [_split(e + a - s, auto_pad) for s, e, a in zip(strides, eff, added, strict=True)]
        return given.geometry(strides, pads, added, dilation)

    def _pads(self, given: Given) -> list[tuple[int, int]]:
        value, count = given.get("pads", 0), 2 * given.ndim
        if checks.is_sequence(value) and len(value) != count:
            allowed = f"an integer or a sequence of {count} integers, one an end of an axis, all lows first"
            checks.wrong(f"pads must be {allowed}; got {checks.shorten(value)}")
        entries = checks.per_axis("pads", value, count, 0)
        return list(zip(entries[: given.ndim], entries[given.ndim :], strict=True))

    def _write(self, layer: Layer) -> Saying:
        g = layer.geometry
        # Below the stride every runtime takes an output padding.
        ends = nearest_ends(g, tuple(s - 1 for s in g.stride))
        crop, pad = difference(tuple((low, high - a) for low, high, a in ends), cuts(g))
        parameters = {
            "auto_pad": "NOTSET",
            "dilations": g.dilation,
            "group": layer.groups,
            "kernel_shape": g.kernel,
            "output_padding": tuple(a for _, _, a in ends),
            "pads": (*(low for low, _, _ in ends), *(high for _, high, _ in ends)),
            "strides": g.stride,
        }
        reason = "no negative pads, and an output_padding below the stride"
        notes = end_notes(self.title, reason, crop, pad, layer.bias)
        notes += [GROUPS] if layer.groups > 1 and _several_channels(layer) else []
        return Saying(
            self.name, parameters, g.kernel, crop, pad, tuple(notes), _lines(self, layer, parameters, crop, pad)
        )


def _is_miscut(total: int, halved: bool) -> bool:
    """Whether OpenVINO crops so many cells wrongly where sizes are open; halved, it puts the odd one elsewhere."""
    return total > 0 and (not halved or total % 2 == 1)


def _several_channels(layer: Layer) -> bool:
    return not layer.in_channels == layer.out_channels == layer.groups


def _split(total: int, auto_pad: str) -> tuple[int, int]:
    if total < 0:
        return (0, total)
    return (total // 2, total - total // 2) if auto_pad == "SAME_UPPER" else (total - total // 2, total // 2)


def _lines(dialect: Onnx, layer: Layer, parameters: dict[str, Any], crop: Pairs, pad: Pairs) -> str:
    attributes = {name: list(v) if isinstance(v, tuple) else v for name, v in parameters.items() if name != "auto_pad"}
    ndim, padded = layer.geometry.ndim, any(map(any, pad))
    bias_inside = layer.bias and not padded
    steps = [("ConvTranspose", ["w", "b"] if bias_inside else ["w"], attributes)]
    arrays = {"w": "w", "b": "b"} if bias_inside else {"w": "w"}
    if padded:
        arrays["zeros"] = f"np.array({[0, 0, *(low for low, _ in pad), 0, 0, *(high for _, high in pad)]})"
        steps.append(("Pad", ["zeros"], {}))
    if any(map(any, crop)):
        arrays["first"] = f"np.array({[low for low, _ in crop]})"
        arrays["last"] = f"np.array({[-high or 2**31 for _, high in crop]})"
        arrays["axes"] = f"np.array({list(range(2, 2 + ndim))})"
        steps.append(("Slice", ["first", "last", "axes"], {}))
    if layer.bias and not bias_inside:
        arrays["b"] = f"b.reshape({', '.join(['-1'] + ['1'] * ndim)})"
        steps.append(("Add", ["b"], {}))
    head = ["import numpy as np"] if len(steps) > 1 else []
    about = "# the nodes and initializers (arrays) of a graph from x to y, both (N, channels, *size)"
    head += ["from onnx import helper, numpy_helper", "", about]
    initializers = [f'    numpy_helper.from_array({array}, "{name}"),' for name, array in arrays.items()]
    weights = from_tconv_lines(dialect.layout(parameters), layer.groups, None, ndim)
    return code.joined(head, weights, ["arrays = [", *initializers, "]"], ["nodes = [", *_nodes(steps), "]"])


def _nodes(steps: list[tuple[str, list[str], dict[str, Any]]]) -> list[str]:
    """A line for each node, chained from x to y."""
    names = ["x", *(f"y{i}" for i in range(len(steps) - 1)), "y"]
    lines = []
    for (operator, inputs, attributes), before, after in zip(steps, names, names[1:], strict=False):
        positional = [code.literal(operator), code.literal([before, *inputs]), code.literal([after])]
        lines.append(f"    {code.call('helper.make_node', positional, attributes, {})},")
    return lines
