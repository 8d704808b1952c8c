"""`accelerate`: convolutions, transposed and not, in layers, functions and classes of their own."""

from __future__ import annotations

import copy
from collections import Counter

import pytest
import torch
from accelerated_models import classes, kept, mixed
from copies import pickled, saved
from torch import nn
from torch.nn import functional as F

import tconv.torch
from tconv.measuring.contest import ORIGINAL
from tconv.torch import accelerate, accelerated, both_ways, restore
from tconv.torch import functional as ours

CONVOLUTIONS = ["first", "normed", "padded", "again"]
EVERYTHING = ["first", "normed", "up", "down", "padded", "again"]


@pytest.fixture(autouse=True)
def winning(all_win):
    """Nothing is timed."""


@pytest.mark.parametrize("train", [False, True])
def test_all_are_found_and_computed(train, replaced):
    model, x = mixed()
    model.train(train)
    expected, before = model(x), classes(model)
    model, report = accelerate(model, x, layers="all")
    assert kept(model) == EVERYTHING
    assert report.trains == train
    assert {layer.name: layer.operations for layer in report.layers} == {
        **dict.fromkeys(CONVOLUTIONS, ("conv",)), "up": ("conv_transpose",), "down": ("conv_transpose", "conv"),
    }  # fmt: skip
    replaced.clear()
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    assert sorted(replaced) == ["conv1d", "conv1d", "conv_transpose1d"]  # of `down` and `padded`
    restore(model)
    assert classes(model) == before
    assert not any("_kept" in vars(module) for module in model.modules())
    assert model(x).equal(expected)


def test_gradients_and_training_steps():
    model, x = mixed()
    model.train()
    twin = copy.deepcopy(model)
    accelerate(model, x, layers="all")
    for _ in range(2):
        for each in (model, twin):
            optimizer = torch.optim.SGD(each.parameters(), 0.01)
            optimizer.zero_grad()
            each(x).square().mean().backward()
            optimizer.step()
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_transposed_ones_alone_where_these_are_asked_for(replaced):
    model, x = mixed()
    _, report = accelerate(model, x, layers="transposed")
    assert kept(model) == ["up", "down"]
    assert {layer.operations for layer in report.layers} == {("conv_transpose",)}
    replaced.clear()
    model(x)
    assert replaced == ["conv_transpose1d"]  # the other call of `down` is as it was
    accelerate(model, x)
    assert kept(model) == EVERYTHING
    accelerate(model, x, layers="transposed")
    assert kept(model) == ["up", "down"]


def test_without_example_inputs():
    model, _ = mixed()
    _, report = accelerate(model)
    assert kept(model) == ["up"]
    assert [layer.name for layer in report.layers] == ["first", "normed", "up", "padded", "again"]
    left = "left alone: no rule says who is faster at an ordinary convolution: give example inputs, to measure it"
    assert Counter(layer.outcome for layer in report.layers) == {"not measured": 1, left: 4}
    assert report.verdict == "1 of 5 layers on tconv's engine, not measured: there were no example inputs"
    _, report = accelerate(model, layers="transposed")
    assert [layer.outcome for layer in report.layers] == ["not measured"]


def test_the_report_has_a_table_for_each_kind(monkeypatch):
    model, x = mixed()
    with torch.no_grad():
        _, report = accelerate(model, x, layers="all")
    lines = str(report).splitlines()
    heads = [line for line in lines if line.startswith("conv")]
    assert heads == [
        "conv_transpose, conv: 1 of 1 layer, 4e+03 ms before, 2e+03 ms after",
        "conv_transpose: 1 of 1 layer, 2e+03 ms before, 1e+03 ms after",
        "conv: 4 of 4 layers, 8e+03 ms before, 4e+03 ms after",
    ]
    assert sum(line.startswith("layer ") for line in lines) == 3
    assert lines[0] == "6 of 6 layers on tconv's engine: 1.4e+04 ms before, 7e+03 ms after"
    parts = report.by_operation()
    assert [part.changed for part in parts.values()] == [1, 1, 4]
    assert report.as_dict()["layers"][0]["operations"] == ("conv",)


def test_one_kind_has_one_table():
    with torch.no_grad():
        _, report = accelerate(nn.Sequential(nn.Conv1d(2, 2, 3)), torch.randn(1, 2, 9), layers="all")
    assert not any(line.startswith("conv") for line in str(report).splitlines())
    _, report = accelerate(nn.Linear(3, 3), torch.ones(1, 3), layers="all")
    assert str(report).startswith("no convolution was found in the model: it is left alone")


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved])
def test_copies_and_pickles_are_accelerated(copied, replaced):
    model, x = mixed()
    model.normed = nn.Identity()  # PyTorch pickles no parametrized module
    accelerate(model, x, layers="all")
    again = copied(model)
    assert kept(again) == ["first", "up", "down", "padded", "again"]
    assert classes(again) == classes(model)
    replaced.clear()
    torch.testing.assert_close(again(x), model(x))
    assert sorted(replaced) == ["conv1d"] * 4 + ["conv_transpose1d"] * 2


@pytest.mark.parametrize(
    ("padding", "mode"), [("same", "zeros"), ("valid", "zeros"), (1, "reflect"), ((2, 1), "replicate")]
)
def test_layers_of_every_padding(padding, mode):
    model = nn.Sequential(nn.Conv2d(3, 4, (3, 2), padding=padding, padding_mode=mode)).eval()
    x = torch.randn(1, 3, 6, 7)
    with torch.no_grad():
        expected = model(x)
        model, report = accelerate(model, x, layers="all")
        assert report.changed == 1, report
        torch.testing.assert_close(model(x), expected)


class Calls(nn.Module):
    """Calls of functions in all the ways there are."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(4, 3, 3, 3)), nn.Parameter(torch.randn(4))

    def forward(self, x):
        y = F.conv2d(x, self.w, self.b, 2, 1) + torch.conv2d(x, self.w, bias=self.b, stride=[2, 2], padding=[1, 1])
        return y.mean((0, 2, 3)) + F.conv2d(x[0], weight=self.w, padding="same", dilation=2).mean((1, 2))


def test_calls_of_functions(replaced):
    model, x = Calls().eval(), torch.randn(2, 3, 9, 8)
    with torch.no_grad():
        expected = model(x)
        _, report = accelerate(model, x, layers="all")
        assert [len(layer.shapes) for layer in report.layers] == [3]
        replaced.clear()
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    assert replaced == ["conv2d"] * 3


@pytest.mark.parametrize("padding", [1, "same"])
def test_exported_programs(padding, replaced):
    x = torch.randn(1, 3, 9, 8)
    model = torch.export.export(nn.Sequential(nn.Conv2d(3, 4, 3, padding=padding)).eval(), (x,)).module()
    with torch.no_grad():
        expected = model(x)
        _, report = accelerate(model, x, layers="all")
        assert report.changed == 1, report
        replaced.clear()
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    assert len(replaced) == 1


def test_what_is_not_expected_to_win_is_not_compiled(monkeypatch):
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), torch.randn(1, 3, 9, 8)
    monkeypatch.setattr(both_ways.expected, "seconds", lambda *given: 10.0)
    monkeypatch.setattr(both_ways, "_compared", lambda runs: pytest.fail("ours was run"))
    with torch.no_grad():
        _, report = accelerate(model, x, layers="all")
    (layer,) = report.layers
    assert (kept(model), layer.after) == ([], 10.0)
    assert layer.outcome == "left alone"


class Conv2d(nn.Module):
    """A class of somebody else, by the name of a layer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x):
        return F.conv2d(x, self.weight * 0.5, padding=1)


def test_layers_by_their_name_are_taken_by_their_calls():
    model, x = nn.Sequential(Conv2d()).eval(), torch.randn(1, 3, 6, 5)
    with torch.no_grad():
        expected = model(x)
        assert accelerate(model, x, layers="all")[1].changed == 1
        torch.testing.assert_close(model(x), expected)
    _, report = accelerate(model, layers="all")
    assert report.layers[0].reason == f"{__name__}.Conv2d is no layer of torch.nn"


def test_what_fails_on_the_engine_is_left_alone(monkeypatch):
    def odd(*given):
        raise RuntimeError("odd")

    monkeypatch.setattr("tconv.torch.calls.prepared", odd)
    with torch.no_grad():
        model, report = accelerate(nn.Sequential(nn.Conv1d(2, 3, 3)).eval(), torch.randn(1, 2, 9), layers="all")
    assert (kept(model), report.layers[0].outcome) == ([], "left alone: it fails: odd")


def test_models_of_many_kinds_of_calls_take_no_longer_for_each(monkeypatch):
    efforts, contest = [], both_ways.contest
    monkeypatch.setattr(both_ways, "contest", lambda *given: efforts.append(given[2]) or contest(*given))
    model = nn.Sequential(*[nn.Conv1d(n, n + 1, 1) for n in range(1, 40)]).eval()
    with torch.no_grad():
        accelerate(model, torch.randn(1, 1, 3), layers="all")
    turns = [effort.turn for effort in efforts]
    assert turns[:9] == [turns[0]] * 9
    assert turns == sorted(turns, reverse=True)
    assert turns[12] == turns[0] / 1.5
    assert turns[-1] == turns[0] / 2
    assert len({effort.rounds for effort in efforts}) == 1


def test_what_the_engine_expects_of_a_call_without_a_batch():
    found, x = [], torch.randn(3, 9, 8)

    class One(nn.Module):
        def forward(self, x):
            return F.conv2d(x, torch.ones(4, 3, 3, 3))

    from tconv.torch import watching

    watching.run(One(), (x,), {}, watching.Watch(lambda _, call: found.append(call), Counter(), ("conv",)))
    assert 0 < both_ways._expected(found[0]) < 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_what_is_left_alone():
    mine = tconv.torch.nn.Conv1d(2, 2, 2)
    script = torch.jit.script(nn.Conv1d(2, 2, 2))
    complex64 = nn.Conv1d(2, 2, 2, dtype=torch.complex64)
    forward = nn.Conv1d(2, 2, 2)
    forward.forward = lambda x: nn.Conv1d.forward(forward, x)
    for layer, reason in (
        (mine, "one of tconv's already"), (script, "TorchScript"), (complex64, "complex64"), (forward, "of its own"),
    ):  # fmt: skip
        x = torch.ones(1, 2, 3, dtype=next(layer.parameters()).dtype)
        for inputs in (None, x):
            model, report = accelerate(nn.Sequential(layer), inputs, layers="all")
            assert model[0] is layer
            assert reason in report.layers[0].reason
            assert kept(model) == []


@pytest.mark.parametrize("layers", ["conv", None, 3])
def test_wrong_layers(layers):
    with pytest.raises((ValueError, TypeError), match=r'accelerate: layers must be one of "transposed", "all"; got'):
        accelerate(nn.ReLU(), layers=layers)


def test_a_wrong_result_loses(monkeypatch):
    def wrong(self, x):
        return nn.Conv1d.forward(self, x) * 1.001

    monkeypatch.setattr(accelerated.Conv1d, "forward", wrong)
    model, report = accelerate(nn.Sequential(nn.Conv1d(2, 2, 2)).eval(), torch.randn(1, 2, 9), layers="all")
    assert kept(model) == []
    assert "its result differs by" in report.layers[0].outcome


def test_functions_are_tables_of_the_same_names():
    for theirs, mine in accelerated.CALLS.items():
        assert getattr(ours, mine.__name__) is mine
        assert theirs.__name__.partition(".")[0] == mine.__name__
    assert set(accelerated.OPERATION.values()) == set(accelerated.EVERY)
    assert ORIGINAL != both_ways.OURS
