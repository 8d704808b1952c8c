"""What is so small that PyTorch is done sooner is PyTorch's, with the same results; `plan` says so.

A layer that has found that out for a shape goes straight to PyTorch's function.
"""

import copy
import pickle

import pytest
import torch
from torch_pairs import both, close, grid, pair

import tconv.torch
from tconv.torch import choice, engine, nn
from tconv.torch.gradients import Conv, ConvTranspose


@pytest.fixture(autouse=True)
def as_it_is(monkeypatch):
    monkeypatch.setattr(choice, "TINY", 10_000)
    monkeypatch.setattr(choice, "SHORT", 250)
    engine._calls.clear()
    yield
    engine._calls.clear()


def by(layer, x):
    given = {"stride": layer.stride, "padding": layer.padding}
    operation = "conv_transpose" if layer.transposed else "conv"
    return tconv.torch.plan(x, layer.weight, layer.bias, **given, operation=operation).by


@both
@pytest.mark.parametrize(
    ("size", "without", "recorded"), [(2, "torch", "torch"), (64, "tconv", "torch"), (512, "tconv", "tconv")]
)
def test_small_calls_are_pytorchs(name, size, without, recorded):
    theirs, ours = pair(name, {"kernel_size": 3, "stride": 2, "padding": 1})
    x = torch.randn(1, 4, size, size)
    assert by(ours, x) == recorded
    record = {"ConvTranspose2d": ConvTranspose, "Conv2d": Conv}[name]
    assert isinstance(ours(x).grad_fn, record._backward_cls) == (recorded == "tconv")
    with torch.no_grad():
        assert by(ours, x) == without
        close(ours(x), theirs(x))
        assert bool(ours._kept) == (without == "tconv")


def test_small_calls_make_no_engine(monkeypatch):
    """What PyTorch computes costs no tables."""
    made = []
    monkeypatch.setattr(engine.engine, "ready", lambda *given, **named: made.append(given))
    theirs, ours = pair("ConvTranspose2d", {"kernel_size": 3, "stride": 2, "padding": 1})
    x = torch.randn(1, 4, 2, 2)
    with torch.no_grad():
        close(ours(x), theirs(x))
    close(ours(x), theirs(x))
    assert by(ours, x) == "torch"
    assert not made


@pytest.mark.parametrize("padding", [1, ((0, 1), (1, 0))])
def test_small_calls_and_their_derivatives(padding):
    layer = tconv.torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=padding)
    x = grid(2).requires_grad_()
    y = layer(x)
    found = torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "SHORT", 0)
        engine._calls.clear()
        layer._kept.small.clear()
        assert isinstance(layer(x).grad_fn, ConvTranspose._backward_cls)
        expected = torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


SMALL = {"kernel_size": 3, "stride": 2, "padding": 1}


@pytest.fixture(params=["ConvTranspose2d", "Conv2d"])
def known(monkeypatch, request):
    """A layer that has had a small call, and its twin; `called` has what did not go straight since then."""
    theirs, ours = pair(request.param, SMALL)
    with torch.no_grad():
        ours(grid(2, batch=1))
    called, call = [], nn.call
    monkeypatch.setattr(nn, "call", lambda *given, **more: called.append(given) or call(*given, **more))
    return theirs, ours, called


@pytest.mark.parametrize("context", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_small_calls_go_straight(known, context):
    theirs, ours, called = known
    x = grid(2, batch=1)
    with context():
        y = ours(x)
        assert y.equal(theirs(x))
        assert y.requires_grad == (context is torch.enable_grad)
        assert called == []
        ours(x[..., 1:])
        assert len(called) == 1
        ours(x[..., 1:])
        assert len(called) == 1


def test_short_calls_go_straight_only_where_derivatives_are_recorded():
    _, ours = pair("ConvTranspose2d", SMALL)
    x = torch.randn(1, 4, 32, 32)
    ours(x)
    assert not isinstance(ours(x).grad_fn, ConvTranspose._backward_cls)
    assert not ours._kept
    with torch.no_grad():
        ours(x)
    assert ours._kept  # by the engine: weights were seen
    ours.requires_grad_(False)
    assert not ours(x).requires_grad
    assert isinstance(ours(x.clone().requires_grad_()).grad_fn, torch.autograd.graph.Node)


def test_what_a_layer_says_now_is_what_counts(known):
    theirs, ours, called = known
    x = grid(2, batch=1)
    changes = [{"stride": (1, 3)}, {"padding": (0, 1)}, {"output_padding": (0, 1)}, {"dilation": (2, 1)}]
    if not ours.transposed:
        del changes[2]
    for change in changes:
        for layer in (theirs, ours):
            layer.__dict__.update(change)
        close(ours(x), theirs(x))
    assert len(called) == len(changes)
    if not ours.transposed:
        return
    ours.padding, ours.output_padding = "same", (0, 0)
    assert ours(x).shape == (1, 6, 5, 12)
    assert ours(x, output_size=(5, 12)).shape == (1, 6, 5, 12)


def test_new_weights_and_biases_count(known):
    theirs, ours, _ = known
    x = grid(2, batch=1)
    for layer in (theirs, ours):
        layer.weight = torch.nn.Parameter(torch.linspace(-1, 1, 180).reshape(4, 9, 5, 1))
        if not layer.transposed:
            layer.weight = torch.nn.Parameter(layer.weight.detach().swapaxes(0, 1).contiguous())
        layer.bias = None
    close(ours(x), theirs(x))
    torch.nn.utils.parametrizations.weight_norm(ours)
    close(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.double(), "weight must have the dtype of input, float64; got float32"),
        (lambda x: x.long(), "weight must have the dtype of input, int64; got float32"),
        (lambda x: x.tolist(), "input must be a tensor"),
    ],
)
def test_what_is_wrong_is_said_as_ever(known, change, message):
    _, ours, _ = known
    with pytest.raises((RuntimeError, TypeError)) as caught:
        ours(change(grid(2, batch=1)))
    operation = "conv_transpose2d" if ours.transposed else "conv2d"
    assert str(caught.value).startswith(f"{operation}: {message}")


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_whoever_listens_hears_of_small_calls(known):
    theirs, ours, _ = known
    x = grid(2, batch=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert ours(x).dtype is torch.bfloat16
    close(torch.func.vmap(ours)(x[None])[0], theirs(x))
    close(torch.func.jvp(ours, (x,), (x,))[1], torch.func.jvp(theirs, (x,), (x,))[1])
    close(torch.compile(ours, backend="eager", fullgraph=True)(x), theirs(x))
    close(torch.export.export(ours, (x,)).module()(x), theirs(x))
    assert "aten::_convolution" in str(torch.jit.trace(ours, x).inlined_graph)
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert ours(mode.from_tensor(x)).shape == theirs(x).shape
    with torch.device("meta"):
        close(ours(x), theirs(x))


def test_copies_find_out_for_themselves(known):
    theirs, ours, _ = known
    assert ours._kept.small
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert not other._kept.small
        x = grid(2, batch=1)
        close(other(x), theirs(x))
        assert other._kept.small


def test_shapes_that_are_kept_are_bounded(known):
    from tconv.torch.kept import MOST_SHAPES

    _, ours, _ = known
    with torch.no_grad():
        for size in range(1, MOST_SHAPES + 3):
            ours(torch.randn(1, 4, 1, size))
    assert 0 < len(ours._kept.small) <= MOST_SHAPES


@pytest.mark.parametrize(
    ("kernel", "batch", "dtype", "by"),
    [
        ((3, 3), 1, torch.float32, "torch"),
        ((4, 3), 1, torch.float32, "torch"),
        ((4, 4), 1, torch.float32, "tconv"),  # oneDNN
        ((4, 4), 1, torch.float64, "torch"),
        ((3, 3), 2, torch.float32, "tconv"),  # oneDNN
        ((3, 3), 2, torch.float64, "torch"),
        ((1, 4, 4), 1, torch.float32, "tconv"),
        ((4, 4, 1), 1, torch.float32, "torch"),
        ((5,), 1, torch.float32, "torch"),
        ((5,), 2, torch.float32, "tconv"),
        ((1, 1), 2, torch.float32, "torch" if torch.get_num_threads() == 1 else "tconv"),
        ((1, 1), 16, torch.float32, "tconv"),
    ],
)
def test_small_calls_that_pytorch_hands_to_onednn_are_the_engines(kernel, batch, dtype, by):
    x = torch.randn(batch, 2, *[2] * len(kernel), dtype=dtype)
    assert tconv.torch.plan(x, torch.randn(2, 2, *kernel, dtype=dtype)).by == by
