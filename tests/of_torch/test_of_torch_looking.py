"""The first look of `accelerate` at memory formats, and what is made of it. Clocks are set by hand."""

from __future__ import annotations

import copy
import dataclasses
import json
from functools import partial

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
from torch import nn  # noqa: E402

import tconv.torch  # noqa: E402
from tconv.measuring.contest import ORIGINAL  # noqa: E402
from tconv.torch import both_ways, closing, looking, restore  # noqa: E402
from tconv.torch.acceleration_report import Report  # noqa: E402
from tconv.torch.classes import is_accelerated  # noqa: E402
from tconv.torch.formats import suggests_last  # noqa: E402
from tconv.torch.looking import Look, better, looked  # noqa: E402
from tconv.torch.measured import Whole  # noqa: E402
from tconv.torch.whole_runs import Example  # noqa: E402

accelerate = partial(tconv.torch.accelerate, memory_format="measure")

SECONDS = looking._seconds  # before tests set clocks


def model_of(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers or (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, 2))).eval()


X = torch.linspace(-1, 1, 2 * 3 * 6 * 5).reshape(2, 3, 6, 5)


def is_last(model):
    return any(each.dim() == 4 and suggests_last(each) for each in model.parameters())


@pytest.fixture
def clocks(monkeypatch):
    """Set how long the model takes in PyTorch, as it is and channels last, and accelerated, by whether it is that."""
    contests = []

    def set_to(alone, took):
        def of_the_model(forms, first, effort, timer):
            found = {name: (timer(form), is_last(form.run.model))[1] for name, form in forms.items()}
            assert not found[ORIGINAL]
            contests.append(("last" if found[both_ways.OURS] else "first", len(forms[both_ways.OURS].kinds)))
            return {ORIGINAL: [10.0] * effort.rounds, both_ways.OURS: [took[contests[-1][0]]] * effort.rounds}

        def of_a_layer(runs, first, effort):
            return {ORIGINAL: [1.0] * effort.rounds, both_ways.OURS: [0.5] * effort.rounds}

        monkeypatch.setattr(looking, "_seconds", lambda run, again, last: alone)
        monkeypatch.setattr(both_ways, "in_turns", of_a_layer)
        monkeypatch.setattr(closing, "in_turns", of_the_model)
        return contests

    return set_to


@pytest.mark.parametrize(
    ("alone", "took", "measured", "chosen"),
    [
        ((10.0, 9.9), {"first": 8.0}, ["first"], "first"),
        ((10.0, 11.0), {"first": 8.0}, ["first"], "first"),
        ((10.0, 5.0), {"last": 4.0}, ["last"], "last"),
        ((10.0, 8.5), {"last": 7.0, "first": 8.0}, ["last", "first"], "last"),
        ((10.0, 8.5), {"last": 7.9, "first": 8.0}, ["last", "first"], "first"),  # within the noise
        ((10.0, 8.5), {"last": 8.0, "first": 5.0}, ["last", "first"], "first"),
        # Channels last loses, whatever the look has seen; with layers and without.
        ((10.0, 5.0), {"last": 11.0, "first": 8.0}, ["last", "last", "last", "first"], "first"),
    ],
)
def test_the_format_in_which_the_model_is_faster(clocks, monkeypatch, alone, took, measured, chosen):
    contests, model = clocks(alone, took), model_of()
    monkeypatch.setattr(looking, "MOSTLY", 2.0)
    expected = model(X)
    _, report = accelerate(model, X, layers="all")
    assert [which for which, _ in contests] == measured
    assert (report.channels_last, is_last(model)) == (chosen == "last", chosen == "last")
    assert (report.whole.before, report.whole.after, report.changed) == (10.0, took[chosen], 2)
    assert report.in_formats == alone
    torch.testing.assert_close(model(X), expected, rtol=1e-4, atol=1e-5)
    said = f"channels last: by PyTorch alone 1e+04 ms before, {alone[1] * 1e3:.3g} ms after"
    assert (said in str(report).splitlines()) == (chosen == "last")
    assert json.loads(json.dumps(report.as_dict()))["in_formats"] == list(alone)
    restore(model)
    assert not is_last(model)


def test_channels_last_alone(clocks, monkeypatch):
    """No layer wins, and the model does."""
    contests = clocks((10.0, 5.0), {"last": 5.0})
    monkeypatch.setattr(
        both_ways, "in_turns", lambda runs, first, effort: {name: [1.0] * effort.rounds for name in runs}
    )
    model, report = accelerate(model_of(), X, layers="all")
    assert contests == [("last", 1)]
    assert (report.changed, report.channels_last, report.gain) == (0, True, 2.0)
    assert is_last(model)
    assert [type(module) for module in model] == [nn.Conv2d, nn.ReLU, nn.ConvTranspose2d]
    assert str(report).startswith(
        "no layer is faster by more than the noise on tconv's engine: all of them are left alone"
    )
    assert type(restore(model)) is nn.Sequential


def test_a_model_without_the_layers_that_are_looked_for(clocks):
    clocks((10.0, 5.0), {"last": 5.0})
    model, report = accelerate(model_of(nn.Conv2d(3, 4, 3)), X, layers="transposed")
    assert is_last(model)
    said = "no transposed convolution was found in the model: its memory format is another"
    assert str(report).splitlines()[0] == said


def of(ratio, *, last=False):
    return Report((), measured=True, trains=False, threads=1, whole=Whole(1, 1.0, 1 / ratio, ratio), channels_last=last)


@pytest.mark.parametrize(
    ("share", "gain", "promises"),
    [(0.4, 1.02, False), (0.4, 1.04, True), (0.6, 0.79, False), (0.6, 0.81, True), (0.6, 0.0, False)],
)
def test_who_is_mostly_convolutions_need_not_be_faster_in_pytorch_alone(share, gain, promises):
    assert Look(gain, 1.0, None, share).promises == promises


def test_a_format_that_cannot_be_is_not_measured():
    asked = []
    report = better(Look(reason="it fails"), lambda last: asked.append(last) or of(2.0))
    assert (asked, report.in_formats) == ([None], None)


def test_what_cannot_be_measured_again_is_not_channels_last():
    unknown = dataclasses.replace(of(1.0, last=True), whole=Whole(1, unmeasured="it fails when it is run again"))
    found = {True: unknown, False: of(1.0)}
    last = looked(model_of(), Example((X,), {}, False, False)).last
    assert better(Look(3.0, 2.9, last), lambda each: found[each is not None]).channels_last is False


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (model_of(nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 4, 2)), X[0]),
        (model_of(nn.Linear(5, 5)), X),
        (model_of(nn.Conv2d(3, 4, 3)).to(memory_format=torch.channels_last), X),
        (torch.jit.trace, X),
        (torch.fx.symbolic_trace(model_of(nn.Conv2d(3, 4, 3))), X),
        (model_of(nn.Conv2d(3, 4, 3)).share_memory(), X),
    ],
    ids=["one axis", "no convolution", "channels last", "TorchScript", "torch.fx", "shared"],
)
def test_models_that_have_nothing_to_look_at(monkeypatch, model, x):
    monkeypatch.setattr(looking, "_seconds", None)
    model = model if isinstance(model, nn.Module) else model(model_of(nn.Conv2d(3, 4, 3)), x)
    assert looked(model, Example((x,), {}, False, False)) == Look()


def test_convolutions_of_two_axes_have_a_share(monkeypatch):
    monkeypatch.setattr(looking, "_seconds", lambda run, again, last: (2.0, 1.0))
    example = Example((X,), {}, False, False)
    assert 0 < looking._Seen(model_of(), example).share < 1
    assert looking._Seen(model_of(nn.Flatten(2), nn.Conv1d(3, 4, 3)), example).share == 0
    monkeypatch.setattr(looking, "SHARE", 0.0)
    assert looked(model_of(), example).gain == 2.0
    monkeypatch.setattr(looking, "SHARE", 1.0)
    assert looked(model_of(), example) == Look()


def test_seconds_are_of_both_and_from_the_same_state(monkeypatch):
    monkeypatch.setattr(looking, "_seconds", SECONDS)

    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.steps = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), 0

        def forward(self, x):
            seen.append((suggests_last(self.conv.weight), self.steps, float(torch.rand(()))))
            self.steps += 1
            return self.norm(self.conv(x))

    seen, model = [], Counts().train()
    state, chance = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    look = looked(model, Example((X,), {}, False, False))
    assert look.before > 0
    assert look.after > 0
    assert look.gain == look.before / look.after
    assert {which for which, *_ in seen} == {False, True}
    assert len({rest for _, *rest in map(tuple, seen) for rest in [tuple(rest)]}) == 1
    assert len(seen) >= 2 + 2 * looking.FEWEST
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(each.equal(state[name]) for name, each in model.state_dict().items())
    assert not is_last(model)
    assert all(each.grad is None for each in model.parameters())


def test_keep_has_no_look(monkeypatch):
    monkeypatch.setattr(looking, "_seconds", lambda run, again, last: (2.0, 1.0))
    model, report = accelerate(model_of(), X, memory_format="keep")
    assert not is_last(model)
    assert (report.in_formats, report.channels_last) == (None, False)


def test_there_is_nothing_to_measure_on():
    with pytest.raises(ValueError, match='memory_format must be "keep" without example_inputs'):
        accelerate(model_of())


def test_the_report_says_why_not():
    class Viewed(nn.Sequential):
        def forward(self, x):
            y = super().forward(x)
            return y.view(y.shape[0], -1)

    model = Viewed(*model_of()).eval()
    _, report = accelerate(model, torch.randn(2, *X.shape[1:]))
    said = next(line for line in str(report).splitlines() if line.startswith("not channels last: it fails: view size"))
    assert said.endswith(report.as_dict()["not_channels_last"])
    assert not is_last(model)


def test_another_word():
    with pytest.raises(ValueError, match='memory_format must be one of "keep", "measure"; got'):
        accelerate(model_of(), X, memory_format="channels_last")


@pytest.mark.parametrize("where", ["of a layer", "of the model"])
def test_an_interrupted_contest_leaves_weights_as_they_lay(clocks, monkeypatch, where):
    def interrupted(*_):
        raise KeyboardInterrupt

    clocks((10.0, 5.0), {"last": 5.0})
    monkeypatch.setattr(both_ways if where == "of a layer" else closing, "in_turns", interrupted)
    model = model_of()
    memory = [each.data_ptr() for each in model.parameters()]
    with pytest.raises(KeyboardInterrupt):
        accelerate(model, X, layers="all")
    assert [each.data_ptr() for each in model.parameters()] == memory
    assert not is_last(model)
    assert not any(map(is_accelerated, model.modules()))


def test_training(clocks):
    clocks((10.0, 5.0), {"last": 5.0})
    model = model_of(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)).train()
    twin, optimizer = copy.deepcopy(model), torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    other = torch.optim.SGD(twin.parameters(), 0.1, momentum=0.9)
    for step in range(4):
        if step == 1:
            _, report = accelerate(model, X, layers="all")
            assert report.trains
            assert is_last(model)
        if step == 3:
            restore(model)
        for each, taken in ((model, optimizer), (twin, other)):
            taken.zero_grad()
            each(X).square().mean().backward()
            taken.step()
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("first", ["accelerate", "compile"])
def test_compiled(clocks, first):
    clocks((10.0, 5.0), {"last": 5.0})
    torch._dynamo.reset()
    model = model_of()
    expected = model(X)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=first == "accelerate")
    with torch.no_grad():
        if first == "compile":
            torch.testing.assert_close(compiled(X), expected)
        accelerate(compiled, X, layers="all")
        assert is_last(model)
        for _ in range(2):
            result = compiled(X)
            torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
            assert result.is_contiguous()
        restore(compiled)
        torch.testing.assert_close(compiled(X), expected)


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_parameters_stay_parameters(clocks, context):
    clocks((10.0, 5.0), {"last": 5.0})
    model = model_of()
    with context():
        accelerate(model, X, layers="all")
    assert is_last(model)
    assert not any(each.is_inference() for each in model.parameters())
    model.train()(X).sum().backward()
    assert all(each.grad is not None for each in model.parameters())
    with context():
        restore(model)
    assert not any(each.is_inference() for each in model.parameters())


def test_for_real(monkeypatch):
    monkeypatch.setattr(looking, "_seconds", SECONDS)
    torch.manual_seed(0)
    model, x = (
        model_of(nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 32, 1), nn.BatchNorm2d(32)),
        torch.randn(1, 16, 48, 48),
    )
    with torch.no_grad():
        expected = model(x)
        _, report = accelerate(model, x, layers="all", rounds=3)
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
        assert model(x).is_contiguous()
    assert len(report.in_formats) == 2
    assert is_last(model) == report.channels_last
