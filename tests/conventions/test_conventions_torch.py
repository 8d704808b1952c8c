"""PyTorch's dialect against PyTorch."""

from __future__ import annotations

import re
from ast import literal_eval

import numpy as np
import pytest
from dialect_cases import arrays, layers, run, transposed, up_to, wanted
from hypothesis import given
from hypothesis import strategies as st

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer
from tconv.conventions.ends import cuts

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
TORCH = DIALECTS["torch"]


def check_code(layer):
    x, w, b = arrays(layer)
    left = run(TORCH.write(layer).code, x=torch.as_tensor(x), w=w, b=b)
    np.testing.assert_array_equal(left["y"].detach().numpy(), wanted(layer))


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
def test_the_code_gives_our_result(layer):
    check_code(layer)


@given(layers())
def test_the_code_gives_our_result_for_any_layer(layer):
    check_code(layer)


@st.composite
def modules(draw):
    """Parameters of a module of 1 to 3 axes, and a coarse size."""
    ndim = draw(st.integers(1, 3))
    axes = st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim).map(tuple)
    kernel, stride, dilation, coarse = draw(axes), draw(axes), draw(axes), draw(axes)
    padding = draw(st.lists(st.integers(0, 2), min_size=ndim, max_size=ndim).map(tuple))
    added = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
    return dict(zip(names, (kernel, stride, padding, added, dilation), strict=True)), coarse


@given(modules(), st.integers(1, 3))
def test_what_is_read_is_what_pytorch_computes(drawn, groups):
    parameters, coarse = drawn
    fine = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1 + a for n, k, s, p, a, d in zip(coarse, *parameters.values(), strict=True)
    ]
    if min(fine) < 1:
        with pytest.raises(ValueError, match=r"torch.read: padding must leave at least 1 cell"):
            TORCH.read(parameters, coarse=coarse)
        return
    parameters |= {"groups": groups, "bias": True, "in_channels": groups, "out_channels": 2 * groups}
    layer = TORCH.read(parameters, coarse=coarse)
    assert layer.geometry.fine == tuple(fine)
    assert (layer.in_channels, layer.out_channels, layer.groups, layer.bias) == (groups, 2 * groups, groups, True)
    x, w, b = arrays(layer)
    module = getattr(torch.nn, f"ConvTranspose{len(coarse)}d")(**parameters)
    module.load_state_dict({"weight": torch.as_tensor(w), "bias": torch.as_tensor(b)})
    np.testing.assert_array_equal(module(torch.as_tensor(x)).detach().numpy(), wanted(layer))


@pytest.mark.parametrize("size", [9, 10, 11])
def test_output_size_chooses_the_output_padding(size):
    layer = TORCH.read({"kernel_size": 3, "stride": 3, "padding": 1, "output_size": size + 10}, coarse=7, ndim=1)
    assert layer.geometry.output_padding == (size - 9,)
    x, w, _ = arrays(Layer(layer.geometry, 1, 1))
    module = torch.nn.ConvTranspose1d(1, 1, 3, 3, 1, bias=False)
    module.load_state_dict({"weight": torch.as_tensor(w)})
    y = module(torch.as_tensor(x), output_size=[size + 10])
    np.testing.assert_array_equal(y.detach().numpy(), transposed(Layer(layer.geometry, 1, 1), x, w, None))


def test_an_asymmetric_crop_is_a_larger_layer_and_a_crop():
    layer = Layer(Geometry.conv_transpose((5, 5), 3, stride=2, padding=((0, 1), (2, 1))), 4, 2)
    saying = TORCH.write(layer)
    assert (saying.parameters["padding"], saying.parameters["output_padding"]) == ((0, 2), (0, 1))
    assert (saying.crop, saying.pad, saying.exact) == (((0, 1), (0, 0)), ((0, 0), (0, 0)), False)


def test_the_longest_case_in_full():
    layer = Layer(Geometry.conv_transpose((5, 5), 3, stride=2, padding=((2, -3), (0, 1))), 4, 2, bias=True)
    saying = TORCH.write(layer)
    assert saying.code == (
        "import torch\n"
        "from torch.nn import functional as F\n"
        "\n"
        "# x and y: (N, channels, *size)\n"
        "# w: (Cin, Cout/groups, *kernel)\n"
        "layer = torch.nn.ConvTranspose2d(4, 2, kernel_size=3, stride=2, bias=False)\n"
        "with torch.no_grad():\n"
        "    layer.weight.copy_(torch.as_tensor(w))\n"
        "y = layer(x)\n"
        "y = F.pad(y, (0, 0, 0, 3))\n"
        "y = y[..., 2:, :-1]\n"
        "y = y + torch.as_tensor(b).reshape(-1, 1, 1)\n"
    )
    assert saying.notes == (
        "PyTorch cannot say this geometry (one padding for both ends, none of them negative): the layer is larger, and "
        "(2, 0) x (0, 1) is cropped.",
        "PyTorch cannot make the result this long (one padding for both ends, none of them negative): zeros are put at "
        "(0, 3) x (0, 0); the bias is added after it, since cells that no tap reaches hold the bias.",
        "tconv.torch.nn.ConvTranspose2d(..., padding=((2, -3), (0, 1))) says it as it is, also in nn.Sequential.",
    )


def test_the_cure_that_spreads_is_warned_of():
    """Keras's "same", kernel 5, stride 2: padding 2 with output padding 1 has its size, shifted by one cell."""
    said = {"kernel_size": 5, "strides": 2, "padding": "same"}
    layer = Layer(DIALECTS["keras"].read(said, coarse=4, ndim=1).geometry, 1, 1)
    saying = TORCH.write(layer)
    assert saying.crop == ((0, 1),)
    assert saying.notes[-1] == (
        "tconv.torch.nn.ConvTranspose1d(..., padding=((1, 2),)) says it as it is, also in nn.Sequential."
    )
    assert saying.notes[-2] == (
        "padding=2 with output_padding=1 gives the same size but a shifted result: it cuts (2, 1), not (1, 2)."
    )
    x, w, _ = arrays(layer)
    cure = torch.nn.functional.conv_transpose1d(*map(torch.as_tensor, (x, w)), stride=2, padding=2, output_padding=1)
    np.testing.assert_array_equal(cure.numpy()[..., :-1], wanted(layer)[..., 1:])


@given(layers())
def test_a_warning_is_of_a_layer_of_the_same_size(layer):
    saying = TORCH.write(layer)
    last = saying.notes[-1] if saying.notes else ""
    warned = re.match(r"padding=(\S+?|\(.*?\))(?: with output_padding=(\S+|\(.*?\)))? gives", last)
    if warned is None:
        return
    g, (padding, added) = layer.geometry, (literal_eval(text or "0") for text in warned.groups())
    said = {"kernel_size": g.kernel, "stride": g.stride, "dilation": g.dilation, "padding": padding}
    read = TORCH.read(said | {"output_padding": added}, coarse=g.coarse).geometry
    assert read.fine == g.fine
    assert cuts(read) != cuts(g)


def test_zeros_after_the_bias_would_be_wrong():
    layer = Layer(Geometry.conv_transpose(3, 2, stride=2, padding=((-1, -1),)), 1, 1, bias=True)
    x, w, b = arrays(layer)
    inside = torch.nn.functional.conv_transpose1d(*map(torch.as_tensor, (x, w, b)), stride=2)
    wrong = torch.nn.functional.pad(inside, (1, 1)).numpy()
    assert b[0] != 0
    assert not np.array_equal(wrong, wanted(layer))


# -- what PyTorch itself does ------------------------------------------------------------------------------------------


def test_pytorch_has_no_padding_words():
    x, w = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)
    with pytest.raises(TypeError):
        torch.nn.functional.conv_transpose1d(x, w, padding="same")


def test_pytorch_refuses_negative_padding_and_too_large_output_padding():
    x, w = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)
    with pytest.raises(RuntimeError, match="negative padding is not supported"):
        torch.nn.functional.conv_transpose1d(x, w, padding=-1)
    with pytest.raises(RuntimeError, match="output padding must be smaller than either stride or dilation"):
        torch.nn.functional.conv_transpose1d(x, w, stride=2, output_padding=2)
    assert torch.nn.functional.conv_transpose1d(x, w, stride=2, output_padding=2, dilation=3).shape == (1, 1, 13)


def test_pytorch_raises_runtime_error_for_a_result_beyond_memory():
    with pytest.raises(RuntimeError):
        torch.nn.functional.conv_transpose1d(torch.zeros(1, 1, 2), torch.zeros(1, 1, 1), stride=2**44)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "keywords", "message"),
    [
        (
            {"kernel_size": 4, "stride": 2, "padding": "same"},
            {},
            "torch.read: padding must be an integer or one an axis: PyTorch's transposed convolutions have no "
            "\"same\" and no \"valid\"; got 'same'\n  called with kernel_size=4, stride=2, padding='same'",
        ),
        (
            {"kernel_size": 4, "stride": 2, "output_padding": 2},
            {},
            "torch.read: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2 (axis 0)\n"
            "  called with kernel_size=4, stride=2, output_padding=2",
        ),
        (
            {"kernel_size": 4, "padding": -1},
            {},
            "torch.read: padding must be an integer of at least 0; got -1\n  called with kernel_size=4, padding=-1",
        ),
        (
            {"kernel_size": 4, "padding_mode": "reflect"},
            {},
            "torch.read: padding_mode must be one of \"zeros\"; got 'reflect'\n"
            "  called with kernel_size=4, padding_mode='reflect'",
        ),
        (
            {"kernel_size": 4, "output_size": 9},
            {},
            "torch.read: coarse must be given with output_size, which says a size; got none\n"
            "  called with kernel_size=4, output_size=9",
        ),
        (
            {"kernel_size": 3, "stride": 3, "padding": 1, "output_size": 24},
            {"coarse": 7, "ndim": 1},
            "torch.read: output_size must be one of 19, 20, 21 for coarse size 7; got 24\n"
            "  called with kernel_size=3, stride=3, padding=1, output_size=24",
        ),
    ],
)
def test_parameters_that_cannot_be(parameters, keywords, message):
    with pytest.raises(ValueError) as caught:
        TORCH.read(parameters, **keywords)
    assert str(caught.value) == message


def test_four_axes_cannot_be_written():
    with pytest.raises(ValueError) as caught:
        TORCH.write(Layer(Geometry.conv_transpose((2, 2, 2, 2), 2)))
    assert str(caught.value) == (
        "torch.write: geometry must have at most 3 axes, all that PyTorch's transposed convolutions have; got 4"
    )
