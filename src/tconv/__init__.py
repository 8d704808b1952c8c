"""Transposed convolution: exact, explained, and fast."""

from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any

from tconv._version import __version__ as __version__
from tconv.axis import Axis
from tconv.dot import dot_test
from tconv.forks import uninterrupted
from tconv.geometry import Geometry
from tconv.methods.columns import col2im, im2col
from tconv.methods.stretching import zero_inserted
from tconv.operators import kernel_operator, linear_operator, sparse_matrix
from tconv.ops import conv, conv_transpose, weight_gradient
from tconv.phases import phases
from tconv.plan import plan

if TYPE_CHECKING:
    from tconv.chaining import chain
    from tconv.conventions import Layer, convert, weight_from_tconv, weight_to_tconv
    from tconv.conventions.weight_conversion import convert_weights
    from tconv.exploring import explore
    from tconv.jit.machine.launch import get_num_threads, set_num_threads
    from tconv.mirroring import mirror
    from tconv.prepared import Conv, ConvTranspose
    from tconv.solving import solve
    from tconv.streaming import Stream
    from tconv.tuning import tune

__all__ = [
    "conv_transpose",
    "ConvTranspose",
    "conv",
    "Conv",
    "Stream",
    "weight_gradient",
    "plan",
    "tune",
    "Geometry",
    "Axis",
    "chain",
    "solve",
    "mirror",
    "phases",
    "explore",
    "sparse_matrix",
    "linear_operator",
    "kernel_operator",
    "im2col",
    "col2im",
    "zero_inserted",
    "dot_test",
    "convert",
    "Layer",
    "weight_to_tconv",
    "weight_from_tconv",
    "convert_weights",
    "set_num_threads",
    "get_num_threads",
]

#: Names that are imported when they are first used: who only computes does not wait for them.
_LATER = {
    "chain": "tconv.chaining",
    **dict.fromkeys(("ConvTranspose", "Conv"), "tconv.prepared"),
    "Stream": "tconv.streaming",
    "tune": "tconv.tuning",
    "solve": "tconv.solving",
    "mirror": "tconv.mirroring",
    **dict.fromkeys(("convert", "Layer", "weight_to_tconv", "weight_from_tconv"), "tconv.conventions"),
    "convert_weights": "tconv.conventions.weight_conversion",
    "explore": "tconv.exploring",
    **dict.fromkeys(("set_num_threads", "get_num_threads"), "tconv.jit.machine.launch"),
}


def __getattr__(name: str) -> Any:
    if name in ("conventions", "draw", "exploring", "onnx", "solving"):
        with uninterrupted:
            return import_module(f"tconv.{name}")
    if name not in _LATER:
        hint = f"; import tconv.{name}" if name in ("torch", "jax", "interpolation") else ""
        raise AttributeError(f"module 'tconv' has no attribute {name!r}{hint}")
    with uninterrupted:
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


#: Taps of a kernel, at most, that a notebook draws unasked: a cell may add up as many products, and has 0.5 s for all.
_DRAWN_TAPS = 10_000


def _picture(geometry: Geometry) -> str | None:
    """The geometry in a notebook: its view `scatter`; None, and so its text, where it cannot be drawn in no time."""
    if prod(geometry.kernel) > _DRAWN_TAPS:
        return None
    try:
        return import_module("tconv.draw").figure(geometry).svg()  # type: ignore[no-any-return]
    except (ValueError, ImportError):
        return None


# Set here, as geometry.py knows nothing of pictures.
Geometry._repr_svg_ = _picture  # type: ignore[attr-defined]


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", "conventions", "draw", "exploring", "methods", "onnx", "solving"})
