"""A transposed convolution as convolutions: which ones each variant needs, and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tconv import checks
from tconv.conventions import Layer
from tconv.geometry import Geometry
from tconv.onnx.alignment import Alignment, Partition, ResiduePiece, align

#: How to say a transposed convolution by others: see `VARIANTS`.
Variant: TypeAlias = Literal["one_conv", "depth_to_space", "conv_per_phase", "conv_per_block"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
_PARTITIONS: dict[Variant, Partition] = {
    "one_conv": "all",
    "depth_to_space": "all",
    "conv_per_phase": "each",
    "conv_per_block": "equal",
}

#: No more nodes than this are put in the place of one.
MOST_CONVOLUTIONS = 64
#: No more phases than this along one axis are looked at.
MOST_PHASES = 1024
#: New weights, with the zeros that fill them up, may be so many times as large as the old, or so many bytes.
MOST_GROWTH, MOST_BYTES = 8, 64 * 2**20
#: The largest count of cells that attributes and constants may hold.
LARGEST_INT = 2**31 - 1

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Convolutions:
    """A layer as stride-1 convolutions, the product of the pieces of its axes, whose results interleave."""

    variant: Variant
    layer: Layer
    axes: tuple[Alignment, ...]

    @property
    def pieces(self) -> list[tuple[ResiduePiece, ...]]:
        """A piece of every axis for each convolution, the last axis running fastest."""
        return list(product(*(axis.pieces for axis in self.axes)))

    @property
    def phases(self) -> int:
        """Results for each cell and output channel: the product of the strides."""
        return prod(axis.stride for axis in self.axes)

    @property
    def split(self) -> list[int]:
        """The axes that have phases to interleave."""
        return [i for i, axis in enumerate(self.axes) if axis.stride > 1]

    def weights(self, w: Array, pieces: tuple[ResiduePiece, ...]) -> Array:
        """The weights of one convolution, (Cout * residues, Cin / groups, *kernel), from those of the layer.

        The results of an output channel are neighbours, residues of the last axis running fastest.
        """
        groups, ndim = self.layer.groups, len(pieces)
        placed = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
        for i, piece in enumerate(pieces):
            placed = _placed(placed, 3 + 2 * i, piece)
        residues, places = range(3, 3 + 2 * ndim, 2), range(4, 4 + 2 * ndim, 2)
        ordered = placed.transpose(0, 2, *residues, 1, *places)
        return np.ascontiguousarray(ordered.reshape(-1, *ordered.shape[2 + ndim :]))


def convolutions(layer: Layer, variant: Variant) -> Convolutions:
    """The layer in this variant; raises `checks.Rejected` with the reason where it has no such form."""
    g = layer.geometry
    if max(g.stride) > MOST_PHASES:
        checks.wrong(f"a stride must be at most {MOST_PHASES}; it is {max(g.stride)}")
    if max(g.fine) > LARGEST_INT or max(abs(end) for pair in g.padding for end in pair) > LARGEST_INT:
        checks.wrong(f"sizes must be at most {LARGEST_INT}; the result has {checks.shorten(g.fine)}")
    _check_variant(g, variant)
    made = Convolutions(variant, layer, tuple(align(axis, _PARTITIONS[variant]) for axis in g.axes))
    count = prod(len(axis.pieces) for axis in made.axes)
    if count > MOST_CONVOLUTIONS:
        checks.wrong(f"{variant} must take at most {MOST_CONVOLUTIONS} convolutions; it takes {count}")
    if variant == "conv_per_block" and count in (1, made.phases):
        other = "one_conv" if count == 1 else "conv_per_phase"
        checks.wrong(f"conv_per_block must group some phases and not others; here it is {other}")
    return made


def check_size(made: Convolutions, w: Array) -> None:
    """The new weights are not many times as large as the old ones."""
    size = w.nbytes // max(1, prod(w.shape[2:])) * prod(axis.cost for axis in made.axes)
    if size > max(MOST_BYTES, MOST_GROWTH * w.nbytes):
        was, becomes = checks.memory(w.nbytes), checks.memory(size)
        checks.wrong(f"the weights must not grow more than {MOST_GROWTH} times; from {was} they grow to {becomes}")


def usual_variant(layer: Layer) -> Variant:
    """The variant that most often is the fastest for such a layer; a guess, where nothing is measured."""
    g = layer.geometry
    if prod(g.stride) == 1:
        return "one_conv"
    order: list[Variant] = ["one_conv"]
    if max(g.dilation) > 1 or (g.ndim > 1 and max(g.stride) == 2 and (layer.out_channels or 1) // layer.groups > 4):
        order = ["conv_per_phase", "one_conv"]
    elif max(g.stride) >= 16:
        order = ["conv_per_block", "one_conv"]
    return next((variant for variant in order if not _reason(layer, variant)), "one_conv")


def _reason(layer: Layer, variant: Variant) -> str:
    """Why a layer has no such form; "" where it has."""
    try:
        convolutions(layer, variant)
    except checks.Rejected as rejected:
        return str(rejected)
    return ""


def _check_variant(g: Geometry, variant: Variant) -> None:
    if variant == "one_conv":
        return
    if prod(g.stride) == 1:
        checks.wrong(f"{variant} must have phases to interleave; at stride 1 there is one: one_conv is the form")
    if variant == "depth_to_space" and (g.ndim != 2 or g.stride[0] != g.stride[1]):
        strides = "x".join(map(str, g.stride))
        checks.wrong(f"depth_to_space must have two axes of one stride; here it is {strides}")


def _placed(w: Array, axis: int, piece: ResiduePiece) -> Array:
    """The taps of one axis spread over two: residues, and places of the kernel, zeros where there is no tap."""
    zero = np.zeros((*w.shape[:axis], 1, *w.shape[axis + 1 :]), w.dtype)
    where = np.array([[w.shape[axis] if tap is None else tap for tap in row] for row in piece.taps], np.intp)
    return np.take(np.concatenate([w, zero], axis), where, axis)
