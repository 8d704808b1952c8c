"""The handwritten digits that come with scikit-learn, enlarged by a transposed convolution, in two parts.

1797 digits of 8 x 8 pixels in 17 shades, from E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits"
(UCI Machine Learning Repository, 1998).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tconv.upsample import upsample

#: So many, from the front, are for training. The others are held out.
FOR_TRAINING = 1300


class Digits(NamedTuple):
    """Digits of one size."""

    images: NDArray[np.float32]  #: (digits, rows, columns); 0 is paper, 1 is ink
    labels: NDArray[Any]  #: (digits,), from 0 to 9


def digits(scale: int, *, held_out: bool = False) -> Digits:
    """The digits for training, or those held out, of 8 * scale rows and columns.

    >>> digits(4).images.shape
    (1300, 32, 32)
    """
    part = slice(FOR_TRAINING, None) if held_out else slice(FOR_TRAINING)
    bunch = load_digits()
    shades = np.asarray(bunch.images[part] / 16, np.float32)
    # The digits go through as channels of one picture: each is enlarged on its own. Cubic weights overshoot a little.
    enlarged = upsample(np.ascontiguousarray(np.moveaxis(shades, 0, -1)), scale, "bicubic").clip(0, 1)
    return Digits(np.ascontiguousarray(np.moveaxis(enlarged, -1, 0)), bunch.target[part])
