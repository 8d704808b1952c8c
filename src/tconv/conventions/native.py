"""tconv itself, so that every other dialect can be turned into a line of this library and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout
from tconv.geometry import Geometry

_DEFAULTS = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1, "layout": "channels_first"}


class Native(Dialect):
    """The keywords of `tconv.conv_transpose`; says every geometry."""

    name = "tconv"
    title = "tconv"
    channels = "channels_first"
    known = ("kernel", "stride", "padding", "output_padding", "output_size", "groups", "dilation", "layout")
    words: ClassVar[Mapping[str, str]] = {name: name for name in known if name != "layout"}

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(Cin, Cout/groups, *kernel)."""
        return WeightLayout("IO*")

    def _geometry(self, given: Given) -> Geometry:
        given.choice("layout", ("channels_first", "channels_last"), "channels_first")
        stride, dilation = given.ints("stride", 1, 1), given.ints("dilation", 1, 1)
        padding = checks.padding_per_axis(given.get("padding", 0), given.ndim)
        a, size = given.ints("output_padding", 0, 0), None
        if "output_size" in given:
            given.known_coarse("output_size")
            size = given.ints("output_size", 0, 1)
        return given.geometry(stride, padding, a, dilation, size)

    def _write(self, layer: Layer) -> Saying:
        g = layer.geometry
        parameters = {"kernel": g.kernel, **g.keywords, "groups": layer.groups, "layout": self.channels}
        uncut = ((0, 0),) * g.ndim
        return Saying(self.name, parameters, g.kernel, uncut, uncut, (), _lines(layer, self.channels))

    def write_for(self, layer: Layer, channels: str) -> Saying:
        """As `write`, for x and y that keep their channels first or last."""
        saying = self.write(layer)
        parameters = {**saying.parameters, "layout": channels}
        return replace(saying, parameters=parameters, code=_lines(layer, channels))


def _lines(layer: Layer, channels: str) -> str:
    g = layer.geometry
    keywords = {
        "stride": g.stride,
        "padding": _padding(g.padding),
        "output_padding": g.output_padding,
        "groups": layer.groups,
        "dilation": g.dilation,
        "layout": channels,
    }
    arrays = ["x", "w", "b"] if layer.bias else ["x", "w"]
    where = "(N, channels, *size)" if channels == "channels_first" else "(N, *size, channels)"
    call = f"y = {code.call('tconv.conv_transpose', arrays, keywords, _DEFAULTS)}"
    return code.joined(["import tconv", "", f"# x and y: {where}; w: (Cin, Cout/groups, *kernel)", call])


def _padding(pairs: tuple[tuple[int, int], ...]) -> tuple[int, ...] | tuple[tuple[int, int], ...]:
    """One integer an axis where the ends of every axis agree."""
    return tuple(low for low, _ in pairs) if all(low == high for low, high in pairs) else pairs
