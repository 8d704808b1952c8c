"""Flax (linen and nnx) and Haiku: layers around lax.conv_transpose, whose padding and kernel they pass on.

Explicit padding is eff - 1 less what is cut, "SAME" and "VALID" are Keras's, and the kernel is not flipped: tap t is
kept at kernel - 1 - t, unless Flax's transpose_kernel=True flips it and swaps its channel axes. Flax's "CIRCULAR" adds
what lies beyond one border at the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions.circular import advice, wrapped
from tconv.conventions.ends import Pairs, cuts
from tconv.conventions.given import Given
from tconv.conventions.keras import cut_of_word
from tconv.conventions.layered import Layered
from tconv.conventions.weights import WeightLayout
from tconv.geometry import Geometry


class AroundLax(Layered):
    """What these layers share: the padding of the zero-inserted input, and no groups."""

    channels = "channels_last"
    weight_layout = WeightLayout("*IO", flipped=True, grouping="dense")

    def _said(self, geometry: Geometry) -> list[tuple[int, int, int]]:
        return [(low, high, 0) for low, high in cuts(geometry)]

    def _padding(self, geometry: Geometry, ends: Pairs) -> Any:
        reach = (axis.effective_kernel - 1 for axis in geometry.axes)
        return tuple((r - low, r - high) for r, (low, high) in zip(reach, ends, strict=True))

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """A pair for every axis."""
        return tuple(pairs)

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        if word == "padding" and isinstance(value, str):
            return {"padding": value.upper()}
        return super()._spelt(word, value)

    def _read_padding(
        self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        value = given.get("padding", "SAME")
        if value == "CIRCULAR":
            self._refuse_circular(given, strides, effective)
        if isinstance(value, str):
            word = checks.choice("padding", value, ("SAME", "VALID")).lower()
            return [cut_of_word(word, e, s, None) for e, s in zip(effective, strides, strict=True)]
        pairs = [checks.padding_pair("padding", entry) for entry in checks.padding_per_axis(value, given.ndim)]
        return [(e - 1 - low, e - 1 - high) for e, (low, high) in zip(effective, pairs, strict=True)]

    def _refuse_circular(self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]) -> None:
        """Flax knows the word; the error says what to do."""


class Flax(AroundLax):
    """`flax.linen.ConvTranspose`."""

    name = "flax"
    title = "Flax"
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "strides",
        "padding": "padding",
        "dilation": "kernel_dilation",
        "out_channels": "features",
        "bias": "use_bias",
    }
    known: ClassVar[tuple[str, ...]] = (
        "features",
        "kernel_size",
        "strides",
        "padding",
        "kernel_dilation",
        "use_bias",
        "transpose_kernel",
    )
    imports = ("from flax import linen as nn",)
    layer_name = "nn.ConvTranspose"
    positional: ClassVar[tuple[str, ...]] = ("out_channels",)
    whole = ("kernel",)  # the kernel says how many axes there are

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(*kernel, Cin, Cout), taps flipped; with transpose_kernel=True (*kernel, Cout, Cin), as Keras."""
        if parameters.get("transpose_kernel"):
            return WeightLayout("*OI", grouping="dense")
        return self.weight_layout

    def _geometry(self, given: Given) -> Geometry:
        given.flag("transpose_kernel", "transpose_kernel", None)
        return super()._geometry(given)

    def _refuse_circular(self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]) -> None:
        axes = []
        for e, s in zip(effective, strides, strict=True):
            more = max(e - s, 0)  # the odd cell is cut in front where the kernel is transposed, else at the end
            axes.append(wrapped(e, s, (more + 1) // 2 if given.get("transpose_kernel") else more // 2))
        ends = (axis.cut for axis in axes)
        padding = tuple((e - 1 - low, e - 1 - high) for e, (low, high) in zip(effective, ends, strict=True))
        checks.wrong(advice("padding", axes, padding, self.channels))

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        parameters = '{"kernel": kernel, "bias": b}' if bias else '{"kernel": kernel}'
        return [f"layer = {call}", f'y = layer.apply({{"params": {parameters}}}, x)']


class Nnx(Flax):
    """`flax.nnx.ConvTranspose`, which is told its input channels too."""

    name = "nnx"
    title = "Flax NNX"
    words: ClassVar[Mapping[str, str]] = {
        **{word: name for word, name in Flax.words.items() if word != "out_channels"},
        "in_channels": "in_features",
        "out_channels": "out_features",
    }
    known = ("in_features", "out_features", *Flax.known[1:])
    imports = ("from flax import nnx",)
    layer_name = "nnx.ConvTranspose"
    positional = ("in_channels", "out_channels")
    extra = ("rngs=nnx.Rngs(0)",)

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load_bias = ["layer.bias[...] = b"] if bias else []
        return [f"layer = {call}", "layer.kernel[...] = kernel", *load_bias, "y = layer(x)"]


class Haiku(AroundLax):
    """`haiku.Conv1DTranspose` to `Conv3DTranspose`: the kernel is (*kernel, Cout, Cin), flipped; no dilation."""

    name = "haiku"
    title = "Haiku"
    weight_layout = WeightLayout("*OI", flipped=True, grouping="dense")
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_shape",
        "stride": "stride",
        "padding": "padding",
        "out_channels": "output_channels",
        "bias": "with_bias",
    }
    known = ("output_channels", "kernel_shape", "stride", "padding", "with_bias")
    imports = ("import haiku as hk",)
    layer_name = "hk.Conv{n}DTranspose"
    positional = ("out_channels",)
    extra = ('name="up"',)

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        parameters = '{"w": kernel, "b": b}' if bias else '{"w": kernel}'
        return [
            f"layer = hk.without_apply_rng(hk.transform(lambda x: {call}(x)))",
            f'y = layer.apply({{"up": {parameters}}}, x)',
        ]
