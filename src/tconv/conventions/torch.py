"""PyTorch: nn.ConvTranspose1d to 3d and F.conv_transpose1d to 3d.

One padding p for both ends and an output padding a < max(stride, dilation); L = (n - 1) s - 2p + d (k - 1) + 1 + a.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying, end_notes, shift_note
from tconv.conventions.ends import Pairs, cuts, difference, symmetric_padding
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry

_DEFAULTS = {"padding": 0, "output_padding": 0, "groups": 1, "bias": True, "dilation": 1, "stride": 1}


class Torch(Dialect):
    """PyTorch's names; the functional form says as much as the module."""

    name = "torch"
    title = "PyTorch"
    channels = "channels_first"
    known = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "output_padding",
        "output_size",
        "groups",
        "bias",
        "dilation",
        "padding_mode",
    )
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "stride",
        "padding": "padding",
        "output_padding": "output_padding",
        "output_size": "output_size",
        "groups": "groups",
        "dilation": "dilation",
        "in_channels": "in_channels",
        "out_channels": "out_channels",
        "bias": "bias",
    }
    default_bias = True

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(Cin, Cout/groups, *kernel), which is tconv's."""
        return WeightLayout("IO*")

    def _geometry(self, given: Given) -> Geometry:
        given.choice("padding_mode", ("zeros",), "zeros")
        if "padding" in given and isinstance(given["padding"], str):
            checks.wrong(
                "padding must be an integer or one an axis: PyTorch's transposed convolutions have no "
                f'"same" and no "valid"; got {given["padding"]!r}'
            )
        stride, dilation = given.ints("stride", 1, 1), given.ints("dilation", 1, 1)
        padding = [(p, p) for p in given.ints("padding", 0, 0)]
        a = given.ints("output_padding", 0, 0)
        size = None
        if "output_size" in given:
            given.known_coarse("output_size")
            size = given.ints("output_size", 0, 1)
        return given.geometry(stride, padding, a, dilation, size)

    def _write(self, layer: Layer) -> Saying:
        self._at_most(layer, 3)
        g = layer.geometry
        most = tuple(max(s, d) - 1 for s, d in zip(g.stride, g.dilation, strict=True))
        said = symmetric_padding(g, most)
        crop, pad = difference(tuple((p, p - a) for p, a in said), cuts(g))
        bias_inside = layer.bias and not any(map(any, pad))
        parameters = {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": g.kernel,
            "stride": g.stride,
            "padding": tuple(p for p, _ in said),
            "output_padding": tuple(a for _, a in said),
            "groups": layer.groups,
            "bias": bias_inside,
            "dilation": g.dilation,
        }
        parameters = {name: entry for name, entry in parameters.items() if entry is not None}
        notes = end_notes(self.title, "one padding for both ends, none of them negative", crop, pad, layer.bias)
        notes += shift_note(g, most, ("padding", "output_padding"))
        lines = _lines(self, layer, parameters, crop, pad)
        return Saying(self.name, parameters, g.kernel, crop, pad, tuple(notes), lines)


def _lines(dialect: Torch, layer: Layer, parameters: dict[str, Any], crop: Pairs, pad: Pairs) -> str:
    ndim, bias_inside = layer.geometry.ndim, parameters["bias"]
    channels = [code.channel(layer.in_channels, "in_channels"), code.channel(layer.out_channels, "out_channels")]
    keywords = {name: entry for name, entry in parameters.items() if not name.endswith("channels")}
    head = ["import torch", "from torch.nn import functional as F"] if any(map(any, pad)) else ["import torch"]
    weights = from_tconv_lines(dialect.layout(parameters), layer.groups, None, ndim)
    build = [
        "# x and y: (N, channels, *size)",
        *weights,
        f"layer = {code.call(f'torch.nn.ConvTranspose{ndim}d', channels, keywords, _DEFAULTS)}",
        "with torch.no_grad():",
        "    layer.weight.copy_(torch.as_tensor(w))",
        *(["    layer.bias.copy_(torch.as_tensor(b))"] if bias_inside else []),
        "y = layer(x)",
    ]
    ends = [cells for pair in reversed(pad) for cells in pair]  # F.pad starts with the last axis
    pads = [f"y = F.pad(y, {tuple(ends)})"] if any(ends) else []
    late = [f"y = y + torch.as_tensor(b).reshape({', '.join(['-1'] + ['1'] * ndim)})"]
    late = late if layer.bias and not bias_inside else []
    return code.joined([*head, ""], build, pads, code.cropped(crop, dialect.channels), late)
