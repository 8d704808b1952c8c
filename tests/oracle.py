"""The three operations by the definition, from the dense matrix C, in double precision: short enough to trust."""

from math import prod

import numpy as np
from definition import links_of

import tconv
from tconv.problem import OPERATIONS


def dense_matrix(geometry: tconv.Geometry, w, groups: int = 1):
    """C as a dense matrix of w's dtype: C[(i, c), (o, c * stride - low + t * dilation)] = w[i, o, t]."""
    cin, cout_of_group, *_ = w.shape
    cout = cout_of_group * groups
    c_matrix = np.zeros((cin, *geometry.coarse, cout, *geometry.fine), w.dtype)
    for c, t, fine in links_of(geometry):
        for group in range(groups):
            i, o = (slice(group * size // groups, (group + 1) * size // groups) for size in (cin, cout))
            c_matrix[(i, *c, o, *fine)] = w[(i, slice(None), *t)]
    return c_matrix.reshape(cin * prod(geometry.coarse), cout * prod(geometry.fine))


def oracle(geometry: tconv.Geometry, x, w, y, groups: int = 1):
    """What the operations give, in the order of `OPERATIONS`: y of conv_transpose, x of conv, w of weight_gradient."""
    return tuple(expected(operation, geometry, x, w, y, groups) for operation in OPERATIONS)


def expected(operation: str, geometry: tconv.Geometry, x, w, y, groups: int = 1):
    """What one of them gives: float64 or complex128, or Python's integers where the arrays hold them (dtype object).

    Groups share nothing: each has a matrix of its own, where one of all of them would be half a gigabyte for depthwise
    layers of many channels.
    """
    if x.dtype != object:
        x, w, y = (np.asarray(a, np.result_type(a, np.float64)) for a in (x, w, y))
    split = zip(np.split(x, groups, 1), np.split(w, groups), np.split(y, groups, 1), strict=True)
    of_groups = [_OF_A_GROUP[operation](geometry, *arrays) for arrays in split]
    return np.concatenate(of_groups, 0 if operation == "weight_gradient" else 1)


def _up(geometry, x, w, y):
    c = dense_matrix(geometry, w)
    return (x.reshape(len(x), c.shape[0]) @ c).reshape(y.shape)


def _down(geometry, x, w, y):
    c = dense_matrix(geometry, w)
    return (y.reshape(len(y), c.shape[1]) @ c.T).reshape(x.shape)


def _gradient(geometry, x, w, y):
    """The derivative of <x, C(w) y> by w: for each tap the sum of x * y over what it ties."""
    gradient = np.zeros_like(w)
    for c, t, fine in links_of(geometry):
        gradient[(..., *t)] += x[(..., *c)].T @ y[(..., *fine)]
    return gradient


_OF_A_GROUP = {"conv_transpose": _up, "conv": _down, "weight_gradient": _gradient}
