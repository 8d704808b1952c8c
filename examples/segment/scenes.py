"""Scenes: handwritten digits scattered over pieces of real photographs, and the class of every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from sklearn.datasets import load_sample_image
from torch import Tensor

from examples.digits import Digits, digits

#: Class d is the digit d.
CLASSES = (*"0123456789", "background")
BACKGROUND = 10

#: Rows and columns of a scene.
SIZE = 96
#: How often the pixels of a digit are enlarged: to 24, 32 or 40 rows.
SCALES = (3, 4, 5)

#: Photographs as scikit-learn (china, flower) and scikit-image ship them.
FOR_TRAINING = ("china", "flower", "astronaut", "coffee", "hubble_deep_field", "immunohistochemistry")
HELD_OUT = ("chelsea", "rocket")

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Scenes:
    """What scenes are made of."""

    photographs: tuple[Array, ...]
    digits: dict[int, Digits]  #: by scale
    varied: bool  #: the colours of the photographs swap places, so that few photographs go a longer way

    @classmethod
    def for_training(cls) -> Scenes:
        """From the photographs and the digits for training."""
        return cls(tuple(map(photograph, FOR_TRAINING)), {s: digits(s) for s in SCALES}, varied=True)

    @classmethod
    def held_out(cls) -> Scenes:
        """From photographs and digits that no network was trained on."""
        return cls(tuple(map(photograph, HELD_OUT)), {s: digits(s, held_out=True) for s in SCALES}, varied=False)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """So many scenes: pictures (count, 3, SIZE, SIZE) from 0 to 1, and classes (count, SIZE, SIZE)."""
        pictures = np.empty((count, SIZE, SIZE, 3), np.float32)
        classes = np.full((count, SIZE, SIZE), BACKGROUND)
        for picture, of_pixels in zip(pictures, classes, strict=True):
            picture[:] = self._piece(rng)
            for _ in range(rng.integers(2, 5)):
                self._scatter(rng, picture, of_pixels)
        return torch.from_numpy(np.moveaxis(pictures, -1, 1).copy()), torch.from_numpy(classes)

    def _piece(self, rng: np.random.Generator) -> Array:
        """A square out of one of the photographs, perhaps mirrored."""
        photo = self.photographs[rng.integers(len(self.photographs))]
        top, left = (rng.integers(side - SIZE + 1) for side in photo.shape[:2])
        piece = photo[top : top + SIZE, left : left + SIZE]
        piece = piece[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
        return piece[..., rng.permutation(3)] if self.varied else piece

    def _scatter(self, rng: np.random.Generator, picture: Array, of_pixels: Array) -> None:
        """Write a digit where there is none yet; after twenty tries, leave it."""
        scale = int(rng.choice(SCALES))
        images, labels = self.digits[scale]
        number, side = rng.integers(len(images)), images.shape[-1]
        for _ in range(20):
            top, left = rng.integers(SIZE - side + 1, size=2)
            here = (slice(top, top + side), slice(left, left + side))
            if (of_pixels[here] == BACKGROUND).all():
                _write(rng, picture[here], of_pixels[here], images[number], labels[number])
                return


def _write(rng: np.random.Generator, picture: Array, of_pixels: Array, shades: Array, label: int) -> None:
    """Blend a digit into a part of a picture, in a colour that can be told from what is there."""
    ink = (1.2 * shades).clip(max=1)  # written a little firmer than it was scanned
    picture += ink[..., None] * (_colour(rng, picture.mean((0, 1))) - picture)
    of_pixels[ink > 0.5] = label


def _colour(rng: np.random.Generator, around: Array) -> Array:
    """A random colour, in which red, green or blue is at least 0.4 from what is around."""
    while True:
        colour = rng.random(3, np.float32)
        if np.abs(colour - around).max() >= 0.4:
            return colour


def photograph(name: str) -> Array:
    """A photograph of float32 values from 0 to 1, shape (rows, columns, 3).

    >>> photograph("chelsea").shape
    (300, 451, 3)
    """
    picture = load_sample_image(f"{name}.jpg") if name in ("china", "flower") else getattr(data, name)()
    return np.asarray(picture, np.float32) / 255
