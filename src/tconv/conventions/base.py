"""What every dialect shares: the neutral layer, what a framework says of it, and the interface of a dialect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from tconv import checks
from tconv.conventions import code
from tconv.conventions.ends import cuts, look_alike
from tconv.conventions.given import Given
from tconv.conventions.weights import WeightLayout
from tconv.geometry import Geometry
from tconv.resolve import Ints

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """A transposed convolution that belongs to no framework: what every dialect is read into and written from.

    Channels are those of the transposed convolution: `in_channels` live on the coarse grid, `out_channels` on the fine
    one; None where they were not said. ValueError where `groups` does not divide them.

    >>> import tconv
    >>> from tconv.conventions import Layer
    >>> layer = Layer(tconv.Geometry.conv_transpose((8, 8), 4, stride=2, padding=1), 32, 16, bias=True)
    >>> layer.geometry.fine
    (16, 16)
    """

    geometry: Geometry
    in_channels: int | None = None
    out_channels: int | None = None
    groups: int = 1
    bias: bool = False

    def __post_init__(self) -> None:
        with checks.explained("Layer"):
            if not isinstance(self.geometry, Geometry):
                checks.wrong_type(f"geometry must be a tconv.Geometry; got {checks.shorten(self.geometry)}")
            if not isinstance(self.bias, bool):
                checks.wrong_type(f"bias must be True or False; got {checks.shorten(self.bias)}")
            object.__setattr__(self, "groups", checks.integer("groups", self.groups, 1))
            for name in ("in_channels", "out_channels"):
                if getattr(self, name) is not None:
                    object.__setattr__(self, name, checks.integer(name, getattr(self, name), 1))
                    checks.divides("groups", self.groups, name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Saying:
    """A layer as one framework says it, and what has to be done to that framework's result to get ours."""

    dialect: str
    parameters: Mapping[str, Any] = field(hash=False)  #: under the names of that framework, nothing left to a default
    kernel: tuple[int, ...]  #: taps of its weights; more than ours where a dilation had to be written out as zeros
    crop: Pairs  #: cells to cut off the framework's result at the (low, high) end of each axis
    pad: Pairs  #: zeros to put there first; a bias is added after them
    notes: tuple[str, ...]  #: sentences: what differs, what was worked around, which runtimes disagree
    code: str  #: lines to paste; they take x, w and b (if there is a bias) and leave y

    @property
    def exact(self) -> bool:
        """Whether the framework's layer alone gives our result, without a crop or a pad."""
        return not any(cells for pairs in (self.crop, self.pad) for pair in pairs for cells in pair)

    def __str__(self) -> str:
        return "\n".join([self.code.rstrip(), *(f"# Note: {note}" for note in self.notes)])


class Held(NamedTuple):
    """Parameters as people hold them, such as a whole configuration, told apart."""

    parameters: Mapping[str, Any]  #: those that the dialect knows
    ndim: int | None = None  #: the number of axes, where something says it beside them
    notes: tuple[str, ...] = ()  #: sentences on what is no part of a transposed convolution


class Dialect(ABC):
    """How one framework says a transposed convolution: its names, its formulas and its layout of the weights."""

    name: ClassVar[str]
    title: ClassVar[str]  #: as a sentence names it
    channels: ClassVar[str]  #: "channels_first" or "channels_last", of x and y
    known: ClassVar[tuple[str, ...]]  #: every parameter that `read` takes
    words: ClassVar[Mapping[str, str]]  #: tconv's words -> this framework's names, for one value or one an axis
    default_bias: ClassVar[bool] = False  #: where neither the parameters nor the caller says
    was_run: ClassVar[bool] = True  #: whether it was held against the framework itself, not only its documentation
    other_lengths: ClassVar[tuple[str, ...]] = ()  #: parameters whose sequences do not have an entry an axis

    @property
    def reservations(self) -> tuple[str, ...]:
        """A sentence where what is said of this framework was not held against it."""
        return () if self.was_run else (f"What is said of {self.title} is from its documentation: none of it was run.",)

    @property
    def may_transpose_kernel(self) -> bool:
        """Whether its kernels lie in one of two ways, which `transpose_kernel` tells apart."""
        return "transpose_kernel" in self.known

    def held(self, parameters: Mapping[str, Any]) -> Held:
        """Parameters in any form that people hold them in; raises `checks.Rejected` where that form cannot be."""
        return Held(parameters)

    def read(
        self,
        parameters: Mapping[str, Any],
        *,
        kernel: Ints | None = None,
        coarse: Ints | None = None,
        ndim: int | None = None,
        in_channels: int | None = None,
        out_channels: int | None = None,
        bias: bool | None = None,
    ) -> Layer:
        """The layer that this framework's parameters say.

        The keywords add what the framework takes from arrays: the kernel from the weights, the coarse size and the
        channels from x. Without `coarse` a nominal size of 16 is taken (more where the padding would leave nothing);
        only an explicit output size depends on it, and needs it. The number of axes is that of the first value given
        for each axis, or `ndim`, or 2. ValueError or TypeError for anything that the framework does not take.
        """
        if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
            raise TypeError(f"{self.name}.read: parameters must map names to values; got {checks.shorten(parameters)}")
        with checks.explained(f"{self.name}.read", lambda: checks.echo(**parameters)):
            held = self.held(parameters)
            ndim = held.ndim if ndim is None else ndim
            given = Given(
                held.parameters, self.known, self.words.get("kernel"), kernel, coarse, ndim, self.other_lengths
            )
            return self._layer(given, in_channels, out_channels, bias)

    def _layer(self, given: Given, cin: int | None, cout: int | None, bias: bool | None) -> Layer:
        geometry = self._geometry(given)
        cin = given.agreed("in_channels", self.words.get("in_channels"), cin)
        cout = given.agreed("out_channels", self.words.get("out_channels"), cout)
        groups = given.count(self.words["groups"]) or 1 if "groups" in self.words else 1
        for name, channels in (("in_channels", cin), ("out_channels", cout)):
            if channels is not None:
                checks.divides(self.words.get("groups", "groups"), groups, name, channels)
        has_bias = given.flag("bias", self.words.get("bias"), bias)
        return Layer(geometry, cin, cout, groups, self.default_bias if has_bias is None else has_bias)

    @abstractmethod
    def _geometry(self, given: Given) -> Geometry:
        """What the parameters say of the two grids."""

    def write(self, layer: Layer) -> Saying:
        """This layer in the words of this framework; ValueError naming what it cannot say where no layer comes near."""
        with checks.explained(f"{self.name}.write"):
            if not isinstance(layer, Layer):
                checks.wrong_type(f"layer must be a Layer; got {checks.shorten(layer)}")
            return self._write(layer)

    @abstractmethod
    def _write(self, layer: Layer) -> Saying: ...

    @abstractmethod
    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """How the weights of a layer with these parameters lie in memory."""

    def disagreements(self, parameters: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
        """Sentences on the runtimes that do not agree about a layer said with these parameters."""
        return ()

    def spell(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters under tconv's words (kernel, stride, ...) under this framework's names; the values stay its own.

        >>> from tconv.conventions import DIALECTS
        >>> DIALECTS["keras"].spell({"kernel": 4, "stride": 2, "padding": "same"})
        {'kernel_size': 4, 'strides': 2, 'padding': 'same'}
        """
        with checks.explained(f"{self.name}.spell"):
            spelt: dict[str, Any] = {}
            for word, value in words.items():
                if word not in self.words:
                    checks.wrong(f"{self.title} can be told {checks.words(tuple(self.words))}; got {word!r}")
                spelt |= self._spelt(word, value)
            return spelt

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        return {self.words[word]: value}

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """The padding of each axis, (low, high), in the form that this framework takes it in."""
        alike = [low if low == high else (low, high) for low, high in pairs]
        return alike[0] if len(set(alike)) == 1 and isinstance(alike[0], int) else tuple(alike)

    def prepend(self, lines: Sequence[str], text: str) -> str:
        """The code with lines put before it, below its imports."""
        imports, _, body = text.partition("\n\n")
        return "\n".join([imports, "", *lines, body])

    def _at_most(self, layer: Layer, ndim: int) -> None:
        if layer.geometry.ndim > ndim:
            checks.wrong(
                f"geometry must have at most {ndim} axes, all that {self.title}'s transposed convolutions have; "
                f"got {layer.geometry.ndim}"
            )


def end_notes(title: str, reason: str, crop: Pairs, pad: Pairs, bias: bool) -> list[str]:
    """What is done to the framework's result, and why."""
    notes = []
    if any(map(any, crop)):
        notes.append(f"{title} cannot say this geometry ({reason}): the layer is larger, and {shown(crop)} is cropped.")
    if any(map(any, pad)):
        after = "; the bias is added after it, since cells that no tap reaches hold the bias" if bias else ""
        notes.append(f"{title} cannot make the result this long ({reason}): zeros are put at {shown(pad)}{after}.")
    return notes


def shift_note(geometry: Geometry, most_output_padding: tuple[int, ...], names: tuple[str, str]) -> list[str]:
    """A warning of the parameters, called `names`, that give the right size and another result."""
    pairs = look_alike(geometry, most_output_padding)
    if pairs is None:
        return []
    paddings, added = zip(*pairs, strict=True)
    said = f"{names[0]}={code.value(paddings)}" + (f" with {names[1]}={code.value(added)}" if any(added) else "")
    theirs = tuple((p, p - a) for p, a in pairs)
    return [f"{said} gives the same size but a shifted result: it cuts {shown(theirs)}, not {shown(cuts(geometry))}."]


def shown(pairs: Sequence[tuple[int, int]]) -> str:
    """(low, high) of each axis, as a note shows it."""
    return " x ".join(map(str, pairs))
