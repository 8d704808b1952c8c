"""Models that are channels last: weights that lie otherwise, results that lie as before, and the way back."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from functools import partial

import pytest
import torch
from copies import pickled, saved
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import tconv.torch
from tconv.torch import looking, restore
from tconv.torch.formats import suggests_last
from tconv.torch.whole_format import Order, as_before, order_of
from tconv.torch.whole_runs import Example

accelerate = partial(tconv.torch.accelerate, memory_format="measure")


@pytest.fixture(autouse=True)
def faster(monkeypatch, all_win):
    """Every model is twice as fast channels last."""
    monkeypatch.setattr(looking, "_seconds", lambda run, again, last: (2.0, 1.0))


class Separable(nn.Module):
    """Depthwise and pointwise convolutions, one that is not called, and results that lie in several ways."""

    def __init__(self, ndim=2, result=lambda y: y):
        super().__init__()
        conv, up = getattr(nn, f"Conv{ndim}d"), getattr(nn, f"ConvTranspose{ndim}d")
        self.first = conv(3, 6, 3, stride=2, padding=1)
        self.depthwise, self.norm = conv(6, 6, 3, padding=1, groups=6), getattr(nn, f"BatchNorm{ndim}d")(6)
        self.pointwise, self.up = conv(6, 8, 1), up(8, 4, 2, 2)
        self.other, self.result = conv(6, 6, 3), result

    def forward(self, x):
        y = self.pointwise(F.relu(self.norm(self.depthwise(self.first(x)))))
        return self.result(self.up(y))


#: The weights of it that are used.
USED = ["first.weight", "depthwise.weight", "pointwise.weight", "up.weight"]


def x_of(ndim=2, batch=2):
    return torch.randn(batch, 3, *[8, 6, 4][:ndim])


def last(model):
    """The names of weights that have channels innermost, by the strides that PyTorch goes by."""
    return [name for name, each in model.named_parameters() if each.dim() in (4, 5) and suggests_last(each)]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("layers", ["all", "transposed"])
def test_weights_lie_otherwise_and_all_else_stays(ndim, layers):
    model, x = Separable(ndim).eval(), x_of(ndim)
    objects, state = dict(model.named_parameters()), copy.deepcopy(model.state_dict())
    strides = {name: each.stride() for name, each in model.named_parameters()}
    with torch.no_grad():
        expected = model(x)
        same, report = accelerate(model, x, layers=layers)
        result = model(x)
    assert same is model
    assert report.channels_last
    assert last(model) == USED
    assert all(objects[name] is each for name, each in model.named_parameters())
    assert list(model.state_dict()) == list(state)
    assert all(each.equal(state[name]) for name, each in model.state_dict().items())
    assert result.stride() == expected.stride()
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert restore(model) is model
    assert type(model) is Separable
    assert {name: each.stride() for name, each in model.named_parameters()} == strides
    assert all(objects[name] is each for name, each in model.named_parameters())
    with torch.no_grad():
        assert model(x).equal(expected)


def test_what_is_inside_is_channels_last(monkeypatch):
    model, seen = Separable().eval(), []
    model.norm.register_forward_hook(lambda module, args, y: seen.append(suggests_last(y)))
    with torch.no_grad():
        accelerate(model, x_of())
        seen.clear()
        model(x_of())
        restore(model)(x_of())
    assert seen == [True, False]


RESULTS = {
    "a tensor": lambda y: y,
    "permuted": lambda y: y.permute(0, 2, 3, 1),
    "tokens": lambda y: y.flatten(2).transpose(1, 2),
    "a part": lambda y: y[..., 1:],
    "several": lambda y: {"a": [y, None, 3], "b": (y.relu(), y.mean((2, 3)))},
    "ordered": lambda y: OrderedDict(y=y, size=y.shape, kind=y.dtype),
    "one channel": lambda y: y[:, :1],
    "of another": lambda y: y.new_zeros(2, 3, 4, 5).transpose(1, 2).expand(2, 4, 3, 5),
    "as it came": lambda y: (y, y),
}


def tensors(result):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_results_lie_as_before(result):
    model = Separable(result=result).eval()
    with torch.no_grad():
        for batch in (2, 1):
            accelerate(model, x_of(batch=batch))
            assert last(model) == USED
            found = model(x := x_of(batch=3))
            restore(model)
            expected = model(x)
            assert torch.utils._pytree.tree_structure(found) == torch.utils._pytree.tree_structure(expected)
            for mine, theirs in zip(tensors(found), tensors(expected), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
                viewed = [theirs.permute(axes) for axes in itertools.permutations(range(theirs.dim()))]
                for axes, each in zip(itertools.permutations(range(theirs.dim())), viewed, strict=True):
                    if each.is_contiguous():
                        assert mine.permute(axes).view(-1).shape == (theirs.numel(),)


def test_a_result_with_more_tensors_than_the_example_had_is_contiguous():
    model = Separable(result=lambda y: [y] * len(y)).eval()
    with torch.no_grad():
        accelerate(model, x_of(batch=1))
        assert [each.is_contiguous() for each in model(x_of(batch=3))] == [True] * 3


@pytest.mark.parametrize(
    "t",
    [
        torch.zeros(()),
        torch.zeros(3),
        torch.zeros(0, 2, 3, 4),
        torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.zeros(1, 3, 1, 5).to(memory_format=torch.channels_last),
        torch.zeros(2, 1, 4, 1).transpose(0, 2),
        torch.zeros(2, 3, 4)[:, 1:, ::2],
        torch.zeros(3, 1).expand(3, 4),
    ],
    ids=lambda t: f"{tuple(t.shape)} {t.stride()}",
)
def test_what_lies_as_before_is_not_copied(t):
    assert as_before(t, [order_of(t)]) is t
    held = [t, {"y": t}]
    assert as_before(held, [order_of(t)] * 2) is held
    for axes in itertools.permutations(range(t.dim())):
        laid = as_before(t, [Order(axes)])
        assert laid.equal(t)
        if laid is not t:
            assert laid.permute(axes).is_contiguous()


class Holder:
    def __init__(self, y):
        self.y = y


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Holder, "its result holds Holder, in which there may be tensors"),
        (lambda y: y.view(y.shape[0], -1), "it fails: view size is not compatible with input tensor's size and stride"),
        # One picture has a view, and two have none.
        (lambda y: y.view(-1, 2, *y.shape[2:]), "it calls view on what is contiguous as it is"),
        (lambda y: y.view(y.shape[0], 4, -1), "it calls view on what is contiguous as it is"),
        (lambda y: y if y.is_contiguous() else y[..., :1], "its results have other shapes"),
    ],
)
def test_models_that_cannot_be_channels_last(result, reason):
    model, x = Separable(result=result).eval(), x_of(batch=1)
    with torch.no_grad():
        look = looking.looked(model, Example((x,), {}, False, False))
        assert look.reason.startswith(reason)
        _, report = accelerate(model, x, layers="transposed")
    assert (report.channels_last, report.in_formats) == (False, None)
    assert (last(model), type(model)) == ([], Separable)


@pytest.mark.parametrize(
    "result",
    [
        lambda y: y.reshape(len(y), -1),
        lambda y: y.mean((2, 3)).view(-1, 2, 2),
        lambda y: y.contiguous().view(len(y), -1),
        lambda y: F.adaptive_avg_pool2d(y, 1).view(len(y), -1),
        lambda y: y.permute(0, 2, 3, 1).contiguous().view(-1, 4),
    ],
)
def test_views_of_what_is_contiguous_are_no_reason(result):
    model = Separable(result=result).eval()
    with torch.no_grad():
        assert accelerate(model, x_of(batch=1))[1].channels_last


class Tied(nn.Module):
    """Weights that lie where others do, are the same, are computed, or are no parameters."""

    def __init__(self):
        super().__init__()
        self.one, self.again = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3)
        self.again.weight = self.one.weight
        self.here, self.there = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.there.weight = nn.Parameter(self.here.weight.data)
        self.normed = parametrizations.weight_norm(nn.Conv2d(3, 3, 2))
        self.old = nn.utils.weight_norm(nn.Conv2d(3, 3, 2))
        self.register_buffer("blur", torch.ones(3, 1, 3, 3))
        self.position = nn.Parameter(torch.ones(1, 3, 1, 1))

    def forward(self, x):
        x = self.old(self.normed(self.there(self.here(self.again(self.one(x + self.position))))))
        return F.conv2d(x, self.blur, groups=3)


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_only_parameters_of_their_own_are_moved():
    model, x = Tied().eval(), torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        expected = model(x)
        accelerate(model, x)
        torch.testing.assert_close(model(x), expected)
    assert last(model) == ["one.weight"]
    assert model.one.weight is model.again.weight
    assert model.here.weight.data_ptr() == model.there.weight.data_ptr()
    restore(model)
    assert last(model) == []


def pixels(y):
    return y.permute(0, 2, 3, 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved, copy.copy])
@pytest.mark.parametrize("sequence", [False, True])
def test_copies_and_pickles(copied, sequence):
    model = Separable(result=pixels).eval()
    if sequence:
        children = OrderedDict(model.named_children())
        children.pop("other")
        model = nn.Sequential(children).eval()
    x = x_of()
    with torch.no_grad():
        expected = model(x)
        accelerate(model, x, layers="all")
        again = copied(model)
        assert type(again) is type(model)
        assert last(again) == USED
        assert again(x).equal(model(x))
        assert again(x).stride() == expected.stride()
        restore(again)
        assert type(again) is (nn.Sequential if sequence else Separable)
        assert again(x).equal(expected)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_model_that_is_a_layer(kind):
    model, x = kind(3, 4, 3).eval(), x_of()
    with torch.no_grad():
        expected = model(x)
        accelerate(model, x, layers="all")
        again = pickled(model)
        for each in (model, again):
            assert last(each) == ["weight"]
            for _ in range(2):  # its weights are packed when they come again
                torch.testing.assert_close(each(x), expected, rtol=1e-4, atol=1e-5)
            assert each(x).is_contiguous()
            assert vars(restore(each)).keys() == vars(kind(3, 4, 3)).keys()
            assert type(each) is kind
            assert each(x).equal(expected)


def test_weights_that_are_parts_of_one_tensor_stay_there():
    model = Separable().eval()
    together = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    torch.nn.utils.vector_to_parameters(together, model.parameters())
    with torch.no_grad():
        _, report = accelerate(model, x_of())
    assert (last(model), report.channels_last) == ([], False)
    places = range(together.data_ptr(), together.data_ptr() + together.nbytes)
    assert all(each.data_ptr() in places for each in model.parameters())


def test_a_model_that_fails_lies_as_it_did():
    model, x = Separable().eval(), x_of()
    with torch.no_grad():
        accelerate(model, x)
        kinds = [type(module) for module in model.modules()]
        with pytest.raises(RuntimeError):
            accelerate(model, x[:, :2])
    assert (last(model), [type(module) for module in model.modules()]) == (USED, kinds)
    restore(model)
    assert last(model) == []


@pytest.mark.parametrize("result", [lambda y: (y, y.to_sparse()), lambda y: (y, y.shape)], ids=["sparse", "a size"])
def test_results_of_which_some_lie_in_no_order(result):
    model, x = Separable(result=result).eval(), x_of()
    with torch.no_grad():
        expected = model(x)
        assert accelerate(model, x)[1].channels_last
        found = model(x)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    assert found[0].is_contiguous()
    assert type(found[1]) is type(expected[1])
