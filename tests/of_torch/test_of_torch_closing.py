"""The closing contest of `accelerate`: which layers stay when the whole model is measured. Clocks are set by hand."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
from torch import nn  # noqa: E402

from tconv.measuring.contest import ORIGINAL  # noqa: E402
from tconv.torch import accelerate, both_ways, closing, restore  # noqa: E402
from tconv.torch.both_ways import OURS  # noqa: E402
from tconv.torch.classes import is_accelerated  # noqa: E402

#: By its kernel size: the seconds that tconv takes for a layer alone; PyTorch takes one.
ALONE = {5: 0.5, 4: 0.4, 3: 0.3, 2: 0.2}


@pytest.fixture
def clocks(monkeypatch):
    """Set how long the whole model takes, by how many layers run on the engine; without them it takes 10 seconds."""
    contests = []

    def set_to(seconds):
        def of_a_layer(runs, first, effort):
            took = ALONE.get(runs[OURS].__self__.call.w.shape[-1], 0.5)
            return {ORIGINAL: [1.0] * effort.rounds, OURS: [took] * effort.rounds}

        def of_the_model(forms, first, effort, timer):
            took = {name: timer(form) for name, form in forms.items()}
            assert all(second > 0 for second in took.values())
            contests.append(len(forms[OURS].kinds))
            return {ORIGINAL: [10.0] * effort.rounds, OURS: seconds(contests[-1], effort.rounds)}

        monkeypatch.setattr(both_ways, "in_turns", of_a_layer)
        monkeypatch.setattr(closing, "in_turns", of_the_model)
        return contests

    return set_to


def decoder():
    torch.manual_seed(0)
    return nn.Sequential(*[nn.ConvTranspose1d(3, 3, kernel) for kernel in (5, 4, 3, 2)]).eval()


X = torch.linspace(-1, 1, 24).reshape(2, 3, 4)


def kept(model):
    return [name for name, module in model.named_modules() if is_accelerated(module)]


def test_a_model_that_is_faster_keeps_all(clocks):
    contests = clocks(lambda layers, rounds: [8.0] * rounds)
    model, report = accelerate(decoder(), X)
    assert kept(model) == ["0", "1", "2", "3"]
    assert contests == [4]
    assert (report.whole.before, report.whole.after, report.whole.ratio) == (10.0, 8.0, 1.25)
    assert report.whole.difference < 1e-5
    assert str(report).splitlines()[:2] == [
        "4 of 4 layers on tconv's engine: 4e+03 ms before, 1.4e+03 ms after",
        "the whole model: 1e+04 ms before, 8e+03 ms after, 1.25 times as fast",
    ]
    assert json.loads(json.dumps(report.as_dict()))["whole"] == {
        "layers": 4, "before": 10.0, "after": 8.0, "ratio": 1.25, "difference": report.whole.difference,
        "rounding": None, "failure": "", "unmeasured": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "turns",
    [
        [10.05] * 9,  # a half per cent is no loss
        [10.5, 9.5, 10.5, 9.5, 9.9, 10.5, 9.5, 10.5, 9.5],
        [20.0, 20.0, 20.0, 9.9, 9.9, 9.9, 9.9, 9.9, 9.9],  # somebody else was at work
    ],
)
def test_noise_does_not_throw_a_model_away(clocks, turns):
    contests = clocks(lambda layers, rounds: turns)
    model, report = accelerate(decoder(), X)
    assert len(kept(model)) == 4
    assert contests == [4]
    assert report.whole.ratio == pytest.approx(10 / sorted(turns)[4])


def test_what_seems_slower_is_measured_longer(clocks):
    contests = clocks(lambda layers, rounds: [11.0] * 5 + [9.9] * (rounds - 5))
    model, _ = accelerate(decoder(), X)
    assert contests == [4, 4, 4]  # 15 of 27 rounds: a coin falls like that
    assert len(kept(model)) == 4
    contests.clear()
    clocks(lambda layers, rounds: [11.0] * 7 + [9.9] * (rounds - 7))
    accelerate(decoder(), X)
    assert contests[:3] == [4, 4, 2]  # 14 of 18: it seldom does


def test_layers_go_that_have_the_least_to_win(clocks):
    contests = clocks(lambda layers, rounds: [11.0 if layers > 1 else 9.0] * rounds)
    model, report = accelerate(decoder(), X)
    assert contests == [4, 2, 1]
    assert kept(model) == ["3"]
    assert [layer.outcome for layer in report.layers] == [
        *["left alone: it is faster alone, and not in the whole model"] * 3,
        "5.00 times as fast",
    ]
    assert report.whole.layers == 1
    assert report.verdict.startswith("1 of 4 layers on tconv's engine")


@pytest.mark.parametrize("hopeless", [False, True])
def test_a_model_that_loses_in_any_case_is_left_alone(clocks, hopeless):
    contests = clocks(lambda layers, rounds: [31.0] if hopeless else [10.2] * rounds)
    model, before = decoder(), None
    before = [type(module) for module in model.modules()]
    model, report = accelerate(model, X)
    assert contests == [4, 2, 1]
    assert [type(module) for module in model.modules()] == before
    assert not any("_kept" in vars(module) for module in model.modules())
    assert report.verdict == "layers are faster on their own, but the whole model is slower: the model is left alone"
    assert report.after == report.before == 4.0


class Looks(nn.Module):
    """A forward method that looks at classes, and then does something else."""

    def __init__(self, otherwise):
        super().__init__()
        self.up, self.otherwise = nn.ConvTranspose1d(3, 3, 2), otherwise

    def forward(self, x):
        y = self.up(x)
        return y if type(self.up) is nn.ConvTranspose1d else self.otherwise(y)


@pytest.mark.parametrize(
    ("otherwise", "reason"),
    [
        (lambda y: y * 1.01, "its result differs by 1.0e-02 of the largest value; the limit is 0.0001"),
        (lambda y: y[:1], "its result is float32 of shape (1, 3, 5), and not float32 of shape (2, 3, 5)"),
        (lambda y: (y, y), "it has 2 results and gradients, and not 1"),
        (lambda y: 1 / 0, "it fails: division by zero"),
    ],
)
def test_a_model_that_computes_something_else_is_left_alone(clocks, otherwise, reason):
    contests = clocks(lambda layers, rounds: [1.0] * rounds)
    model, report = accelerate(Looks(otherwise).eval(), X)
    assert (kept(model), contests) == ([], [])
    assert report.whole.failure == reason
    assert report.layers[0].outcome == f"left alone: in the whole model {reason}"
    assert report.verdict == f"layers are faster on their own, but with them {reason}: the model is left alone"
    assert f"the whole model was not measured: {reason}" in str(report)


def test_gradients_are_compared_too(clocks):
    clocks(lambda layers, rounds: [1.0] * rounds)

    with torch.no_grad():
        assert accelerate(Looks(lambda y: y).train(), X)[1].changed
    _, report = accelerate(Looks(lambda y: 2 * y - y.detach()).train(), X)
    assert report.trains
    assert report.whole.failure == "its gradient differs by 1.0e+00 of the largest value; the limit is 0.001"


def test_a_model_that_is_never_the_same_cannot_be_compared(clocks):
    clocks(lambda layers, rounds: [8.0] * rounds)
    runs = []

    class Restless(Looks):
        def forward(self, x):
            runs.append(1)
            return super().forward(x) * len(runs)

    model, report = accelerate(Restless(lambda y: y).eval(), X)
    assert kept(model) == ["up"]
    assert report.whole.difference is None
    assert report.whole.ratio == 1.25


def test_a_model_that_cannot_be_run_again_is_not_measured(clocks):
    contests = clocks(lambda layers, rounds: [99.0] * rounds)

    class Once(nn.Sequential):
        runs: list[int] = []  # noqa: RUF012

        def forward(self, x):
            self.runs.append(1)
            if len(self.runs) > 1:
                raise EOFError
            return super().forward(x)

    model, report = accelerate(Once(nn.ConvTranspose1d(3, 3, 2)).eval(), X)
    assert (kept(model), contests) == (["0"], [])
    said = "the whole model was not measured: it fails when it is run again: EOFError"
    assert str(report).splitlines()[1] == said
    assert report.whole.failure == ""


class Changes(nn.Module):
    """Whatever a run may change, and what each run has found."""

    found: list[tuple[object, ...]] = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.steps = nn.BatchNorm1d(3), nn.ConvTranspose1d(3, 3, 2), 0

    def forward(self, x, cache):
        self.found.append((self.steps, float(x.detach().sum()), len(vars(self)), float(torch.rand(()))))
        self.steps += 1
        self.more = x
        cache["x"].add_(1)
        return {"y": self.up(self.norm(x + cache["x"])), "steps": self.steps, "mask": cache["x"] > 0}


@pytest.mark.parametrize("train", [False, True])
def test_every_run_begins_where_the_first_did_and_nothing_stays(clocks, train):
    contests = clocks(lambda layers, rounds: [9.0] * rounds)
    model, x, cache = Changes().train(train), X.clone().requires_grad_(), {"x": X.clone()}
    state = {name: value.clone() for name, value in model.state_dict().items()}
    chance, names = torch.get_rng_state(), dict(vars(model))
    model.found.clear()
    _, report = accelerate(model, (x, cache))
    assert (report.trains, contests) == (train, [1])
    assert len(model.found) > 6
    assert len(set(model.found)) == 1
    assert torch.equal(torch.get_rng_state(), chance)
    assert dict(vars(model)) == names
    assert cache["x"].equal(X)
    assert x.grad is None
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(value.equal(state[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == [train] * 3
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert "_kept" not in vars(model.up)
    assert kept(model) == ["up"]


def test_weights_are_packed_once_for_all_rounds(clocks, monkeypatch):
    found = []

    def of_the_model(forms, first, effort, timer):
        for _ in range(5):
            for form in forms.values():
                timer(form)
            found.append([pack.address for pack in vars(layer)["_kept"].values()])
        return {ORIGINAL: [10.0] * effort.rounds, OURS: [9.0] * effort.rounds}

    clocks(lambda layers, rounds: [9.0] * rounds)
    monkeypatch.setattr(closing, "in_turns", of_the_model)
    layer = nn.ConvTranspose1d(3, 3, 2)
    with torch.no_grad():
        accelerate(nn.Sequential(layer).eval(), X)
    assert found[0] != []
    assert found == [found[0]] * 5


def test_backward_is_that_of_the_model_and_no_hook_of_parameters_waits_for_it(clocks):
    """DistributedDataParallel waits for the others in such hooks."""
    clocks(lambda layers, rounds: [9.0] * rounds)
    model, seen = decoder().train(), []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(seen.append)
    _, report = accelerate(model, X)
    assert report.trains
    assert report.changed == 4
    assert seen == []


def test_an_interrupted_contest_leaves_the_model_as_it_was(clocks, monkeypatch):
    clocks(lambda layers, rounds: [9.0] * rounds)

    def interrupted(forms, first, effort, timer):
        timer(forms[OURS])
        raise KeyboardInterrupt

    monkeypatch.setattr(closing, "in_turns", interrupted)
    model = decoder()
    with pytest.raises(KeyboardInterrupt):
        accelerate(model, X)
    assert kept(model) == []
    assert not any("_kept" in vars(module) for module in model.modules())


def test_for_real():
    model = nn.Sequential(
        nn.ConvTranspose2d(16, 16, 4, 2, 1), nn.Tanh(), nn.ConvTranspose2d(16, 8, 3, padding=1)
    ).eval()
    x = torch.randn(1, 16, 24, 24)
    with torch.no_grad():
        expected = model(x)
        _, report = accelerate(model, x, rounds=3)
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    if report.whole is not None:
        assert report.whole.before > 0
        assert report.whole.after > 0
        assert 0 <= report.whole.difference < 1e-4
    restore(model)
