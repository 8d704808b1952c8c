"""All dialects by name, and the other names that people have for them."""

from __future__ import annotations

from tconv import checks
from tconv.conventions.base import Dialect
from tconv.conventions.caffe import Caffe
from tconv.conventions.flax import Flax, Haiku, Nnx
from tconv.conventions.jax import Jax
from tconv.conventions.keras import Keras
from tconv.conventions.native import Native
from tconv.conventions.onnx import Onnx
from tconv.conventions.others import CoreMl, Equinox, Mlx, MxNet, Paddle, Tinygrad
from tconv.conventions.tflite import TfLite
from tconv.conventions.torch import Torch

NATIVE = Native()
_USUAL = (NATIVE, Torch(), Keras(), Onnx(), Jax(), Caffe(), TfLite())
_MORE = (Flax(), Nnx(), Equinox(), Haiku(), Mlx(), Paddle(), Tinygrad(), CoreMl(), MxNet())
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (*_USUAL, *_MORE)}
#: Those that are shown where nobody asked for one: the others are theirs but for names.
USUAL = tuple(dialect.name for dialect in _USUAL)
#: What else dialects are called. Their names are found in capitals too.
ALIASES = {
    "pytorch": "torch",
    "tf": "keras",
    "tensorflow": "keras",
    "lax": "jax",
    "litert": "tflite",
    "linen": "flax",
    "eqx": "equinox",
    "hk": "haiku",
    "dm-haiku": "haiku",
    "paddlepaddle": "paddle",
    "coremltools": "coreml",
    "gluon": "mxnet",
}


def find(name: str) -> Dialect | None:
    """The dialect of this name or alias; None where there is none."""
    lowered = name.lower()
    return DIALECTS.get(ALIASES.get(lowered, lowered))


def named(argument: str, name: object) -> Dialect:
    """The dialect that an argument names; raises `checks.Rejected`."""
    found = find(name) if isinstance(name, str) else None
    return DIALECTS[checks.choice(argument, name, tuple(DIALECTS))] if found is None else found


def transposing() -> str:
    """The dialects whose kernels may be those of transpose_kernel=True, as a message lists them."""
    return checks.words([dialect.name for dialect in DIALECTS.values() if dialect.may_transpose_kernel])
