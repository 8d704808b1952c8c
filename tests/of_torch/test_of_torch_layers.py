"""The layers against those of torch.nn: results, derivatives, memory formats, and what makes them a stand-in."""

import copy
import io
import pickle
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle
from strategies import geometries
from torch_pairs import LAYERS, ORDERS, axes, both, close, function_of, grid, pair

import tconv.torch
from tconv.jit.machine import launch
from tconv.torch import functional, native

FORMATS = [
    (name, arguments, last) for (name, arguments), last in product(LAYERS, (False, True)) if axes(name) > 1 or not last
]


@pytest.mark.parametrize(("name", "arguments", "last"), FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_and_derivatives_are_those_of_pytorch(name, arguments, last, dtype):
    theirs, ours = pair(name, arguments, dtype)
    ndim = axes(name)
    if last:
        theirs, ours = theirs.to(memory_format=ORDERS[ndim + 2]), ours.to(memory_format=ORDERS[ndim + 2])
    x = grid(ndim, last=last, dtype=dtype)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    y, z = theirs(inputs[0]), ours(inputs[1])
    close(z, y)
    with torch.no_grad():
        for _ in range(3):  # new weights, packed for keeps, kept
            close(ours(x), y.detach())
    dy = torch.randn_like(y)
    y.backward(dy)
    z.backward(dy)
    close(inputs[1].grad, inputs[0].grad)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(found.grad, expected.grad)


def conv_keywords(geometry):
    return {"stride": geometry.stride, "padding": geometry.padding, "dilation": geometry.dilation}


@settings(max_examples=40)
@given(geometries(small=True), st.sampled_from([1, 2]), st.integers(0, 2**32 - 1))
def test_any_geometry_against_the_definition(geometry, groups, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 2 * groups, *geometry.coarse))
    w = rng.standard_normal((2 * groups, 3, *geometry.kernel))
    y = rng.standard_normal((2, 3 * groups, *geometry.fine))
    up, down, gradient = map(torch.from_numpy, oracle(geometry, x, w, y, groups))
    x, w, y = (torch.from_numpy(a).requires_grad_() for a in (x, w, y))
    arguments = (geometry.stride, geometry.padding, geometry.output_padding, groups, geometry.dilation)
    found = getattr(functional, f"conv_transpose{geometry.ndim}d")(x, w, None, *arguments)
    dx, dw = torch.autograd.grad(found, (x, w), y)
    # The geometry is one of a convolution too, unless a coarse cell could still be read beyond its last.
    arguments = (geometry.stride, geometry.padding, geometry.dilation, groups)
    if tconv.Geometry.conv(geometry.fine, geometry.kernel, **conv_keywords(geometry)).coarse == geometry.coarse:
        coarse = getattr(functional, f"conv{geometry.ndim}d")(y, w, None, *arguments)
        close(coarse, down)
        dy, dw_of_conv = torch.autograd.grad(coarse, (y, w), x)
        close(dy, up)
        close(dw_of_conv, gradient)
    low, extra = [p for p, _ in geometry.padding], native.extra(geometry.coarse, geometry.stride, geometry.fine)
    window = (geometry.stride, low, extra, geometry.dilation, groups)
    by_torch = native.conv_transpose(x, w, None, *window), native.conv(y, w, None, *window)
    for result, expected in zip((found, dx, dw), (up, down, gradient), strict=True):
        close(result, expected)
    for result, expected in zip(
        (*by_torch, native.weight_gradient(x, y, w, *window)), (up, down, gradient), strict=True
    ):
        close(result, expected)


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("formats", list(product((False, True), repeat=2)))
@pytest.mark.parametrize("sizes", [(2, 4, 6, 5), (1, 1, 1, 5), (3, 4, 6, 1), (4, 1, 8, 3)])
def test_memory_formats_are_those_of_pytorch(operation, ndim, formats, sizes):
    batch, cin, cout, size = sizes
    channels = (cin, cout) if operation == "conv_transpose" else (cout, cin)
    tensors = torch.randn(batch, cin, *[size] * ndim), torch.randn(*channels, *[3] * ndim)
    if ndim > 1:
        order = ORDERS[ndim + 2]
        tensors = [t.to(memory_format=order) if last else t for t, last in zip(tensors, formats, strict=True)]
    name = f"{operation}{ndim}d"
    expected, found = (getattr(of, name)(*tensors, stride=2, padding=1) for of in (torch.nn.functional, functional))
    close(found, expected)
    if ndim < 3:  # PyTorch's way of three axes depends on sizes and dtypes: contiguous where it has no better one
        assert found.stride() == expected.stride()
    elif any(formats) and min(sizes) > 1:
        assert found.is_contiguous(memory_format=ORDERS[5])


def test_nothing_is_copied_on_the_way(monkeypatch):
    from tconv.torch import formats

    monkeypatch.setattr(formats, "copied", None)
    for kind, (ndim, last) in product(("ConvTranspose", "Conv"), ((1, False), (2, False), (2, True), (3, True))):
        _, layer = pair(f"{kind}{ndim}d", {"kernel_size": 2, "stride": 2})
        with torch.no_grad():
            layer(grid(ndim, last=last))


@both
@pytest.mark.parametrize("change", ["sliced", "expanded", "transposed", "negated"])
def test_other_strides_are_read_as_they_are_meant(name, change):
    x, w = torch.randn(2, 4, 5, 6), torch.randn(4, 4, 3, 3)
    if change == "sliced":
        x, w = x[:, :, ::2, 1:], torch.randn(4, 8, 3, 3)[:, ::2]
    elif change == "expanded":
        x, w = x[:1].expand(3, -1, -1, -1), w[:1].expand(4, -1, -1, -1)
    elif change == "transposed":
        x, w = x.transpose(2, 3), w.transpose(2, 3)
    else:
        x, w = torch.complex(x, x).conj().imag, torch.complex(w, w).conj().imag
        assert x.is_neg()
    for _ in range(3):
        close(function_of(name, functional)(x, w, stride=2, padding=1), function_of(name)(x, w, stride=2, padding=1))


@both
def test_without_a_batch_and_with_an_empty_one(name):
    theirs, ours = pair(name, {"kernel_size": 3, "stride": 2})
    x = grid(2)
    close(ours(x[0]), theirs(x[0]))
    empty = ours(x[:0].requires_grad_())
    assert empty.shape == theirs(x[:0]).shape
    empty.sum().backward()
    assert not ours.weight.grad.any()


@pytest.mark.parametrize("padding", ["same", "valid", ((0, 1), (2, -1)), (1, (0, 2))])
def test_padding_that_pytorch_cannot_say(padding):
    layer = tconv.torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=padding)
    x = grid(2)
    arrays = (t.detach().numpy() for t in (x, layer.weight, layer.bias))
    close(layer(x), torch.from_numpy(tconv.conv_transpose(*arrays, stride=2, padding=padding)))
    assert f"padding={padding}" in repr(layer)
    assert copy.deepcopy(layer)(x).equal(layer(x))


@pytest.mark.parametrize(
    ("padding", "mode"), [(((0, 1), (2, -1)), "zeros"), ((1, (0, 2)), "zeros"), (((0, 1), (2, 0)), "circular")]
)
def test_padding_of_convolutions_that_pytorch_cannot_say(padding, mode):
    layer = tconv.torch.nn.Conv2d(4, 6, 3, stride=2, padding=padding, padding_mode=mode)
    x = grid(2)
    (low, high), (left, right) = (pair if isinstance(pair, tuple) else (pair, pair) for pair in padding)
    padded = torch.nn.functional.pad(x, (left, right, low, high), mode="constant" if mode == "zeros" else mode)
    close(layer(x), torch.nn.functional.conv2d(padded, layer.weight, layer.bias, 2))
    assert f"padding={padding}" in repr(layer)
    assert copy.deepcopy(layer)(x).equal(layer(x))


def test_output_size():
    theirs, ours = pair("ConvTranspose2d", {"kernel_size": 3, "stride": 2, "padding": 1})
    x = grid(2)
    for size in ((10, 7), (9, 8), (2, 6, 10, 8), [10, 8]):
        close(ours(x, output_size=size), theirs(x, output_size=list(size)))
    found = functional.conv_transpose2d(x, ours.weight, ours.bias, 2, 1, output_size=(10, 8))
    close(found, theirs(x, output_size=[10, 8]))


@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_they_stand_in_for_the_layers_of_pytorch(name, arguments):
    theirs, ours = pair(name, arguments)
    assert isinstance(ours, type(theirs))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    theirs.__class__ = type(ours)
    x = grid(axes(name))
    assert theirs(x).equal(ours(x))


@both
def test_copies_hold_no_packed_weights(name):
    _, layer = pair(name, {"kernel_size": 3})
    x, file = grid(2), io.BytesIO()
    with torch.no_grad():
        y = [layer(x) for _ in range(3)][-1]
    assert [pack.address > 0 for pack in layer._kept.values()] == [True]
    torch.save(layer, file)
    file.seek(0)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(file, weights_only=False)):
        assert not other._kept
        assert other(x).equal(y)


@both
def test_attributes_of_a_layer_may_change(name):
    _, layer = pair(name, {"kernel_size": 3})
    x = grid(2)
    with torch.no_grad():
        layer(x)
        layer.stride = (2, 1)
        close(layer(x), function_of(name)(x, layer.weight, layer.bias, (2, 1)))
        layer.double()
        close(layer(x.double()), function_of(name)(x.double(), layer.weight, layer.bias, (2, 1)))


@both
def test_weights_that_are_computed(name):
    theirs, ours = pair(name, {"kernel_size": 3, "stride": 2})
    x = grid(2)
    for wrap in (torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.parametrizations.spectral_norm):
        torch.manual_seed(1)
        a = wrap(copy.deepcopy(theirs)).eval()
        torch.manual_seed(1)
        b = wrap(copy.deepcopy(ours)).eval()
        close(b(x), a(x))
    with torch.no_grad():
        for _ in range(3):
            b(x)
    assert [pack.address > 0 for pack in b._kept.values()] == [True]  # the same numbers in other tensors


@both
def test_training_steps_are_those_of_pytorch(name):
    theirs, ours = pair(name, {"kernel_size": 4, "stride": 2, "padding": 1})
    x = grid(2)
    target = torch.randn_like(theirs(x))
    for layer in (theirs, ours):
        optimizer = torch.optim.Adam(layer.parameters(), 0.05)
        for _ in range(5):
            optimizer.zero_grad()
            (layer(x) - target).square().mean().backward()
            optimizer.step()
            with torch.no_grad():
                layer(x)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@both
def test_only_the_derivatives_that_are_asked_for(name):
    _, layer = pair(name, {"kernel_size": 3})
    layer.weight.requires_grad_(False)
    x = grid(2).requires_grad_()
    layer(x).sum().backward()
    assert [t.grad is None for t in (x, layer.bias, layer.weight)] == [False, False, True]


@both
@pytest.mark.parametrize("which", ["x", "weight"])
def test_in_place_edits_of_what_was_saved_are_noticed(name, which):
    _, layer = pair(name, {"kernel_size": 3})
    x = grid(2).requires_grad_()
    held = x * 1
    y = layer(held)
    with torch.no_grad():
        (held if which == "x" else layer.weight).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("name", ["ConvTranspose2d", "Conv2d", "ConvTranspose3d", "Conv3d"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nan_and_inf_in_weights_give_what_pytorch_gives(name, last, dtype):
    """And they lie as finite results do."""
    theirs, ours = pair(name, {"kernel_size": 3, "stride": 2, "padding": 1}, dtype)
    x = grid(axes(name), dtype=dtype)
    if last:
        for layer in (theirs, ours):
            layer.to(memory_format=ORDERS[x.dim()])
    with torch.no_grad():
        strides = ours(x).stride()
        for value in (torch.nan, torch.inf):
            theirs.weight[(0,) * x.dim()] = ours.weight[(0,) * x.dim()] = value
            for _ in range(3):
                found = ours(x)
                torch.testing.assert_close(found, theirs(x), equal_nan=True, rtol=1e-4, atol=1e-4)
                assert found.stride() == strides


@both
def test_inference_mode(name):
    theirs, ours = pair(name, {"kernel_size": 3})
    x = grid(2)
    with torch.inference_mode():
        y = ours(x)
        assert y.is_inference()
    close(y.clone(), theirs(x).detach())
    held = ours(x)  # what inference mode kept serves elsewhere
    held.sum().backward()


@both
def test_results_do_not_depend_on_threads(name):
    _, layer = pair(name, {"kernel_size": 3})
    x, before = torch.randn(8, 4, 64, 64), torch.get_num_threads()
    try:
        with torch.no_grad():
            results = [torch.set_num_threads(n) or layer(x) for n in (1, 2)]
    finally:
        torch.set_num_threads(before)
    assert results[0].equal(results[1])


@both
def test_threads_are_those_of_pytorch(name, monkeypatch):
    """Its runtime starts them, whether weights are kept or serve one call, and for both gradients."""
    layer = getattr(tconv.torch.nn, name)(16, 16, 3)
    x, before, asked = torch.randn(2, 16, 64, 64, requires_grad=True), torch.get_num_threads(), []
    monkeypatch.setattr(launch, "starting", lambda threads, brief, openmp: asked.append((threads, openmp)) or (0, 1, 0))
    monkeypatch.setattr(launch, "setting", lambda: 2)
    try:
        torch.set_num_threads(2)
        with torch.no_grad():
            for _ in range(3):
                layer(x)
        y = layer(x)
        asked.clear()
        torch.autograd.grad(y.sum(), [x, *layer.parameters()])
    finally:
        torch.set_num_threads(before)
    assert asked.count((2, True)) >= 2
    assert all(openmp for _, openmp in asked)
