"""`ConvTranspose1d` to `3d` in place of those of torch.nn: subclasses with their constructor, state and repr."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv import checks
from tconv.torch import functional


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
        ndim = len(self.kernel_size)
        left: Any = self.output_padding
        if output_size is not None:
            left = 0
            if len(output_size) > ndim:
                output_size = output_size[len(output_size) - ndim :]
        return functional.call(
            ndim, input, self.weight, self.bias, self.stride, self.padding, left, self.groups, self.dilation,
            output_size,
        )  # fmt: skip


class ConvTranspose1d(_Layer, torch.nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` on tconv's engine."""


class ConvTranspose2d(_Layer, torch.nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` on tconv's engine."""


class ConvTranspose3d(_Layer, torch.nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` on tconv's engine."""
