"""Networks in tiles and whole: seconds, and the memory that a process takes.

    python -m benchmarks.tiles [--models unet taesd hifigan] [--size 384] [--tile 96] [--whole] [--record FILE]

Each run has a process of its own, so that its peak of memory is that of the run; x and the result are memmaps in a
temporary folder. --whole runs the network on the whole too, which for the U-Net takes tens of gigabytes; at smaller
sizes it compares the results.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import tconv.torch
from benchmarks.decoders import HifiGan
from benchmarks.memory import peak
from benchmarks.record import digits, keep, record_option, without_files


class Block(nn.Module):
    """A residual block of TAESD."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        three = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3)]
        self.inner = nn.Sequential(three[0], nn.ReLU(), three[1], nn.ReLU(), three[2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(x) + x)


def taesd(channels: int = 64) -> nn.Module:
    """The decoder of github.com/madebyollin/taesd: latents to pictures of 8 times their size."""
    layers: list[nn.Module] = [nn.Conv2d(4, channels, 3, padding=1), nn.ReLU()]
    for _ in range(3):
        layers += [Block(channels) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, Block(channels), nn.Conv2d(channels, 3, 3, padding=1))


class UNet(nn.Module):
    """Çiçek et al. 2016, arXiv:1606.06650, with two levels below the first and few channels."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        c, up = channels, nn.ConvTranspose3d
        self.pool, self.last = nn.MaxPool3d(2), nn.Conv3d(c, 2, 1)
        self.down = nn.ModuleList([_twice(1, c), _twice(c, 2 * c), _twice(2 * c, 4 * c)])
        self.ups = nn.ModuleList([up(4 * c, 2 * c, 2, 2), up(2 * c, c, 2, 2)])
        self.joined = nn.ModuleList([_twice(4 * c, 2 * c), _twice(2 * c, c)])

    def forward(self, x: Tensor) -> Tensor:
        first = self.down[0](x)
        second = self.down[1](self.pool(first))
        y = self.down[2](self.pool(second))
        for up, joined, skip in zip(self.ups, self.joined, (second, first), strict=True):
            y = joined(torch.cat([up(y), skip], dim=1))
        return self.last(y)


def _twice(before: int, after: int) -> nn.Module:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv3d(channels, after, 3, padding=1), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def hifigan() -> nn.Module:
    """Version 1, of 512 channels: 256 samples a frame."""
    return HifiGan(512, (16, 16, 4, 4), (8, 8, 2, 2))


#: By name: the network, channels and axes of its input, the size of the input, and tiles of its result.
MODELS: dict[str, tuple[Callable[[], nn.Module], int, int, int, int]] = {
    "unet": (UNet, 1, 3, 384, 96),
    "taesd": (taesd, 4, 2, 256, 512),
    "hifigan": (hifigan, 80, 1, 2048, 65536),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--size", type=int, help="cells of x along each axis")
    parser.add_argument("--tile", type=int, help="cells of the result along each axis")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--whole", action="store_true", help="run the network on the whole, too")
    parser.add_argument("--accelerate", action="store_true", help="transposed convolutions on tconv's engine")
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "HOW", "FOLDER"), help=argparse.SUPPRESS)
    record_option(parser)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(*options.one, options)))
        return
    rows = []
    for name in options.models:
        rows.append(row := measure(name, options))
        print(json.dumps(row), flush=True)
    keep(options.record, rows)


def sizes(name: str, options: argparse.Namespace) -> tuple[tuple[int, ...], int]:
    """The shape of x, and the tile."""
    _, channels, ndim, size, tile = MODELS[name]
    return (1, channels, *[options.size or size] * ndim), options.tile or tile


def made(name: str, options: argparse.Namespace) -> nn.Module:
    """The network, the same in every process."""
    torch.manual_seed(0)
    model = MODELS[name][0]().eval()
    return tconv.torch.accelerate(model)[0] if options.accelerate else model


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What tiles cost beforehand, and what they took."""
    shape, tile = sizes(name, options)
    plan = tconv.torch.tile_plan(made(name, options), shape, tile=tile)
    print(plan, file=sys.stderr)
    row: dict[str, Any] = {"model": name, "shape": shape, "result": plan.result, "tile": plan.tile}
    row |= {
        "work": digits(plan.work),
        "tile_gb": digits(plan.memory / 1e9),
        "whole_gb": digits(plan.whole_memory / 1e9),
    }
    with tempfile.TemporaryDirectory() as folder:
        x = np.lib.format.open_memmap(f"{folder}/x.npy", "w+", "f4", shape)
        for part in x.reshape(-1, shape[-1]):
            part[:] = np.sin(np.arange(part.size, dtype="f4"))
        for how in ("tiles", "whole") if options.whole else ("tiles",):
            np.lib.format.open_memmap(f"{folder}/{how}.npy", "w+", "f4", plan.result)
            again = without_files(sys.argv[1:])
            command = [sys.executable, "-m", "benchmarks.tiles", *again, "--one", name, how, folder]
            row[how] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if options.whole:
            results = [np.load(f"{folder}/{how}.npy", mmap_mode="r") for how in ("tiles", "whole")]
            row["apart"] = digits(float(np.abs(results[0] - results[1]).max() / np.abs(results[1]).max()))
    return row


def run(name: str, how: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of one run, and the gigabytes that it added to the peak of this process."""
    torch.set_num_threads(options.threads)
    model = made(name, options)
    x = np.load(Path(folder) / "x.npy", mmap_mode="r")
    out = np.load(Path(folder) / f"{how}.npy", mmap_mode="r+")
    before, start = peak(), time.perf_counter()
    with torch.no_grad():
        if how == "tiles":
            tconv.torch.tiles(model, x, tile=sizes(name, options)[1], out=out)
        else:
            out[:] = model(torch.from_numpy(np.array(x))).numpy()
    return {"seconds": digits(time.perf_counter() - start), "gigabytes": digits((peak() - before) / 1e9)}


if __name__ == "__main__":
    main()
