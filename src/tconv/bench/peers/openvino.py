"""OpenVINO on the CPU, in float32, on tensors that share memory with the arrays."""

from __future__ import annotations

from typing import Any, ClassVar

from tconv.bench.peers.base import Case, Peer, TimedCall, load
from tconv.bench.peers.onnx_model import model


class OpenVino(Peer):
    """One stream with all threads. Without the hint it would compute in bfloat16 where the processor can."""

    name: ClassVar[str] = "openvino"
    packages = ("onnx", "openvino")

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """A compiled model of this layer alone."""
        openvino = load("openvino")
        core = openvino.Core()
        properties = {
            "INFERENCE_NUM_THREADS": case.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = core.compile_model(core.read_model(model(case)), "CPU", properties).create_infer_request()
        request.set_input_tensor(openvino.Tensor(case.x, shared_memory=True))

        def run() -> Any:
            return request.infer(share_outputs=True)  # else each run copies its result

        return TimedCall(run, lambda results: results[0])
