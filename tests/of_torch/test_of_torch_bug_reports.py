"""Public bug reports on transposed convolutions in PyTorch, by their numbers: what is right is right here.

Inputs are from the reports' parameters, values from the definition.
"""

import pytest
import torch
from definition import links_of

import tconv
import tconv.torch
from tconv.torch import functional as F
from tconv.torch import nn

C = torch.channels_last


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64])
def test_pytorch_91549_no_groups_are_an_error_and_no_crash(dtype):
    x, w, b = (torch.ones(*shape).to(dtype) for shape in ((1, 3, 4, 4), (3, 3, 3, 3), (3,)))
    with pytest.raises(RuntimeError, match="conv_transpose2d: groups must be an integer of at least 1; got 0"):
        F.conv_transpose2d(x, w, b, stride=[2, 2], padding=2, output_padding=[1, 1], groups=0)
    with pytest.raises(ValueError, match="groups must be"):
        tconv.torch.nn.ConvTranspose2d(3, 3, 3, stride=2, padding=2, output_padding=1, groups=0)


def test_pytorch_127732_a_dilation_of_0_is_refused_as_the_layer_is_made():
    with pytest.raises(ValueError) as caught:
        nn.ConvTranspose2d(3, 4, [1, 1], [1, 1], [0, 0], [0, 0], dilation=[7, 0], groups=1, bias=True)
    assert str(caught.value) == "ConvTranspose2d: dilation[1] must be an integer of at least 1; got 0"
    assert nn.ConvTranspose2d(3, 4, [1, 1], dilation=[7, 1])(torch.randn(1, 3, 64, 64)).shape == (1, 4, 64, 64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_pytorch_165744_infinite_weights_reach_what_a_tap_ties_to_them(dtype):
    """CUDA gave NaN everywhere: there zeros around x are multiplied by the infinities."""
    torch.manual_seed(0)
    x, w = torch.randn(1, 1, 4, 4, dtype=torch.float16).to(dtype), torch.full((1, 1, 3, 3), float("inf"), dtype=dtype)
    y = F.conv_transpose2d(x, w, stride=1, padding=0, dilation=1)
    sign = x.sign().double()
    ones = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    taps = torch.conv_transpose2d(torch.ones_like(sign), ones)
    agree = torch.conv_transpose2d(sign, ones)
    expected = torch.where(agree.abs() == taps, agree.sign() * float("inf"), float("nan"))
    assert y.dtype is dtype
    torch.testing.assert_close(y.double(), expected, equal_nan=True)
    assert y[0, 0, 0, 0] == float(x[0, 0, 0, 0]) * float("inf")  # which one tap reaches


@pytest.mark.parametrize("formats", [(C, C), (C, torch.contiguous_format), (torch.contiguous_format, C)])
def test_pytorch_99519_channels_last_weights_of_one_input_channel(formats):
    """The report's result was whatever lay in memory."""
    x = torch.ones(1, 1, 2, 2).contiguous(memory_format=formats[0])
    up = nn.ConvTranspose2d(1, 2, [5, 5])
    with torch.no_grad():
        up.weight.data = torch.ones(1, 2, 5, 5).contiguous(memory_format=formats[1])
        up.bias.zero_()
        expected = torch.tensor([1.0, 2, 2, 2, 2, 1])
        for _ in range(3):
            assert up(x).equal(expected.outer(expected).expand(1, 2, 6, 6))
    y = F.conv_transpose2d(x, up.weight.detach(), stride=3, dilation=2)
    wanted = torch.zeros(y.shape)
    for _, _, fine in links_of(tconv.Geometry.conv_transpose((2, 2), 5, stride=3, dilation=2)):
        wanted[0, :, *fine] += 1
    assert y.equal(wanted)


def test_audiolm_pytorch_8_a_causal_layer_needs_no_padding_before_it():
    """Padded, the report's first six cells were the bias alone."""
    up = nn.ConvTranspose1d(1, 1, kernel_size=4, stride=2, padding="causal")
    with torch.no_grad():
        up.weight.fill_(1)
        up.bias.zero_()
    assert up(torch.tensor([[[1.0, 2, 4, 8]]])).tolist() == [[[1, 1, 3, 3, 6, 6, 12, 12]]]


def test_pytorch_46027_padding_modes_of_a_transposed_convolution():
    """Periodic lattices, down by a convolution and up by a transposed one: a shift along them goes through both."""
    torch.manual_seed(0)
    down = torch.nn.Conv2d(1, 4, 4, 2, padding=1, padding_mode="circular")
    up = nn.ConvTranspose2d(4, 1, 4, 2, padding=1, padding_mode="circular")
    x = torch.randn(1, 1, 8, 6)
    y, shifted = up(down(x)), up(down(x.roll((2, 4), (2, 3))))
    torch.testing.assert_close(shifted, y.roll((2, 4), (2, 3)))
