"""The registered operators: what PyTorch checks of operators, derivatives to the second order, and vmap."""

from itertools import product
from random import Random

import pytest
import torch
from torch import library
from torch._subclasses import FakeTensorMode
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap
from torch_pairs import ORDERS

from tconv.torch import functional

ops = torch.ops.tconv
SHARED = ((1, 2), 2)  # dilation, groups
STRIDE, LOW, COARSE, KERNEL, FINE = (2, 1), (1, -1), (2, 3), (3, 2), (5, 7)


def tensors(dtype=torch.float64, grad=True):
    """x, w, the bias of the transposed convolution, y, and the bias of the convolution."""
    shapes = (2, 4, *COARSE), (4, 1, *KERNEL), (2,), (2, 2, *FINE), (4,)
    return [torch.randn(shape, dtype=dtype, requires_grad=grad) for shape in shapes]


def calls(x, w, bias, y, shift):
    """Each operator with its tensors and the rest."""
    return {
        "conv_transpose": ((x, w, bias), (STRIDE, LOW, FINE, *SHARED)),
        "conv": ((y, w, shift), (STRIDE, LOW, COARSE, *SHARED)),
        "weight_gradient": ((x, y), (STRIDE, LOW, KERNEL, *SHARED)),
    }


@pytest.mark.parametrize("name", ["conv_transpose", "conv", "weight_gradient"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opcheck(name, last, dtype):
    x, w, bias, y, shift = tensors(dtype)
    if last:
        x, w, y = (t.detach().to(memory_format=ORDERS[4]).requires_grad_() for t in (x, w, y))
    given, window = calls(x, w, bias, y, shift)[name]
    library.opcheck(getattr(ops, name).default, (*given, *window))


def laid_out(t, rng):
    """A tensor that lies in memory in one of many ways."""
    axes = list(range(t.dim()))
    rng.shuffle(axes)
    longer = torch.cat([t, t], -1)
    one = t[..., :1].expand(t.shape)
    ways = t, t.permute(axes).contiguous().permute([axes.index(n) for n in range(t.dim())]), longer[..., ::2], one
    return rng.choice(ways if t.dim() not in ORDERS else (*ways, t.to(memory_format=ORDERS[t.dim()])))


def drawn_calls(rng, ndim, dtype):
    """Tensors and arguments for each operator: axes of 1, empty batches, weights that are not finite, any strides.

    Minimal filtering, and where channels lie in the result, are asked for or not.
    """

    def each(*values):
        return tuple(rng.choice(values) for _ in range(ndim))

    groups, batch = rng.choice((1, 1, 2)), rng.choice((0, 1, 1, 2, 3))
    cin, cout = groups * rng.choice((1, 2, 8)), groups * rng.choice((1, 3, 17))
    kernel, stride, dilation = each(1, 2, 3), each(1, 2, 3), each(1, 1, 2)
    coarse, low = each(1, 1, 2, 5), each(0, 1, -1)
    ends = zip(coarse, stride, kernel, dilation, low, each(0, 1), strict=True)
    fine = [max(1, (n - 1) * s + (k - 1) * d + 1 - p - high) for n, s, k, d, p, high in ends]
    shapes = (batch, cin, *coarse), (batch, cout, *fine), (cin, cout // groups, *kernel)
    x, y, w = (torch.randn(shape, dtype=dtype) for shape in shapes)
    if rng.random() < 0.5:
        w[..., 0] = torch.inf
    x, y, w = (laid_out(t, rng) for t in (x, y, w))
    bias, shift = (torch.randn(c, dtype=dtype) if rng.random() < 0.5 else None for c in (cout, cin))
    asked = rng.choice(((), (True,), (False, None), (False, True), (False, False)))
    return {
        "conv_transpose": (x, w, bias, stride, low, fine, dilation, groups, *asked),
        "conv": (y, w, shift, stride, low, coarse, dilation, groups, *asked),
        "weight_gradient": (x, y, stride, low, kernel, dilation, groups),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_results_lie_as_graphs_are_told(ndim, dtype):
    """Inductor reads them by the strides of fake tensors; in the second call weights are kept."""
    rng = Random(ndim)
    for _ in range(40):
        for name, given in drawn_calls(rng, ndim, dtype).items():
            with FakeTensorMode() as mode:
                told = getattr(ops, name)(*(mode.from_tensor(t) if isinstance(t, torch.Tensor) else t for t in given))
            for _ in range(2):
                found = getattr(ops, name)(*given)
                assert (found.shape, found.stride(), found.dtype) == (told.shape, told.stride(), told.dtype), given[3:]


@pytest.mark.parametrize("name", ["conv_transpose", "conv", "weight_gradient"])
def test_derivatives_of_operators(name):
    given, window = calls(*tensors())[name]
    assert gradcheck(lambda *given: getattr(ops, name)(*given, *window), given)
    assert gradgradcheck(lambda *given: getattr(ops, name)(*given, *window), given)


@pytest.mark.parametrize("padding", [1, ((0, 1), (2, -1)), "same"])
def test_derivatives_in_eager_mode(padding):
    x, w, bias, y, shift = tensors()

    def up(x, w, bias):
        return functional.conv_transpose2d(x, w, bias, 2, padding, groups=2)

    def down(y, w, bias):
        return functional.conv2d(y, w, bias, 1 if padding == "same" else 2, padding, groups=2)

    for call, given in ((up, (x, w, bias)), (down, (y, w, shift))):
        assert gradcheck(call, given)
        assert gradgradcheck(call, given)


@pytest.mark.parametrize("name", ["conv_transpose1d", "conv1d"])
def test_derivatives_of_the_third_order(name):
    x, w = torch.randn(1, 1, 3, dtype=torch.float64, requires_grad=True), torch.randn(1, 1, 2, dtype=torch.float64)
    w.requires_grad_()

    def third(function):
        first = torch.autograd.grad((function(x, w, None, 2) ** 4).sum(), (x, w), create_graph=True)
        second = torch.autograd.grad(sum((g**2).sum() for g in first), (x, w), create_graph=True)
        return torch.autograd.grad(sum((g**2).sum() for g in second), (x, w))

    ours, theirs = getattr(functional, name), getattr(torch.nn.functional, name)
    for found, expected in zip(third(ours), third(theirs), strict=True):
        torch.testing.assert_close(found, expected)


DIMS = [dims for dims in product((None, 0, 1), repeat=3) if dims != (None, None, None)]


#: With and without the last argument of two of them, which says whether sums are those of minimal filtering.
NAMES = [("conv_transpose", ()), ("conv", ()), ("weight_gradient", ()), ("conv_transpose", (True,)), ("conv", (True,))]


@pytest.mark.parametrize(("name", "filtered"), NAMES)
@pytest.mark.parametrize("dims", DIMS)
def test_vmap(name, filtered, dims):
    given, window = calls(*tensors(grad=False))[name]
    window += filtered
    dims = dims[: len(given)]
    if set(dims) == {None}:
        return
    batched = [t if d is None else torch.stack([t, 2 * t + 1, -t], d) for t, d in zip(given, dims, strict=True)]

    def call(*given):
        return getattr(ops, name)(*given, *window)

    def entry(n):
        return call(*[t if d is None else t.select(d, n) for t, d in zip(batched, dims, strict=True)])

    torch.testing.assert_close(vmap(call, dims)(*batched), torch.stack([entry(n) for n in range(3)]))


def test_other_devices_and_dtypes_are_pytorchs():
    x, w, bias, *_ = tensors(torch.bfloat16, grad=False)
    found = ops.conv_transpose(x, w, bias, STRIDE, LOW, FINE, *SHARED)
    assert found.dtype is torch.bfloat16
    meta = ops.conv_transpose(*(t.to("meta") for t in (x, w, bias)), STRIDE, LOW, FINE, *SHARED)
    assert (meta.shape, meta.device.type, meta.stride()) == (found.shape, "meta", found.stride())


@pytest.mark.parametrize("name", ["conv_transpose", "conv"])
@pytest.mark.parametrize("channels", [3, 64])
def test_channels_that_do_not_fit_are_refused(name, channels):
    x, w = torch.randn(1, channels, 8, 8), torch.randn(32, 32, 3, 3)
    with pytest.raises(RuntimeError, match="channels"):
        getattr(ops, name)(x, w, None, (1, 1), (1, 1), (8, 8), (1, 1), 1)


def test_what_is_known_of_a_call_holds_for_its_dtypes_only():
    """Shapes and strides are found again; weights and a bias of another dtype are PyTorch's to refuse."""
    y, w, bias = torch.randn(1, 4, 9), torch.randn(6, 4, 3), torch.randn(6)
    given = [1], [1], [9], [1], 1
    known = torch.ops.tconv.conv(y, w, bias, *given)
    torch.testing.assert_close(known, torch.nn.functional.conv1d(y, w, bias, padding=1))
    for other in ((y, w.double(), bias), (y, w, bias.double()), (y.double(), w, bias)):
        with pytest.raises(RuntimeError, match="type"):
            torch.ops.tconv.conv(*other, *given)
    torch.testing.assert_close(torch.ops.tconv.conv(y, w, None, *given), torch.nn.functional.conv1d(y, w, padding=1))
