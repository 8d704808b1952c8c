"""Weight layouts: where a framework keeps input channels, output channels and taps, and the way to tconv's and back.

tconv's own layout is PyTorch's, (Cin, Cout/groups, *kernel). A layout is written with a letter an axis, I for the
axis of the input channels, O for that of the output channels and * for the taps: tconv's is "IO*". Two things are not
a matter of order: whether the taps are flipped, and what stands for groups. Without groups everything here is a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tconv import checks

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class WeightLayout:
    """The axes of one framework's weights, relative to tconv's."""

    axes: str  #: "IO*", "*OI", "*IO" or "O*I"
    flipped: bool = False  #: whether tap t is kept at kernel - 1 - t
    #: Groups: "own" keeps them on the I axis, (Cin, Cout/groups), as PyTorch does; "outputs" keeps them on the O axis,
    #: (Cin/groups, Cout); "dense" has none, so that a dense (Cin, Cout) kernel holds zeros between the groups.
    grouping: Literal["own", "outputs", "dense"] = "own"

    def order(self, ndim: int) -> tuple[int, ...]:
        """For each axis of this layout the axis of "IO*" that it is."""
        return tuple(
            i for letter in self.axes for i in ({"I": (0,), "O": (1,)}.get(letter) or tuple(range(2, 2 + ndim)))
        )

    def __str__(self) -> str:
        cin = "Cin/groups" if self.grouping == "outputs" else "Cin"
        cout = "Cout/groups" if self.grouping == "own" else "Cout"
        letters = {"I": cin, "O": cout, "*": "*kernel"}
        return f"({', '.join(letters[letter] for letter in self.axes)})" + (", taps flipped" if self.flipped else "")


def from_tconv(w: Array, layout: WeightLayout, groups: int, dilation: tuple[int, ...] | None = None) -> Array:
    """Weights (Cin, Cout/groups, *kernel) in this layout; with `dilation`, zeros are written out between the taps."""
    taps = tuple(range(2, w.ndim))
    if dilation is not None:
        w = _written_out(w, dilation)
    if groups > 1 and layout.grouping == "outputs":
        split = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
        w = split.swapaxes(0, 1).reshape(w.shape[0] // groups, groups * w.shape[1], *w.shape[2:])
    if groups > 1 and layout.grouping == "dense":
        w = _dense(w, groups)
    return (np.flip(w, taps) if layout.flipped else w).transpose(layout.order(len(taps)))


def to_tconv(w: Array, layout: WeightLayout, groups: int, dilation: tuple[int, ...] | None = None) -> Array:
    """Weights in this layout as (Cin, Cout/groups, *kernel); zeros between groups or taps must be zeros."""
    ndim = w.ndim - 2
    w = w.transpose(tuple(np.argsort(layout.order(ndim))))
    if layout.flipped:
        w = np.flip(w, tuple(range(2, w.ndim)))
    if groups > 1 and layout.grouping == "dense":
        w = _blocks(w, groups)
    if groups > 1 and layout.grouping == "outputs":
        checks.divides("groups", groups, "the output channels of w", w.shape[1])
        split = w.reshape(w.shape[0], groups, w.shape[1] // groups, *w.shape[2:])
        w = split.swapaxes(0, 1).reshape(w.shape[0] * groups, w.shape[1] // groups, *w.shape[2:])
    return w if dilation is None else _gathered(w, dilation)


def from_tconv_lines(layout: WeightLayout, groups: int, dilation: Sequence[int] | None, ndim: int) -> list[str]:
    """The lines that turn `w` into `kernel`, in this layout: `from_tconv` as NumPy says it; `w` itself where it is."""
    lines, source, last = [], "w", _reordered(layout.order(ndim), layout.flipped)
    if dilation is not None:
        sizes = ", ".join(f"{d} * (w.shape[{i + 2}] - 1) + 1" for i, d in enumerate(dilation))
        lines += [f"spread = np.zeros((*w.shape[:2], {sizes}), w.dtype)  # the dilation, written out as zeros"]
        lines += [f"spread[:, :, {', '.join(f'::{d}' for d in dilation)}] = w"]
        source = "spread"
    if groups > 1 and layout.grouping == "outputs":
        lines += [f"grouped = {source}.reshape({groups}, -1, *{source}.shape[1:]).swapaxes(0, 1)"]
        lines += [f"grouped = grouped.reshape(-1, {groups} * w.shape[1], *grouped.shape[3:])"]
        source = "grouped"
    if groups > 1 and layout.grouping == "dense":
        lines += [f"rows, columns = {source}.shape[0] // {groups}, {source}.shape[1]"]
        lines += [f"dense = np.zeros(({source}.shape[0], {groups} * columns, *{source}.shape[2:]), w.dtype)"]
        lines += [f"for g in range({groups}):  # zeros between the groups"]
        block = "[g * rows : (g + 1) * rows"
        lines += [f"    dense{block}, g * columns : (g + 1) * columns] = {source}{block}]"]
        source = "dense"
    return [*lines, f"kernel = {source}{last}  # {layout}"] if source + last != "w" else [f"# w: {layout}"]


def to_tconv_lines(layout: WeightLayout, groups: int, ndim: int) -> list[str]:
    """The lines that turn `kernel`, in this layout, into `w`: `to_tconv` as NumPy says it; `w` itself where it is."""
    last = _reordered(tuple(int(i) for i in np.argsort(layout.order(ndim))), False)
    last += f"[:, :, {', '.join(['::-1'] * ndim)}].copy()" if layout.flipped else ""  # PyTorch takes no flipped views
    if not last:
        return [f"# w: {layout}"]
    lines = [f"w = kernel{last}  # from {layout}"]
    if groups > 1 and layout.grouping == "outputs":
        lines += [f"w = w.reshape(w.shape[0], {groups}, -1, *w.shape[2:]).swapaxes(0, 1)"]
        lines += [f"w = w.reshape({groups} * w.shape[1], -1, *w.shape[3:])"]
    return lines


def _reordered(order: tuple[int, ...], flipped: bool) -> str:
    flip = f"[:, :, {', '.join(['::-1'] * (len(order) - 2))}]" if flipped else ""
    return flip + ("" if order == tuple(range(len(order))) else f".transpose{order}")


def _written_out(w: Array, dilation: tuple[int, ...]) -> Array:
    sizes = (d * (k - 1) + 1 for d, k in zip(dilation, w.shape[2:], strict=True))
    spread = _zeros("w with its dilation written out as zeros", (*w.shape[:2], *sizes), w.dtype)
    spread[_every(dilation)] = w
    return spread


def _zeros(what: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Zeros, or the reason why there are too many of them."""
    checks.fits_memory(what, prod(shape) * dtype.itemsize)
    return np.zeros(shape, dtype)


def _every(dilation: tuple[int, ...]) -> tuple[slice, ...]:
    """The index of the taps in a kernel that is written out with zeros."""
    return (slice(None), slice(None), *(slice(None, None, d) for d in dilation))


def _gathered(w: Array, dilation: tuple[int, ...]) -> Array:
    gathered = w[_every(dilation)]
    if not np.array_equal(_written_out(gathered, dilation), w):
        checks.wrong(f"w must be zero between the taps of dilation {dilation}; it is not")
    return gathered


def _dense(w: Array, groups: int) -> Array:
    rows, columns = w.shape[0] // groups, w.shape[1]
    dense = _zeros("w with zeros between its groups", (w.shape[0], groups * columns, *w.shape[2:]), w.dtype)
    for g in range(groups):
        dense[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] = w[g * rows : (g + 1) * rows]
    return dense


def _blocks(dense: Array, groups: int) -> Array:
    checks.divides("groups", groups, "the input channels of w", dense.shape[0])
    checks.divides("groups", groups, "the output channels of w", dense.shape[1])
    rows, columns = dense.shape[0] // groups, dense.shape[1] // groups
    blocks = [dense[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] for g in range(groups)]
    w = np.concatenate(blocks)
    if not np.array_equal(_dense(w, groups), dense):
        checks.wrong(f"w must be zero between its {groups} groups; it is not")
    return w
