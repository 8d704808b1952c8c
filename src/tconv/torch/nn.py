"""`ConvTranspose1d` to `3d` in place of those of torch.nn: subclasses with their constructor, state and repr."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv import checks
from tconv.torch.calls import Given, call
from tconv.torch.kept import Kept


class _Layer(torch.nn.modules.conv._ConvTransposeNd):
    """What the three have in common."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        plain = isinstance(padding, int) or (
            checks.is_sequence(padding) and all(isinstance(entry, int) for entry in padding)
        )
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding if plain else 0, output_padding, groups, bias,
            dilation, padding_mode, device, dtype,
        )  # type: ignore[call-arg]  # fmt: skip
        if not plain:
            self.padding = padding if isinstance(padding, str) else tuple(tuple(pair) for pair in padding)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Compute; `output_size` is the size of the result, with or without its batch and channels."""
        tensors, layer = self._parameters, self.__dict__.get("_kept")
        if layer is None:
            layer = self.__dict__["_kept"] = Kept()
        left = self.output_padding
        if output_size is not None:
            output_size, left = self._size(input, output_size), 0
        given = Given(self.stride, self.padding, left, self.groups, self.dilation, output_size)
        w = tensors.get("weight")  # an attribute that is no parameter would be looked up there in vain
        bias = tensors["bias"] if "bias" in tensors else self.bias
        return call(len(self.kernel_size), input, self.weight if w is None else w, bias, given, layer)

    def _size(self, input: Tensor, size: Any) -> Any:
        """The size without batch and channels, which PyTorch allows before it."""
        ndim = len(self.kernel_size)
        sizes = tuple(size) if checks.is_sequence(size) else size
        return sizes[-ndim:] if isinstance(sizes, tuple) and len(sizes) == input.dim() else sizes


class ConvTranspose1d(_Layer, torch.nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` on tconv's engine."""


class ConvTranspose2d(_Layer, torch.nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` on tconv's engine."""


class ConvTranspose3d(_Layer, torch.nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` on tconv's engine."""
