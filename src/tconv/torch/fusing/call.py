"""One call of the engine for a run: batch normalization in the weights, the activation where results are stored.

Where that cannot be, for whatever reason, nothing is computed, and the modules of the run compute one by one: where
derivatives are recorded, where somebody listens to operations (see `plain.py`), where tensors do not fit each other.
What is wrong is found by them, and said in their words. So it is with weights that are met for the first time: folding
them takes as long as packing several times, and who changes them between any two calls is not to pay for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.profiler import record_function

from tconv.activations import Activation
from tconv.batch_norm import fold_batch_norm
from tconv.finishing import Finishing
from tconv.jit.call import PreparedCall
from tconv.jit.engine import Addresses
from tconv.jit.machine import fingerprint
from tconv.jit.machine.address import address
from tconv.torch import calls, formats
from tconv.torch.engine import DTYPES, MOST_CALLS, Call, Engines, profiled
from tconv.torch.fusing.runs import ACTIVATIONS, CONVOLUTIONS, NORMALIZATIONS, Follower, Run
from tconv.torch.kept import Pack, PackedWeights
from tconv.torch.plain import plain

_PLAIN = (Tensor, torch.nn.Parameter)


def computed(run: Run, x: Tensor, kept: PackedWeights) -> Tensor | None:
    """The result of a run, None where its modules have to compute it."""
    parameters = run.conv._parameters
    w, bias = parameters.get("weight"), parameters.get("bias")
    follower = None if run.activation is None else ACTIVATIONS[type(run.activation)](run.activation)
    if w is None or (run.activation is not None and follower is None) or not plain(x, w, bias):
        return None
    slope = None if follower is None else follower.slope
    others = (bias, slope) if run.norm is None else (bias, slope, *_statistics(run.norm))
    if not _are_alike(x, w, others):
        return None
    call = _call(run, x, w, bias, follower)
    return None if call is None or not call.fits(run, slope) else call.run(run, x, w, bias, slope, kept)


def _statistics(norm: Any) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """The tensors of batch normalization, in the order of `fold_batch_norm`."""
    return norm.running_mean, norm.running_var, norm.weight, norm.bias


def _are_alike(x: Tensor, w: Tensor, others: tuple[Tensor | None, ...]) -> bool:
    """Whether all tensors can be read where they lie, in one dtype, and no derivative is to be recorded."""
    dtype, recorded = x.dtype, torch.is_grad_enabled()
    if w.dtype is not dtype or (recorded and (x.requires_grad or w.requires_grad)):
        return False
    return all(
        t is None
        or (
            type(t) in _PLAIN
            and t.dtype is dtype
            and t.is_cpu
            and t.is_contiguous()
            and not t.is_neg()
            and not (recorded and t.requires_grad)
        )
        for t in others
    )


#: Calls by what they depend on.
_calls: dict[Hashable, RunCall] = {}


def _call(run: Run, x: Tensor, w: Tensor, bias: Tensor | None, follower: Follower | None) -> RunCall | None:
    """The call for tensors of such shapes, None where there is none."""
    conv, (operation, ndim) = run.conv, CONVOLUTIONS[type(run.conv)]
    left = conv.output_padding if operation == "conv_transpose" else None
    given = conv.stride, conv.padding, left, conv.groups, conv.dilation, None
    words = (
        None if follower is None else (follower.name, follower.number, follower.slope is None or follower.slope.shape)
    )
    key = operation, given, x.shape, x.stride(), x.dtype, w.shape, w.stride(), words
    try:
        known = _calls.get(key)
        if known is None or not known.is_current():
            if conv.padding_mode != "zeros" or x.dim() != ndim + 2 or w.dim() != ndim + 2:
                return None
            call = calls.prepared(operation, ndim, x, w, bias, calls.frozen(operation, *given))
            if call.engines is None or call.half or not call.weights.dense:
                return None
            if len(_calls) >= MOST_CALLS:
                _calls.clear()
            known = _calls[key] = RunCall(call, call.engines, follower)
    except (RuntimeError, TypeError, ValueError):  # of arguments that the layer refuses, or does not
        return None
    return known


class RunCall(PreparedCall):
    """A run on tensors of given shapes and strides."""

    __slots__ = ("call", "engine", "parameters")
    current = staticmethod(Call.current)

    def __init__(self, call: Call, engines: Engines, follower: Follower | None) -> None:
        super().__init__()
        finishing = None if follower is None else _finishing(follower)
        self.call = call
        #: The number that kernels read, if the activation has one.
        self.parameters = None if finishing is None else finishing.parameters(DTYPES[call.dtype])
        self.engine = engines.followed(finishing and finishing.epilogue)

    def fits(self, run: Run, slope: Tensor | None) -> bool:
        """Whether what follows has as many channels and axes as the convolution."""
        channels, norm = self.call.bias_shape, run.norm
        if norm is not None:
            if NORMALIZATIONS[type(norm)] != len(self.call.shape) - 2:
                return False
            if any(t is not None and t.shape != channels for t in _statistics(norm)):
                return False
        return slope is None or slope.shape in ((1,), channels)

    def run(
        self, run: Run, x: Tensor, w: Tensor, bias: Tensor | None, slope: Tensor | None, kept: PackedWeights
    ) -> Tensor | None:
        """Compute; None where weights are new, or not all finite."""
        if profiled():
            with record_function(f"tconv::{self.call.operation}"):
                return self._compute(run, x, w, bias, slope, kept)
        return self._compute(run, x, w, bias, slope, kept)

    def _compute(
        self, run: Run, x: Tensor, w: Tensor, bias: Tensor | None, slope: Tensor | None, kept: PackedWeights
    ) -> Tensor | None:
        call = self.call
        if call.order_of_x is not None:
            x = formats.copied(x, call.order_of_x)
        source = x.data_ptr()
        if not source or not w.data_ptr():  # elements that take no memory
            return None
        packed = self._packed(run, w, bias, kept)
        if packed is None:
            return None
        result = torch.empty_strided(call.shape, call.strides, dtype=x.dtype)
        if call.large:
            formats.ask_for_huge_pages(result)
        given = 0 if slope is None else slope.data_ptr()
        if slope is None and self.parameters is not None:
            given = address(self.parameters)
        self.engine.run(source, packed.address, result.data_ptr(), Addresses(0, given))
        return result

    def _packed(self, run: Run, w: Tensor, bias: Tensor | None, kept: PackedWeights) -> Pack | None:
        """The weights folded and packed, if they come again."""
        order, seen = self.engine.program.packing, self._seen(run, w, bias)
        known = kept.found(order, seen)
        if known is not None or not kept.met(order, seen):
            return known
        folded, shift = w.detach().contiguous(), bias
        if run.norm is not None:
            names = ("bias", "mean", "var", "gamma", "beta")
            arrays = [None if t is None else t.detach().numpy() for t in (bias, *_statistics(run.norm))]
            given: dict[str, Any] = dict(zip(names, arrays, strict=True))
            operation, groups, eps = self.call.operation, run.conv.groups, run.norm.eps
            try:
                pair = fold_batch_norm(folded.numpy(), **given, eps=eps, groups=groups, operation=operation)
            except (TypeError, ValueError):  # of a variance that has no root, for one
                return None
            folded, shift = map(torch.from_numpy, pair)
        at = 0 if shift is None else shift.data_ptr()
        unchanged = lambda: self._seen(run, w, bias) == seen  # noqa: E731
        return kept.packed(self.engine, order, seen, folded.data_ptr(), at, unchanged)

    def _seen(self, run: Run, w: Tensor, bias: Tensor | None) -> int:
        """A number that says whether anything that is folded has changed."""
        taken, eps = _memory(w) + _memory(bias), 0.0
        found = [fingerprint.function()(*taken), self.call.strides_of_w]
        if run.norm is not None:
            mean, var, gamma, beta = map(_memory, _statistics(run.norm))
            eps = run.norm.eps
            found += [fingerprint.function()(*mean, *var), fingerprint.function()(*gamma, *beta), gamma[1], beta[1]]
        return hash((*found, taken[3], eps))


def _memory(t: Tensor | None) -> tuple[int, int]:
    """Where the elements of a tensor lie, and how many bytes they are."""
    return (0, 0) if t is None else (t.data_ptr(), t.numel() * t.element_size())


def _finishing(follower: Follower) -> Finishing:
    """What follows, for kernels: of a slope that is a tensor they are given the address."""
    name, number, slope = follower
    if slope is not None:
        value: Any = 0.0 if slope.numel() == 1 else slope.detach().double().numpy()
        return Finishing(Activation(name, slope=value), None)
    parameter = Activation(name).definition.parameter
    return Finishing(Activation(name, **({parameter: number} if number is not None else {})), None)
