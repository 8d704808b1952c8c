"""What users read when they pass something wrong: full texts, in the classes of error that PyTorch has for it."""

import numpy as np
import pytest
import torch

import tconv.torch
from tconv.torch import functional, nn

pytestmark = pytest.mark.quick

X, W = torch.ones(2, 4, 5, 6), torch.ones(4, 3, 3, 3)
LEARNT = torch.ones(3, requires_grad=True)
CALLED = "\n  called with input=float32 (2, 4, 5, 6), weight=float32 (4, 3, 3, 3)"

ARGUMENTS = [
    ({"stride": 0}, "stride must be an integer of at least 1; got 0", ", stride=0"),
    (
        {"stride": (1, 2, 3)},
        "stride must be an integer or a sequence of 2 integers, one an axis; got (1, 2, 3)",
        ", stride=(1, 2, 3)",
    ),
    (
        {"padding": 9},
        "padding must leave at least 1 cell; (9, 9) crops coarse size 5 to fine size -11 (axis 0)",
        ", padding=9",
    ),
    (
        {"padding": "full"},
        'padding must be "same", "valid", "causal", an integer or (low, high) pairs; got \'full\'',
        ", padding='full'",
    ),
    (
        {"output_padding": 1},
        "output_padding must be less than max(stride, dilation) = max(1, 1) = 1; got 1 (axis 0)",
        ", output_padding=1",
    ),
    ({"groups": 3}, "groups must divide the channels of input, Cin = 4; got 3", ", groups=3"),
    ({"dilation": -1}, "dilation must be an integer of at least 1; got -1", ", dilation=-1"),
    (
        {"bias": torch.ones(5)},
        "bias must have shape (3,), one entry an output channel; got (5,)",
        ", bias=float32 (5,)",
    ),
]


@pytest.mark.parametrize(("given", "reason", "shown"), ARGUMENTS)
def test_wrong_values(given, reason, shown):
    with pytest.raises(RuntimeError) as caught:
        functional.conv_transpose2d(X, W, **given)
    assert str(caught.value) == f"conv_transpose2d: {reason}{CALLED}{shown}"
    name, value = next(iter(given.items()))
    if not isinstance(value, str) and name != "groups":  # PyTorch raises the same class; of a word, TypeError
        with pytest.raises(RuntimeError):
            torch.nn.functional.conv_transpose2d(X, W, **given)


OF_INPUT = "must have the dtype of input"
TENSORS = [
    ((3, W), TypeError, "input must be a tensor; got 3 of type int"),
    ((X, None), TypeError, "weight must be a tensor; got None of type NoneType"),
    ((X, W.double()), RuntimeError, f"weight {OF_INPUT}, float32; got float64; weight.to(torch.float32)?"),
    ((X.half(), W), RuntimeError, f"weight {OF_INPUT}, float16; got float32; weight.to(torch.float16)?"),
    ((X, W.to("meta")), RuntimeError, "weight must be on the device of input, cpu; got meta"),
    ((X, W, torch.ones(3, device="meta")), RuntimeError, "bias must be on the device of input, cpu; got meta"),
    ((X, W, torch.ones(3).double()), RuntimeError, f"bias {OF_INPUT}, float32; got float64; bias.to(torch.float32)?"),
    (
        (X[:, :3], W),
        RuntimeError,
        "input must have 4 channels, the first size of weight; got 3; is weight in a convolution's order (Cout, Cin, "
        "*kernel): weight.swapaxes(0, 1)?",
    ),
    (
        (X.movedim(1, -1), W),
        RuntimeError,
        "input must have 4 channels, the first size of weight; got 5; input has 4 channels last: "
        "input.movedim(-1, -3)?",
    ),
    (
        (X, W.permute(2, 3, 1, 0)),
        RuntimeError,
        "input must have 3 channels, the first size of weight; got 4; is weight in Keras's order (*kernel, Cout, Cin): "
        "weight.permute(3, 2, 0, 1)?",
    ),
    ((X[0, 0], W), RuntimeError, "input must have shape (N, C, *size) or (C, *size) with 2 axes of size; got (5, 6)"),
    ((X, W[0]), RuntimeError, "weight must have 4 axes, (Cin, Cout / groups, *kernel); got shape (3, 3, 3)"),
    ((X[:, :, :0], W), RuntimeError, "input must have no empty axis but the batch; got shape (2, 4, 0, 6)"),
    ((X, W[:, :0]), RuntimeError, "weight must have no empty axis; got shape (4, 0, 3, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("tensors", "kind", "reason"), TENSORS)
def test_wrong_tensors(tensors, kind, reason):
    for _ in range(2):  # what was refused is not remembered
        with pytest.raises(kind) as caught:
            functional.conv_transpose2d(*tensors)
        assert str(caught.value).splitlines()[0] == f"conv_transpose2d: {reason}"
    # PyTorch computes with empty axes, and takes the device from one of the tensors where another is on "meta".
    if kind is RuntimeError and not any(word in reason for word in ("empty", "meta")):
        with pytest.raises(RuntimeError):
            torch.nn.functional.conv_transpose2d(*tensors)


Y, V = torch.ones(2, 4, 5, 6), torch.ones(3, 4, 3, 3)
OF_CONV = [
    ({"input": Y[:, :2]}, "input must have 4 channels, the second size of weight; got 2"),
    ({"weight": V[:, :2], "groups": 4}, "input must have 8 channels, the second size of weight times groups=4; got 4"),
    ({"weight": torch.ones(4, 2, 3, 3), "groups": 2, "bias": torch.ones(2)},
     "bias must have shape (4,), one entry an output channel; got (2,)"),
    ({"weight": torch.ones(5, 2, 3, 3), "groups": 2}, "groups must divide the channels of the result, Cout = 5; got 2"),
    ({"weight": V.swapaxes(0, 1)}, "input must have 3 channels, the second size of weight; got 4; is weight in a "
     "transposed convolution's order (Cin, Cout, *kernel): weight.swapaxes(0, 1)?"),
    ({"input": Y.movedim(1, -1)}, "input must have 4 channels, the second size of weight; got 5; input has 4 channels "
     "last: input.movedim(-1, -3)?"),
    ({"weight": V.permute(2, 3, 1, 0)}, "input must have 3 channels, the second size of weight; got 4; is weight in "
     "Keras's order (*kernel, Cin, Cout): weight.permute(3, 2, 0, 1)?"),
    ({"weight": torch.ones(3, 3, 7, 4)}, "input must have 3 channels, the second size of weight; got 4"),
    ({"weight": V[0]}, "weight must have 4 axes, (Cout, Cin / groups, *kernel); got shape (4, 3, 3)"),
    ({"input": Y[..., :2]}, "kernel must fit into the padded size: kernel 3 with dilation 1 spans 3 cells, size 2 with "
     "padding (0, 0) has 2 (axis 1)"),
    ({"input": Y[:, :, :0]}, "input must have no empty axis but the batch; got shape (2, 4, 0, 6)"),
    ({"weight": V.double()}, "weight must have the dtype of input, float32; got float64; weight.to(torch.float32)?"),
    ({"padding": "causal"}, "padding must be \"same\", \"valid\", an integer or (low, high) pairs; got 'causal'"),
    ({"padding": "same", "stride": (1, 2)}, 'padding must not be "same" where a stride is not 1: it would depend on '
     "the size of the input; got stride (1, 2) (say an integer or (low, high) pairs)"),
    ({"stride": (1, 0)}, "stride[1] must be an integer of at least 1; got 0"),
    ({"dilation": -1}, "dilation must be an integer of at least 1; got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "reason"), OF_CONV)
def test_wrong_convolutions(given, reason):
    call = {"input": Y, "weight": V, **given}
    for _ in range(2):
        with pytest.raises(RuntimeError) as caught:
            functional.conv2d(**call)
        assert str(caught.value).splitlines()[0] == f"conv2d: {reason}"
        assert "output_" not in str(caught.value)
    if "empty" not in reason:
        with pytest.raises((RuntimeError, ValueError)):
            torch.nn.functional.conv2d(**call)


@pytest.mark.parametrize("value", [2.0, True, "2", None])
@pytest.mark.parametrize("name", ["stride", "dilation", "groups"])
def test_wrong_types_of_convolutions(name, value):
    with pytest.raises((TypeError, RuntimeError)) as caught:
        functional.conv2d(Y, V, **{name: value})
    assert f"{name} must be" in str(caught.value)


def test_a_plan_of_a_convolution_has_no_output_padding():
    for given in ({"output_padding": 1}, {"output_size": 3}):
        with pytest.raises(ValueError, match="plan: a convolution has no output_padding or output_size; got"):
            tconv.torch.plan(Y, V, operation="conv", **given)
    with pytest.raises(ValueError, match='plan: operation must be one of "conv_transpose", "conv"; got'):
        tconv.torch.plan(Y, V, operation="deconv")


def test_a_border_that_is_too_wide():
    layer = nn.Conv2d(4, 3, 3, padding=(1, 6), padding_mode="reflect")
    with pytest.raises(RuntimeError) as caught:
        layer(Y)
    said = 'conv2d: padding must be from 0 to 5 with padding_mode "reflect" for fine size 6; got (6, 6)'
    assert str(caught.value).splitlines()[0] == said
    with pytest.raises(RuntimeError, match=r"conv2d: input must have shape \(N, C, \*size\)"):
        layer(Y[0, 0])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"padding": "causal"}, 'padding must be "same", "valid", an integer or (low, high) pairs; got \'causal\''),
        ({"padding_mode": "wrap"}, 'padding_mode must be one of "zeros", "circular", "reflect", "replicate"; got'),
        ({"stride": 0}, "stride[0] must be an integer of at least 1; got 0"),
        ({"dilation": (1, 0)}, "dilation[1] must be an integer of at least 1; got 0"),
        ({"padding": ((1, 2, 3), 0)}, "padding[0] must be an integer or a (low, high) pair of them; got (1, 2, 3)"),
    ],
)
def test_wrong_layers_of_convolutions(given, reason):
    with pytest.raises(ValueError) as caught:
        nn.Conv2d(4, 3, 3, **given)
    assert str(caught.value).startswith(f"Conv2d: {reason}")


def test_a_wrong_bias_after_a_right_one():
    functional.conv_transpose2d(X, W, torch.ones(3))
    with pytest.raises(RuntimeError, match=r"bias must have shape \(3,\)"):
        functional.conv_transpose2d(X, W, torch.ones(2))


@pytest.mark.parametrize("value", [2.0, True, "2", None])
@pytest.mark.parametrize("name", ["stride", "dilation", "groups", "output_padding"])
def test_wrong_types(name, value):
    functional.conv_transpose2d(X, W, **{name: 1 if name != "output_padding" else 0})
    with pytest.raises((TypeError, RuntimeError)) as caught:
        functional.conv_transpose2d(X, W, **{name: value})
    assert f"{name} must be" in str(caught.value)


def test_output_size_raises_what_layers_of_pytorch_raise():
    layer, theirs = nn.ConvTranspose2d(4, 3, 3, stride=2), torch.nn.ConvTranspose2d(4, 3, 3, stride=2)
    with pytest.raises(ValueError) as caught:
        layer(X, output_size=(11, 15))
    assert str(caught.value).startswith(
        "conv_transpose2d: output_size must be one of 13, 14 for coarse size 6; got 15 (axis 1)\n"
    )
    with pytest.raises(ValueError):
        theirs(X, output_size=[11, 15])
    with pytest.raises(ValueError, match="output_size must be an integer or a sequence of 2 integers"):
        layer(X, output_size=(1, 2, 3))


def test_wrong_layers():
    with pytest.raises(
        ValueError, match='padding_mode must be one of "zeros", "circular", "reflect", "replicate"; got'
    ):
        nn.ConvTranspose2d(4, 3, 3, padding_mode="wrap")
    with pytest.raises(ValueError) as caught:
        nn.ConvTranspose2d(4, 3, 3, padding="full")
    assert (
        str(caught.value)
        == 'ConvTranspose2d: padding must be "same", "valid", "causal", an integer or (low, high) pairs; got \'full\''
    )
    with pytest.raises(ValueError, match=r"ConvTranspose2d: padding must be .* got \(\(1, 2\),\)"):
        nn.ConvTranspose2d(4, 3, 3, padding=((1, 2),))


def test_derivatives_that_nobody_has():
    with pytest.raises(RuntimeError, match="floating point and complex"):
        torch.ones(1, 1, 2, dtype=torch.int32, requires_grad=True)
    for dtype in (torch.int32, torch.bool):
        with pytest.raises(RuntimeError):
            functional.conv_transpose1d(torch.ones(1, 1, 2, dtype=dtype), torch.ones(1, 1, 2))


@pytest.mark.parametrize(
    ("given", "kind", "reason"),
    [
        ({"w": np.ones((4, 3, 3, 3), np.float32)}, TypeError, "w must be a tensor, as another is; got array("),
        ({"layout": "NCHW"}, ValueError, 'layout must be one of "channels_first", "channels_last"; got \'NCHW\''),
        ({"method": "fast"}, ValueError, 'method must be one of "auto", '),
        ({"out": torch.empty(2, 3, 7, 9)}, ValueError, "out must be float32 (2, 3, 7, 8); got float32 (2, 3, 7, 9)"),
        ({"output_padding": 1, "output_size": 8}, ValueError, "output_padding and output_size must not both be given"),
        ({"bias": LEARNT, "out": torch.empty(2, 3, 7, 8)}, ValueError, "out must be None where"),
        ({"bias": LEARNT, "method": "gemm"}, ValueError, 'method must be "auto", and tensors'),
    ],
)  # fmt: skip
def test_tensors_in_the_function_of_arrays(given, kind, reason):
    given = {"x": X, "w": W, **given}
    with pytest.raises(kind) as caught:
        tconv.conv_transpose(given.pop("x"), given.pop("w"), **given)
    assert str(caught.value).startswith(f"conv_transpose: {reason}")


def test_weights_beside_arrays_of_dask():
    da = pytest.importorskip("dask.array")
    dask = pytest.importorskip("tconv.dask")
    with pytest.raises(TypeError) as caught:
        dask.conv(da.ones((1, 5)), torch.ones(1, 1, 1))
    assert str(caught.value) == "conv: w must be an array of NumPy or Dask; got tensor([[[1.]]]) of type Tensor"
