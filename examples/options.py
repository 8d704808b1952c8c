"""What an example is told on its command line: which layers, how long, how it is seeded, where pictures go."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import tconv.torch

#: The transposed convolutions to build a network of: a drop-in and what it stands in for.
LAYERS: dict[str, type[torch.nn.ConvTranspose2d]] = {
    "tconv": tconv.torch.nn.ConvTranspose2d,
    "torch": torch.nn.ConvTranspose2d,
}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, read."""

    layers: str  #: a key of `LAYERS`: what the network of the pictures is built of
    epochs: int
    compared: int  #: epochs of the comparison of all layers
    quick: bool  #: everything in a few seconds, to see that it works; the results are poor
    seed: int
    out: Path


def read(arguments: Sequence[str] | None, prog: str, about: str, *, epochs: int, quick_epochs: int) -> Options:
    """Read a command line. Exits with a message that names the option where one is wrong."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=about)
    parser.add_argument("--layers", choices=LAYERS, default="tconv", help="the network is built of (default: tconv)")
    parser.add_argument("--epochs", type=_least(1), metavar="N", help=f"to train for (default: {epochs})")
    parser.add_argument("--compare", type=_least(0), default=3, metavar="N", help="epochs that both layers are timed")
    parser.add_argument("--quick", action="store_true", help="a few seconds: it works, but learns little")
    parser.add_argument("--seed", type=_least(0), default=0, metavar="N", help="of all random numbers (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="for the pictures (default: here)")
    given = parser.parse_args(arguments)
    if not given.out.is_dir():
        parser.error(f"argument --out: must be a folder that exists; got {str(given.out)!r}")
    usual = quick_epochs if given.quick else epochs
    compared = min(given.compare, 1) if given.quick else given.compare
    return Options(given.layers, given.epochs or usual, compared, given.quick, given.seed, given.out)


class _least:
    """Reads an integer of at least `least`."""

    def __init__(self, least: int) -> None:
        self.least = least

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = self.least - 1
        if number < self.least:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {self.least}; got {text!r}")
        return number
