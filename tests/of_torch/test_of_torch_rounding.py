"""A model whose gradients rounding moves is judged by how far it does; reports never contradict themselves."""

import dataclasses

import pytest
import torch
from accelerated_models import becoming
from torch import nn

from tconv.measuring.contest import ORIGINAL
from tconv.torch import accelerate, both_ways, closing, comparing, rounding
from tconv.torch.acceleration_report import Report
from tconv.torch.measured import Measured, Whole
from tconv.torch.whole_runs import Example, both_forms

X = torch.linspace(-1, 1, 96).reshape(2, 3, 16)


class Kinked(nn.Module):
    """PyTorch's own results lie on the kink of a ReLU, where the last place decides on a gradient."""

    def __init__(self, x, kernel=5):
        super().__init__()
        self.up = nn.ConvTranspose1d(3, 3, kernel)
        self.level = self.up(x).detach()

    def forward(self, x):
        y = self.up(x)
        return y + 3 * torch.relu(y - self.level)


def test_a_model_is_judged_by_its_own_rounding(all_win):
    torch.manual_seed(0)
    _, report = accelerate(Kinked(X).train(), X)
    assert report.changed == 1, report
    assert report.whole.difference > 1e-3  # which was the limit
    assert report.whole.rounding * comparing.LENIENT >= report.whole.difference
    assert str(report).splitlines()[2] == (
        f"results and gradients differ by {report.whole.difference:.1e} of the largest value, "
        f"PyTorch's own by {report.whole.rounding:.1e} where inputs differ by rounding"
    )


class WrongBackward(nn.Module):
    """The gradient is another where the layer is not PyTorch's."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(3, 3, 5)

    def forward(self, x):
        y = self.up(x)
        return y if type(self.up) is nn.ConvTranspose1d else 1.01 * y - 0.01 * y.detach()


def test_what_is_wrong_by_more_is_left_alone(all_win):
    torch.manual_seed(0)
    _, report = accelerate(WrongBackward().train(), X)
    assert report.whole.failure == "its gradient differs by 1.0e-02 of the largest value; the limit is 0.001"


@pytest.mark.parametrize("words", [False, True])
def test_inputs_and_parameters_are_put_back(words):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.of, self.up = nn.Embedding(5, 4), nn.ConvTranspose2d(1, 2, 3)

        def forward(self, x):
            return self.up((self.of(x) if words else x)[:, None])

    model = Model().train()
    x = torch.randint(0, 5, (2, 6)) if words else torch.randn(2, 6, 4, requires_grad=True)
    before = [(t, t.data_ptr(), t.detach().clone()) for t in (x, *model.parameters())]
    seen = []
    with both_forms(model, Example((x,), {}, True, False), becoming(model, ["up"])) as forms:
        original = forms["original"]
        rounding.of_itself(original, original.results(), lambda found: seen.append(list(found)) or False)
    assert len(seen) == rounding.DRAWS
    assert 0 < max(seen[-1]) < 1e-5
    assert all(t.data_ptr() == where and t.equal(value) for t, where, value in before)


def test_a_forward_method_that_wants_one_layout_is_tried_in_others_without_harm():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(2, 2, 3)

        def forward(self, x):
            return self.up(x.view(1, 2, 6, 5))

    x = torch.randn(1, 2, 5, 6)
    model = Flat().eval()
    with torch.no_grad(), both_forms(model, Example((x,), {}, False, False), becoming(model, ["up"])) as forms:
        found = rounding.of_itself(forms["original"], forms["original"].results(), lambda found: False)
    assert 0 < max(found) < 1e-5
    assert x.is_contiguous()


# ---- reports


def layer(before=1.0, after=0.5, *, kept=True):
    return Measured("up", "ConvTranspose2d", (((1, 2, 3, 3), (1, 2, 6, 6)),), before, after, kept, "")


def test_seconds_of_the_whole_model_say_what_its_ratio_says(monkeypatch):
    """Medians of 16.7 ms before and 21.3 after stood beside 1.04 times as fast: rounds were slow and quick by turns."""
    before = [10.0, 10.0, 10.0, 16.7, 40.0, 40.0, 40.0]
    after = [21.3, 9.6, 9.6, 16.0, 38.4, 38.4, 38.4]
    alone = {ORIGINAL: [1.0] * 7, both_ways.OURS: [0.5] * 7}
    monkeypatch.setattr(both_ways, "in_turns", lambda *_: alone)
    monkeypatch.setattr(closing, "in_turns", lambda *_: {ORIGINAL: before, both_ways.OURS: after})
    _, report = accelerate(nn.Sequential(nn.ConvTranspose1d(3, 3, 5)).eval(), X)
    whole = report.whole
    assert whole.before == 16.7
    assert whole.ratio == pytest.approx(whole.before / whole.after)
    assert whole.ratio > 1


def test_what_is_kept_within_the_noise_says_so():
    report = Report((layer(),), measured=True, trains=False, threads=1, whole=Whole(1, 10.0, 10.04, 0.9960, 0.0))
    assert str(report).splitlines()[1].endswith("1e+04 ms before, 1e+04 ms after, 1.00 times as fast")
    report = dataclasses.replace(report, whole=Whole(1, 10.0, 10.1, 0.99, 0.0))
    assert str(report).splitlines()[1].endswith("0.99 times as fast, which is within the noise")
    report = dataclasses.replace(report, layers=(layer(kept=False),))
    assert str(report).splitlines()[1].endswith("0.99 times as fast")


def test_a_layer_that_is_left_alone_though_its_seconds_are_fewer_says_why():
    assert layer(1.0, 0.9, kept=False).outcome == "left alone: not faster by more than the noise"
    assert layer(1.0, 1.1, kept=False).outcome == "left alone"
    assert layer(1.0, 0.9).outcome == "1.11 times as fast"


def test_layers_that_took_longer_than_the_model_around_them():
    report = Report((layer(),), measured=True, trains=False, threads=1, whole=Whole(1, 0.9, 0.8, 1.125, 0.0))
    assert str(report).splitlines()[2] == (
        "(the machine was busier while layers were measured: their seconds are not to be compared)"
    )
