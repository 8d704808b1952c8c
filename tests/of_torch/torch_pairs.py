"""Layers of torch.nn, and of tconv.torch.nn with the same weights."""

from __future__ import annotations

import pytest
import torch

import tconv.torch

ORDERS = {4: torch.channels_last, 5: torch.channels_last_3d}

#: Layers from 4 to 6 channels, and their arguments.
LAYERS = [
    ("ConvTranspose1d", {"kernel_size": 4, "stride": 2, "padding": 1}),
    ("ConvTranspose1d", {"kernel_size": 5, "stride": 3, "output_padding": 2, "bias": False}),
    ("ConvTranspose2d", {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}),
    ("ConvTranspose2d", {"kernel_size": (2, 3), "stride": (1, 2), "groups": 2, "padding": (0, 1)}),
    ("ConvTranspose2d", {"kernel_size": 3, "dilation": (2, 1), "padding": 2, "bias": False}),
    ("ConvTranspose3d", {"kernel_size": 2, "stride": 2}),
    ("ConvTranspose3d", {"kernel_size": (3, 1, 2), "stride": (2, 1, 1), "padding": (1, 0, 0), "groups": 2}),
    ("Conv1d", {"kernel_size": 4, "stride": 2, "padding": 1}),
    ("Conv1d", {"kernel_size": 2, "dilation": 3, "padding": "same", "bias": False}),
    ("Conv2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("Conv2d", {"kernel_size": (2, 3), "stride": (1, 3), "groups": 2, "padding": (0, 1)}),
    ("Conv2d", {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"}),
    ("Conv2d", {"kernel_size": 1, "stride": (2, 1), "padding": "valid", "bias": False}),
    ("Conv3d", {"kernel_size": (3, 1, 2), "stride": (2, 1, 1), "padding": (1, 0, 0), "groups": 2}),
    ("Conv3d", {"kernel_size": 2, "padding": (1, 0, 1), "padding_mode": "circular"}),
]
#: A test of one layer runs with each of these.
both = pytest.mark.parametrize("name", ["ConvTranspose2d", "Conv2d"])


def axes(name):
    """How many axes of size a layer has, by its name."""
    return int(name[-2])


def function_of(name, of=torch.nn.functional):
    """The function that the layer of this name calls."""
    return getattr(of, name.replace("ConvTranspose", "conv_transpose").replace("Conv", "conv"))


def pair(name, arguments, dtype=torch.float32):
    """The two layers."""
    theirs = getattr(torch.nn, name)(4, 6, dtype=dtype, **arguments)
    ours = getattr(tconv.torch.nn, name)(4, 6, dtype=dtype, **arguments)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def grid(ndim, *, batch=2, last=False, dtype=torch.float32):
    """An input for them, of 5, 4 and 3 cells."""
    x = torch.randn(batch, 4, *(5, 4, 3)[:ndim], dtype=dtype)
    return x.to(memory_format=ORDERS[x.dim()]) if last else x


def close(found, expected, tolerance=None):
    """The same up to the rounding of sums in another order."""
    tolerance = tolerance or {torch.float32: 2e-5, torch.float64: 1e-11}[expected.dtype]
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * 10)
