"""Decoders with transposed convolutions as torch.onnx exports them: published shapes, random weights.

Each is a function of `DECODERS` that returns a module and the input it is exported with; sizes are those of the papers.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from onnx import ModelProto, load_from_string
from torch import Tensor, nn
from torch.nn import functional

Made = tuple[nn.Module, dict[str, Tensor]]


class Residual(nn.Module):
    """HiFi-GAN's residual block: dilated convolutions, each followed by a plain one."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...] = (1, 3, 5)) -> None:
        super().__init__()

        def same(dilation: int) -> nn.Conv1d:
            return nn.Conv1d(channels, channels, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation)

        self.dilated = nn.ModuleList(map(same, dilations))
        self.plain = nn.ModuleList(same(1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.dilated, self.plain, strict=True):
            x = x + plain(functional.leaky_relu(dilated(functional.leaky_relu(x, 0.1)), 0.1))
        return x


class HifiGan(nn.Module):
    """Kong et al. 2020, arXiv:2010.05646: the generator, without weight normalization as it is deployed."""

    def __init__(self, channels: int, kernels: tuple[int, ...], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.Conv1d(80, channels, 7, padding=3)
        self.ups, self.blocks = nn.ModuleList(), nn.ModuleList()
        for kernel, stride in zip(kernels, strides, strict=True):
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, stride, (kernel - stride) // 2))
            channels //= 2
            self.blocks.append(nn.ModuleList(Residual(channels, k) for k in (3, 7, 11)))
        self.last = nn.Conv1d(channels, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for up, blocks in zip(self.ups, self.blocks, strict=True):
            x = up(functional.leaky_relu(x, 0.1))
            x = sum(block(x) for block in blocks) / len(blocks)
        return torch.tanh(self.last(functional.leaky_relu(x)))


class FcnHead(nn.Module):
    """Long et al. 2014, arXiv:1411.4038: FCN-8s from the features of VGG-16 on, 21 classes."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        self.scores = nn.ModuleList(nn.Conv2d(channels, classes, 1) for channels in (4096, 512, 256))
        self.up2, self.up4 = (nn.ConvTranspose2d(classes, classes, 4, 2, 1, bias=False) for _ in range(2))
        self.up32 = nn.ConvTranspose2d(classes, classes, 16, 8, 4, bias=False)

    def forward(self, fc7: Tensor, pool4: Tensor, pool3: Tensor) -> Tensor:
        score7, score4, score3 = self.scores
        y = self.up2(score7(fc7)) + score4(pool4)
        return self.up32(self.up4(y) + score3(pool3))


def fsrcnn(scale: int = 3, d: int = 56, s: int = 12, m: int = 4) -> nn.Module:
    """Dong et al. 2016, arXiv:1608.00367: features, shrinking, mapping, expanding, deconvolution."""
    mapping = [layer for _ in range(m) for layer in (nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s))]
    return nn.Sequential(
        *(nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d), nn.Conv2d(d, s, 1), nn.PReLU(s)),
        *mapping,
        *(nn.Conv2d(s, d, 1), nn.PReLU(d)),
        nn.ConvTranspose2d(d, 1, 9, scale, 4, output_padding=scale - 1),
    )


class Istft(nn.Module):
    """The head of Vocos (Siuzdak 2023, arXiv:2306.00814): a spectrum from features, its inverse STFT by a layer."""

    def __init__(self, channels: int = 512, size: int = 1024, hop: int = 256) -> None:
        super().__init__()
        self.spectrum = nn.Conv1d(channels, size + 2, 1)
        self.inverse = nn.ConvTranspose1d(size + 2, 1, size, hop, (size - hop) // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        magnitude, phase = self.spectrum(x).chunk(2, 1)
        magnitude = magnitude.exp().clamp(max=100)
        return self.inverse(torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], 1))


def dcgan() -> nn.Module:
    """Radford et al. 2015, arXiv:1511.06434: the generator, 64x64."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, 1024, 4, bias=False)]
    for channels in (1024, 512, 256):
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(128), nn.ReLU(), nn.ConvTranspose2d(128, 3, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


def pose_head() -> nn.Module:
    """Xiao et al. 2018, arXiv:1804.06208: the deconvolution head of Simple Baselines on ResNet-50."""
    layers: list[nn.Module] = []
    for channels in (2048, 256, 256):
        layers += [nn.ConvTranspose2d(channels, 256, 4, 2, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(256, 17, 1))


class UNet3d(nn.Module):
    """Çiçek et al. 2016, arXiv:1606.06650: the expanding path, given what the contracting one leaves to it."""

    def __init__(self) -> None:
        super().__init__()
        self.ups = nn.ModuleList(nn.ConvTranspose3d(c, c, 2, 2) for c in (512, 256, 128))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(c + c // 2, c // 2, 3, padding=1), nn.ReLU(), nn.Conv3d(c // 2, c // 2, 3, padding=1)
            )
            for c in (512, 256, 128)
        )

    def forward(self, x: Tensor, skip1: Tensor, skip2: Tensor, skip3: Tensor) -> Tensor:
        for up, block, skip in zip(self.ups, self.blocks, (skip1, skip2, skip3), strict=True):
            x = functional.relu(block(torch.cat([up(x), skip], 1)))
        return x


def _speecht5() -> Made:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    module = SpeechT5HifiGan(SpeechT5HifiGanConfig())
    return module, {"spectrogram": torch.randn(1, 100, 80)}


def _fcn8s() -> Made:
    sizes = {"fc7": (4096, 16), "pool4": (512, 32), "pool3": (256, 64)}
    return FcnHead(), {name: torch.randn(1, channels, side, side) for name, (channels, side) in sizes.items()}


def _unet3d() -> Made:
    inputs = {f"skip{n}": torch.randn(1, 512 >> n, *[4 << n] * 3) for n in (1, 2, 3)}
    return UNet3d(), {"x": torch.randn(1, 512, 4, 4, 4), **inputs}


#: By name: the module, and what it is exported and measured with.
DECODERS: dict[str, Callable[[], Made]] = {
    "hifigan": lambda: (HifiGan(512, (16, 16, 4, 4), (8, 8, 2, 2)), {"mel": torch.randn(1, 80, 100)}),
    "speecht5": _speecht5,
    "istft": lambda: (Istft(), {"features": torch.randn(1, 512, 200)}),
    "fcn8s": _fcn8s,
    "fsrcnn": lambda: (fsrcnn(), {"image": torch.rand(1, 1, 180, 320)}),
    "dcgan": lambda: (dcgan(), {"z": torch.randn(16, 100, 1, 1)}),
    "pose": lambda: (pose_head(), {"features": torch.randn(1, 2048, 8, 6)}),
    "unet3d": _unet3d,
}


def exported(name: str) -> tuple[ModelProto, dict[str, Any]]:
    """The model with an open batch and open sizes, and its inputs as arrays."""
    torch.manual_seed(0)
    module, inputs = DECODERS[name]()
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            file,
            dynamo=False,
            opset_version=17,
            input_names=list(inputs),
            dynamic_axes={key: _open(name, key, value) for key, value in inputs.items()},
        )
    return load_from_string(file.getvalue()), {key: value.numpy() for key, value in inputs.items()}


def _open(name: str, key: str, value: Tensor) -> dict[int, str]:
    """The axes that are no channels."""
    channels = 2 if name == "speecht5" else 1
    return {axis: f"{key}{axis}" for axis in range(value.ndim) if axis != channels}
