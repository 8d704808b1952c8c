"""How tensors reach the engine: a call prepared once for its shapes, strides and arguments, then run on addresses."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.autograd.profiler import record_function

from tconv import checks
from tconv.cached import cached_property
from tconv.finishing import Epilogue
from tconv.jit import engine
from tconv.jit.call import PreparedCall
from tconv.jit.engine import Engine
from tconv.jit.machine import fingerprint, launch
from tconv.problem import Problem
from tconv.torch import choice, formats, native
from tconv.torch.halves import HALVES, widened
from tconv.torch.kept import Pack, PackedWeights
from tconv.torch.windows import Integers, geometry

Operation: TypeAlias = Literal["conv_transpose", "conv"]

#: Whether a profiler wants to be told what computes: of what bypasses PyTorch's dispatcher it sees nothing.
profiled: Callable[[], bool] = torch._C._autograd._profiler_enabled

#: The dtypes that are computed by the engine, and the names of those in which it does so.
DTYPES: dict[torch.dtype, str] = {getattr(torch, name): name for name in engine.DTYPES} | HALVES


class OperationWindow(NamedTuple):
    """What an operation needs beside tensors; `size` is that of its result."""

    stride: Integers
    low: Integers
    size: Integers
    dilation: Integers
    groups: int


class Engines:
    """The engines of a problem, each made when a call first needs it: what PyTorch computes costs no tables."""

    def __init__(self, problem: Problem, channels_last: bool, most: int) -> None:
        self.problem, self._channels_last, self._most = problem, channels_last, most

    @cached_property
    def kept(self) -> Engine:
        """For weights that are kept."""
        return self._ready(once=False)

    @cached_property
    def once(self) -> Engine:
        """For weights that serve one call."""
        return self._ready(once=True)

    @cached_property
    def filtered(self) -> Engine:
        """For weights that are kept, by minimal filtering where that takes fewer products."""
        return self._ready(once=False, filtered=True) if self.can_filter else self.kept

    @property
    def can_filter(self) -> bool:
        """Whether minimal filtering takes fewer products."""
        return engine.can_filter(self.problem, self._channels_last)

    def followed(self, epilogue: Epilogue | None, *, filtered: bool = False) -> Engine:
        """For weights that are kept, where something is done with the result."""
        return self._ready(once=False, epilogue=epilogue, filtered=filtered and self.can_filter)

    def _ready(self, *, once: bool, epilogue: Epilogue | None = None, filtered: bool = False) -> Engine:
        # Calls lie between operations of PyTorch, whose threads keep the cores busy for a while after them.
        return engine.ready(
            self.problem, self._channels_last, once=once, most=self._most, openmp=True, epilogue=epilogue,
            filtered=filtered,
        )  # fmt: skip


@dataclass(slots=True)
class Call(PreparedCall):
    """One operation on tensors of given shapes and strides."""

    operation: Operation
    window: OperationWindow
    shape: Integers  #: of the result
    strides: Integers
    dtype: torch.dtype
    bias_shape: Integers
    bias_bytes: int
    weight_bytes: int
    strides_of_w: int  #: and its shape, hashed: the same memory may be read in another order
    engines: Engines | None  #: None: PyTorch computes
    why: str  #: it does so
    order_of_x: formats.Format | None  #: into which x has to be copied first
    weights: formats.Weights
    tiny: bool  #: PyTorch is faster where no derivative is recorded
    short: bool  #: and where one is
    said: native.SaidByTorch | None  #: how PyTorch says it, where it is one of both
    large: bool
    half: bool  #: tensors are cast to float32 and the result is rounded
    state: tuple[int, object]

    @staticmethod
    def current() -> tuple[int, object]:
        """What a call depends on beside its arguments: what engines do, and PyTorch's threads."""
        return torch.get_num_threads(), engine.state()

    def run(
        self, x: Tensor, w: Tensor, bias: Tensor | None, kept: PackedWeights | None, filters: bool = False
    ) -> Tensor:
        """Compute, without a record for derivatives; `kept` None: weights serve this call only.

        `filters`: by minimal filtering with weights that are kept, if that can be.
        """
        if profiled():
            with record_function(f"tconv::{self.operation}"):
                return self.compute(x, w, bias, kept, filters)
        return self.compute(x, w, bias, kept, filters)

    def compute(
        self, x: Tensor, w: Tensor, bias: Tensor | None, kept: PackedWeights | None, filters: bool = False
    ) -> Tensor:
        """The same, of which a profiler is not told."""
        engines = self.engines
        if engines is None:
            return self._by_torch(x, w, bias)
        if self.order_of_x is not None:
            x = formats.copied(x, self.order_of_x)
        if self.half:
            x, bias = widened(x), None if bias is None else widened(bias)
            if self.weight_bytes % 4:  # of which no fingerprint can be taken
                w = widened(w)
        result = torch.empty_strided(self.shape, self.strides, dtype=x.dtype)
        if self.large:
            formats.ask_for_huge_pages(result)
        # Names for the copies and what is packed, which must live until the kernels are done.
        source, b = x.data_ptr(), 0 if bias is None else (bias := bias.contiguous()).data_ptr()
        if not source or not w.data_ptr():  # elements that take no memory, such as zeros that autograd makes
            return self._by_torch(x, w, bias)
        packed = None
        if kept is not None:
            ready = engines.filtered if filters else engines.kept
            packed = self._kept(ready, w, b, kept)
            if packed is not None and not ready.run(source, packed.address, result.data_ptr()):
                packed = self._kept(engines.kept, w, b, kept)  # minimal filtering has met what is not finite
                if packed is not None:
                    engines.kept.run(source, packed.address, result.data_ptr())
        if packed is not None:
            return result.to(self.dtype) if self.half else result
        ordered = self.weights.contiguous(widened(w) if self.half else w)  # maybe workspace, which has no axes
        if engines.once.once_at(source, ordered.data_ptr(), b, result.data_ptr()):
            return result.to(self.dtype) if self.half else result
        return self._by_torch(x, w, bias)  # kernels have multiplied the zeros around x by a NaN or an Inf

    def _kept(self, ready: Engine, w: Tensor, bias: int, kept: PackedWeights) -> Pack | None:
        """The weights packed; None where they are not kept."""
        w = w if self.weights.dense else w.contiguous()
        memory = (
            w.data_ptr(),
            w.numel() * w.element_size() if self.half else self.weight_bytes,
            bias,
            self.bias_bytes if bias else 0,
        )
        seen = _fingerprint()(*memory) ^ self.strides_of_w
        known = kept.found(ready.program.packing, seen)
        return self._packed(ready, w, memory, seen, kept) if known is None else known

    def _packed(self, ready: Engine, w: Tensor, memory: Integers, seen: int, kept: PackedWeights) -> Pack | None:
        """The weights packed for keeps, if they come again, and stay what they are meanwhile."""
        source = self.weights.contiguous(widened(w) if self.half else w)
        return kept.packed(
            ready, ready.program.packing, seen, source.data_ptr(), memory[2],
            lambda: _fingerprint()(*memory) ^ self.strides_of_w == seen,
        )  # fmt: skip

    def _by_torch(self, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        """Compute by PyTorch; the result lies as the engine's would, so that strides do not depend on values."""
        if self.half:
            x, w, bias = widened(x), widened(w), None if bias is None else widened(bias)
        result = natively(self.operation, x, w, bias, self.window)
        return formats.laid(result.to(self.dtype), self.strides)

    def bias_fits(self, bias: Tensor) -> bool:
        """Whether a bias is what this call was prepared for."""
        return bias.dtype is self.dtype and bias.shape == self.bias_shape and bias.is_cpu


def grids(operation: Operation, read: Integers, written: Integers) -> tuple[Integers, Integers]:
    """The sizes of the coarse and the fine grid."""
    return (read, written) if operation == "conv_transpose" else (written, read)


def by_extra(window: OperationWindow, coarse: Integers, fine: Integers) -> tuple[Any, ...]:
    """The window as `native.py` wants it: `extra` in place of a size."""
    stride, low, _, dilation, groups = window
    return stride, low, native.extra(coarse, stride, fine), dilation, groups


def natively(operation: Operation, x: Tensor, w: Tensor, bias: Tensor | None, window: OperationWindow) -> Tensor:
    """The operation by PyTorch's own operators; x is what is read, whichever grid it lies on."""
    function = native.conv_transpose if operation == "conv_transpose" else native.conv
    return function(x, w, bias, *by_extra(window, *grids(operation, x.shape[2:], window.size)))


_fingerprint = fingerprint.function

#: Calls by what they depend on. There are as many as there are layers and shapes.
_calls: dict[Hashable, Call] = {}
MOST_CALLS = 4096


def threads() -> int:
    """How many threads a call takes at most: as many as PyTorch's, unless tconv is told to take fewer."""
    try:
        return min(torch.get_num_threads(), launch.setting())
    except checks.Rejected as rejected:  # TCONV_NUM_THREADS is wrong
        raise rejected.kind(str(rejected)) from None


def call(operation: Operation, x: Tensor, w: Tensor, window: OperationWindow, last: bool | None = None) -> Call:
    """The call of an operation on checked tensors in memory; x is what is read, whichever grid it lies on."""
    key = (operation, window, x.shape, x.stride(), x.dtype, w.shape, w.stride(), last)
    known = remembered(key)
    if known is None:
        known = made(operation, x, w, window, last)
        remember(key, known)
    return known


def remember(key: Hashable, made: Call) -> None:
    """Keep a call."""
    if len(_calls) >= MOST_CALLS:
        _calls.clear()
    _calls[key] = made


def remembered(key: Hashable) -> Call | None:
    """The call that was kept for a key; None where there is none, or something has been set anew since."""
    known = _calls.get(key)
    return known if known is not None and known.is_current() else None


def made(operation: Operation, x: Tensor, w: Tensor, window: OperationWindow, last: bool | None) -> Call:
    """Prepare a call."""
    now = Call.current()  # before engines are made: what is set meanwhile is not missed
    problem = problem_of(operation, x, w, window)
    written = problem.out_channels if operation == "conv_transpose" else problem.in_channels
    shape = (x.shape[0], written, *window.size)
    order = formats.of(x, w) if last is None else formats.Format(last)
    engines, why = _engines(problem, order)
    strides = formats.strides(shape, order)
    size = problem.itemsize
    tiny, short, said = _small(operation, x, w, window, problem)
    weights = formats.Weights.of(w, problem.dtype, by_engine=engines is not None)
    return Call(
        operation, window, shape, strides, x.dtype, (written,), written * size, w.numel() * w.element_size(),
        hash((w.shape, w.stride(), w.dtype)), engines, why, None if formats.lies(x, order) else order,
        weights, tiny, short, said, prod(shape) * size >= formats.LARGE,
        x.dtype in HALVES, now,
    )  # fmt: skip


def _small(
    operation: Operation, x: Tensor, w: Tensor, window: OperationWindow, problem: Problem
) -> tuple[bool, bool, native.SaidByTorch | None]:
    """Whether the call is tiny, and short; and how PyTorch says it, if it is one of both and PyTorch does."""
    tiny, short = choice.is_tiny(problem, x.dtype), choice.is_short(problem, x.dtype)
    if not (tiny or short):
        return False, False, None
    coarse, fine = grids(operation, x.shape[2:], window.size)
    said = native.said_by_torch(operation, w.shape[2:], window, native.extra(coarse, window.stride, fine))
    return (False, False, None) if said is None else (tiny, short, said)


def problem_of(operation: Operation, x: Tensor, w: Tensor, window: OperationWindow) -> Problem:
    """What is to be computed."""
    stride, low, size, dilation, groups = window
    found = geometry(tuple(w.shape[2:]), stride, low, dilation, *grids(operation, x.shape[2:], size))
    return Problem(operation, found, x.shape[0], w.shape[0], w.shape[1] * groups, groups, DTYPES[x.dtype])


def _engines(problem: Problem, order: formats.Format) -> tuple[Engines | None, str]:
    """The engines of a problem; or why PyTorch computes."""
    if problem.batch == 0:
        return None, "there is nothing to compute"
    why, most = engine.limit(problem), threads()
    return (None, f"the engine {why}") if why else (Engines(problem, order.last, most), "")
