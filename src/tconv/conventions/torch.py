"""PyTorch: nn.ConvTranspose1d to 3d and F.conv_transpose1d to 3d.

One padding p for both ends and an output padding a < max(stride, dilation); L = (n - 1) s - 2p + d (k - 1) + 1 + a.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tconv.conventions.ends import Pairs
from tconv.conventions.given import Given
from tconv.conventions.layered import Symmetric
from tconv.geometry import Geometry


class Torch(Symmetric):
    """PyTorch's names; the functional form says as much as the module."""

    name = "torch"
    title = "PyTorch"
    channels = "channels_first"
    words: ClassVar[Mapping[str, str]] = {
        "kernel": "kernel_size",
        "stride": "stride",
        "padding": "padding",
        "output_padding": "output_padding",
        "output_size": "output_size",
        "groups": "groups",
        "dilation": "dilation",
        "in_channels": "in_channels",
        "out_channels": "out_channels",
        "bias": "bias",
    }
    known = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "output_padding",
        "output_size",
        "groups",
        "bias",
        "dilation",
        "padding_mode",
    )
    imports = ("import torch",)
    layer_name = "torch.nn.ConvTranspose{n}d"

    def most_added(self, geometry: Geometry) -> tuple[int, ...]:
        """Below the stride or the dilation, whichever is larger."""
        return tuple(max(s, d) - 1 for s, d in zip(geometry.stride, geometry.dilation, strict=True))

    def _geometry(self, given: Given) -> Geometry:
        given.choice("padding_mode", ("zeros",), "zeros")
        return super()._geometry(given)

    def _notes(self, geometry: Geometry, crop: Pairs) -> list[str]:
        """The warning of all such frameworks, and a layer that needs no crop."""
        notes = super()._notes(geometry, crop)
        if any(map(any, crop)):
            added = f", output_padding={geometry.output_padding}" if any(geometry.output_padding) else ""
            layer = f"tconv.torch.nn.ConvTranspose{geometry.ndim}d(..., padding={geometry.padding}{added})"
            notes.append(f"{layer} says it as it is, also in nn.Sequential.")
        return notes

    def _load(self, call: str, bias: bool, ones: str) -> list[str]:
        return [
            f"layer = {call}",
            "with torch.no_grad():",
            "    layer.weight.copy_(torch.as_tensor(w))",
            *(["    layer.bias.copy_(torch.as_tensor(b))"] if bias else []),
            "y = layer(x)",
        ]

    def _pad(self, pad: Pairs) -> tuple[list[str], str]:
        ends = tuple(cells for pair in reversed(pad) for cells in pair)  # F.pad starts with the last axis
        return ["from torch.nn import functional as F"], f"y = F.pad(y, {ends})"

    def _late_bias(self, ones: str) -> str:
        return f"y = y + torch.as_tensor(b).reshape(-1{ones})"
