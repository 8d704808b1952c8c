"""The decoder that mirrors an encoder: which paddings and output paddings lead each size back to where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tconv import checks
from tconv.conventions.base import Layer, Saying
from tconv.conventions.registry import named
from tconv.geometry import Geometry, joined, padding_text
from tconv.resolve import Ints
from tconv.tables import aligned

#: Our words for a convolution, and what frameworks call the same: names of parameters and of attributes.
_NAMES = {
    "kernel": ("kernel", "kernel_size", "kernel_shape"),
    "stride": ("stride", "strides"),
    "padding": ("padding",),
    "dilation": ("dilation", "dilation_rate", "kernel_dilation"),
    "groups": ("groups",),
    "in_channels": ("in_channels", "in_features"),
    "out_channels": ("out_channels", "filters", "features", "out_features"),
    "bias": ("bias", "use_bias"),
}
_WINDOW = ("kernel", "stride", "padding", "dilation")
COLUMNS = ("layer", "mirrors", "sizes", "kernel", "stride", "padding", "output padding")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A decoder, layer by layer; prints as a table."""

    layers: tuple[Layer, ...]  #: in the order of the decoder: the first mirrors the last of the encoder

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        """The geometry of each layer: the one of the convolution that it mirrors."""
        return tuple(layer.geometry for layer in self.layers)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes on the way: the coarsest first, that of the encoder's input last."""
        return (self.layers[0].geometry.coarse, *(geometry.fine for geometry in self.geometries))

    def say(self, dialect: str) -> tuple[Saying, ...]:
        """Each layer as a framework says it, with its parameters and its code; ValueError where it cannot."""
        with checks.explained("Mirror.say"):
            spoken = named("dialect", dialect)
        return tuple(spoken.write(layer) for layer in self.layers)

    def rows(self) -> list[list[str]]:
        """The cells of the table, as `COLUMNS` names them."""
        count = len(self.layers)
        return [
            [
                str(i),
                str(count - 1 - i),
                f"{_size(g.coarse)} -> {_size(g.fine)}",
                joined(g.kernel),
                joined(g.stride),
                padding_text(g.padding),
                joined(g.output_padding),
            ]
            for i, g in enumerate(self.geometries)
        ]

    def __str__(self) -> str:
        way = " -> ".join(map(_size, self.sizes))
        return "\n".join([f"decoder: {way}", "", *aligned(COLUMNS, self.rows())])


def _size(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def mirror(layers: Sequence[Any], fine: Ints) -> Mirror:
    """The transposed convolutions that undo the sizes of an encoder's convolutions, for inputs of size `fine`.

    A convolution with stride s maps s sizes to one, so its mirror has to be told which of them is meant: that is what
    an output padding is for, and it depends on the size. Kernel, stride, padding and dilation stay as they are.

    Args:
        layers: the encoder's convolutions, from its input on: mappings of `kernel`, `stride`, `padding`, `dilation`
            and, if code is wanted, `in_channels`, `out_channels`, `groups`, `bias`, also under PyTorch's, Keras's and
            Flax's names; or layers that have such attributes, as those of `torch.nn` do. Poolings count; what keeps
            sizes is left out.
        fine: the size of the encoder's input: an integer, or one for each axis.

    ValueError, TypeError for layers that say no convolution, and for sizes that they cannot take.

    >>> import tconv
    >>> down = {"kernel": 3, "stride": 2, "padding": 1}
    >>> print(tconv.mirror([down] * 4, 25))
    decoder: 2 -> 4 -> 7 -> 13 -> 25
    <BLANKLINE>
    layer  mirrors  sizes     kernel  stride  padding  output padding
    0      3        2 -> 4    3       2       1        1
    1      2        4 -> 7    3       2       1        0
    2      1        7 -> 13   3       2       1        0
    3      0        13 -> 25  3       2       1        0
    """
    with checks.explained("mirror"):
        if not checks.is_sequence(layers) and not hasattr(layers, "__iter__"):
            checks.wrong_type(f"layers must be a sequence of convolutions; got {checks.shorten(layers)}")
        said = [_said(f"layers[{i}]", layer) for i, layer in enumerate(layers)]
        if not said:
            checks.wrong("layers must hold at least 1 convolution; got none")
        decoder, size = [], checks.per_axis("fine", fine, _ndim(fine, said), 1)
        for i, words in enumerate(said):
            decoder.append(_layer(f"layers[{i}]", words, size))
            size = decoder[-1].geometry.coarse
    return Mirror(tuple(reversed(decoder)))


def _said(place: str, layer: Any) -> dict[str, Any]:
    """What a layer says of a convolution, under our words."""
    if isinstance(layer, Mapping):
        known = {name for names in _NAMES.values() for name in names}
        for name in layer:
            if name not in known:
                checks.wrong(f"{place} must be named {checks.words([*_NAMES])}; got {name!r}")
    elif getattr(layer, "transposed", False) or "Transpose" in type(layer).__name__:
        checks.wrong(f"{place} must be a convolution, which the decoder transposes; got {type(layer).__name__}")
    elif getattr(layer, "ceil_mode", False):
        checks.wrong(f"{place} must not round sizes up, as ceil_mode=True does: say its padding as a (low, high) pair")
    given = {word: [_of(layer, name) for name in names] for word, names in _NAMES.items()}
    found = {word: next((value for value in values if value is not None), None) for word, values in given.items()}
    if found["kernel"] is None:
        got = checks.shorten(layer)
        checks.wrong(f"{place} must say its kernel, as a mapping or as a layer with a kernel_size; got {got}")
    return {word: value for word, value in found.items() if value is not None}


def _of(layer: Any, name: str) -> Any:
    return layer.get(name) if isinstance(layer, Mapping) else getattr(layer, name, None)


def _ndim(fine: Ints, said: list[dict[str, Any]]) -> int:
    entries = [fine, *(words.get(name) for words in said for name in _WINDOW)]
    return next((len(entry) for entry in entries if checks.is_sequence(entry)), 1)


def _layer(place: str, words: dict[str, Any], fine: tuple[int, ...]) -> Layer:
    """The mirror of one convolution of a grid of size `fine`; its channels change places."""
    window = {name: words[name] for name in ("stride", "padding", "dilation") if name in words}
    if isinstance(window.get("padding"), str):
        window["padding"] = window["padding"].lower()
    try:
        geometry = Geometry.conv(fine, words["kernel"], **window)
        bias = words.get("bias", False)
        return Layer(
            geometry,
            words.get("out_channels"),
            words.get("in_channels"),
            words.get("groups", 1),
            bias if isinstance(bias, bool) else True,  # the array itself, of a layer that has one
        )
    except (ValueError, TypeError) as error:
        reason = str(error).partition(": ")[2]
        raise checks.Rejected(type(error), f"{place}, on size {_size(fine)}: {reason}") from None
