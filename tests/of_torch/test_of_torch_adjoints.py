"""`tconv.conv` and `weight_gradient` on tensors: what arrays give, derivatives, other dtypes, compilers, messages."""

import numpy as np
import pytest
import torch
from registry import EXACT
from torch_pairs import ORDERS, close

import tconv
from tconv.torch import gradients

WINDOW = {"stride": 2, "padding": ((0, 1), (1, 0)), "groups": 2}
Y, W, BIAS = torch.randn(2, 6, 9, 9), torch.randn(4, 3, 3, 3), torch.randn(4)
X = torch.randn(2, 4, 4, 4)


def conv(y, w, bias=None, **given):
    return tconv.conv(y, w, bias, **WINDOW, **given)


def weight_gradient(x, y, **given):
    return tconv.weight_gradient(x, y, 3, **WINDOW, **given)


@pytest.fixture(autouse=True)
def grids():
    """x as the coarse grid of Y."""
    assert conv(Y, W).shape == X.shape


def last(*tensors):
    return [t.movedim(1, -1).contiguous() for t in tensors]


@pytest.mark.parametrize("method", ["auto", *EXACT])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_tensors_give_what_arrays_give(method, layout):
    x, y = (X, Y) if layout == "channels_first" else last(X, Y)
    given = {"layout": layout, "method": method}
    for function, tensors in ((conv, (y, W, BIAS)), (conv, (y, W)), (weight_gradient, (x, y))):
        expected = torch.from_numpy(function(*(t.numpy() for t in tensors), layout=layout))
        found = function(*tensors, **given)
        assert found.is_contiguous()
        close(found, expected)
        out = torch.full_like(found, torch.nan)
        assert function(*tensors, **given, out=out) is out
        close(out, expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("batch", [None, 0, 1, 3])
def test_axes_and_batches(ndim, batch):
    images = () if batch is None else (batch,)
    y, w = torch.randn(*images, 4, *(7, 6, 5)[:ndim]), torch.randn(2, 4, *(3, 2, 2)[:ndim])
    given = {"stride": 2, "dilation": 2}
    x = tconv.conv(y, w, **given)
    close(x, torch.from_numpy(tconv.conv(y.numpy(), w.numpy(), **given)))
    found = tconv.weight_gradient(x, y, tuple(w.shape[2:]), **given)
    close(found, torch.from_numpy(tconv.weight_gradient(x.numpy(), y.numpy(), tuple(w.shape[2:]), **given)))


def test_they_are_each_others_derivatives():
    y, w = Y.clone().requires_grad_(), W.clone().requires_grad_()
    dx = torch.randn_like(X)
    dy, dw = torch.autograd.grad(conv(y, w), (y, w), dx)
    close(dy, tconv.conv_transpose(dx, W, **{**WINDOW, "output_size": (9, 9)}))
    close(dw, weight_gradient(dx, Y))
    bias = BIAS.clone().requires_grad_()
    close(torch.autograd.grad(conv(Y, W, bias), bias, dx)[0], dx.sum((0, 2, 3)))
    x = X.clone().requires_grad_()
    dx, dy = torch.autograd.grad(weight_gradient(x, y), (x, y), W)
    close(dx, conv(Y, W))
    close(dy, tconv.conv_transpose(X, W, **{**WINDOW, "output_size": (9, 9)}))


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_derivatives_of_every_order(layout):
    x, y, w = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 4, 2, 2), (2, 2, 4, 5), (4, 1, 3, 3)))
    x, y = (x, y) if layout == "channels_first" else last(x, y)
    window = {"stride": 2, "padding": ((0, 1), (1, 0)), "groups": 2, "layout": layout}
    x, y, w, b = (t.requires_grad_() for t in (x, y, w, torch.randn(4, dtype=torch.float64)))
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda y, w, b: tconv.conv(y, w, b, **window), (y, w, b))
        assert check(lambda x, y: tconv.weight_gradient(x, y, 3, **window), (x, y))


def test_the_engine_computes():
    y, w, x = Y.clone().requires_grad_(), W.clone(), X.clone().requires_grad_()
    assert isinstance(conv(y, w).grad_fn, gradients.Conv._backward_cls)
    assert isinstance(weight_gradient(x, Y).grad_fn, gradients.WeightGradient._backward_cls)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64])
def test_other_dtypes_give_pytorchs_results(dtype):
    y, w = Y.round().to(dtype), W.round().to(dtype)  # whole numbers, of which sums are exact in any order
    assert tconv.conv(y, w, stride=2, groups=2).equal(torch.nn.functional.conv2d(y, w, None, 2, groups=2))
    x = X.to(dtype)
    found = tconv.weight_gradient(x, y, 3, stride=2, groups=2)
    assert found.dtype is dtype
    limit = {torch.float16: 1e-2, torch.bfloat16: 1e-1, torch.complex64: 1e-4}[dtype]
    close(found.real.float(), tconv.weight_gradient(X, Y.round(), 3, stride=2, groups=2), limit)


def test_complex_weight_gradients_are_those_of_the_sum():
    x, y, dw = torch.complex(X, -X), torch.complex(2 * Y, Y), weight_gradient(X, Y)
    close(torch.view_as_real(weight_gradient(x, y)), torch.view_as_real(torch.complex(3 * dw, -dw)))


def test_integers_and_more_axes_are_computed_as_arrays():
    y, w = torch.arange(4)[None, None], torch.tensor([[[1, 10]]])
    assert tconv.conv(y, w).tolist() == [[[10, 21, 32]]]
    assert tconv.weight_gradient(torch.tensor([[[1, 2, 3]]]), y, 2).tolist() == [[[8, 14]]]
    y, w = torch.randn(1, 2, 3, 3, 3, 3), torch.randn(2, 2, 2, 1, 2, 2)
    x = tconv.conv(y, w)
    close(x, torch.from_numpy(tconv.conv(y.numpy(), w.numpy())))
    found = tconv.weight_gradient(x[0], y[0], (2, 1, 2, 2))
    close(found, torch.from_numpy(tconv.weight_gradient(x.numpy(), y.numpy(), (2, 1, 2, 2))))


def test_memory_formats_are_pytorchs():
    y = Y.to(memory_format=ORDERS[4])
    assert conv(y, W).is_contiguous(memory_format=ORDERS[4])
    close(conv(y, W), conv(Y, W))
    close(weight_gradient(X.to(memory_format=ORDERS[4]), y), weight_gradient(X, Y))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled(dynamic):
    def both(x, y, w, b):
        return conv(y, w, b), weight_gradient(x, y), conv(y.bfloat16(), w.bfloat16())

    compiled = torch.compile(both, backend="eager", fullgraph=True, dynamic=dynamic)
    for found, expected in zip(compiled(X, Y, W, BIAS), both(X, Y, W, BIAS), strict=True):
        torch.testing.assert_close(found, expected)


def test_transforms_modes_and_exporters():
    found = torch.func.vmap(conv, (0, None))(torch.stack([Y, -Y]), W)
    close(found[1], -conv(Y, W))
    close(torch.func.grad(lambda w: conv(Y, w).sum())(W), weight_gradient(torch.ones_like(X), Y))
    close(torch.func.jvp(lambda y: conv(y, W), (Y,), (Y,))[1], conv(Y, W))
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(Y, W).dtype is torch.bfloat16

    class Model(torch.nn.Module):
        def forward(self, x, y, w):
            return conv(y, w), weight_gradient(x, y)

    exported = torch.export.export(Model(), (X, Y, W))
    assert "tconv" not in str(exported.graph)
    for found, expected in zip(exported.module()(X, Y, W), (conv(Y, W), weight_gradient(X, Y)), strict=True):
        close(found, expected)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: conv(Y, W.double()), TypeError, "conv: w must have the dtype of y, float32; got float64"),
        (lambda: conv(Y, W.to("meta")), ValueError, "conv: w must be on the device of y, cpu; got meta"),
        (lambda: conv(Y, W.numpy()), TypeError, "conv: w must be a tensor, as another is; got array"),
        (
            lambda: conv(Y[:, :5], W),
            ValueError,
            "conv: y must have 6 channels, the second size of w times groups=2; got 5",
        ),
        (
            lambda: conv(Y, W, BIAS[:3]),
            ValueError,
            "conv: bias must have shape (4,), one entry an output channel; got (3,)",
        ),
        (lambda: conv(Y, W, out=X[:1]), ValueError, "conv: out must be float32 (2, 4, 4, 4); got float32 (1, 4, 4, 4)"),
        (
            lambda: conv(Y, W.clone().requires_grad_(), method="gemm"),
            ValueError,
            'conv: method must be "auto", and tensors of floating point with 1 to 3 axes of size, '
            "where derivatives are recorded; use torch.no_grad()",
        ),
        (
            lambda: weight_gradient(X[:1], Y),
            ValueError,
            "weight_gradient: y must have the batch of x, batch 1; got batch 2",
        ),
        (
            lambda: tconv.weight_gradient(X, Y, 0),
            ValueError,
            "weight_gradient: kernel_size must be an integer of at least 1; got 0",
        ),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).partition("\n")[0].startswith(message)
    assert "called with" in str(caught.value) or "out must" in message


def test_arrays_stay_arrays():
    assert type(conv(Y.numpy(), W.numpy())) is np.ndarray
    assert type(weight_gradient(X.numpy(), Y.numpy())) is np.ndarray
