"""ONNX Runtime on the CPU, its weights packed when the session starts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tconv.bench.peers.base import Case, Peer, TimedCall, as_it_is, load
from tconv.bench.peers.onnx_model import model


class OnnxRuntime(Peer):
    """A session with a new result from each run, and one that writes into the same memory every time."""

    name: ClassVar[str] = "onnxruntime"
    packages = ("onnx", "onnxruntime")
    settings = ("run", "io_binding")

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """A session of this layer alone."""
        ort = load("onnxruntime")
        session = _session(ort, case)
        if setting == "run":
            feed = {"x": case.x}
            return TimedCall(lambda: session.run(None, feed)[0], as_it_is)
        result = ort.OrtValue.ortvalue_from_shape_and_type(case.layer.y_shape, np.float32, "cpu")
        binding = session.io_binding()
        binding.bind_cpu_input("x", case.x)
        binding.bind_ortvalue_output("y", result)
        return TimedCall(lambda: session.run_with_iobinding(binding), lambda _: result.numpy())


def _session(ort: Any, case: Case) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads would keep a core busy for a while after a run, during the turn of the next peer.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(model(case), options, providers=["CPUExecutionProvider"])
