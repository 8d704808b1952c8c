"""`tconv.torch.stream`: a layer, or layers one after the other, on tensors whose last axis comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from tconv import checks
from tconv.streaming.pace import Down, Up
from tconv.streaming.stage import Layer, Stage
from tconv.streaming.stream import Stages
from tconv.torch import functional, nn, windows
from tconv.torch.classes import class_before

#: Modules that change each value by itself, once they are not trained.
POINTWISE = tuple(
    getattr(torch.nn, name)
    for name in (
        "Identity", "ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish",
        "Sigmoid", "LogSigmoid", "Hardsigmoid", "Hardswish", "Hardtanh", "Hardshrink", "Softplus", "Softshrink",
        "Softsign", "Tanh", "Tanhshrink", "Threshold", "Dropout", "Dropout1d", "AlphaDropout", "BatchNorm1d",
    )
)  # fmt: skip
#: Those of them that draw at random, or look at a whole batch, as long as they are trained.
_WHILE_TRAINED = (
    torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.AlphaDropout, torch.nn.RReLU, torch.nn.BatchNorm1d
)  # fmt: skip
#: By the way a layer computes, whatever its class is: parametrizations change that.
_LAYERS = (torch.nn.Conv1d, torch.nn.ConvTranspose1d, nn.Conv1d, nn.ConvTranspose1d)
#: What makes the result of such a layer.
_METHODS = ("forward", "_conv_forward", "_output_padding")


class Stream(Stages):
    """What `tconv.torch.stream` returns: `push`, `flush`, `reset`, `scale`, `latency` and `nbytes` of `tconv.Stream`.

    On tensors of shape (N, C, cells) or (C, cells), on the device and of the dtype of the weights. No derivatives are
    recorded. Weights are looked up in every push.
    """

    def push(self, x: Tensor) -> Tensor:
        """The results that the next cells finish, maybe none; see `tconv.Stream.push`."""
        with torch.no_grad():
            return super().push(x)  # type: ignore[no-any-return]

    def flush(self, x: Tensor | None = None) -> Tensor:
        """The results that the last cells x, if given, finish, and all that are left; see `tconv.Stream.flush`."""
        with torch.no_grad():
            return super().flush(x)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        said = [str(step.layer) if isinstance(step, Stage) else repr(step) for _, step in (*self._lead, *self._steps)]
        return f"tconv.torch.stream({', '.join(said)})"


def stream(module: torch.nn.Module, *, pointwise: Sequence[type[torch.nn.Module]] = ()) -> Stream:
    """A module on tensors whose last axis comes in pieces of any size: every result as soon as its last cell is there.

    Args:
        module: a Conv1d or ConvTranspose1d, of torch.nn or tconv.torch.nn, with any kernel, stride, padding of zeros,
            dilation and groups; or a torch.nn.Sequential, also within another, of them and of modules that change each
            value by itself: activations, dropout and BatchNorm1d in evaluation.
        pointwise: further classes of such modules, a Snake activation for example.

    The state is the last cells that each layer has read; codecs that stream mostly keep partial sums instead (overlap
    and add). Joined, results are those of the module on the whole, within rounding: see `tconv.Stream`, which also
    says how many sizes are computed. They are computed as the layers do it, so on any device. Weights are to be finite.

    Raises ValueError or TypeError, with the name of the module, where a result would depend on the whole.

    >>> import torch, tconv.torch
    >>> decoder = torch.nn.Sequential(torch.nn.Conv1d(8, 8, 7, padding=3), torch.nn.ELU(),
    ...                               torch.nn.ConvTranspose1d(8, 1, 16, stride=8, padding=4))
    >>> stream = tconv.torch.stream(decoder)
    >>> stream.latency, stream.push(torch.ones(1, 8, 10)).shape, stream.flush().shape
    (4, torch.Size([1, 1, 52]), torch.Size([1, 1, 28]))
    """
    with checks.explained("stream"):
        if not isinstance(module, torch.nn.Module):
            checks.wrong_type(f"module must be a torch.nn.Module; got {checks.shorten(module)}")
        if not checks.is_sequence(pointwise) or not all(isinstance(kind, type) for kind in pointwise):
            checks.wrong_type(f"pointwise must be a sequence of classes; got {checks.shorten(pointwise)}")
        steps: list[tuple[str, Any]] = []
        for name, part in _parts("module", module):
            if isinstance(part, tuple(pointwise)) or _computes_as(part, POINTWISE):
                if isinstance(part, torch.nn.BatchNorm1d) and part.running_mean is None:
                    must = "must have running statistics: others are of the whole"
                    checks.wrong(f"{name}, {_said(part)}, {must}; got track_running_stats=False")
                if part.training and isinstance(part, _WHILE_TRAINED):
                    checks.wrong(f"{name}, {_said(part)}, must not be in training: call eval() first")
                steps.append((name, part))
            else:
                steps.append((name, Stage(TensorLayer(name, part))))
        if not any(isinstance(step, Stage) for _, step in steps):
            checks.wrong(f"module must have at least one Conv1d or ConvTranspose1d; got {_said(module)}")
        return Stream("stream", steps)


def _parts(name: str, module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules of nested Sequentials, in order, with their names."""
    if not _computes_as(module, (torch.nn.Sequential,)):
        yield name, module
        return
    _check_hooks(name, module)
    for key, part in module._modules.items():  # named_children would give a module that is there twice once
        if part is not None:
            yield from _parts(f"{name}.{key}", part)


def _computes_as(module: torch.nn.Module, kinds: Sequence[type[torch.nn.Module]]) -> bool:
    """Whether a module computes what one of these classes does: it is of the class, and none of these is its own."""
    own, before = [name for name in _METHODS if name in vars(module)], class_before(module)
    return not own and any(
        isinstance(module, kind) and all(getattr(before, name, None) is getattr(kind, name, None) for name in _METHODS)
        for kind in kinds
    )


def _check_hooks(name: str, module: torch.nn.Module) -> None:
    if module._forward_hooks or module._forward_pre_hooks:
        checks.wrong(
            f"{name}, {_said(module)}, must have no forward hooks, which a stream does not call (those of the old "
            "weight_norm are removed by torch.nn.utils.remove_weight_norm)"
        )


def _said(module: torch.nn.Module) -> str:
    return checks.shorten(module, 80)


class TensorLayer(Layer):
    """A layer on tensors, computed by the function that its forward calls; raises `Rejected` where pieces cannot be."""

    axis = -1
    finite = True

    def __init__(self, name: str, module: Any) -> None:
        self.module = module
        if isinstance(module, _LAYERS) and not _computes_as(module, _LAYERS):
            must = "must compute as its class in PyTorch does: it has a method of its own, one of"
            checks.wrong_type(f"{name}, {_said(module)}, {must} {', '.join(_METHODS)}")
        if not isinstance(module, _LAYERS):
            must = "is not known to be local: a stream takes Conv1d, ConvTranspose1d and modules that are pointwise"
            checks.wrong_type(f"{name}, {_said(module)}, {must} (pointwise=({type(module).__name__},) if it is)")
        if isinstance(module.weight, UninitializedParameter):
            checks.wrong(f"{name}, {_said(module)}, must have weights: call it once on its first input")
        _check_hooks(name, module)
        if module.padding_mode != "zeros":
            must = 'must have padding_mode "zeros": others copy cells of the whole'
            checks.wrong(f'{name}, {_said(module)}, {must}; got "{module.padding_mode}"')
        self._by_tconv = isinstance(module, nn.Conv1d | nn.ConvTranspose1d)
        kernel, stride, dilation = tuple(module.kernel_size), tuple(module.stride), tuple(module.dilation)
        k, s, d = kernel[0], stride[0], dilation[0]
        if isinstance(module, torch.nn.ConvTranspose1d):
            given = module.padding, module.output_padding, module.groups, dilation
            settled = windows.window(kernel, stride, *given)
            # fine = coarse * stride + extra, whatever the padding and output padding are that give it.
            low, total = settled.low[0], settled.extra[0]
            self.pace: Up | Down = Up(k, s, d, low, d * (k - 1) + 1 - s - low - total, 0)
        else:
            ((low, high),) = windows.paddings_of_conv(module.padding, kernel, stride, dilation)
            self.pace = Down(k, s, d, low, high)

    def check(self, cells: Any) -> None:
        """These are cells that the layer reads, any number of them; raises `Rejected`."""
        if not isinstance(cells, Tensor):
            checks.wrong_type(f"x must be a torch.Tensor; got {checks.shorten(cells)} of type {type(cells).__name__}")
        w = self.module.weight
        if cells.ndim not in (2, 3):
            checks.wrong(f"x must have shape (N, C, cells) or (C, cells); got {tuple(cells.shape)}")
        if cells.shape[-2] != self.module.in_channels:
            channels = checks.count(self.module.in_channels, "channel")
            checks.wrong(f"x must have {channels}; got {cells.shape[-2]} in {tuple(cells.shape)}")
        if cells.dtype != w.dtype and not torch._C._is_any_autocast_enabled():
            checks.wrong_type(f"x must have the dtype of the weights, {w.dtype}; got {cells.dtype}")
        if cells.device != w.device:
            checks.wrong(f"x must be on the device of the weights, {w.device}; got {cells.device}")

    def run(self, cells: Tensor) -> Tensor:
        """The units that these cells give."""
        m, pace = self.module, self.pace
        if not pace.is_up:
            conv = functional.conv1d if self._by_tconv else torch.nn.functional.conv1d
            return conv(cells, m.weight, m.bias, m.stride, 0, m.dilation, m.groups)
        low, high = pace.padding
        if self._by_tconv:
            return functional.conv_transpose1d(
                cells, m.weight, m.bias, m.stride, ((low, high),), 0, m.groups, m.dilation
            )
        left = max(0, -high)  # cells that no tap reaches: less than a stride
        y = torch.nn.functional.conv_transpose1d(cells, m.weight, m.bias, m.stride, 0, left, m.groups, m.dilation)
        return y[..., low : y.shape[-1] - max(0, high)]

    def exact(self, cells: Tensor, start: int, stop: int, first: int, read: int) -> Tensor:
        """Weights are taken to be finite."""
        raise NotImplementedError

    def none(self, cells: Tensor) -> Tensor:
        """No results, in the shape that those of such cells have."""
        return cells.new_empty((*cells.shape[:-2], self.module.out_channels, 0))

    def kept(self, cells: Tensor) -> Tensor:
        """A copy that keeps no other cells alive."""
        return cells.clone(memory_format=torch.contiguous_format)

    def zeros(self, like: Tensor, count: int) -> Tensor:
        """So many cells of zeros beside others."""
        return like.new_zeros((*like.shape[:-1], count))

    def joined(self, parts: list[Tensor]) -> Tensor:
        """Cells after others, in a new tensor."""
        return torch.cat(parts, -1)

    def __str__(self) -> str:
        return repr(self.module)
