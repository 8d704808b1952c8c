"""One call of the engine for a run: batch normalization in the weights, the activation where results are stored.

Where that cannot be, for whatever reason, nothing is computed, and the modules of the run compute one by one: where
derivatives are recorded, where somebody listens to operations (see `plain.py`), where tensors do not fit each other.
What is wrong is found by them, and said in their words. So it is with weights that are met for the first time: folding
them takes as long as packing several times, and who changes them between any two calls is not to pay for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.profiler import record_function

from tconv.batch_norm import fold_batch_norm
from tconv.finishing import Epilogue
from tconv.jit.call import PreparedCall
from tconv.jit.engine import Addresses, Engine
from tconv.jit.machine import fingerprint
from tconv.jit.machine.address import address
from tconv.torch import calls, formats
from tconv.torch.engine import DTYPES, MOST_CALLS, Call, Engines, Operation, profiled
from tconv.torch.fusing import statistics
from tconv.torch.fusing.runs import CONVOLUTIONS, Follower, Run, finishing_of, follower_of, readable, residual_of
from tconv.torch.kept import Pack, PackedWeights
from tconv.torch.plain import plain


class Operands(NamedTuple):
    """The tensors of a run, as they are in this call."""

    w: Tensor
    bias: Tensor | None
    slope: Tensor | None
    mean: Tensor | None
    var: Tensor | None
    gamma: Tensor | None
    beta: Tensor | None

    @classmethod
    def of(cls, run: Run, slope: Tensor | None) -> Operands | None:
        """Those of a run; None where there are none that it could have."""
        # Found where they lie: attributes of modules take ten times as long.
        parameters, norm = run.conv._parameters, run.norm
        w, bias = parameters.get("weight"), parameters.get("bias")
        if w is None:
            return None
        if norm is None:
            return cls(w, bias, slope, None, None, None, None)
        gathered, learnt = norm._buffers, norm._parameters
        mean, var = gathered.get("running_mean"), gathered.get("running_var")
        if mean is None or var is None:
            return None
        return cls(w, bias, slope, mean, var, learnt.get("weight"), learnt.get("bias"))

    def are_readable(self, dtype: torch.dtype) -> bool:
        """Whether all of them can be read where they lie, in one dtype, and no derivative is to be recorded."""
        recorded = torch.is_grad_enabled()
        if self.w.dtype is not dtype or (recorded and self.w.requires_grad):
            return False
        return readable(self[1:], dtype) and not (recorded and any(t is not None and t.requires_grad for t in self[1:]))

    def fit(self, channels: tuple[int, ...]) -> bool:
        """Whether there is one number for each channel, or one slope."""
        if any(t is not None and t.shape != channels for t in (self.bias, *self[3:])):
            return False
        return self.slope is None or self.slope.shape in ((1,), channels)


def computed(run: Run, x: Tensor, kept: PackedWeights) -> Tensor | None:
    """The result of a run, None where its modules have to compute it."""
    if run.statistics is not None:
        return statistics.computed(run, x)
    known, follower = follower_of(run.activation)
    if not known:
        return None
    operands = Operands.of(run, None if follower is None else follower.slope)
    if operands is None or not plain(x, operands.w, operands.bias) or not operands.are_readable(x.dtype):
        return None
    if torch.is_grad_enabled() and x.requires_grad:
        return None
    call = _call(run, x, operands, follower, kept.filters)
    if call is None:
        return None
    fits, residual = residual_of(run, (call.call.shape, call.call.strides), x.dtype)
    return call.run(run, x, operands, residual, kept) if fits else None


#: Calls by what they depend on; None where modules return now these strides, now others, and so have to compute.
_calls: dict[Hashable, RunCall | None] = {}


def _call(run: Run, x: Tensor, operands: Operands, follower: Follower | None, filters: bool) -> RunCall | None:
    """The call for tensors of such shapes, None where there is none."""
    conv, w, (operation, ndim) = run.conv, operands.w, CONVOLUTIONS[type(run.conv)]
    left = conv.output_padding if operation == "conv_transpose" else None
    given = conv.stride, conv.padding, left, conv.groups, conv.dilation, None
    words = None
    if follower is not None:
        words = follower.name, follower.number, None if follower.slope is None else follower.slope.shape
    adds = run.residual is not None
    key = operation, given, x.shape, x.stride(), x.dtype, w.shape, w.stride(), words, adds, filters
    try:
        known = _calls.get(key)
        if known is None or not known.is_current():
            if x.dim() != ndim + 2 or w.dim() != ndim + 2 or (known is None and key in _calls):
                return None
            call = calls.prepared(operation, ndim, x, w, operands.bias, calls.frozen(operation, *given))
            if call.engines is None or call.half or not call.weights.dense or not operands.fit(call.bias_shape):
                return None
            if len(_calls) >= MOST_CALLS:
                _calls.clear()
            varies = formats.is_ambiguous(call.shape, call.strides)
            known = _calls[key] = None if varies else RunCall(call, call.engines, follower, adds, filters)
    except (RuntimeError, TypeError, ValueError):  # of arguments that the layer refuses, or does not
        return None
    if known is None or conv.padding_mode != "zeros":
        return None
    return known if operands.fit(known.call.bias_shape) else None


class RunCall(PreparedCall):
    """A run on tensors of given shapes and strides."""

    __slots__ = ("call", "engines", "epilogue", "fingerprint", "parameters", "parameters_at", "ready")
    current = staticmethod(Call.current)

    def __init__(self, call: Call, engines: Engines, follower: Follower | None, adds: bool, filters: bool) -> None:
        super().__init__()
        finishing = None if follower is None else finishing_of(follower)
        self.call, self.fingerprint = call, fingerprint.function()
        #: The number that kernels read, if the activation has one.
        self.parameters = np.zeros(1) if finishing is None else finishing.parameters(DTYPES[call.dtype])
        self.parameters_at = address(self.parameters)
        epilogue = None if finishing is None else finishing.epilogue
        self.epilogue = replace(epilogue or Epilogue(), residual=True) if adds else epilogue
        self.engines, self.ready = engines, engines.followed(self.epilogue, filtered=filters)

    def run(
        self, run: Run, x: Tensor, operands: Operands, residual: Tensor | None, kept: PackedWeights
    ) -> Tensor | None:
        """Compute; None where weights are new, or not all finite."""
        if profiled():
            with record_function(f"tconv::{self.call.operation}"):
                return self.compute(run, x, operands, residual, kept)
        return self.compute(run, x, operands, residual, kept)

    def compute(
        self, run: Run, x: Tensor, operands: Operands, residual: Tensor | None, kept: PackedWeights
    ) -> Tensor | None:
        """The same, of which a profiler is not told."""
        call, slope = self.call, operands.slope
        if call.order_of_x is not None:
            x = formats.copied(x, call.order_of_x)
        source = x.data_ptr()
        if not source or not operands.w.data_ptr():  # elements that take no memory
            return None
        ready = self.ready
        packed = self._packed(ready, run, operands, kept)
        if packed is None:
            return None
        result = torch.empty_strided(call.shape, call.strides, dtype=x.dtype)
        if call.large:
            formats.ask_for_huge_pages(result)
        # Of the result, which is new memory, a residual shares nothing: it is whole when it is read once more.
        added = 0 if residual is None else residual.data_ptr()
        given = Addresses(added, self.parameters_at if slope is None else slope.data_ptr())
        if ready.run(source, packed.address, result.data_ptr(), given):
            return result
        exact = self.engines.followed(self.epilogue)  # minimal filtering has met what is not finite
        packed = self._packed(exact, run, operands, kept)
        return None if packed is None or not exact.run(source, packed.address, result.data_ptr(), given) else result

    def _packed(self, ready: Engine, run: Run, operands: Operands, kept: PackedWeights) -> Pack | None:
        """The weights folded and packed for an engine, if they come again."""
        order, eps = ready.program.packing, 0.0 if run.norm is None else run.norm.eps
        seen = self._seen(operands, eps)
        known = kept.found(order, seen)
        if known is not None or not kept.met(order, seen):
            return known
        folded = _folded(run, operands, self.call.operation)
        if folded is None:
            return None
        w, shift = folded  # names, for as long as kernels read them
        at = 0 if shift is None else shift.data_ptr()
        return kept.packed(
            ready, order, seen, w.data_ptr(), at, lambda: self._seen(operands, eps) == seen
        )  # fmt: skip

    def _seen(self, operands: Operands, eps: float) -> int:
        """A number that says whether anything that is folded has changed."""
        w, bias, _, mean, var, gamma, beta = operands
        take, each = self.fingerprint, self.call.bias_bytes
        first = take(w.data_ptr(), self.call.weight_bytes, *((0, 0) if bias is None else (bias.data_ptr(), each)))
        if mean is None or var is None:  # nothing is folded: as of a convolution by itself, which packs the same
            return first ^ self.call.strides_of_w
        second = take(mean.data_ptr(), each, var.data_ptr(), each)
        third = 0
        if gamma is not None or beta is not None:
            halves = [(0, 0) if t is None else (t.data_ptr(), each) for t in (gamma, beta)]
            third = take(*halves[0], *halves[1])
        here = bias is None, gamma is None, beta is None
        return hash((first, self.call.strides_of_w, second, third, here, eps))


def _folded(run: Run, operands: Operands, operation: Operation) -> tuple[Tensor, Tensor | None] | None:
    """Weights in PyTorch's default order and a bias, with the normalization in them; None where that cannot be."""
    w, bias, _, *gathered = operands
    w = w.detach().contiguous()
    if run.norm is None:
        return w, bias
    names = ("bias", "mean", "var", "gamma", "beta")
    given: dict[str, Any] = {
        name: None if t is None else t.detach().numpy() for name, t in zip(names, (bias, *gathered), strict=True)
    }
    try:
        pair = fold_batch_norm(w.numpy(), **given, eps=run.norm.eps, groups=run.conv.groups, operation=operation)
    except (TypeError, ValueError):  # of a variance that has no root, for one
        return None
    return torch.from_numpy(pair[0]), torch.from_numpy(pair[1])
