"""Dialects of one form: a layer built from channels, a kernel and keywords, given its weights, and called.

What tells these frameworks apart is a record each: what their parameters are called, what a padding can say, how the
weights lie, and the lines that load them. Here is what they share: reading, the nearest layer, and the writing of code.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying, end_notes, shift_note
from tconv.conventions.ends import Pairs, cuts, difference, nearest_ends, symmetric_padding
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry

#: The order in which parameters are written.
_ORDER = (
    "in_channels",
    "out_channels",
    "kernel",
    "stride",
    "padding",
    "output_padding",
    "groups",
    "bias",
    "dilation",
)
_DEFAULTS = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "bias": True, "dilation": 1}
_SPREAD = "{title} has no dilation: the kernel is written out with zeros."
_DENSE = "{title} has no groups: the kernel is dense, with zeros between the {g} groups, {g} times the multiplications."


class Layered(Dialect):
    """A framework whose layers are built so; what a subclass sets is what tells it apart."""

    most_axes: ClassVar[int | None] = 3
    weight_layout: ClassVar[WeightLayout] = WeightLayout("IO*")
    imports: ClassVar[tuple[str, ...]]
    layer_name: ClassVar[str]  #: what is called, with {n} for the number of axes
    positional: ClassVar[tuple[str, ...]] = (
        "in_channels",
        "out_channels",
    )  #: of our words, written without names
    whole: ClassVar[tuple[str, ...]] = ()  #: of our words, those with an entry an axis even where all agree
    extra: ClassVar[tuple[str, ...]] = ()  #: what else stands in the call
    ends: ClassVar[str] = "(low, high) pairs"  #: what a padding cannot say, for the note on a crop
    default_bias = True

    # -- what a padding says -------------------------------------------------------------------------------------------

    def most_added(self, geometry: Geometry) -> tuple[int, ...]:
        """The largest output padding of each axis: below the stride, unless a framework takes others."""
        return tuple(s - 1 for s in geometry.stride)

    @abstractmethod
    def _said(self, geometry: Geometry) -> list[tuple[int, int, int]]:
        """(low, high, output padding) of each axis in the layer that comes closest."""

    def _padding(self, geometry: Geometry, ends: Pairs) -> Any:
        """Paddings (low, high) as a parameter."""
        return self.padding_of(ends)

    @abstractmethod
    def _read_padding(
        self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        """(low, high) of each axis from the parameter."""

    # -- what a subclass writes ----------------------------------------------------------------------------------------

    @abstractmethod
    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        """The lines that build the layer by this call, load its weights, and its bias if it has one, and compute y.

        `ones` is ", 1" for each axis of size.
        """

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        """What has to be imported to put zeros around y, and the line that does it."""
        raise AssertionError(f"{self.title} says every end")

    def _late_bias(self, ones: str) -> str:
        """The line that adds the bias last."""
        raise AssertionError(f"{self.title} says every end")

    # -- what all share ------------------------------------------------------------------------------------------------

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """The same for all layers."""
        return self.weight_layout

    def _geometry(self, given: Given) -> Geometry:
        strides = given.ints(self.words["stride"], 1, 1)
        dilation = given.ints(self.words.get("dilation", ""), 1, 1)
        effective = tuple(d * (k - 1) + 1 for d, k in zip(dilation, given.kernel, strict=True))
        padding = self._read_padding(given, strides, effective)
        added, size = given.ints(self.words.get("output_padding", ""), 0, 0), None
        if (name := self.words.get("output_size", "")) in given:
            given.known_coarse(name)
            size = given.ints(name, 0, 1)
        return given.geometry(strides, padding, added, dilation, size)

    def _write(self, layer: Layer) -> Saying:
        if self.most_axes is not None:
            self._at_most(layer, self.most_axes)
        g = layer.geometry
        spread = "dilation" not in self.words and max(g.dilation) > 1
        said = self._said(g)
        crop, pad = difference(tuple((low, high - a) for low, high, a in said), cuts(g))
        kernel = tuple(axis.effective_kernel for axis in g.axes) if spread else g.kernel
        padding = self._padding(g, tuple((low, high) for low, high, _ in said))
        words = {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel": kernel,
            "stride": g.stride,
            "padding": padding,
            "output_padding": tuple(a for _, _, a in said),
            "groups": layer.groups,
            "bias": layer.bias and not any(map(any, pad)),
            "dilation": g.dilation,
        }
        parameters = {self.words[w]: words[w] for w in _ORDER if w in self.words and words[w] is not None}
        dense = layer.groups > 1 and self.weight_layout.grouping == "dense"
        notes = end_notes(self.title, self.ends, crop, pad, layer.bias)
        notes += self._notes(g, crop)
        notes += [_SPREAD.format(title=self.title)] if spread else []
        notes += [_DENSE.format(title=self.title, g=layer.groups)] if dense else []
        notes += self.reservations
        text = self._lines(layer, words, crop, pad, g.dilation if spread else None)
        return Saying(self.name, parameters, kernel, crop, pad, tuple(notes), text)

    def _notes(self, geometry: Geometry, crop: Pairs) -> list[str]:
        """What else there is to know."""
        return []

    def _lines(
        self, layer: Layer, words: dict[str, Any], crop: Pairs, pad: Pairs, spread: tuple[int, ...] | None
    ) -> str:
        g, bias, padded = layer.geometry, words["bias"], any(map(any, pad))
        ones = ", 1" * g.ndim
        weights = from_tconv_lines(self.weight_layout, layer.groups, spread, g.ndim)
        more, zeros = self._pad(pad) if padded else ([], "")
        numpy = ["import numpy as np"] if any("np." in line for line in weights) else []
        where = "(N, channels, *size)" if self.channels == "channels_first" else "(N, *size, channels)"
        return code.joined(
            [*self.imports, *more, *numpy, ""],
            [f"# x and y: {where}", *weights],
            self._load(self._call(g.ndim, words), bias, ones),
            [zeros] if padded else [],
            self._cropped(g, crop),
            [self._late_bias(ones)] if layer.bias and not bias and padded else [],
        )

    def _cropped(self, geometry: Geometry, crop: Pairs) -> list[str]:
        """The line that cuts cells off y."""
        return code.cropped(crop, self.channels)

    def _call(self, ndim: int, words: dict[str, Any]) -> str:
        channels = [code.channel(words[word], self.words[word]) for word in self.positional]
        written = [word for word in _ORDER if word in self.words and word not in self.positional]
        keywords = {self.words[w]: words[w] for w in written if not w.endswith("channels") or words[w] is not None}
        defaults = {self.words[w]: default for w, default in _DEFAULTS.items() if w in self.words}
        whole = [self.words[word] for word in self.whole]
        call = code.call(self.layer_name.format(n=ndim), channels, keywords, defaults, whole)
        return call if not self.extra else f"{call[:-1]}, {', '.join(self.extra)})"


class Symmetric(Layered):
    """One padding for both ends, none of them negative, and an output padding."""

    ends = "one padding for both ends, none of them negative"

    def most_padding(self, geometry: Geometry) -> tuple[int, ...] | None:
        """The largest padding of each axis, where a framework has one."""
        return None

    def _said(self, geometry: Geometry) -> list[tuple[int, int, int]]:
        said = symmetric_padding(geometry, self.most_added(geometry), self.most_padding(geometry))
        return [(p, p, a) for p, a in said]

    def _padding(self, geometry: Geometry, ends: Pairs) -> Any:
        return tuple(p for p, _ in ends)

    def _read_padding(
        self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        name = self.words["padding"]
        if isinstance(given.get(name), str):
            checks.wrong(
                f"{name} must be an integer or one an axis: {self.title}'s transposed convolutions have no "
                f'"same" and no "valid"; got {given[name]!r}'
            )
        return [(p, p) for p in given.ints(name, 0, 0)]

    def _notes(self, geometry: Geometry, crop: Pairs) -> list[str]:
        names = (self.words["padding"], self.words["output_padding"])
        return shift_note(geometry, self.most_added(geometry), names)


class Flat(Layered):
    """A padding of one number an axis, or of two, low and high, one axis after the other."""

    ends = "no negative padding, and an output padding below the stride"
    most_axes: ClassVar[int | None] = 3
    last_axis_first: ClassVar[bool] = False  #: how the pairs follow each other
    negative: ClassVar[bool] = False  #: whether a padding may add cells

    def _said(self, geometry: Geometry) -> list[tuple[int, int, int]]:
        return nearest_ends(geometry, self.most_added(geometry), negative=self.negative)

    def _padding(self, geometry: Geometry, ends: Pairs) -> Any:
        return self.padding_of(ends)

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """One integer an axis where its ends agree for all of them, else both ends of each axis in one list."""
        if all(low == high for low, high in pairs):
            return tuple(low for low, _ in pairs)
        ordered = pairs[::-1] if self.last_axis_first else pairs
        return [end for pair in ordered for end in pair]

    def _read_padding(
        self, given: Given, strides: tuple[int, ...], effective: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        name, least = self.words["padding"], None if self.negative else 0
        value = given.get(name, 0)
        if checks.is_sequence(value) and len(value) == 2 * given.ndim:
            entries = [checks.integer(f"{name}[{i}]", entry, least) for i, entry in enumerate(value)]
            pairs = list(zip(entries[::2], entries[1::2], strict=True))
            return pairs[::-1] if self.last_axis_first else pairs
        return [(p, p) for p in given.ints(name, 0, least)]
