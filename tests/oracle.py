"""The three operations by the definition, in float64, from the dense matrix C: short enough to trust by eye."""

from math import prod

import numpy as np
from definition import links_of

import tconv


def dense_matrix(geometry: tconv.Geometry, w, groups: int = 1):
    """C as a dense matrix of w's dtype: C[(i, c), (o, c * stride - low + t * dilation)] = w[i, o, t]."""
    cin, cout_of_group, *_ = w.shape
    c_matrix = np.zeros((cin, *geometry.coarse, cout_of_group * groups, *geometry.fine), w.dtype)
    for c, t, fine in links_of(geometry):
        for i in range(cin):
            first = i // (cin // groups) * cout_of_group
            c_matrix[(i, *c, slice(first, first + cout_of_group), *fine)] = w[(i, slice(None), *t)]
    return c_matrix.reshape(cin * prod(geometry.coarse), cout_of_group * groups * prod(geometry.fine))


def oracle(geometry: tconv.Geometry, x, w, y, groups: int = 1):
    """What the operations give, in the order of `OPERATIONS`: y of conv_transpose, x of conv, w of weight_gradient.

    float64, or Python's integers where the arrays hold them (dtype object). Groups share nothing: each has a matrix of
    its own, where one of all of them would be half a gigabyte for depthwise layers of many channels.
    """
    if x.dtype != object:
        x, w, y = (np.asarray(a, np.float64) for a in (x, w, y))
    split = zip(np.split(x, groups, 1), np.split(w, groups), np.split(y, groups, 1), strict=True)
    up, down, gradient = zip(*(_of_group(geometry, *arrays) for arrays in split), strict=True)
    return np.concatenate(up, 1), np.concatenate(down, 1), np.concatenate(gradient)


def _of_group(geometry: tconv.Geometry, x, w, y):
    """The weight gradient is the derivative of <x, C(w) y> by w: the sum of x[row] * y[column] where C holds it."""
    n = len(x)
    c = dense_matrix(geometry, w)
    up = (x.reshape(n, c.shape[0]) @ c).reshape(n, w.shape[1], *geometry.fine)
    down = (y.reshape(n, c.shape[1]) @ c.T).reshape(n, w.shape[0], *geometry.coarse)
    outer = x.reshape(n, c.shape[0]).T @ y.reshape(n, c.shape[1])
    which = dense_matrix(geometry, np.arange(1, w.size + 1).reshape(w.shape))
    gradient = np.zeros(w.size + 1, w.dtype)  # place 0 takes what C does not hold
    np.add.at(gradient, which, outer)
    return up, down, gradient[1:].reshape(w.shape)
