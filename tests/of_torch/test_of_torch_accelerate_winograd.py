"""Layers and runs by minimal filtering: where they are taken, what they compute, and when by the definition."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

import tconv.torch
from tconv.measuring.contest import ORIGINAL, Contest
from tconv.torch import accelerated, both_ways, closing, measuring
from tconv.torch.both_ways import OURS, WINOGRAD

#: Seconds of each contestant, unless a test says otherwise.
TOOK = {ORIGINAL: 4.0, OURS: 2.0, WINOGRAD: 1.0}


@pytest.fixture(autouse=True)
def took(monkeypatch):
    """Who takes how long; nothing is timed."""
    seconds = dict(TOOK)

    def in_turns(runs, first, effort, timer=None):
        return {name: [seconds[name]] * effort.rounds for name in runs}

    for who in (both_ways, closing):
        monkeypatch.setattr(who, "in_turns", in_turns)
    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.0)
    return seconds


class Block(nn.Module):
    """A forward method that calls one module behind the other."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


def networks():
    """Layers alone, in a sequence with what follows, in a forward method; axes one, two and three."""
    two = nn.Sequential(
        nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.SiLU(),
        nn.ConvTranspose2d(48, 32, 3, padding=1), nn.PReLU(), Block(), nn.Conv2d(32, 32, 3, padding="same"),
    )  # fmt: skip
    one = nn.Sequential(nn.Conv1d(32, 32, 7, padding=3), nn.ReLU(), nn.ConvTranspose1d(32, 64, 7))
    three = nn.Sequential(nn.Conv3d(32, 32, 3, padding=1))
    return {
        "one axis": (one, torch.randn(2, 32, 97)),
        "two axes": (two, torch.randn(2, 32, 18, 17)),
        "channels last": (copy.deepcopy(two), torch.randn(2, 32, 18, 17).to(memory_format=torch.channels_last)),
        "three axes": (three, torch.randn(1, 32, 4, 9, 16)),
        "float64": (copy.deepcopy(two).double(), torch.randn(1, 32, 12, 16, dtype=torch.float64)),
        "float16": (nn.Sequential(nn.Conv2d(64, 64, 3)).half(), torch.randn(1, 64, 18, 18).half()),
        "an image without a batch": (nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU()), torch.randn(32, 18, 17)),
    }


every_network = pytest.mark.parametrize("name", networks())


def accelerate(model, x, **given):
    with torch.no_grad():
        return tconv.torch.accelerate(model, x, layers="all", rounds=3, **given)


def thrice(model, *inputs):
    """The third result: by then weights are known."""
    with torch.no_grad():
        return [model(*inputs) for _ in range(3)][-1]


def posed(name):
    """A model as it was, with the sums of the definition on the engine, and by minimal filtering; and an input."""
    model, x = networks()[name]
    model.eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    exact, _ = accelerate(copy.deepcopy(model), x, winograd=False)
    filtered, report = accelerate(copy.deepcopy(model), x)
    return model, exact, filtered, report, x


def convolutions(model):
    return [m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd)]


def apart(found, wanted):
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())


@every_network
def test_layers_and_runs_are_taken_so(name):
    model, exact, filtered, report, x = posed(name)
    assert all(layer.winograd and layer.kept for layer in (*report.layers, *report.runs))
    assert all(layer.outcome == "4.00 times as fast, by Winograd" for layer in (*report.layers, *report.runs))
    assert "by Winograd" in str(report)
    assert all(layer["winograd"] for layer in report.as_dict()["layers"])
    assert all(type(m) in accelerated.FILTERED.values() for m in convolutions(filtered))
    limit = {torch.float64: 1e-12, torch.float16: 1e-2}.get(x.dtype, 1e-4)
    assert apart(thrice(filtered, x), thrice(model, x)) < limit
    if x.dtype != torch.float16:
        assert not torch.equal(thrice(filtered, x), thrice(exact, x))


@every_network
def test_without_it_only_the_definition_is(name):
    _, exact, _, _, x = posed(name)
    assert all(type(m) in accelerated.LAYERS.values() for m in convolutions(exact))
    _, report = accelerate(exact, x, winograd=False)
    assert not any(layer.winograd for layer in (*report.layers, *report.runs))
    assert "Winograd" not in str(report)
    assert all(layer.outcome == "2.00 times as fast" for layer in report.layers)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_what_is_neither_true_nor_false_is_refused(value):
    model, x = nn.Conv2d(32, 32, 3), torch.randn(1, 32, 9, 9)
    with pytest.raises(TypeError) as error:
        tconv.torch.accelerate(model, x, winograd=value)
    kind = type(value).__name__
    assert (
        str(error.value).splitlines()[0] == f"accelerate: winograd must be True or False; got {value!r} of type {kind}"
    )
    assert f"winograd={value!r}" in str(error.value)
    assert type(model) is nn.Conv2d


@every_network
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "huge"])
def test_what_is_not_finite_is_computed_by_the_definition(value, name):
    _, exact, filtered, _, x = posed(name)
    wanted, before = thrice(exact, x), thrice(filtered, x)
    spoiled = x.clone()
    if value == "huge" and x.dtype == torch.float16:  # it is computed in float32, where it is not huge
        return
    if value == "huge":
        spoiled.copy_(torch.copysign(torch.tensor(torch.finfo(x.dtype).max, dtype=x.dtype), x))
    else:
        spoiled[tuple(n // 2 for n in x.shape)] = value
    assert torch.equal(thrice(filtered[0], spoiled).isnan(), thrice(exact[0], spoiled).isnan())
    torch.testing.assert_close(thrice(filtered, spoiled), thrice(exact, spoiled), rtol=0, atol=0, equal_nan=True)
    assert torch.equal(thrice(filtered, x), before)
    assert torch.equal(thrice(exact, x), wanted)


@every_network
def test_weights_that_are_not_finite(name):
    model, exact, filtered, _, x = posed(name)
    for each in (model, exact, filtered):
        with torch.no_grad():
            convolutions(each)[0].weight[0, 1] = torch.nan
    assert torch.equal(thrice(filtered, x).isnan(), thrice(model, x).isnan())
    torch.testing.assert_close(thrice(filtered, x), thrice(exact, x), rtol=0, atol=0, equal_nan=True)


@every_network
def test_derivatives_are_those_of_the_definition(name):
    _, exact, filtered, _, x = posed(name)
    found = []
    for each in (exact, filtered):
        thrice(each, x)
        given = x.clone().requires_grad_()
        y = each(given)
        found.append([y, *torch.autograd.grad(y.float().square().sum(), [given, *each.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    for each in (exact, filtered):  # of x alone, the weights being what they are in every call
        each.requires_grad_(False)
    found = [each(x.clone().requires_grad_()) for each in (exact, filtered)]
    assert torch.equal(*found)


def test_what_trains_is_not_measured_so():
    model, x = nn.Sequential(nn.Conv2d(32, 32, 3)), torch.randn(2, 32, 18, 18)
    _, report = tconv.torch.accelerate(model, x, layers="all", rounds=3)
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, False)]
    _, report = tconv.torch.accelerate(model.eval(), x, layers="all", rounds=3)  # derivatives are recorded
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, False)]


@every_network
def test_copies_pickles_and_restore(name):
    model, _, filtered, _, x = posed(name)
    wanted = thrice(filtered, x)
    for twin in (copy.deepcopy(filtered), pickle.loads(pickle.dumps(filtered))):
        assert [type(m) for m in twin.modules()] == [type(m) for m in filtered.modules()]
        assert torch.equal(thrice(twin, x), wanted)
        assert [type(m) for m in tconv.torch.restore(twin).modules()] == [type(m) for m in model.modules()]
        assert torch.equal(thrice(twin, x), thrice(model, x))
    assert repr(filtered) == repr(model)
    assert all(
        torch.equal(a, b) for a, b in zip(filtered.state_dict().values(), model.state_dict().values(), strict=True)
    )
    assert [accelerated.class_before(m) for m in convolutions(filtered)] == [type(m) for m in convolutions(model)]
    tconv.torch.restore(filtered)
    assert [type(m) for m in filtered.modules()] == [type(m) for m in model.modules()]
    assert [vars(m).keys() for m in filtered.modules()] == [vars(m).keys() for m in model.modules()]
    accelerate(filtered, x, winograd=False)
    assert all(type(m) in accelerated.LAYERS.values() for m in convolutions(filtered))


def test_parametrized_weights():
    model, x = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(32, 32, 3))).eval(), torch.randn(1, 32, 18, 18)
    wanted = thrice(model, x)
    model, report = accelerate(model, x)
    assert report.layers[0].winograd
    assert accelerated.plain_class(model[0]) is accelerated.FilteredConv2d
    assert 0 < apart(thrice(model, x), wanted) < 1e-4
    assert apart(thrice(pickle.loads(pickle.dumps(model.state_dict())) and model, x), wanted) < 1e-4
    parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is accelerated.FilteredConv2d
    assert apart(thrice(model, x), wanted) < 1e-4
    tconv.torch.restore(model)
    assert type(model[0]) is nn.Conv2d


def test_weights_that_change_are_seen():
    _, exact, filtered, _, x = posed("two axes")
    before = thrice(filtered, x)
    for each in (exact, filtered):
        for module in convolutions(each):
            module.weight.data.mul_(0.5)
    assert apart(thrice(filtered, x), thrice(exact, x)) < 1e-4
    assert not torch.equal(thrice(filtered, x), before)


def test_sizes_in_any_order():
    """Filters are chosen by size, and weights are packed for each choice."""
    model, x = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)).eval(), torch.randn(1, 64, 24, 24)
    original = copy.deepcopy(model)
    model, _ = accelerate(model, x)
    for size in ((2, 40), (8, 8), (24, 24), (40, 2), (2, 40), (0, 5), (7, 9), (1, 1)):
        x = torch.randn(0 if 0 in size else 2, 64, *(n or 5 for n in size))
        found, wanted = thrice(model, x), thrice(original, x)
        assert found.shape == wanted.shape
        assert not x.numel() or apart(found, wanted) < 1e-4


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model, _, filtered, _, x = posed("two axes")
        assert apart(thrice(filtered, x), thrice(model, x)) < 1e-4
    finally:
        torch.set_num_threads(before)


class Called(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(32, 32, 3, 3))

    def forward(self, x):
        return F.conv2d(x, self.w)


OTHERS = {
    "calls of functions": lambda: Called(),
    "few channels that are read": lambda: nn.Conv2d(15, 32, 3),
    "few channels that are written": lambda: nn.Conv2d(32, 15, 3),
    "few channels of a group": lambda: nn.Conv2d(32, 32, 3, groups=4),
    "one tap": lambda: nn.Conv2d(32, 32, 1),
    "strides": lambda: nn.Conv2d(32, 32, 3, stride=2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not_measured_so(name, monkeypatch):
    model = nn.Sequential(OTHERS[name]()).eval()
    x = torch.randn(1, getattr(model[0], "in_channels", 32), 18, 18)
    ran, in_turns = [], both_ways.in_turns
    monkeypatch.setattr(both_ways, "in_turns", lambda runs, *given: ran.extend(runs) or in_turns(runs, *given))
    _, report = accelerate(model, x)
    assert ran == [ORIGINAL, OURS]
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, False)]


@pytest.mark.parametrize(
    ("seconds", "kept", "winograd"),
    [
        ({WINOGRAD: 1.98}, True, False),  # it is no faster than the definition by the margin
        ({WINOGRAD: 3.0}, True, False),
        ({OURS: 5.0, WINOGRAD: 3.5}, True, True),
        ({OURS: 5.0, WINOGRAD: 3.95}, False, False),  # nor than PyTorch
        ({OURS: 5.0, WINOGRAD: 4.5}, False, False),
    ],
)
def test_it_has_to_win_against_both(seconds, kept, winograd, took):
    took |= seconds
    model, x = nn.Sequential(nn.Conv2d(32, 32, 3), nn.Softmax(1)).eval(), torch.randn(1, 32, 18, 18)
    took_of_models = {ORIGINAL: 4.0, OURS: 2.0}
    closing.in_turns = lambda runs, *_: {name: [took_of_models[name]] * 3 for name in runs}
    _, report = accelerate(model, x)
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(kept, winograd)]
    assert report.layers[0].after == (took[WINOGRAD] if winograd else took[OURS])


def test_a_result_that_differs_loses(monkeypatch):
    model, x = nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU()).eval(), torch.randn(1, 32, 18, 18)
    forward = accelerated.FilteredConv2d.forward
    monkeypatch.setattr(accelerated.FilteredConv2d, "forward", lambda self, x: forward(self, x) * 1.001)
    _, report = accelerate(model, x)
    assert [(layer.kept, layer.winograd) for layer in (*report.layers, *report.runs)] == [(True, False)] * 2


def test_a_second_layer_of_its_kind_that_differs_loses(monkeypatch):
    """Layers with other weights are compared again, though not measured."""
    model, x = (
        nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)),
        torch.randn(1, 32, 18, 18),
    )
    with torch.no_grad():
        model[1].weight.fill_(0.125)
    forward = accelerated.FilteredConv2d.forward

    def wrong(self, x):
        return forward(self, x) * (1.001 if self.weight[0, 0, 0, 0] == 0.125 else 1)

    monkeypatch.setattr(accelerated.FilteredConv2d, "forward", wrong)
    _, report = accelerate(model.eval(), x)
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, True), (True, False)]


@pytest.mark.parametrize("twice", [False, True])
def test_where_the_whole_model_differs_it_is_taken_back(twice, monkeypatch):
    """To the engine by the definition; only if that differs too are layers left alone."""
    judged, seen = closing.judged, []

    def differs(results, expected, original):
        now = [type(m) for m in original.run.model.modules()]
        seen.append(any(kind in accelerated.FILTERED.values() for kind in now))
        return ("its result differs by 2.0e-01", None) if seen[-1] or twice else judged(results, expected, original)

    monkeypatch.setattr(closing, "judged", differs)
    model, x = networks()["two axes"]
    model, report = accelerate(model.eval(), x)
    assert seen == [True, False]
    assert not any(layer.winograd for layer in (*report.layers, *report.runs))
    assert report.apart == "its result differs by 2.0e-01" == report.as_dict()["apart"]
    assert "by Winograd, which is taken back, its result differs by 2.0e-01\n" in str(report)
    assert all(layer.kept != twice for layer in report.layers)
    assert all(layer.outcome == "2.00 times as fast" or twice for layer in report.layers)
    kinds = torch.nn if twice else accelerated
    assert all(type(m).__module__.startswith(kinds.__name__) for m in convolutions(model))
    assert not any(type(m) in accelerated.FILTERED.values() for m in convolutions(model))


def test_new_sizes():
    model, x = networks()["two axes"]
    _, report = accelerate(model.eval(), x, new_sizes=True)
    assert all(layer.winograd for layer in report.layers)


def test_without_inputs_nothing_is_by_it():
    model = nn.Sequential(nn.ConvTranspose2d(32, 32, 3))
    tconv.torch.accelerate(model)
    assert type(model[0]) is accelerated.ConvTranspose2d


def test_a_module_that_is_called_twice_is_so_in_both_or_neither(monkeypatch):
    """Where one of its calls cannot be filtered, that is computed as else; the class is one for both."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(32, 32, 3, padding=1)

        def forward(self, x):
            return self.conv(x).mean() + self.conv(x[..., :1, :1]).mean()

    model = Twice().eval()
    x = torch.randn(1, 32, 24, 24)
    filters = both_ways.can_filter
    monkeypatch.setattr(both_ways, "can_filter", lambda call: call.x.shape[-1] > 1 and filters(call))
    _, report = accelerate(model, x)
    assert [(layer.before, layer.after, layer.winograd) for layer in report.layers] == [(8.0, 3.0, True)]
    assert report.layers[0].exactly.after == 4.0


@pytest.mark.parametrize(
    ("ours", "filtered", "decided"),
    [
        ([0.5] * 3, [0.4] * 3, True),
        ([0.5] * 2, [0.4] * 2, False),
        ([0.5] * 3, [0.47] * 3, False),  # it is faster, by too little to be sure
        ([0.5] * 3, [0.6] * 3, True),
        ([0.95] * 3, [0.4] * 3, True),  # whatever becomes of ours
        ([0.95] * 3, [1.0] * 3, False),
        ([1.0] * 2, [1.0] * 2, True),
        ([1.0] * 3, [0.97] * 3, False),
        ([4.0], [0.5] * 3, True),  # after a probe
        ([0.5] * 3, [4.0], True),
    ],
)
def test_when_a_contest_of_three_is_decided(ours, filtered, decided):
    turns = {ORIGINAL: [1.0] * max(len(ours), len(filtered)), OURS: ours, WINOGRAD: filtered}
    assert measuring.is_decided(turns) == decided
    if decided:  # one round more, in which all take as long, makes no difference
        more = {who: of if len(of) == 1 else [*of, 1.0] for who, of in turns.items()}
        assert measuring.best(Contest(turns)) == measuring.best(Contest(more))


def test_every_layer_has_a_class():
    assert accelerated.FILTERED.keys() == accelerated.LAYERS.keys()
    for plain, kind in accelerated.FILTERED.items():
        assert kind._filters
        assert issubclass(kind, accelerated.LAYERS[plain])
        assert not accelerated.LAYERS[plain]._filters
    assert measuring.WINOGRAD == WINOGRAD
