"""Layers that are PyTorch's but for names and ends: of Equinox, MLX, PaddlePaddle, tinygrad, Core ML and MXNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Layer
from tconv.conventions.circular import advice, wrapped
from tconv.conventions.ends import Pairs, cuts
from tconv.conventions.given import Given
from tconv.conventions.layered import Flat, Layered, Symmetric
from tconv.conventions.weights import WeightLayout
from tconv.geometry import Geometry

_TORCHS = {
    "in_channels": "in_channels",
    "out_channels": "out_channels",
    "kernel": "kernel_size",
    "stride": "stride",
    "padding": "padding",
    "output_padding": "output_padding",
    "groups": "groups",
    "bias": "bias",
    "dilation": "dilation",
}
_BEYOND = "MLX does not compute what its documentation says of a padding beyond d (k - 1), which is what is meant here."


class Equinox(Layered):
    """`equinox.nn.ConvTranspose1d` to `3d`: paddings are those of PyTorch, a pair an axis, of either sign."""

    name = "equinox"
    title = "Equinox"
    channels = "channels_first"
    weight_layout = WeightLayout("OI*", flipped=True, grouping="outputs")
    words: ClassVar[Mapping[str, str]] = {**_TORCHS, "bias": "use_bias"}
    known = (*words.values(), "padding_mode")
    imports = ("import equinox as eqx", "import jax")
    layer_name = "eqx.nn.ConvTranspose{n}d"
    extra = ("key=jax.random.key(0)",)

    def _said(self, geometry: Geometry) -> list[tuple[int, int, int]]:
        return [(low, high, 0) for low, high in cuts(geometry)]

    def _padding(self, geometry: Geometry, ends: Pairs) -> Any:
        alike = all(low == high for low, high in ends)
        return tuple(low for low, _ in ends) if alike else ends

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        if word == "padding" and isinstance(value, str):
            return {"padding": value.upper()}
        return super()._spelt(word, value)

    def _geometry(self, given: Given) -> Geometry:
        given.choice("padding_mode", ("ZEROS", "CIRCULAR"), "ZEROS")
        for i, (a, s) in enumerate(zip(given.ints("output_padding", 0, 0), given.ints("stride", 1, 1), strict=True)):
            if a >= s:
                checks.wrong(f"output_padding must be less than stride = {s} (axis {i}); got {a}")
        return super()._geometry(given)

    def _read_padding(
        self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        value, added = given.get("padding", 0), given.ints("output_padding", 0, 0)
        if isinstance(value, str):
            rows = zip(effective, strides, added, strict=True)
            pairs = [self._of_word(value, e, s, a) for e, s, a in rows]
        else:
            pairs = [checks.padding_pair("padding", entry) for entry in checks.padding_per_axis(value, given.ndim)]
        if given.get("padding_mode") == "CIRCULAR":
            axes = [wrapped(e, s, low) for e, s, (low, _) in zip(effective, strides, pairs, strict=True)]
            checks.wrong(advice("padding_mode", axes, tuple(axis.cut for axis in axes), self.channels))
        return pairs

    def _of_word(self, word: str, effective: int, stride: int, added: int) -> tuple[int, int]:
        """What is padded to the convolution; "SAME" cuts the odd cell at the end, "SAME_LOWER" in front."""
        if checks.choice("padding", word, ("VALID", "SAME", "SAME_LOWER")) == "VALID":
            return (0, 0)
        total = effective - stride + added  # an output padding is cut off as well, and so adds nothing
        low = (max(total, 0) + (word == "SAME_LOWER" and total > 0)) // 2
        return (low, total - low + added)

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load = "layer = eqx.tree_at(lambda layer: layer.{name}, layer, jax.numpy.asarray({array}))"
        return [
            f"layer = {call}",
            load.format(name="weight", array="kernel"),
            *([load.format(name="bias", array=f"b.reshape(-1{ones})")] if bias else []),
            "y = jax.vmap(layer)(x)",
        ]


class Mlx(Symmetric):
    """`mlx.nn.ConvTranspose1d` to `3d`: PyTorch's parameters but groups, channels last."""

    name = "mlx"
    title = "MLX"
    channels = "channels_last"
    weight_layout = WeightLayout("O*I", grouping="dense")
    words: ClassVar[Mapping[str, str]] = {word: name for word, name in _TORCHS.items() if word != "groups"}
    known = tuple(words.values())
    imports = ("import mlx.core as mx", "import mlx.nn as nn")
    layer_name = "nn.ConvTranspose{n}d"
    ends = "one padding for both ends, from 0 to d (k - 1)"

    def most_padding(self, geometry: Geometry) -> tuple[int, ...]:
        """The kernel's reach; see `disagreements`."""
        return tuple(axis.effective_kernel - 1 for axis in geometry.axes)

    def disagreements(self, parameters: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
        """On paddings beyond the kernel's reach."""
        g = layer.geometry
        beyond = any(low > most for (low, _), most in zip(g.padding, self.most_padding(g), strict=True))
        return (_BEYOND,) if beyond else ()

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load_bias = ["layer.bias = mx.array(b)"] if bias else []
        return [f"layer = {call}", "layer.weight = mx.array(kernel)", *load_bias, "y = layer(x)"]

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        (line,) = code.padded(pad, "mx.pad", self.channels)
        return [], line

    def _late_bias(self, ones: str) -> str:
        return "y = y + mx.array(b)"


class Paddle(Flat):
    """`paddle.nn.Conv1DTranspose` to `Conv3DTranspose`: both ends of each axis, output padding below the stride."""

    name = "paddle"
    title = "PaddlePaddle"
    channels = "channels_first"
    words: ClassVar[Mapping[str, str]] = {**_TORCHS, "bias": "bias_attr"}
    known = tuple(words.values())
    other_lengths = ("padding",)
    imports = ("import paddle",)
    layer_name = "paddle.nn.Conv{n}DTranspose"

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load_bias = ["layer.bias.set_value(b)"] if bias else []
        return [f"layer = {call}", "layer.weight.set_value(w)", *load_bias, "y = layer(x)"]

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        ends = [0, 0, 0, 0, *(cells for pair in pad for cells in pair)]
        return [], f"y = paddle.nn.functional.pad(y, {ends}, pad_from_left_axis=True)"

    def _late_bias(self, ones: str) -> str:
        return f"y = y + paddle.to_tensor(b).reshape([-1{ones}])"


class Tinygrad(Flat):
    """`Tensor.conv_transpose2d`, of any number of axes: both ends of each, of either sign, the last axis first."""

    name = "tinygrad"
    title = "tinygrad"
    channels = "channels_first"
    most_axes = None
    words: ClassVar[Mapping[str, str]] = _TORCHS
    known = tuple(_TORCHS.values())
    other_lengths = ("padding",)
    last_axis_first = True
    negative = True
    imports = ("from tinygrad import Tensor, nn",)
    layer_name = "nn.ConvTranspose2d"
    whole = ("kernel",)  # an integer stands for two axes

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load_bias = ["layer.bias = Tensor(b)"] if bias else []
        return [f"layer = {call}", "layer.weight = Tensor(w)", *load_bias, "y = layer(x)"]


class CoreMl(Flat):
    """`conv_transpose` of Core ML's intermediate language: both ends of each axis, none negative."""

    name = "coreml"
    title = "Core ML"
    channels = "channels_first"
    was_run = False
    words: ClassVar[Mapping[str, str]] = {
        "stride": "strides",
        "padding": "pad",
        "groups": "groups",
        "dilation": "dilations",
    }
    known = ("strides", "pad", "pad_type", "groups", "dilations")
    other_lengths = ("pad",)
    ends = "no negative pad, and no output padding"
    default_bias = False
    imports = ("from coremltools.converters.mil import Builder as mb",)
    layer_name = "mb.conv_transpose"
    positional = ()
    extra = ('pad_type="custom"',)
    whole = ("stride", "padding", "dilation")

    def most_added(self, geometry: Geometry) -> tuple[int, ...]:
        """There is none."""
        return (0,) * geometry.ndim

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """Both ends of each axis."""
        return [end for pair in pairs for end in pair]

    def _geometry(self, given: Given) -> Geometry:
        word = given.choice("pad_type", ("custom", "valid"), "custom" if "pad" in given else "valid")
        if word == "valid" and "pad" in given:
            checks.wrong(f'pad must be left out with pad_type="valid"; got {checks.shorten(given["pad"])}')
        return super()._geometry(given)

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        arrays = "x=x, weight=w, bias=b, " if bias else "x=x, weight=w, "
        return [f"y = {call.replace('(', f'({arrays}', 1)}"]

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        ends = [0, 0, 0, 0, *(cells for pair in pad for cells in pair)]
        return [], f'y = mb.pad(x=y, pad={ends}, mode="constant", constant_val=0.0)'

    def _cropped(self, geometry: Geometry, crop: Pairs) -> list[str]:
        if not any(map(any, crop)):
            return []
        begin, size = [0, 0, *(low for low, _ in crop)], [-1, -1, *geometry.fine]
        return [f"y = mb.slice_by_size(x=y, begin={begin}, size={size})  # for this size of x"]

    def _late_bias(self, ones: str) -> str:
        return f"y = mb.add(x=y, y=b.reshape(-1{ones}))"


class MxNet(Symmetric):
    """`mxnet.gluon.nn.Conv1DTranspose` to `Conv3DTranspose`."""

    name = "mxnet"
    title = "MXNet"
    channels = "channels_first"
    was_run = False
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "strides",
        "padding": "padding",
        "output_padding": "output_padding",
        "groups": "groups",
        "dilation": "dilation",
        "in_channels": "in_channels",
        "out_channels": "channels",
        "bias": "use_bias",
    }
    known = tuple(words.values())
    imports = ("import mxnet as mx",)
    layer_name = "mx.gluon.nn.Conv{n}DTranspose"
    positional = ("out_channels",)

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        load_bias = ["layer.bias.set_data(mx.np.array(b))"] if bias else []
        return [
            f"layer = {call}",
            "layer.initialize()",
            "layer.weight.set_data(mx.np.array(w))",
            *load_bias,
            "y = layer(x)",
        ]

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        (line,) = code.padded(pad, "mx.np.pad", self.channels)
        return [], line

    def _late_bias(self, ones: str) -> str:
        return f"y = y + mx.np.array(b).reshape(-1{ones})"
