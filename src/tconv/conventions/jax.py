"""JAX: lax.conv_transpose, and lax.conv_general_dilated, its groups-taking form.

Explicit padding belongs to the zero-inserted input, not to the result: it is eff - 1 less what is cut, so that
PyTorch's p is eff - 1 - padding (with use_consistent_padding=True it is the cut itself). "SAME" and "VALID" mean what
they mean in Keras. The kernel is not flipped: tap t of a transposed convolution is kernel - 1 - t here, unless
transpose_kernel=True flips it and swaps its channel axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tconv import checks
from tconv.conventions import code
from tconv.conventions.base import Dialect, Layer, Saying
from tconv.conventions.ends import cuts
from tconv.conventions.given import Given
from tconv.conventions.keras import cut_of_word
from tconv.conventions.weights import WeightLayout, from_tconv_lines
from tconv.geometry import Geometry
from tconv.sizes import effective_kernel

_GROUPS = "lax.conv_transpose has no groups: lax.conv_general_dilated, which it calls, has feature_group_count."
_DIMENSIONS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


class Jax(Dialect):
    """The parameters of lax.conv_transpose, with its default dimension_numbers: channels last, kernel (*k, I, O).

    Where `feature_group_count` is above 1 they are those of lax.conv_general_dilated, under these names.
    """

    name = "jax"
    title = "JAX"
    channels = "channels_last"
    known = ("strides", "padding", "rhs_dilation", "transpose_kernel", "use_consistent_padding", "feature_group_count")
    words: ClassVar[Mapping[str, str]] = {
        "stride": "strides",
        "padding": "padding",
        "groups": "feature_group_count",
        "dilation": "rhs_dilation",
    }

    def layout(self, parameters: Mapping[str, Any]) -> WeightLayout:
        """(*kernel, Cin, Cout), taps flipped; with transpose_kernel=True (*kernel, Cout, Cin), as Keras."""
        if parameters.get("transpose_kernel"):
            return WeightLayout("*OI")
        return WeightLayout("*IO", flipped=True, grouping="outputs")

    def _spelt(self, word: str, value: Any) -> dict[str, Any]:
        if word == "padding" and isinstance(value, str):
            return {"padding": value.upper()}
        return super()._spelt(word, value)

    def padding_of(self, pairs: Sequence[tuple[int, int]]) -> Any:
        """A pair for every axis."""
        return list(pairs)

    def _geometry(self, given: Given) -> Geometry:
        strides, dilation = given.ints("strides", 1, 1), given.ints("rhs_dilation", 1, 1)
        transposed = given.flag("transpose_kernel", "transpose_kernel", None)
        groups = given.count("feature_group_count") or 1
        if transposed and groups > 1:
            checks.wrong(f"feature_group_count must be 1 with transpose_kernel=True, which has no groups; got {groups}")
        consistent = given.flag("use_consistent_padding", "use_consistent_padding", None)
        eff = tuple(map(effective_kernel, given.kernel, dilation))
        padding = _padding(given)
        if isinstance(padding, str):
            pairs = [cut_of_word(padding.lower(), e, s, None) for e, s in zip(eff, strides, strict=True)]
        elif consistent:
            pairs = padding
        else:
            pairs = [(e - 1 - low, e - 1 - high) for e, (low, high) in zip(eff, padding, strict=True)]
        return given.geometry(strides, pairs, (0,) * given.ndim, dilation)

    def _write(self, layer: Layer) -> Saying:
        self._at_most(layer, 3)
        g = layer.geometry
        reach = (axis.effective_kernel - 1 for axis in g.axes)
        parameters: dict[str, Any] = {
            "strides": g.stride,
            "padding": tuple((r - low, r - high) for r, (low, high) in zip(reach, cuts(g), strict=True)),
            "rhs_dilation": g.dilation,
        }
        if layer.groups > 1:
            parameters["feature_group_count"] = layer.groups
        else:
            parameters["transpose_kernel"] = False
        uncut = ((0, 0),) * g.ndim
        notes = (_GROUPS,) if layer.groups > 1 else ()
        return Saying(self.name, parameters, g.kernel, uncut, uncut, notes, _lines(self, layer, parameters))


def _padding(given: Given) -> list[tuple[int, int]] | str:
    value = given.get("padding")
    if isinstance(value, str) and value in ("SAME", "VALID"):
        return value
    if not checks.is_sequence(value) or len(value) != given.ndim:
        pairs = checks.count(given.ndim, "(low, high) pair")
        checks.wrong(f'padding must be "SAME", "VALID" or {pairs}, one an axis; got {checks.shorten(value)}')
    return [checks.padding_pair(f"padding[{i}]", entry) for i, entry in enumerate(value)]


def _lines(dialect: Jax, layer: Layer, parameters: dict[str, Any]) -> str:
    g = layer.geometry
    if layer.groups > 1:
        call = "lax.conv_general_dilated"
        keywords = {
            "window_strides": [1] * g.ndim,
            "padding": parameters["padding"],
            "lhs_dilation": list(g.stride),
            "rhs_dilation": list(g.dilation),
            "dimension_numbers": _DIMENSIONS[g.ndim],
            "feature_group_count": layer.groups,
        }
    else:
        call = "lax.conv_transpose"
        keywords = {"strides": list(g.stride), "padding": parameters["padding"]}
        keywords |= {"rhs_dilation": list(g.dilation)} if max(g.dilation) > 1 else {}
    build = [
        "# x and y: (N, *size, channels)",
        *from_tconv_lines(dialect.layout(parameters), layer.groups, None, g.ndim),
        f"y = {code.call(call, ['x', 'kernel'], keywords, {})}",
    ]
    return code.joined(["from jax import lax", ""], build, ["y = y + b"] if layer.bias else [])
