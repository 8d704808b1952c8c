"""Keras and TensorFlow: Conv1DTranspose to Conv3DTranspose, whose padding is a word.

Both words first fix the fine size L, with eff = d (k - 1) + 1:

    "valid"  L = n s + max(eff - s, 0)            with output_padding a:  L = (n - 1) s + eff + a
    "same"   L = n s                              with output_padding a:  L = (n - 1) s + eff mod 2 + a

"valid" cuts nothing; "same" cuts the total (n - 1) s + eff - L, half of it in front and the odd cell at the end. Where
the total is negative, the end grows. An output padding of 0 is therefore not the same as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Held, Layer, Saying, end_notes
from tconv.conventions.ends import Pairs, cuts, difference
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry
from tconv.sizes import effective_kernel

_DEFAULTS = {"strides": 1, "padding": "valid", "output_padding": None, "dilation_rate": 1, "use_bias": True}
_SPREAD = "Keras refuses a stride above 1 together with a dilation above 1: the kernel is written out with zeros."
_DENSE = "Keras has no groups: the kernel is dense, with zeros between the {g} groups, {g} times the multiplications."
_EVEN_SAME = (
    'TensorFlow refuses padding="same" with output_padding=0 where d (k - 1) + 1 is even; Keras on JAX runs it.'
)
#: What a whole configuration holds beside: nothing that a transposed convolution computes with.
_BESIDE = re.compile(
    r"name|trainable|dtype|batch_input_shape|batch_shape|\w+_(initializer|regularizer|constraint)|activation"
)
_CLASS = re.compile(r"Conv(?:olution)?([123])DTranspose")
_CLASSES = '"Conv1DTranspose", "Conv2DTranspose" or "Conv3DTranspose"'
_ACTIVATION = "The activation {activation} comes after the layer, and is left to you."
_ONEDNN = "TensorFlow runs a dilation on a CPU only through oneDNN, in float32 and not in float64."


class Keras(Dialect):
    """Keras's names, channels last."""

    name = "keras"
    title = "Keras"
    channels = "channels_last"
    known = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
        "data_format",
        "dilation_rate",
        "use_bias",
    )
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "strides",
        "padding": "padding",
        "output_padding": "output_padding",
        "dilation": "dilation_rate",
        "out_channels": "filters",
        "bias": "use_bias",
    }
    default_bias = True

    def held(self, parameters: Mapping[str, Any]) -> Held:
        """A whole `get_config()`, or a layer as `keras.layers.serialize` has it: {"class_name": ..., "config": ...}."""
        ndim = None
        if "class_name" in parameters and isinstance(parameters.get("config"), Mapping):
            named = _CLASS.fullmatch(str(parameters["class_name"]))
            if named is None:
                checks.wrong(f"class_name must be {_CLASSES}; got {checks.shorten(parameters['class_name'])}")
            ndim, parameters = int(named[1]), parameters["config"]
        activation = parameters.get("activation")
        notes = () if activation in (None, "linear") else (_ACTIVATION.format(activation=checks.shorten(activation)),)
        said = {name: value for name, value in parameters.items() if not _BESIDE.fullmatch(name)}
        return Held(said, ndim, notes)

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(*kernel, Cout, Cin), whatever data_format says of x and y."""
        return WeightLayout("*OI", grouping="dense")

    def disagreements(self, parameters: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
        """On an even kernel with output_padding=0, and on dilation."""
        g = layer.geometry
        same, added = str(parameters.get("padding")).lower() == "same", parameters.get("output_padding")
        notes = []
        if same and added is not None:
            ends = zip(checks.per_axis("output_padding", added, g.ndim), _eff(g), strict=True)
            notes += [_EVEN_SAME] if any(a == 0 and eff % 2 == 0 for a, eff in ends) else []
        if max(checks.per_axis("dilation_rate", parameters.get("dilation_rate") or 1, g.ndim)) > 1:
            notes.append(_ONEDNN)
        return tuple(notes)

    def _geometry(self, given: Given) -> Geometry:
        given.choice("data_format", ("channels_last", "channels_first"), "channels_last")
        word = given.choice("padding", ("valid", "same", "VALID", "SAME"), "valid").lower()
        strides, dilation = given.ints("strides", 1, 1), given.ints("dilation_rate", 1, 1)
        if max(strides) > 1 and max(dilation) > 1:
            checks.wrong(
                "strides must be 1 where dilation_rate is above 1, since Keras refuses both together; "
                f"got strides {strides} and dilation_rate {dilation}"
            )
        added = given.ints("output_padding", 0, 0) if "output_padding" in given else None
        for i, (a, s) in enumerate(zip(added or (), strides, strict=added is not None)):
            if a >= s:
                checks.wrong(f"output_padding must be less than strides = {s} (axis {i}); got {a}")
        eff = map(effective_kernel, given.kernel, dilation)
        additions = added or (None,) * given.ndim
        pairs = [cut_of_word(word, e, s, a) for e, s, a in zip(eff, strides, additions, strict=True)]
        return given.geometry(strides, pairs, (0,) * given.ndim, dilation)

    def _write(self, layer: Layer) -> Saying:
        self._at_most(layer, 3)
        g = layer.geometry
        spread = max(g.stride) > 1 and max(g.dilation) > 1
        word, added, said = _nearest(g)
        crop, pad = difference(said, cuts(g))
        kernel = _eff(g) if spread else g.kernel
        parameters = {
            "filters": layer.out_channels,
            "kernel_size": kernel,
            "strides": g.stride,
            "padding": word,
            "output_padding": added,
            "dilation_rate": (1,) * g.ndim if spread else g.dilation,
            "use_bias": layer.bias and not any(map(any, pad)),
        }
        if layer.out_channels is None:
            del parameters["filters"]
        notes = end_notes(self.title, 'it knows "same" and "valid" only', crop, pad, layer.bias)
        notes += [_SPREAD] if spread else []
        notes += [_DENSE.format(g=layer.groups)] if layer.groups > 1 else []
        notes += self.disagreements(parameters, layer)
        lines = _lines(self, layer, parameters, crop, pad, g.dilation if spread else None)
        return Saying(self.name, parameters, kernel, crop, pad, tuple(notes), lines)


def cut_of_word(word: str, eff: int, stride: int, a: int | None) -> tuple[int, int]:
    """What one axis loses at its (low, high) end."""
    if word == "valid":
        return (0, min(eff - stride, 0) if a is None else -a)
    total = eff - stride if a is None else eff - eff % 2 - a
    low = max(total, 0) // 2
    return (low, total - low)


def _nearest(g: Geometry) -> tuple[str, tuple[int, ...] | None, Pairs]:
    """The word and the output padding that give these cuts; else the full result, of which the rest is cut."""
    eff, wanted = _eff(g), cuts(g)
    for word in ("valid", "same"):
        plain = tuple(cut_of_word(word, e, s, None) for e, s in zip(eff, g.stride, strict=True))
        if plain == wanted:
            return word, None, wanted
    for word in ("valid", "same"):
        base = [e - e % 2 if word == "same" else 0 for e in eff]
        added = tuple(b - low - high for b, (low, high) in zip(base, wanted, strict=True))
        least = [1 - e % 2 if word == "same" else 0 for e in eff]
        allowed = all(lo <= a < s for lo, a, s in zip(least, added, g.stride, strict=True))
        if allowed and wanted == tuple(
            cut_of_word(word, e, s, a) for e, s, a in zip(eff, g.stride, added, strict=True)
        ):
            return word, added, wanted
    full = all(e >= s for e, s in zip(eff, g.stride, strict=True))
    return "valid", None if full else (0,) * g.ndim, ((0, 0),) * g.ndim


def _eff(g: Geometry) -> tuple[int, ...]:
    return tuple(axis.effective_kernel for axis in g.axes)


def _lines(
    dialect: Keras, layer: Layer, parameters: dict[str, Any], crop: Pairs, pad: Pairs, spread: tuple[int, ...] | None
) -> str:
    ndim, bias_inside = layer.geometry.ndim, parameters["use_bias"]
    keywords = {name: entry for name, entry in parameters.items() if name != "filters"}
    filters = [code.channel(layer.out_channels, "filters")]
    weights = from_tconv_lines(dialect.layout(parameters), layer.groups, spread, ndim)
    build = [
        "# x and y: (N, *size, channels)",
        *weights,
        f"layer = {code.call(f'keras.layers.Conv{ndim}DTranspose', filters, keywords, _DEFAULTS)}",
        f"layer.build((None, {'None, ' * ndim}kernel.shape[-1]))",
        f"layer.set_weights([kernel{', b' if bias_inside else ''}])",
        "y = layer(x)",
    ]
    pads = code.padded(pad, "keras.ops.pad", dialect.channels)
    late = ["y = y + b"] if layer.bias and not bias_inside else []
    head = (
        ["import keras", "import numpy as np", ""] if any("np." in line for line in weights) else ["import keras", ""]
    )
    return code.joined(head, build, pads, code.cropped(crop, dialect.channels), late)
