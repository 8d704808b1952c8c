"""Runtimes that a model can be measured in: from a model to a function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from tconv import checks
from tconv.measuring.rounds import with_result

Array: TypeAlias = NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]
Run: TypeAlias = Callable[[Feeds], list[Array]]
Runtime: TypeAlias = Literal["onnxruntime", "openvino"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


def first_run(model: ModelProto, feeds: Feeds, runtime: Runtime, threads: int) -> tuple[Run, float, list[Array]]:
    """The model, ready to run on so many threads, and the seconds and results of its first run on these feeds.

    Raises `checks.Rejected` where the runtime does not run it.
    """
    try:
        run = _PREPARE[runtime](model.SerializeToString(), threads)
        seconds, results = with_result(lambda: run(feeds))
    except checks.Rejected:
        raise
    except Exception as error:  # the runtime's own, of any class
        checks.wrong(f"model must run in {runtime}; {checks.first_line(error)}")
    return run, seconds, results


def load(runtime: Runtime) -> Any:
    """The runtime's module; raises `checks.Rejected` where it is not installed."""
    try:
        return import_module(runtime)
    except ModuleNotFoundError:
        checks.wrong(f"runtime must be installed: pip install {runtime}; got {runtime!r}")


def _onnxruntime(model: bytes, threads: int) -> Run:
    ort = load("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    # Its threads would keep a core busy for a while after a run, during the turn of the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, dict(feeds))


def _openvino(model: bytes, threads: int) -> Run:
    openvino = load("openvino")
    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # where the processor has bfloat16, it would be the default
    }
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def run(feeds: Feeds) -> list[Array]:
        request.infer(dict(feeds), share_inputs=True)
        return [np.array(request.get_output_tensor(i).data) for i in range(len(request.model_outputs))]

    return run


_PREPARE: dict[Runtime, Callable[[bytes, int], Run]] = {"onnxruntime": _onnxruntime, "openvino": _openvino}
