"""Geometries that pictures are tried on: named ones, and any number of random ones."""

from random import Random

import numpy as np

from tconv import Geometry
from tconv.draw.cells import Board

up, down = Geometry.conv_transpose, Geometry.conv

#: The four pictures of the guide to convolution arithmetic that everybody knows, and what it does not show.
NAMED = {
    "a kernel over padding": down((5, 5), 3, stride=2, padding=1),
    "a matrix of 4 by 16": down((4, 4), 3),
    "the transpose of it": up((2, 2), 3),
    "zeros inserted": up((2, 2), 3, stride=2),
    "padding crops": up((3, 3), 3, stride=2, padding=1),
    "the remainder": up((3, 3), 3, stride=2, padding=1, output_padding=1),
    "one axis": up(6, 4, stride=2, padding=1),
    "dilation": up((4, 5), (2, 3), stride=2, dilation=3, padding=1),
    "padding that adds": up((2, 2), 3, stride=3, padding=((-1, 0), (0, -2))),
    "gaps": up((3, 3), 2, stride=4),
    "a window of it": up((20, 30), (5, 7), stride=3, padding=2),
    "a slice of it": up((3, 4, 5), 3, stride=2, padding=1),
    "one cell": up(1, 1),
}


def random_geometry(seed):
    """Small ones, with every parameter at its edges."""
    rng = Random(seed)
    ndim = rng.choice((1, 1, 2, 2, 2, 3))

    def each(*values):
        return tuple(rng.choice(values) for _ in range(ndim))

    while True:
        kernel, stride, dilation = each(1, 2, 3, 4, 5), each(1, 2, 3, 4), each(1, 1, 1, 2, 3)
        padding = tuple((rng.choice((-1, 0, 0, 1, 2)), rng.choice((-1, 0, 0, 1, 2))) for _ in range(ndim))
        extra = tuple(rng.randrange(max(s, d)) for s, d in zip(stride, dilation, strict=True))
        try:
            return up(each(1, 2, 3, 4, 7, 13), kernel, stride=stride, padding=padding, dilation=dilation,
                      output_padding=extra)  # fmt: skip
        except ValueError:  # nothing of it is left
            continue


def arrays(geometry):
    """x and w as they are drawn."""
    board = Board(geometry)
    x = np.zeros(geometry.coarse, np.int64)
    w = np.zeros(geometry.kernel, np.int64)
    for index in np.ndindex(x.shape):
        x[index] = board.x(index)
    for index in np.ndindex(w.shape):
        w[index] = board.weight(index)
    return x, w
