"""Which layers and runs are taken by minimal filtering: those that can, that win against both, and do not differ."""

from __future__ import annotations

import pytest
import torch
from filtered import accelerate, convolutions, networks
from torch import nn
from torch.nn import functional as F

import tconv.torch
from tconv.measuring.contest import ORIGINAL, Contest
from tconv.torch import accelerated, both_ways, closing, measuring
from tconv.torch.both_ways import OURS, WINOGRAD

pytestmark = pytest.mark.usefixtures("took")


def test_what_trains_is_not_measured_so():
    model, x = nn.Sequential(nn.Conv2d(32, 32, 3)), torch.randn(2, 32, 18, 18)
    _, report = tconv.torch.accelerate(model, x, layers="all", rounds=3)
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, False)]
    _, report = tconv.torch.accelerate(model.eval(), x, layers="all", rounds=3)  # derivatives are recorded
    assert [(layer.kept, layer.winograd) for layer in report.layers] == [(True, False)]


def test_without_inputs_nothing_is_by_it():
    model = nn.Sequential(nn.ConvTranspose2d(32, 32, 3))
    tconv.torch.accelerate(model)
    assert type(model[0]) is accelerated.ConvTranspose2d


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


def test_a_bad_round_of_others_does_not_help_who_is_hopeless():
    """Of two rounds one would be all but one, and count for half of the median."""
    turns = {ORIGINAL: [1.0, 4.0], OURS: [2.2]}
    assert not measuring.is_decided(turns)
    turns[ORIGINAL].append(1.0)
    assert measuring.is_decided(turns)
    assert measuring.best(Contest(turns)) is None
