"""PyTorch's functional call and its gradients, on contiguous and on channels_last tensors."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall, load
from tconv.problem import OPERATIONS, Array, Operation

_FORMATS = {2: "channels_last", 3: "channels_last_3d"}


class TorchPeer(Peer):
    """What PyTorch's peers share: the threads and the gradient mode of the process, and how results are read."""

    packages = ("torch",)
    _before: tuple[int, bool] | None = None  #: threads, and whether gradients were recorded

    def start(self, case: Case) -> Any:
        """PyTorch with these threads and without gradients."""
        torch = load("torch")
        if case.layer.ndim > 3:
            raise LeftOut(f"PyTorch has no transposed convolution of {case.layer.ndim} axes")
        self._before = self._before or (torch.get_num_threads(), torch.is_grad_enabled())
        torch.set_num_threads(case.threads)
        torch.set_grad_enabled(False)
        return torch

    def release(self) -> None:
        """Threads and gradient mode as they were."""
        if self._before is not None:
            torch = load("torch")
            torch.set_num_threads(self._before[0])
            torch.set_grad_enabled(self._before[1])
            self._before = None


class Torch(TorchPeer):
    """`torch.nn.functional.conv_transpose2d` and its siblings on contiguous tensors.

    A gradient is what autograd runs for the transposed convolution, or for the convolution that has the same one,
    whichever is faster.
    """

    name: ClassVar[str] = "torch"
    operations = OPERATIONS

    def settings_for(self, operation: Operation) -> tuple[str, ...]:
        """Two ways to a gradient, which do not always run the same code."""
        return self.settings if operation == "conv_transpose" else ("of conv_transpose", "of conv")

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """The tensors share the memory of the arrays."""
        torch = self.start(case)
        tensors = [self.tensor(torch, case, operand) for operand in case.operands]
        if case.operation == "conv_transpose":
            return TimedCall(_forward(torch, case, *tensors), read)
        if setting == "of conv" and case.operation == "conv":
            return TimedCall(_conv(torch, case, *tensors), read)
        shape = case.layer.w_shape if case.writes_weights else case.layer.x_shape
        unread = self.tensor(torch, case, np.zeros(shape, np.float32))
        return TimedCall(_backward(torch, case, [*tensors, unread], transposed=setting != "of conv"), read)

    def tensor(self, torch: Any, case: Case, operand: Array) -> Any:
        """x, w or y."""
        return torch.from_numpy(operand)


class TorchChannelsLast(Torch):
    """PyTorch on tensors with channels innermost in memory; they are brought there before, the weights too."""

    name: ClassVar[str] = "torch.channels_last"

    def tensor(self, torch: Any, case: Case, operand: Array) -> Any:
        """x, w or y, copied into that order."""
        return torch.from_numpy(operand).to(memory_format=memory_format(torch, case.layer.ndim))


def _forward(torch: Any, case: Case, x: Any, w: Any) -> Any:
    layer = case.layer
    function = getattr(torch.nn.functional, f"conv_transpose{layer.ndim}d")
    window = [layer.each(name) for name in ("stride", "padding", "output_padding")]
    return partial(function, x, w, None, *window, layer.groups, layer.each("dilation"))


def _conv(torch: Any, case: Case, y: Any, w: Any) -> Any:
    layer = case.layer
    function = getattr(torch.nn.functional, f"conv{layer.ndim}d")
    window = [layer.each(name) for name in ("stride", "padding", "dilation")]
    return partial(function, y, w, None, *window, layer.groups)


def _backward(torch: Any, case: Case, tensors: list[Any], *, transposed: bool) -> Any:
    """The derivative of either operation. The last tensor is the one it is by, of which only the shape is asked."""
    layer = case.layer
    if case.writes_weights:
        x, y, w = tensors
    else:
        y, w, x = tensors
    stride, padding, extra, dilation = (
        list(layer.each(name)) for name in ("stride", "padding", "output_padding", "dilation")
    )
    operands, extra = ((y, x), extra) if transposed else ((x, y), [0] * layer.ndim)
    wanted = 1 if case.writes_weights else 0
    mask = [number == wanted for number in range(3)]
    arguments = (*operands, w, None, stride, padding, dilation, transposed, extra, layer.groups, mask)
    function = torch.ops.aten.convolution_backward
    return lambda: function(*arguments)[wanted]


def memory_format(torch: Any, ndim: int) -> Any:
    """PyTorch's name of channels_last for so many axes."""
    if ndim not in _FORMATS:
        raise LeftOut("PyTorch has channels_last for 2 and 3 axes only")
    return getattr(torch, _FORMATS[ndim])


def read(result: Any) -> Any:
    """A tensor as an array: its axes are (N, C, *size) whatever the order in memory."""
    return result.numpy()
