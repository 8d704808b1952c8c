"""What a reader does with the lines of a conversion: plain arrays in, the lines executed, y out, for each dialect.

Arrays lie as `numpy.load` gives them, in C order. Frameworks are imported as they are needed; a test whose framework is
missing is skipped.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dialect_cases import channels_first, channels_last, run

from tconv.conventions import DIALECTS, Layer, weight_from_tconv


def needed(name: str) -> Any:
    """A framework, imported in silence."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            pytest.skip(f"{name} is not installed")


def as_it_lies(array: np.ndarray) -> np.ndarray:
    return array


def of_tensorflow(array: np.ndarray) -> Any:
    return needed("tensorflow").constant(array)


def of_keras(array: np.ndarray) -> Any:
    return needed("keras").ops.convert_to_tensor(array)


def of_torch(array: np.ndarray) -> Any:
    return needed("torch").as_tensor(array)


def of_jax(array: np.ndarray) -> Any:
    return needed("jax.numpy").asarray(array)


def of_mlx(array: np.ndarray) -> Any:
    return needed("mlx.core").array(array)


def of_paddle(array: np.ndarray) -> Any:
    return needed("paddle").to_tensor(array)


def of_tinygrad(array: np.ndarray) -> Any:
    os.environ.setdefault("DEV", "PYTHON")  # which needs no compiler
    return needed("tinygrad").Tensor(array)


def of_jax_for(library: str) -> Callable[[np.ndarray], Any]:
    """For a library on JAX, which has to be there."""
    return lambda array: needed(library) and of_jax(array)


#: What x is an array of, in the lines of each dialect.
ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "tconv": as_it_lies,
    "torch": of_torch,
    "keras": of_keras,
    "jax": of_jax,
    "tflite": of_tensorflow,
    "flax": of_jax_for("flax"),
    "nnx": of_jax_for("flax"),
    "equinox": of_jax_for("equinox"),
    "haiku": of_jax_for("haiku"),
    "mlx": of_mlx,
    "paddle": of_paddle,
    "tinygrad": of_tinygrad,
}
#: Those of which nothing runs here.
FROM_DOCUMENTATION = tuple(name for name, dialect in DIALECTS.items() if not dialect.was_run)


def result(target: str, code: str, x: np.ndarray, names: dict[str, np.ndarray], channels: str) -> np.ndarray:
    """y, its channels first, of lines for `target`; `names` are the arrays that they take beside x."""
    if target in FROM_DOCUMENTATION:
        pytest.skip(f"{target} is from its documentation")
    if target == "caffe":
        return _by_caffe(code, x, names)
    if target == "onnx":
        return _by_onnx(code, x, names)
    moved = np.ascontiguousarray(x if channels == "channels_first" else channels_last(x))
    y = run(code, x=ARRAYS[target](moved), **names)["y"]
    y = y.detach() if target == "torch" else y
    y = y.numpy() if target in ("torch", "paddle", "tinygrad") else np.array(y)
    return y if channels == "channels_first" else channels_first(y)


def of_source(source: str, layer: Layer, w: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of a layer as the source has them, under the name that the lines take: `kernel`, or `w` if alike."""
    theirs = np.ascontiguousarray(weight_from_tconv(w, source, groups=layer.groups))
    same = str(DIALECTS[source].layout({})) == "(Cin, Cout/groups, *kernel)"
    return {"w" if same else "kernel": theirs}


def _by_onnx(code: str, x: np.ndarray, names: dict[str, np.ndarray]) -> np.ndarray:
    onnx, runtime = needed("onnx"), needed("onnxruntime")
    left = run(code, **names)
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * x.ndim) for name in "xy"]
    graph = onnx.helper.make_graph(left["nodes"], "layer", values[:1], values[1:], left["arrays"])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[
        0
    ]


def _by_caffe(code: str, x: np.ndarray, names: dict[str, np.ndarray]) -> np.ndarray:
    """Its lines of NumPy are comments above the prototxt, which is interpreted."""
    from test_conventions_caffe import interpret

    lines = [line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")]
    turned = [line for line in lines if line.startswith(("w = ", "kernel = "))]
    left = run("\n".join(turned), **names)
    return interpret(code, x, left["w"], names.get("b"))
