"""`tconv.torch.stream`: pieces, joined, are the module on the whole; what is not local is refused by name."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tconv.torch
from tconv.torch import nn, stream

pytestmark = pytest.mark.quick

BOTH = [torch.nn, nn]


def pushed(s, x, pieces):
    parts, start = [], 0
    for n in pieces:
        parts.append(s.push(x[..., start : start + n]))
        start += n
    return torch.cat([*parts, s.flush(x[..., start:])], -1)


def whole_numbers(module):
    """Weights whose sums are exact in every order."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randint(-3, 4, parameter.shape))
    return module.eval()


def signal(*shape):
    return torch.randint(-3, 4, shape).float()


TRANSPOSED = [
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 16, "stride": 8, "padding": 4},
    {"kernel_size": 5, "stride": 3, "padding": 2, "output_padding": 2, "groups": 2},
    {"kernel_size": 2, "stride": 5, "output_padding": 4},
    {"kernel_size": 3, "stride": 2, "dilation": 4, "padding": 3, "output_padding": 3},
    {"kernel_size": 1, "stride": 1, "bias": False},
]
CONVOLUTIONS = [
    {"kernel_size": 7, "padding": 3},
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 2, "stride": 5, "groups": 2},
    {"kernel_size": 3, "padding": "same", "dilation": 3},
    {"kernel_size": 4, "padding": "same", "dilation": 2},
    {"kernel_size": 3, "padding": "valid", "bias": False},
]


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize(
    ("name", "window"), [*(("ConvTranspose1d", w) for w in TRANSPOSED), *(("Conv1d", w) for w in CONVOLUTIONS)]
)
def test_layers_in_pieces(library, name, window):
    layer = whole_numbers(getattr(library, name)(4, 6, **window))
    x = signal(2, 4, 23)
    with torch.no_grad():
        wanted = layer(x)
    for pieces in ([], [1] * 23, [0, 7, 0, 2, 9], [22]):
        torch.testing.assert_close(pushed(stream(layer), x, pieces), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("padding", ["same", "causal", "valid", ((2, -1),), ((0, 5),)])
def test_paddings_that_only_tconv_has(padding):
    layer = whole_numbers(nn.ConvTranspose1d(3, 2, 6, stride=4, padding=padding))
    x = signal(3, 11)
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(layer), x, [1, 4]), layer(x), rtol=0, atol=0)
    assert padding != "causal" or stream(layer).latency == 0
    conv = whole_numbers(nn.Conv1d(3, 2, 6, padding=((5, 0),)))
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(conv), x, [1, 4]), conv(x), rtol=0, atol=0)


def decoder(library, **keywords):
    """As of a codec: a filter, and two upsampling layers with activations between."""
    return torch.nn.Sequential(
        library.Conv1d(8, 12, 7, padding=3),
        torch.nn.Sequential(torch.nn.ELU(), library.ConvTranspose1d(12, 6, 8, stride=4, padding=2)),
        torch.nn.BatchNorm1d(6),
        torch.nn.Dropout(0.5),
        library.ConvTranspose1d(6, 4, 4, stride=2, padding=1),
        torch.nn.LeakyReLU(0.1),
        library.Conv1d(4, 1, 7, padding=3),
        torch.nn.Tanh(),
    ).eval()


@given(data=st.data())
def test_sequences_in_pieces(data):
    module = decoder(data.draw(st.sampled_from(BOTH)))
    n = data.draw(st.integers(1, 20))
    x = torch.randn(1, 8, n)
    pieces = data.draw(st.lists(st.integers(0, 6), max_size=6).filter(lambda p: sum(p) <= n))
    with torch.no_grad():
        wanted = module(x)
    torch.testing.assert_close(pushed(stream(module), x, pieces), wanted, rtol=1e-4, atol=1e-5)


def test_numbers_of_a_decoder():
    s = stream(decoder(torch.nn))
    assert (s.scale, s.latency) == (8, 4)
    for _ in range(50):
        s.push(torch.randn(1, 8, 3))
    assert s.nbytes == 4 * (8 * 6 + 12 * 1 + 6 * 1 + 4 * 6)
    assert all(stage.held.untyped_storage().nbytes() == stage.held.nbytes for stage in s._stages)


class OverlapAdd:
    """A transposed convolution as codecs stream it (SEANet of EnCodec, Mimi): sums that are not complete are kept.

    Of each call the last kernel - stride positions wait for the next one, which adds its own to them.
    """

    def __init__(self, layer):
        self.layer, self.partial = layer, None
        self.overlap = layer.kernel_size[0] - layer.stride[0]

    def push(self, x):
        y = self.layer(x)
        if self.partial is not None:
            y[..., : self.overlap] += self.partial
        self.partial = y[..., y.shape[-1] - self.overlap :].clone()
        if self.layer.bias is not None:
            self.partial -= self.layer.bias[:, None]
        return y[..., : y.shape[-1] - self.overlap]


@pytest.mark.parametrize(("kernel", "stride"), [(16, 8), (10, 5), (5, 4), (4, 4)])
def test_agrees_with_overlap_and_add(kernel, stride):
    """The same results after each push, cell for cell; one keeps inputs, the other sums."""
    layer = torch.nn.ConvTranspose1d(32, 16, kernel, stride)
    causal = nn.ConvTranspose1d(32, 16, kernel, stride, padding="causal")
    causal.load_state_dict(layer.state_dict())
    theirs, ours = OverlapAdd(layer), stream(causal)
    x = torch.randn(1, 32, 40)
    with torch.no_grad():
        for start, stop in ((0, 1), (1, 2), (2, 9), (9, 40)):
            torch.testing.assert_close(ours.push(x[..., start:stop]), theirs.push(x[..., start:stop]))
        torch.testing.assert_close(causal(x)[..., -stride:], ours_end(causal, x))
    assert ours.latency == 0
    assert ours.nbytes == 4 * 32 * ((kernel - 1) // stride)  # inputs, and theirs 4 * 16 * (kernel - stride) of sums
    assert theirs.partial.nbytes == 4 * 16 * (kernel - stride)


def ours_end(layer, x):
    s = stream(layer)
    return torch.cat([s.push(x), s.flush()], -1)[..., -layer.stride[0] :]


def test_weights_are_looked_up_and_no_graph_is_kept():
    layer = whole_numbers(torch.nn.Conv1d(2, 2, 3))
    s = stream(layer)
    x = signal(2, 10)
    first = s.push(x[:, :4])
    assert not first.requires_grad
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.mul_(2)
    torch.testing.assert_close(s.push(x[:, 4:]), layer(x)[:, 2:].detach())


def test_parametrized_weights():
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1))
    x = torch.randn(1, 4, 9)
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(layer), x, [3, 1]), layer(x))


def test_other_dtypes_and_autocast():
    layer = torch.nn.Conv1d(2, 3, 3, padding=1).double()
    x = torch.randn(2, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(layer), x, [3]), layer(x))
        with torch.autocast("cpu", torch.bfloat16):
            module, x = decoder(torch.nn), torch.randn(1, 8, 12)
            got, wanted = pushed(stream(module), x, [5, 2]), module(x)
    assert got.dtype == wanted.dtype
    torch.testing.assert_close(got, wanted, rtol=0.1, atol=0.02)


class Snake(torch.nn.Module):
    def forward(self, x):
        return x + torch.sin(x) ** 2


def test_other_pointwise_modules():
    module = torch.nn.Sequential(torch.nn.Conv1d(2, 2, 3, padding=1), Snake())
    x = torch.randn(1, 2, 9)
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(module, pointwise=[Snake]), x, [2, 2]), module(x))


def test_modules_that_are_there_twice():
    conv, twice = torch.nn.Conv1d(2, 2, 3, padding=1), torch.nn.PReLU(init=0.5)
    module = torch.nn.Sequential(conv, twice, conv, twice)
    x = torch.randn(1, 2, 9)
    with torch.no_grad():
        torch.testing.assert_close(pushed(stream(module), x, [2, 2]), module(x))


def sequential(*modules):
    return torch.nn.Sequential(torch.nn.Conv1d(2, 2, 3), *modules)


with_hook = torch.nn.Conv1d(2, 2, 3)
with_hook.register_forward_hook(lambda *_: None)


class Standardized(torch.nn.Conv1d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x - x.mean(), weight, bias)


class Centred(torch.nn.Identity):
    def forward(self, x):
        return x - x.mean()


with_forward = torch.nn.Conv1d(2, 2, 3)
with_forward.forward = lambda x: x - x.mean()

REFUSED = [
    (lambda: stream(Standardized(2, 2, 3)), TypeError,
     "stream: module, Standardized(2, 2, kernel_size=(3,), stride=(1,)), must compute as its class in PyTorch does: it "
     "has a method of its own, one of forward, _conv_forward, _output_padding"),
    (lambda: stream(with_forward), TypeError,
     "stream: module, Conv1d(2, 2, kernel_size=(3,), stride=(1,)), must compute as its class in PyTorch does: it "
     "has a method of its own, one of forward, _conv_forward, _output_padding"),
    (lambda: stream(sequential(Centred())), TypeError,
     "stream: module.1, Centred(), is not known to be local: a stream takes Conv1d, ConvTranspose1d and modules that "
     "are pointwise (pointwise=(Centred,) if it is)"),
    (lambda: stream(sequential(torch.nn.BatchNorm1d(2, track_running_stats=False))), ValueError,
     "stream: module.1, BatchNorm1d(2, eps=1e-05, momentum=0. ... bias=True, track_running_stats=False), must have "
     "running statistics: others are of the whole; got track_running_stats=False"),
    (lambda: stream(sequential(), pointwise=Centred), TypeError,
     "stream: pointwise must be a sequence of classes; got <class 'test_of_torch_stream.Centred'>"),
    (lambda: stream(3), TypeError, "stream: module must be a torch.nn.Module; got 3"),
    (lambda: stream(torch.nn.ReLU()), ValueError,
     "stream: module must have at least one Conv1d or ConvTranspose1d; got ReLU()"),
    (lambda: stream(sequential(torch.nn.AvgPool1d(2))), TypeError,
     "stream: module.1, AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,)), is not known to be local: a stream "
     "takes Conv1d, ConvTranspose1d and modules that are pointwise (pointwise=(AvgPool1d,) if it is)"),
    (lambda: stream(sequential(torch.nn.Sequential(torch.nn.LSTM(2, 2)))), TypeError,
     "stream: module.1.0, LSTM(2, 2), is not known to be local: a stream takes Conv1d, ConvTranspose1d and modules "
     "that are pointwise (pointwise=(LSTM,) if it is)"),
    (lambda: stream(torch.nn.Conv2d(2, 2, 3)), TypeError,
     "stream: module, Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1)), is not known to be local: a stream takes "
     "Conv1d, ConvTranspose1d and modules that are pointwise (pointwise=(Conv2d,) if it is)"),
    (lambda: stream(torch.nn.Conv1d(2, 2, 3, padding=1, padding_mode="reflect")), ValueError,
     "stream: module, Conv1d(2, 2, kernel_size=(3,), stride=(1,), padding=(1,), padding_mode=reflect), must have "
     'padding_mode "zeros": others copy cells of the whole; got "reflect"'),
    (lambda: stream(sequential(torch.nn.Dropout(0.5))), ValueError,
     "stream: module.1, Dropout(p=0.5, inplace=False), must not be in training: call eval() first"),
    (lambda: stream(torch.nn.LazyConv1d(2, 3)), ValueError,
     "stream: module, LazyConv1d(0, 2, kernel_size=(3,), stride=(1,)), must have weights: call it once on its first "
     "input"),
    (lambda: stream(with_hook), ValueError,
     "stream: module, Conv1d(2, 2, kernel_size=(3,), stride=(1,)), must have no forward hooks, which a stream does not "
     "call (those of the old weight_norm are removed by torch.nn.utils.remove_weight_norm)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED)
def test_what_is_refused(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


@pytest.mark.parametrize(
    ("x", "kind", "text"),
    [
        (np.ones((2, 4)), TypeError, "x must be a torch.Tensor; got array"),
        (torch.ones(4), ValueError, "x must have shape (N, C, cells) or (C, cells); got (4,)"),
        (torch.ones(3, 4), ValueError, "x must have 2 channels; got 3 in (3, 4)"),
        (
            torch.ones(2, 4).double(),
            TypeError,
            "x must have the dtype of the weights, torch.float32; got torch.float64",
        ),
        (torch.ones(2, 4, device="meta"), ValueError, "x must be on the device of the weights, cpu; got meta"),
        (torch.ones(5, 2, 4), ValueError, "x must have shape (2, any), as the first push had; got (5, 2, 4) (reset"),
    ],
)
def test_what_cannot_be_pushed(x, kind, text):
    s = stream(sequential())
    s.push(torch.ones(2, 4))
    with pytest.raises(kind, match=f"^{re.escape('stream.push: ' + text)}"):
        s.push(x)


def test_how_it_shows_itself():
    assert repr(stream(sequential(torch.nn.ReLU()))) == (
        "tconv.torch.stream(Conv1d(2, 2, kernel_size=(3,), stride=(1,)), ReLU())"
    )
    assert isinstance(stream(sequential()), tconv.torch.Stream)
