"""The operators that graphs have for runs: each is what its modules are, by a kernel and by PyTorch."""

import copy
import itertools

import pytest
import torch
from joined import activation_of, drawn
from registry import needs_kernels
from torch import library, nn

from tconv.torch import engine
from tconv.torch.fusing import operators, planes, runs

pytestmark = needs_kernels

KINDS = list(itertools.product([None, *runs.ACTIVATIONS], [False, True], [torch.float32, torch.float64]))


def activated(kind, dtype):
    """An activation of 8 channels, and what operators are given of it."""
    module = nn.Identity() if kind is None else drawn(activation_of(kind, 8)).to(dtype)
    _, follower = runs.follower_of(None if kind is None else module)
    return module, ("", None, None) if follower is None else follower


# ---- statistics


def normalized(kind, dtype, *, residual):
    """What the operator is given for an activation, and the module behind its sum."""
    module, (name, number, slope) = activated(kind, dtype)
    x, scale, shift = torch.randn(2, 8, 3, 5, dtype=dtype), torch.randn(8, dtype=dtype), torch.randn(8, dtype=dtype)
    added = torch.randn_like(x) if residual else None
    return (x, added, scale, shift, slope, 4, 1e-3, name, number), module


@pytest.mark.parametrize("kernel", [True, False])
@torch.no_grad()
def test_normalized(kernel, monkeypatch):
    if not kernel:
        monkeypatch.setattr(planes, "prepared", lambda *_: None)
    for kind, residual, dtype in KINDS:
        (x, added, *given), module = normalized(kind, dtype, residual=residual)
        norms = nn.functional.group_norm(x.double(), 4, given[0].double(), given[1].double(), 1e-3)
        wanted = copy.deepcopy(module).double()(norms if added is None else norms + added.double())
        for lies in (x.clone(), x.to(memory_format=torch.channels_last)):
            operators.NORMALIZED(lies, added, *given)
            torch.testing.assert_close(lies.double(), wanted, rtol=1e-5, atol=1e-5)


# ---- a convolution with what is done where its result is stored

#: The operation, the shapes of x and of weights that write 8 channels, and what else it is told, by its axes.
CONVOLUTIONS = {
    "conv 1": ("conv", (2, 3, 17), (8, 3, 5), ([2], [1], [8], [1], 1)),
    "conv 2": ("conv", (1, 4, 6, 1), (8, 2, 3, 1), ([1, 1], [2, 0], [8, 1], [1, 1], 2)),
    "conv 3": ("conv", (1, 1, 4, 5, 3), (8, 1, 2, 2, 2), ([1, 2, 1], [0, 0, 0], [3, 2, 2], [1, 1, 1], 1)),
    "transposed 1": ("conv_transpose", (2, 3, 9), (3, 8, 4), ([2], [1], [18], [1], 1)),
    "transposed 2": ("conv_transpose", (1, 4, 3, 5), (4, 4, 3, 2), ([2, 1], [0, 1], [7, 4], [1, 1], 2)),
    "filtered": ("conv", (1, 16, 40), (8, 16, 3), ([1], [1], [40], [1], 1, True)),
}


def followed(name, kind, dtype, *, residual, last=False):
    """The operator, what it is given, its result in float64."""
    operation, of_x, of_w, window = CONVOLUTIONS[name]
    module, (activation, number, slope) = activated(kind, dtype)
    x, w, bias = (torch.randn(shape, dtype=dtype) for shape in (of_x, of_w, (8,)))
    if last and x.dim() == 4:
        x = x.to(memory_format=torch.channels_last)
    plain = getattr(torch.ops.tconv, operation)
    y = engine.natively(
        operation, x.double(), w.double(), bias.double(), engine.OperationWindow(*map(_tuple, window[:5]))
    )
    added = torch.randn_like(plain(x, w.clone(), bias, *window)) if residual else None
    wanted = copy.deepcopy(module).double()(y if added is None else y + added.double())
    return operators.FOLLOWED[operation], (x, w, bias, added, slope, activation, number, *window), wanted


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


@pytest.fixture
def computed(recorded):
    """For each call of the engine whether it computed."""
    return recorded(operators.RunCall, "compute", lambda result, *_: result is not None)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@torch.no_grad()
def test_followed(name, computed):
    """In its first call, when weights are met, in the next one, and in one that finds them packed."""
    for (kind, residual, dtype), last in itertools.product(KINDS, [False, True]):
        operator, given, wanted = followed(name, kind, dtype, residual=residual, last=last)
        computed.clear()
        for _ in range(3):
            found = operator(*given)
            torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
        assert computed == [False, True, True]


@torch.no_grad()
def test_followed_by_pytorch(monkeypatch):
    """Where there is no kernel, and of what kernels do not read: all of the arguments are still looked at."""
    monkeypatch.setattr(operators, "_call", lambda *_: None)
    for (kind, residual, dtype), name in itertools.product(KINDS, CONVOLUTIONS):
        operator, given, wanted = followed(name, kind, dtype, residual=residual)
        torch.testing.assert_close(operator(*given).double(), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_operands_that_kernels_do_not_read(computed):
    operator, (x, w, bias, added, slope, *given), wanted = followed("conv 1", nn.PReLU, torch.float32, residual=True)
    apart = torch.zeros(2, 8, 16)[..., ::2].copy_(added)
    across = added.transpose(1, 2).contiguous().transpose(1, 2)
    slopes, biases = torch.zeros(16)[::2].copy_(slope), torch.zeros(16)[::2].copy_(bias)
    weights = torch.zeros(8, 3, 10)[..., ::2].copy_(w)
    for _ in range(3):
        for other in ({"added": apart}, {"added": across}, {"slope": slopes}, {"bias": biases}, {"w": weights}):
            operands = {"x": x, "w": w, "bias": bias, "added": added, "slope": slope} | other
            found = operator(*operands.values(), *given)
            torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
            assert found.is_contiguous()
    assert not any(computed)


@torch.no_grad()
def test_inputs_that_do_not_lie_in_order_are_copied(computed):
    operator, (x, *given), wanted = followed("conv 1", nn.ReLU, torch.float32, residual=True)
    x = torch.zeros(2, 3, 34)[..., ::2].copy_(x)
    for _ in range(2):
        torch.testing.assert_close(operator(x, *given).double(), wanted, rtol=1e-4, atol=1e-4)
    assert computed == [False, True]


@torch.no_grad()
def test_weights_and_slopes_that_change(computed):
    operator, (x, w, bias, added, slope, *given), _ = followed("conv 1", nn.PReLU, torch.float32, residual=True)
    for _ in range(3):
        for changed in (w, bias, added, slope):
            changed.data.mul_(-1.25)
            y = nn.functional.conv1d(x, w, bias, 2, 1) + added
            for _ in range(3):
                torch.testing.assert_close(
                    operator(x, w, bias, added, slope, *given), nn.functional.prelu(y, slope), rtol=1e-4, atol=1e-4
                )
    assert any(computed)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", range(4))
@pytest.mark.parametrize("name", ["conv 1", "filtered"])
@torch.no_grad()
def test_what_is_not_finite(name, where, value):
    """In x, weights, the bias, and what is added: it is where it would be, and nowhere else."""
    operator, given, _ = followed(name, nn.LeakyReLU, torch.float32, residual=True)
    for _ in range(3):
        operator(*given)
    given[where].view(-1)[5] = value
    x, w, bias, added = given[:4]
    (stride,), (low,) = given[7:9]
    wanted = nn.functional.leaky_relu(nn.functional.conv1d(x, w, bias, stride, low) + added)
    for _ in range(3):
        torch.testing.assert_close(operator(*given), wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


@torch.no_grad()
def test_calls_with_and_without_what_follows_share_packed_weights(computed):
    """Of one tensor of weights in one graph."""
    operator, given, wanted = followed("conv 1", nn.Tanh, torch.float32, residual=False)
    x, w, bias, _, _, _, _, *window = given
    for _ in range(3):
        y = torch.ops.tconv.conv(x, w, bias, *window)
        torch.testing.assert_close(operator(*given).double(), wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(y, nn.functional.conv1d(x, w, bias, 2, 1), rtol=1e-4, atol=1e-4)
    assert computed[-1]


@torch.no_grad()
def test_an_empty_batch():
    operator, (x, w, bias, added, *given), wanted = followed("conv 1", nn.Tanh, torch.float32, residual=True)
    assert operator(x[:0], w, bias, added[:0], *given).shape == wanted[:0].shape


@torch.no_grad()
def test_operators_say_what_they_do():
    given, _ = normalized(nn.PReLU, torch.float32, residual=True)
    utils = ("test_schema", "test_faketensor")
    library.opcheck(operators.NORMALIZED.default, given, test_utils=utils)
    for name, last in itertools.product(CONVOLUTIONS, [False, True]):
        operator, given, _ = followed(name, nn.PReLU, torch.float32, residual=True, last=last)
        library.opcheck(operator.default, given, test_utils=utils)
