"""How tensors reach the engine: which calls it serves, in which memory format, and with which packed weights."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from tconv.jit import engine, isa, launch
from tconv.jit.engine import Engine
from tconv.problem import Problem
from tconv.torch.windows import Integers, geometry

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

Operation = Literal["conv_transpose", "conv"]


def serves(*tensors: Tensor | None) -> bool:
    """Whether plain tensors in memory, of one dtype that the engine computes in."""
    dtype = tensors[0].dtype if tensors[0] is not None else None
    return dtype in _DTYPES and all(t is None or (t.is_cpu and t.dtype == dtype) for t in tensors)


def is_last(x: Tensor) -> bool:
    """Whether channels are innermost in memory."""
    if x.dim() == 3:
        return x.shape[1] > 1 and x.stride(1) == 1 and x.stride(2) >= x.shape[1]
    return x.is_contiguous(memory_format=_LAST[x.dim()]) and not x.is_contiguous()


@lru_cache(maxsize=1024)
def _ready(operation: Operation, first: Any, second: Any, window: Any, dtype: Any, last: bool, threads: int) -> Any:
    (stride, low, size, dilation, groups), (batch, _, *grid) = window, first
    coarse, fine = (grid, size) if operation == "conv_transpose" else (size, grid)
    shape = geometry(tuple(second[2:]), stride, low, dilation, coarse, fine)
    problem = Problem(operation, shape, batch, second[0], second[1] * groups, groups, _DTYPES[dtype])
    if engine.limit(problem):
        return None
    return engine._ready(problem, last and engine.layouts_differ(problem), isa.current(), threads)


def run(
    operation: Operation, first: Tensor, w: Tensor, bias: Tensor | None, stride: Integers, low: Integers,
    size: Integers, dilation: Integers, groups: int,
) -> Tensor | None:  # fmt: skip
    """Compute on the engine; None where it cannot."""
    last, window = is_last(first), (tuple(stride), tuple(low), tuple(size), tuple(dilation), groups)
    threads = min(torch.get_num_threads(), launch.setting())
    ready: Engine | None = _ready(operation, first.shape, w.shape, window, first.dtype, last, threads)
    if ready is None or first.shape[0] == 0:
        return None
    w = w.contiguous()
    packed = engine.packed_workspace(ready.program.packed)
    if not _pack(ready, w, bias, packed.ctypes.data):
        return None
    channels = w.shape[1] * groups if operation == "conv_transpose" else w.shape[0]
    first, result = _in_memory(first, (first.shape[0], channels, *size), last)
    ready.run(first.data_ptr(), packed.ctypes.data, result.data_ptr())
    return result


def _pack(ready: Engine, w: Tensor, bias: Tensor | None, packed: int) -> bool:
    first, count = ready.program.blocks
    threads = launch.useful(ready.program.packed / engine.PACKING, count) if ready.threads > 1 else 1
    bias = None if bias is None else bias.contiguous()
    source = 0 if bias is None else bias.data_ptr()
    blocks = ready.address + 8 * first
    return launch.pack(ready.machine, ready.address, blocks, count, w.data_ptr(), source, packed, threads)


def _in_memory(first: Tensor, shape: Integers, last: bool) -> tuple[Tensor, Tensor]:
    if not last:
        return first.contiguous(), first.new_empty(shape)
    if first.dim() == 3:
        result = first.new_empty((shape[0], shape[2], shape[1])).transpose(1, 2)
        return first.transpose(1, 2).contiguous().transpose(1, 2), result
    order = _LAST[first.dim()]
    result = torch.empty(shape, dtype=first.dtype, memory_format=order)
    return first.contiguous(memory_format=order), result
