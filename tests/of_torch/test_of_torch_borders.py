"""Layers with a `padding_mode`: what PyTorch's padded convolutions have as derivatives is what they compute."""

import copy
import itertools
import pickle

import pytest
import torch
from torch.nn import functional as F

from tconv.torch import borders, nn

CONV = (None, F.conv1d, F.conv2d, F.conv3d)

#: Axes of size, the fine grid, and arguments of a layer from 4 to 6 channels: axes of 1, kernels below strides, ...
CASES = [
    (1, (7,), {"kernel_size": 3, "padding": 1}),
    (1, (7,), {"kernel_size": 5, "stride": 3, "padding": ((3, 1),)}),
    (1, (6,), {"kernel_size": 2, "stride": 5, "padding": ((0, 5),)}),
    (1, (9,), {"kernel_size": 3, "stride": 2, "dilation": 4, "padding": 4, "groups": 2}),
    (2, (8, 5), {"kernel_size": 3, "stride": 2, "padding": 1}),
    (2, (7, 9), {"kernel_size": (1, 4), "stride": (3, 1), "padding": ((0, 2), (2, 1)), "bias": False}),
    (2, (5, 6), {"kernel_size": 3, "stride": 2, "padding": "same", "groups": 2}),
    (2, (6, 6), {"kernel_size": 4, "stride": 2, "padding": "valid"}),
    (3, (5, 4, 6), {"kernel_size": (3, 2, 3), "stride": (2, 1, 1), "padding": (1, 0, 2)}),
]


def layer(ndim, mode, **arguments):
    return getattr(nn, f"ConvTranspose{ndim}d")(4, 6, padding_mode=mode, dtype=torch.float64, **arguments)


def transposed(up, x, fine):
    """What PyTorch's derivative of conv(pad(y)) by y makes of x; plus the bias."""
    ends = borders._ends(x, up.weight, _given(up, fine))
    y = torch.zeros(x.shape[0], up.out_channels, *fine, dtype=x.dtype, requires_grad=True)
    cells = [n for _, pair, _ in reversed(ends) for n in pair]
    padded = F.pad(y, cells, up.padding_mode)
    z = CONV[len(fine)](padded, up.weight, None, up.stride, 0, up.dilation, up.groups)
    assert z.shape == x.shape
    (dy,) = torch.autograd.grad(z, y, x)
    return dy if up.bias is None else dy + up.bias.detach().reshape(-1, *[1] * len(fine))


def _given(up, fine):
    return borders.RawArguments(up.stride, up.padding, up.output_padding, up.groups, up.dilation, fine)


def coarse_of(up, fine):
    """A coarse size from which the layer reaches the fine size."""
    for n in itertools.product(*[range(1, size + 6) for size in fine]):
        x = torch.zeros(1, 4, *n, dtype=torch.float64)
        try:
            ends = borders._ends(x, up.weight, _given(up, fine))
        except borders.checks.Rejected:
            continue
        if all(a < s for (_, _, a), s in zip(ends, up.stride, strict=True)):
            return n
    raise AssertionError(fine)


@pytest.mark.parametrize("mode", borders.MODES)
@pytest.mark.parametrize(("ndim", "fine", "arguments"), CASES)
def test_it_is_the_transpose_of_pytorchs_padded_convolution(ndim, fine, arguments, mode):
    up = layer(ndim, mode, **arguments)
    x = torch.randn(2, 4, *coarse_of(up, fine), dtype=torch.float64)
    expected = transposed(up, x, fine)
    torch.testing.assert_close(up(x, output_size=fine), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(up(x[0], output_size=fine), expected[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", borders.MODES)
def test_derivatives_of_all_orders(mode):
    up = layer(2, mode, kernel_size=3, stride=2, padding=1)
    x = torch.randn(1, 4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(up, x)
    assert torch.autograd.gradgradcheck(up, x)


@pytest.mark.parametrize("mode", borders.MODES)
def test_copies_formats_and_what_pytorch_does_to_layers(mode):
    up = nn.ConvTranspose2d(4, 6, 3, 2, 1, padding_mode=mode)
    x = torch.randn(2, 4, 5, 6)
    y = up(x)
    assert repr(up).endswith(f"padding=(1, 1), padding_mode={mode})")
    assert copy.deepcopy(up)(x).equal(y)
    assert pickle.loads(pickle.dumps(up))(x).equal(y)
    last = up(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, y)
    compiled = torch.compile(up, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), y)
    torch.testing.assert_close(torch.export.export(up, (x,)).module()(x), y)
    torch.testing.assert_close(torch.func.vmap(up)(x[None])[0], y)
    with torch.autocast("cpu", torch.float16):
        assert up(x).dtype is torch.float16


@pytest.mark.parametrize(
    ("mode", "coarse", "padding", "said"),
    [
        ("circular", 6, 6, 'from 0 to 2 with padding_mode "circular" for fine size 2; got (6, 6)'),
        ("reflect", 6, ((7, 0),), 'from 0 to 6 with padding_mode "reflect" for fine size 7; got (7, 0)'),
        ("replicate", 5, -1, 'at least 0 with padding_mode "replicate" for fine size 14; got (-1, -1)'),
    ],
)
def test_a_border_is_copied_from_one_grid(mode, coarse, padding, said):
    up = nn.ConvTranspose1d(4, 6, 4, 2, padding, padding_mode=mode)
    with pytest.raises(RuntimeError) as caught:
        up(torch.zeros(1, 4, coarse))
    assert str(caught.value).startswith(f"conv_transpose1d: padding must be {said}\n  called with input=float32 (1, 4,")


def test_an_unknown_mode():
    with pytest.raises(
        ValueError, match='padding_mode must be one of "zeros", "circular", "reflect", "replicate"; got'
    ):
        nn.ConvTranspose1d(4, 6, 4, padding_mode="wrap")


# ---- lazy layers, causal padding, padding that differs at both ends


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_lazy_layers_become_layers(ndim):
    lazy = getattr(nn, f"LazyConvTranspose{ndim}d")(4, 3, 2, padding="same", groups=2)
    assert isinstance(lazy, getattr(torch.nn, f"LazyConvTranspose{ndim}d"))
    assert lazy.has_uninitialized_params()
    x = torch.randn(2, 6, *(5, 4, 3)[:ndim])
    y = lazy(x)
    assert type(lazy) is getattr(nn, f"ConvTranspose{ndim}d")
    assert y.shape[2:] == tuple(2 * n for n in x.shape[2:])
    same = getattr(nn, f"ConvTranspose{ndim}d")(6, 4, 3, 2, padding="same", groups=2)
    same.load_state_dict(lazy.state_dict())
    assert same(x).equal(y)
    again = getattr(nn, f"LazyConvTranspose{ndim}d")(4, 3, 2, groups=2, padding_mode="circular", padding=1)
    again.load_state_dict(lazy.state_dict())  # which gives a lazy layer its shapes
    assert again(x).shape[1] == 4


@pytest.mark.parametrize(("k", "s", "d"), [(4, 2, 1), (7, 3, 1), (2, 5, 1), (3, 1, 1), (3, 2, 4), (1, 1, 1)])
def test_causal_is_the_crop_of_all_that_is_beyond_at_the_end(k, s, d):
    x, w = torch.randn(1, 2, 9, dtype=torch.float64), torch.randn(2, 3, k, dtype=torch.float64)
    torch._dynamo.reset()
    found = _causal(x, w, s, d)
    full = F.conv_transpose1d(x, w, None, s, dilation=d)
    assert found.shape[-1] == 9 * s
    kept = min(full.shape[-1], 9 * s)
    torch.testing.assert_close(found[..., :kept], full[..., :kept])
    assert not found[..., kept:].any()
    later = x.clone()
    later[..., 5:] = 0
    torch.testing.assert_close(_causal(later, w, s, d)[..., : 5 * s], found[..., : 5 * s])


def _causal(x, w, s, d):
    from tconv.torch import functional

    found = functional.conv_transpose1d(x, w, stride=s, dilation=d, padding="causal")
    up = nn.ConvTranspose1d(2, 3, w.shape[2], s, padding="causal", dilation=d, bias=False, dtype=torch.float64)
    with torch.no_grad():
        up.weight.copy_(w)
    assert up(x).equal(found)
    compiled = torch.compile(up, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), found)
    return found


def test_paddings_that_differ_at_both_ends_stand_in_a_sequence():
    """Keras crops 1 and 2 cells for "same", kernel 5, stride 2; padding 2 with output padding 1 would shift."""
    up = nn.ConvTranspose2d(8, 4, 5, stride=2, padding=((1, 2), (1, 2)))
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.ReLU(), up)
    x = torch.randn(1, 3, 16, 12)
    y = net(x)
    assert y.shape == (1, 4, 16, 12)
    full = F.conv_transpose2d(net[:2](x), up.weight, up.bias, 2)
    torch.testing.assert_close(y, full[..., 1:-2, 1:-2])
    assert "padding=((1, 2), (1, 2))" in repr(net)
    net.load_state_dict(copy.deepcopy(net).state_dict())
    torch.testing.assert_close(torch.compile(net, backend="aot_eager")(x), y)
