"""Which layers `accelerate` keeps. How fast anything is, is no matter for a test: here clocks are set by hand."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
from accelerated_models import decoder  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import tconv.torch  # noqa: E402
from tconv.measuring.contest import ORIGINAL  # noqa: E402
from tconv.torch import accelerate, accelerated, both_ways, closing, comparing, restore  # noqa: E402
from tconv.torch.classes import is_accelerated  # noqa: E402

LAYERS = tuple(accelerated.LAYERS.values())


@pytest.fixture
def clocks(monkeypatch):
    """Set how long tconv takes by the kernel size of the layer; PyTorch takes a second. Both still run, once.

    A model takes four seconds before, and three and a half after.
    """
    calls = []

    def set_to(seconds):
        def in_turns(runs, first, effort):
            results = [run() for run in runs.values()]
            calls.append(len(results[0]))  # the result, and its gradients
            took = seconds(results[0][0].shape)
            return {ORIGINAL: [1.0] * effort.rounds, both_ways.OURS: [took] * effort.rounds}

        def of_the_model(forms, first, effort, timer):
            return {ORIGINAL: [4.0] * effort.rounds, both_ways.OURS: [3.5] * effort.rounds}

        monkeypatch.setattr(both_ways, "in_turns", in_turns)
        monkeypatch.setattr(closing, "in_turns", of_the_model)
        monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.01)
        return calls

    return set_to


def kept(model):
    return [name for name, module in model.named_modules() if is_accelerated(module)]


def test_what_wins_is_kept_and_what_does_not_is_left_alone(clocks):
    clocks(lambda shape: 0.5 if shape[1] == 4 else 0.98)
    model, x = decoder(), torch.randn(2, 6, 5, 7)
    expected = model(x)
    same, report = accelerate(model, x)
    assert same is model
    assert kept(model) == ["0"]
    assert type(model[2]) is nn.ConvTranspose2d
    assert (report.changed, report.before, report.after) == (1, 2.0, 1.5)
    assert [layer.gain for layer in report.layers] == [2.0, pytest.approx(1 / 0.98)]
    torch.testing.assert_close(model(x), expected)
    assert str(report) == (
        f"1 of 2 layers on tconv's engine: 2e+03 ms before, 1.5e+03 ms after\n"
        "the whole model: 4e+03 ms before, 3.5e+03 ms after, 1.14 times as fast\n"
        f"forward, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}\n"
        "\n"
        "layer  shape                   before ms  after ms  outcome\n"
        "0      2x6x5x7 -> 2x4x10x14        1e+03       500  2.00 times as fast\n"
        "2      2x4x10x14 -> 2x3x20x28      1e+03       980  left alone: not faster by more than the noise"
    )
    assert json.loads(json.dumps(report.as_dict()))["layers"][0]["outcome"] == "2.00 times as fast"


def test_a_model_in_which_nothing_wins_is_left_alone(clocks):
    clocks(lambda shape: 1.0)
    model, report = accelerate(decoder(), torch.randn(1, 6, 4, 4))
    assert kept(model) == []
    assert report.verdict == "no layer is faster by more than the noise on tconv's engine: the model is left alone"


@pytest.mark.parametrize(("layers", "kind"), [("all", "convolution"), ("transposed", "transposed convolution")])
def test_a_model_without_convolutions(layers, kind):
    model, report = accelerate(nn.Linear(3, 3), torch.randn(1, 3), layers=layers)
    assert type(model) is nn.Linear
    assert str(report).startswith(f"no {kind} was found in the model: it is left alone")
    assert accelerate(nn.Linear(3, 3), layers=layers)[1].verdict == report.verdict


def test_without_example_inputs_all_layers_are_taken_unmeasured():
    model, report = accelerate(decoder())
    assert kept(model) == ["0", "2"]
    assert [layer.outcome for layer in report.layers] == ["not measured"] * 2
    assert str(report).startswith(
        "2 of 2 layers on tconv's engine, not measured: there were no example inputs\nnothing was run\n"
    )


def test_forward_and_backward_are_measured_when_the_model_trains(clocks):
    calls = clocks(lambda shape: 0.5)
    model, x = decoder().train(), torch.randn(1, 6, 4, 4)
    assert accelerate(model, x)[1].trains
    assert calls == [3, 4]  # x of the first layer needs no gradient
    calls.clear()
    with torch.no_grad():
        assert not accelerate(model, x)[1].trains
    assert calls == [1, 1, 1]  # and the run of the first
    calls.clear()
    assert not accelerate(model.eval(), x)[1].trains
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert not accelerate(model.train(), x)[1].trains
    assert calls == [1, 1, 1, 1, 1]


def test_calls_that_are_alike_are_timed_once_and_compared_each_time(clocks):
    calls = clocks(lambda shape: 0.5)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose1d(4, 4, 2, 2)

        def forward(self, x):
            return self.up(self.up(x)) + self.up(self.up(2 * x))

    model, report = accelerate(Twice().eval(), torch.randn(1, 4, 5))
    assert len(calls) == 2
    (layer,) = report.layers
    assert layer.shape == "1x4x5 -> 1x4x10, 4 calls"
    assert (layer.before, layer.after) == (4.0, 2.0)
    assert kept(model) == ["up"]


def test_layers_of_which_all_is_alike_share_a_row(clocks):
    clocks(lambda shape: 0.5)
    layers = [nn.ConvTranspose1d(2, 2, 3, padding=1) for _ in range(3)]
    _, report = accelerate(nn.Sequential(*layers, nn.ConvTranspose1d(2, 1, 1)), torch.randn(1, 2, 5))
    assert [row[:2] for row in report.rows()] == [["0, 2 more", "1x2x5 -> 1x2x5"], ["3", "1x2x5 -> 1x1x5"]]
    assert len(report.layers) == 4


def test_a_wrong_result_loses_whatever_it_takes(clocks, monkeypatch):
    clocks(lambda shape: 0.1)
    off = nn.ConvTranspose2d(6, 4, 4, 2, 1)

    def wrong(self, x, output_size=None):
        return nn.ConvTranspose2d.forward(self, x) * (1.001 if self.kernel_size == (4, 4) else 1)

    monkeypatch.setattr(accelerated.ConvTranspose2d, "forward", wrong)
    model, report = accelerate(nn.Sequential(off, nn.ConvTranspose2d(4, 3, 2, 2)), torch.randn(1, 6, 4, 4))
    assert kept(model) == ["1"]
    assert (
        report.layers[0].outcome
        == "left alone: its result differs by 1.0e-03 of the largest value; the limit is 0.0001"
    )
    assert (report.layers[0].before, report.layers[0].after) == (None, None)


def test_a_wrong_gradient_loses_too():
    y = torch.ones(3)
    assert comparing.disagreement([y, y], [y, y]) == ""
    assert comparing.disagreement([y, y * 1.0005], [y, y]) == ""  # its limit is ten times as large
    said = comparing.disagreement([y, y * 1.01], [y, y])
    assert said == "its gradient differs by 1.0e-02 of the largest value; the limit is 0.001"
    said = comparing.disagreement([y.double()], [y])
    assert said == "its result is float64 of shape (3,), and not float32 of shape (3,)"
    assert "differs by inf" in comparing.disagreement([y * float("nan")], [y])
    assert comparing.disagreement([y.bfloat16()], [y.bfloat16()]) == ""


def test_what_fails_on_the_engine_is_left_alone(clocks, monkeypatch):
    clocks(lambda shape: 0.1)

    def fails(self, x, output_size=None):
        raise RuntimeError("no more registers\nmore")

    monkeypatch.setattr(accelerated.ConvTranspose2d, "forward", fails)
    model, report = accelerate(decoder(), torch.randn(1, 6, 4, 4))
    assert kept(model) == []
    assert report.layers[0].outcome == "left alone: it fails: no more registers"
    assert report.verdict == "no layer could be measured: the model is left alone"


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 3, 4))

    def forward(self, x):
        return F.conv_transpose1d(torch.relu(x), self.w, stride=2, padding=1)


def test_calls_of_functions_pay_for_the_operations_around_them(clocks):
    clocks(lambda shape: 0.95)
    model, report = accelerate(Functional(), torch.randn(1, 4, 9))
    assert report.layers[0].name == ""
    assert report.rows()[0][0] == "the model"
    # relu and the call, each 0.01
    assert report.layers[0].after == pytest.approx(0.97)
    assert kept(model) == [""]
    clocks(lambda shape: 0.955)
    assert kept(accelerate(model, torch.randn(1, 4, 9))[0]) == []


def test_hopeless_contestants_do_not_win(clocks, monkeypatch):
    monkeypatch.setattr(
        both_ways, "in_turns", lambda runs, first, effort: {ORIGINAL: [1.0] * effort.rounds, both_ways.OURS: [4.0]}
    )
    model, report = accelerate(decoder(), torch.randn(1, 6, 4, 4))
    assert kept(model) == []
    assert report.layers[0].after == 4.0


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: nn.ConvTranspose1d(2, 2, 2, dtype=torch.complex64),
            "it computes in complex64, and the engine in float32, float64, float16, bfloat16",
        ),
        (lambda: nn.ConvTranspose1d(2, 2, 2, device="meta"), "it is on meta, and the engine computes on the CPU"),
        (lambda: tconv.torch.nn.ConvTranspose1d(2, 2, 2), "it is one of tconv's already"),
        (
            lambda: torch.jit.script(nn.ConvTranspose1d(2, 2, 2)),
            "it is TorchScript, which runs without Python; accelerate what it was made of, and trace that",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_what_the_engine_cannot_have(make, reason):
    layer = make()
    kind = type(layer)
    parameter = next(layer.parameters())
    x = torch.ones(1, 2, 3, dtype=parameter.dtype, device=parameter.device)
    for inputs in (None, x):
        model, report = accelerate(nn.Sequential(layer), inputs)
        assert type(model[0]) is kind
        assert [layer.reason for layer in report.layers] == [reason]


def test_objects_with_a_forward_of_their_own_are_left_alone(clocks):
    clocks(lambda shape: 0.1)
    layer = nn.ConvTranspose1d(2, 2, 2)
    layer.forward = lambda x: nn.ConvTranspose1d.forward(layer, x) + 1
    for inputs in (None, torch.ones(1, 2, 3)):
        model, report = accelerate(nn.Sequential(layer), inputs)
        assert type(model[0]) is nn.ConvTranspose1d
        assert report.layers[0].reason == "the object has a forward of its own, in place of its class's"


def test_layers_that_the_example_does_not_reach(clocks):
    clocks(lambda shape: 0.1)

    class Either(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.ConvTranspose1d(2, 2, 2), nn.ConvTranspose1d(2, 2, 2)

        def forward(self, x, *, second=False):
            return (self.b if second else self.a)(x)

    model, report = accelerate(Either(), {"x": torch.ones(1, 2, 3), "second": True})
    assert kept(model) == ["b"]
    assert report.layers[0].outcome == "left alone: not called on the example inputs"
    assert kept(accelerate(model, [torch.ones(1, 2, 3)])[0]) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((3,), TypeError, "accelerate: model must be a torch.nn.Module; got 3 of type int"),
        ((nn.ReLU(), 1, 2), ValueError, "accelerate: rounds must be an integer of at least 3; got 2"),
        (
            (nn.Sequential(nn.LazyConvTranspose1d(2, 2)), 1),
            ValueError,
            "accelerate: model must have all its parameters and buffers; run it once first, "
            "'0.weight' has no shape yet",
        ),
        (
            (nn.LazyBatchNorm1d(affine=False), torch.ones(2, 3)),
            ValueError,
            "accelerate: model must have all its parameters and buffers; run it once first, "
            "'running_mean' has no shape yet",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_wrong_arguments(arguments, kind, message):
    model, *rest = arguments
    inputs, rounds = (*rest, 9)[:2] if rest else (None, 9)
    with pytest.raises(kind) as caught:
        accelerate(model, inputs, rounds=rounds)
    assert str(caught.value).partition("\n")[0] == message
    with pytest.raises(TypeError, match=r"^restore: model must be a torch.nn.Module; got None of type NoneType$"):
        restore(None)


def test_a_model_that_raises_is_as_it_was(clocks):
    clocks(lambda shape: 0.1)
    model, x = decoder(), torch.randn(1, 6, 4, 4)
    with pytest.raises(RuntimeError, match="expected input"):
        accelerate(model, x[:, :5])
    assert kept(model) == []
    accelerate(model, x)
    with pytest.raises(RuntimeError, match=r"expected input|channels"):
        accelerate(model, x[:, :5])
    assert kept(model) == ["0", "2"]  # as it was: accelerated
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_no_half_state_where_a_change_fails(clocks, monkeypatch):
    clocks(lambda shape: 0.1)
    model, x = decoder(), torch.randn(1, 6, 4, 4)

    class Odd:
        __slots__ = ("more",)

    after = {model[0]: accelerated.ConvTranspose2d, model[2]: Odd}
    monkeypatch.setattr("tconv.torch.acceleration.classes_after", lambda *given: after)
    with pytest.raises(TypeError, match="__class__ assignment"):
        accelerate(model, x)
    assert kept(model) == []


def test_measured_for_real():
    """All of it, with the clock that hangs on the wall: who wins is not for a test to say."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.ConvTranspose2d(8, 8, 3, 2, 1, 1), Functional2d()).eval()
    x = torch.randn(1, 8, 6, 6)
    with torch.no_grad():
        expected = model(x)
        model, report = accelerate(model, x, rounds=3)
        torch.testing.assert_close(model(x), expected)
    assert all(layer.before > 0 and layer.after > 0 for layer in report.layers)
    assert kept(model) == [layer.name for layer in report.layers if layer.kept]
    assert all(layer.gain > 1.03 for layer in report.layers if layer.kept)


class Functional2d(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 1, 4, 4))

    def forward(self, x):
        return F.conv_transpose2d(x, self.w, None, 2, 1, groups=8)
