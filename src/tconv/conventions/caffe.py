"""Caffe: the Deconvolution layer, one pad for both ends and no output padding; L = (n - 1) s - 2p + d (k - 1) + 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Held, Layer, Saying, end_notes
from tconv.conventions.ends import Pairs, cuts, difference, symmetric_padding
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout
from tconv.geometry import Geometry

#: Parameters that two fields may say too, one for the height and one for the width.
_HEIGHT_AND_WIDTH = {"kernel_size": "kernel", "stride": "stride", "pad": "pad"}
#: What prototxt says for True and False.
_WORDS = {"true": True, "false": False}
_DILATED = "OpenCV reads Caffe's files, but leaves the dilation of a Deconvolution aside."
_SLICES = "The slice points hold for coarse size {coarse}; they move with it."


class Caffe(Dialect):
    """The fields of convolution_param."""

    name = "caffe"
    title = "Caffe"
    channels = "channels_first"
    known = (
        "num_output",
        "kernel_size",
        "kernel_h",
        "kernel_w",
        "stride",
        "stride_h",
        "stride_w",
        "pad",
        "pad_h",
        "pad_w",
        "dilation",
        "group",
        "bias_term",
    )
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "stride",
        "padding": "pad",
        "groups": "group",
        "dilation": "dilation",
        "out_channels": "num_output",
        "bias": "bias_term",
    }
    default_bias = True

    def held(self, parameters: Mapping[str, Any]) -> Held:
        """kernel_h and kernel_w (likewise stride, pad) say one field for two axes; booleans may be prototxt's words."""
        return Held(
            {
                name: _WORDS.get(value, value) if name == "bias_term" and isinstance(value, str) else value
                for name, value in _merged(parameters).items()
            }
        )

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(Cin, Cout/group, *kernel), which is tconv's."""
        return WeightLayout("IO*")

    def prepend(self, lines: Sequence[str], text: str) -> str:
        """The lines as comments: the code is no Python."""
        return "\n".join([*(f"# {line.removeprefix('# ')}" for line in lines), text])

    def _geometry(self, given: Given) -> Geometry:
        padding = [(p, p) for p in given.ints("pad", 0, 0)]
        return given.geometry(given.ints("stride", 1, 1), padding, (0,) * given.ndim, given.ints("dilation", 1, 1))

    def disagreements(self, parameters: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
        """On dilation."""
        return (_DILATED,) if max(layer.geometry.dilation) > 1 else ()

    def _write(self, layer: Layer) -> Saying:
        g = layer.geometry
        said = symmetric_padding(g, (0,) * g.ndim)
        crop, pad = difference(tuple((p, p) for p, _ in said), cuts(g))
        parameters: dict[str, Any] = {
            "num_output": layer.out_channels,
            "kernel_size": g.kernel,
            "stride": g.stride,
            "pad": tuple(p for p, _ in said),
            "dilation": g.dilation,
            "group": layer.groups,
            "bias_term": layer.bias and not any(map(any, pad)),
        }
        if layer.out_channels is None:
            del parameters["num_output"]
        notes = end_notes(self.title, "one pad for both ends, and no output padding", crop, pad, layer.bias)
        notes += [_SLICES.format(coarse="x".join(map(str, g.coarse)))] if any(map(any, (*crop, *pad))) else []
        notes += self.disagreements(parameters, layer)
        return Saying(self.name, parameters, g.kernel, crop, pad, tuple(notes), _lines(layer, parameters, crop, pad))


def _merged(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The _h and _w fields as one pair; both must be there, and the field for all axes must not."""
    merged = {name: value for name, value in parameters.items() if value is not None}
    for name, stem in _HEIGHT_AND_WIDTH.items():
        fields = (f"{stem}_h", f"{stem}_w")
        given = [field for field in fields if field in merged]
        if not given:
            continue
        if len(given) == 1 or name in merged:
            checks.wrong(f"{stem}_h and {stem}_w must be given together and without {name}; got {checks.words(given)}")
        merged[name] = tuple(merged.pop(field) for field in fields)
    return merged


def _lines(layer: Layer, parameters: dict[str, Any], crop: Pairs, pad: Pairs) -> str:
    """The prototxt of the layer, and of those that pad, crop and add the bias; blobs y0, y1, ... lead from x to y."""
    steps = [_deconvolution(parameters)]
    margin = max(cells for pair in pad for cells in pair)
    if margin:
        steps.append(_zero_pad(margin, layer.out_channels))
    for axis, (c, p) in enumerate(zip(crop, pad, strict=True)):
        low, high = (c[end] + (margin - p[end] if margin else 0) for end in (0, 1))
        if low or high:
            steps.append(_slice(axis, low, high, layer.geometry.fine[axis]))
    late = layer.bias and not parameters["bias_term"]
    if late:
        steps.append(_late_bias())
    names = ["x", *(f"y{i}" for i in range(len(steps) - 1)), "y"]
    load = ['# net.params["up"][0].data[...] = w']
    load += [f"# net.params[{code.literal('up_bias' if late else 'up')}][1].data[...] = b"] if layer.bias else []
    about = "# x and y: (N, channels, *size); the weights are tconv's w as it is, (Cin, Cout/group, *kernel)"
    body = [s.replace("{bottom}", names[i]).replace("{top}", names[i + 1]) for i, s in enumerate(steps)]
    return code.joined([about, *load], body)


def _deconvolution(parameters: dict[str, Any]) -> str:
    fields = [f"num_output: {parameters.get('num_output', 'num_output')}"]
    for name in ("kernel_size", "stride", "pad", "dilation"):
        values = parameters[name] if len(set(parameters[name])) > 1 else parameters[name][:1]
        fields += [f"{name}: {value}" for value in values]
    fields += [f"group: {parameters['group']}", f"bias_term: {str(parameters['bias_term']).lower()}"]
    layer = 'layer { name: "up" type: "Deconvolution" bottom: "{bottom}" top: "{top}"'
    return f"{layer}\n  convolution_param {{ {' '.join(fields)} }} }}"


def _zero_pad(margin: int, channels: int | None) -> str:
    """Caffe has no layer that pads with zeros, but a convolution with one tap of 1 for each channel does."""
    count = channels if channels is not None else "num_output"
    fields = f"num_output: {count} kernel_size: 1 pad: {margin} group: {count} bias_term: false"
    filler = 'weight_filler { type: "constant" value: 1 }'
    layer = 'layer { name: "zeros" type: "Convolution" bottom: "{bottom}" top: "{top}"'
    return f"{layer}\n  convolution_param {{ {fields} {filler} }} }}"


def _late_bias() -> str:
    """A Scale layer, whose scale is 1 unless it is told otherwise."""
    return 'layer { name: "up_bias" type: "Scale" bottom: "{bottom}" top: "{top}" scale_param { bias_term: true } }'


def _slice(axis: int, low: int, high: int, kept: int) -> str:
    points = ([low] if low else []) + ([low + kept] if high else [])
    tops = ([f"low{axis}"] if low else []) + ["{top}"] + ([f"high{axis}"] if high else [])
    blobs = " ".join(f'top: "{top}"' for top in tops)
    at = " ".join(f"slice_point: {point}" for point in points)
    head = f'layer {{ name: "crop{axis}" type: "Slice" bottom: "{{bottom}}" {blobs}'
    return f"{head} slice_param {{ axis: {axis + 2} {at} }} }}"
