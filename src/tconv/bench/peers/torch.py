"""PyTorch's functional call, on contiguous and on channels_last tensors."""

from __future__ import annotations

from typing import Any, ClassVar

from tconv.bench.peers.base import Call, Case, LeftOut, Peer, load

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
    """`torch.nn.functional.conv_transpose2d` and its siblings on contiguous tensors."""

    name: ClassVar[str] = "torch"

    def prepare(self, case: Case, setting: str) -> Call:
        """The tensors share the memory of the arrays."""
        torch, layer = self.start(case), case.layer
        x, w = self.tensors(torch, case)
        function = getattr(torch.nn.functional, f"conv_transpose{layer.ndim}d")
        window = [layer.each(name) for name in ("stride", "padding", "output_padding")]
        arguments = (x, w, None, *window, layer.groups, layer.each("dilation"))
        return Call(lambda: function(*arguments), read)

    def tensors(self, torch: Any, case: Case) -> tuple[Any, Any]:
        """x and w."""
        return torch.from_numpy(case.x), torch.from_numpy(case.w)


class TorchChannelsLast(Torch):
    """The same on tensors whose channels are innermost in memory; brought there before, the weights too."""

    name: ClassVar[str] = "torch.channels_last"

    def tensors(self, torch: Any, case: Case) -> tuple[Any, Any]:
        """x and w, copied into that order."""
        order = memory_format(torch, case.layer.ndim)
        x, w = super().tensors(torch, case)
        return x.to(memory_format=order), w.to(memory_format=order)


def memory_format(torch: Any, ndim: int) -> Any:
    """PyTorch's name of channels_last for so many axes."""
    if ndim not in _FORMATS:
        raise LeftOut("PyTorch has channels_last for 2 and 3 axes only")
    return getattr(torch, _FORMATS[ndim])


def read(result: Any) -> Any:
    """A tensor as an array: its axes are (N, C, *size) whatever the order in memory."""
    return result.numpy()
