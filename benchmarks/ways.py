"""The ways in which people run a model of PyTorch on a CPU, one function each, in one registry.

Each is given a model that is its own, in eval mode, which returns a tuple of tensors, and what the model is called
with. It gets ready (compiles, exports, packs) and returns a run, whose results are read as arrays after the clock was.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

import tconv.torch
from tconv.problem import Array


class Way(NamedTuple):
    """A model that is ready to be run in some way."""

    run: Callable[[], Any]
    arrays: Callable[[Any], list[Array]]  #: what a run returned


Inputs = dict[str, Any] | tuple[Any, ...]
#: Ways in the order in which they get ready: exporters forget what was compiled before.
WAYS: dict[str, Callable[[Module, Inputs, int], Way]] = {}
#: Ways that begin with the model as another way has left it.
BEHIND: dict[str, str] = {}


def way(name: str, behind: str | None = None) -> Callable[[Any], Any]:
    """Name a function that gets a model ready, for a number of threads."""

    def named(ready: Any) -> Any:
        WAYS[name] = ready
        if behind:
            BEHIND[name] = behind
        return ready

    return named


class Tensors(Module):
    """A model whose floating-point results are a tuple, whatever held them; its noise is the same in every run."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        return tuple(tensors(self.model(*args, **kwargs)))


def tensors(result: Any) -> Iterator[Tensor]:
    """The floating-point tensors of a result, whatever holds them."""
    if isinstance(result, Tensor):
        if result.is_floating_point():
            yield result
    elif isinstance(result, dict):
        for value in result.values():
            yield from tensors(value)
    elif isinstance(result, tuple | list):
        for value in result:
            yield from tensors(value)


@way("eager")
def eager(model: Module, inputs: Inputs, threads: int) -> Way:
    """As it is."""
    return _called(model, inputs)


@way("channels last")
def channels_last(model: Module, inputs: Inputs, threads: int) -> Way:
    """As it is, with what has two or three axes in the order that oneDNN is quickest in."""
    ranks = {leaf.ndim for leaf in model.parameters()} & {4, 5}
    if not ranks:
        raise ValueError("no parameter has two or three axes")
    for leaf in model.parameters():
        if leaf.ndim in ORDERS:
            leaf.data = leaf.data.contiguous(memory_format=ORDERS[leaf.ndim])
    return _called(model, torch.utils._pytree.tree_map_only(Tensor, _last, inputs))


ORDERS = {4: torch.channels_last, 5: torch.channels_last_3d}


def _last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=ORDERS[tensor.ndim]) if tensor.ndim in ORDERS else tensor


@way("accelerate")
def accelerate(model: Module, inputs: Inputs, threads: int) -> Way:
    """`tconv.torch.accelerate`, on the inputs that it is timed with."""
    tconv.torch.accelerate(model, inputs)
    return _called(model, inputs)


@way("onnxruntime")
def onnxruntime(model: Module, inputs: Inputs, threads: int) -> Way:
    """Exported, and read by ONNX Runtime."""
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Its threads would keep a core busy for a while after a run, during the turn of the next way.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with tempfile.TemporaryDirectory() as folder:
        file = _exported(model, inputs, Path(folder))
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feeds = _feeds(inputs, [each.name for each in session.get_inputs()])
    return Way(lambda: session.run(None, feeds), list)


@way("openvino")
def openvino(model: Module, inputs: Inputs, threads: int) -> Way:
    """Exported, and read by OpenVINO: one stream with all threads, in float32."""
    ov = import_module("openvino")
    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = ov.Core()
    with tempfile.TemporaryDirectory() as folder:
        made = core.compile_model(core.read_model(_exported(model, inputs, Path(folder))), "CPU", properties)
    request = made.create_infer_request()
    for name, array in _feeds(inputs, [each.any_name for each in made.inputs]).items():
        request.set_tensor(name, ov.Tensor(array, shared_memory=True))
    return Way(lambda: request.infer(share_outputs=True), lambda results: list(results.values()))


@way("torch.compile")
def compiled(model: Module, inputs: Inputs, threads: int) -> Way:
    """Compiled with frozen weights: its best setting, which packs them when it compiles."""
    return _compiled(model, inputs)


@way("accelerate and compile", behind="accelerate")
def both(model: Module, inputs: Inputs, threads: int) -> Way:
    """Accelerated, and compiled then."""
    return _compiled(model, inputs)


def _called(model: Module, inputs: Inputs) -> Way:
    def run() -> tuple[Tensor, ...]:
        torch.manual_seed(0)  # some models draw
        return model(**inputs) if isinstance(inputs, dict) else model(*inputs)  # type: ignore[no-any-return]

    return Way(run, lambda results: [each.detach().numpy() for each in results])


def _compiled(model: Module, inputs: Inputs) -> Way:
    # Else Dynamo counts what it makes of a method for another way towards the limit of this one.
    make: Any = torch.compile  # whose overloads do not have the argument
    ready = _called(make(model, isolate_recompiles=True), inputs)
    with import_module("torch._inductor.config").patch(freezing=True):
        ready.run()
        ready.run()  # what looks at its weights a second time is compiled anew
    return ready


def _exported(model: Module, inputs: Inputs, folder: Path) -> str:
    """The model as an ONNX file, by the exporter of today, or where that fails by the older one."""
    file = str(folder / "model.onnx")
    args, kwargs = ((), inputs) if isinstance(inputs, dict) else (inputs, None)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of operators of torchvision, which is not there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(model, args, file, kwargs=kwargs, dynamo=True, verbose=False, external_data=False)
        except Exception as error:
            try:
                torch.onnx.export(model, args, file, kwargs=kwargs, dynamo=False, opset_version=17)
            except Exception:
                raise error.__cause__ or error from None  # it says more than what the older one cannot do
    return file


def _feeds(inputs: Inputs, names: list[str]) -> dict[str, Array]:
    """Arrays by the names that the exported model has for its inputs, which come in their order."""
    leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(inputs) if isinstance(leaf, Tensor)]
    if len(leaves) != len(names):
        raise ValueError(f"the exported model has inputs {names}, and is given {len(leaves)} tensors")
    return {name: np.ascontiguousarray(leaf.numpy()) for name, leaf in zip(names, leaves, strict=True)}
