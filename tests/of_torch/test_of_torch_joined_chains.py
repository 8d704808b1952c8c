"""Runs that forward methods call one by one: what of a method is written anew, and what of it stays as it is."""

from __future__ import annotations

import contextlib
import copy
import inspect
import pickle
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from accelerated_models import kept
from registry import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations

from tconv.torch import accelerate, restore
from tconv.torch.fusing import chains, sequences


class Basic(nn.Module):
    """The block of a ResNet."""

    def __init__(self, channels=3, out=4):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(channels, out, 1), nn.BatchNorm2d(out))
        self.seen = []

    def forward(self, x, scale: float = 1.0, *, residual=True):
        """The text of a method may have
        more than one line.
        """
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)

        out = self.conv2(out)
        out = self.bn2(out)
        self.seen.append(len(out))
        if residual:
            identity = self.down(x)
            out += identity
        return self.relu(out) * scale


class Functional(nn.Module):
    """Calls in each other, and functions."""

    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(3, 4, 2, 2), nn.BatchNorm2d(4)
        self.parts = nn.ModuleDict({"last": nn.Conv2d(4, 2, 3)})

    def forward(self, x):
        if x.shape[0] > 1:
            x = F.relu(self.norm(self.up(x)))
        else:
            x = self.up(x)
            x = torch.tanh(self.norm(x))
        x = self.parts.last(x)
        return torch.sigmoid(x)


X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def fused(fused, all_win):
    """What `accelerate` finds is computed so, however long it takes."""
    return fused


def accelerated(model):
    model = model.eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        _, report = accelerate(model, X, layers="all")
    return model, twin, report


def check(model, twin, x=X, times=3, **options):
    with torch.no_grad():
        expected = twin(x, **options)
        for _ in range(times):
            torch.testing.assert_close(model(x, **options), expected, rtol=1e-4, atol=1e-5)


pytestmark = needs_kernels


def test_the_block_of_a_resnet(fused):
    model, twin, report = accelerated(Basic())
    assert [run.members for run in report.runs] == [("conv1", "bn1", "relu"), ("conv2", "bn2"), ("0", "1")]
    assert kept(model) == ["", "conv1", "conv2", "down", "down.0"]
    check(model, twin)
    assert fused[-3:] == [3, 2, 2]
    check(model, twin, scale=2.0, residual=False)
    assert fused[-2:] == [3, 2]
    assert isinstance(model, Basic)
    assert repr(model) == repr(twin)
    model.seen.clear()
    check(model, twin, times=2)
    assert model.seen == [2, 2]  # what a method does elsewhere, it does in every call
    assert inspect.signature(model.forward) == inspect.signature(twin.forward)
    assert (type(model).__name__, type(model).forward.__doc__) == ("Basic", Basic.forward.__doc__)
    restore(model)
    assert type(model) is Basic
    check(model, twin)


def test_calls_in_each_other_and_functions(fused):
    model, twin, report = accelerated(Functional())
    assert [run.kinds for run in report.runs] == [("ConvTranspose2d", "BatchNorm2d", "ReLU"), ("Conv2d", "Sigmoid")]
    check(model, twin)
    assert fused[-2:] == [3, 2]
    check(model, twin, X[:1])
    assert fused[-2:] == [3, 2]


class Direct(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(3, 4, 2, 2), nn.BatchNorm2d(4)

    def forward(self, x):
        return F.relu(self.norm(self.up(x)))


def test_functions_are_part_of_a_run(fused):
    model, twin, report = accelerated(Direct())
    assert [(run.members, run.sequence) for run in report.runs] == [(("up", "norm", "relu"), "")]
    check(model, twin)
    assert fused[-2:] == [3, 3]


def test_training_gradients_and_hooks(fused):
    model, twin, _ = accelerated(Basic())
    check(model, twin)
    fused.clear()
    for each in (model, twin):
        each.train()
        each(X).square().mean().backward()
        each.eval()
    assert not any(fused)
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-4)
    for found, expected in zip(model.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(found, expected)
    seen = {id(model): [], id(twin): []}
    for each in (model, twin):
        each.bn1.register_forward_hook(lambda module, x, y, each=each: seen[id(each)].append((x[0], y.clone())))
    check(model, twin, times=1)
    torch.testing.assert_close(*seen.values(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies(copied, fused):
    model, twin, _ = accelerated(Basic())
    again = copied(model)
    assert type(again) is type(model)
    check(again, twin)
    assert fused[-3:] == [3, 2, 2]
    assert type(restore(again)) is Basic


def test_a_method_whose_source_is_not_there_is_as_it_was(fused, monkeypatch):
    model, twin, _ = accelerated(Basic())
    pickled = pickle.dumps(model)
    monkeypatch.setattr(chains, "chained", lambda *given: None)
    sequences._with_runs.cache_clear()
    again = pickle.loads(pickled)
    assert type(again).forward is Basic.forward
    check(again, twin)
    assert type(restore(again)) is Basic
    sequences._with_runs.cache_clear()


class Keeping(Direct):
    """A module with an attribute of a name that layers of tconv use."""

    def __init__(self):
        super().__init__()
        self._kept = "mine"


def test_attributes_of_others(fused):
    model, twin, _ = accelerated(Keeping())
    check(model, twin)
    assert fused[-1] == 3
    assert model._kept == "mine"
    assert vars(restore(model)).keys() == vars(twin).keys()
    assert model._kept == "mine"


def test_compiled(fused):
    model, twin, _ = accelerated(Direct())
    check(model, twin)
    number = len(fused)
    check(torch.compile(model, backend="eager", fullgraph=True), twin, times=2)
    assert len(fused) == number


def test_traced(fused):
    model, twin, _ = accelerated(nn.Sequential(Direct(), nn.Sequential(nn.Conv2d(4, 2, 1), nn.ELU())))
    check(model, twin)
    fused.clear()
    whole, part = torch.fx.symbolic_trace(model), torch.fx.symbolic_trace(model[0])
    check(whole, twin)
    check(part, twin[0])
    with torch.no_grad():
        check(torch.jit.trace(model, X, check_trace=False), twin)
    assert not any(fused)


def test_layers_that_are_parametrized_or_replaced(fused):
    model, twin, _ = accelerated(Basic())
    for each in (model, twin):
        torch.manual_seed(0)
        parametrizations.weight_norm(each.conv1)
        each.bn2 = nn.Identity()
        each.relu = nn.Tanh()
    check(model, twin)
    assert fused[-1] == 2  # that of `down` alone


def test_layers_that_pad_in_another_way(fused):
    model, twin, _ = accelerated(Basic())
    for each in (model, twin):

        def around(x, w, bias):
            return F.conv2d(F.pad(x, (1, 1, 1, 1), "circular"), w, bias)

        each.conv1._conv_forward = around
    check(model, twin)
    assert fused[-2:] == [2, 2]
    for each in (model, twin):
        del each.conv1._conv_forward
    check(model, twin)
    assert fused[-3:] == [3, 2, 2]


class Registered(nn.Module):
    kinds: ClassVar = {}

    def __init_subclass__(cls, /, word):
        super().__init_subclass__()
        cls.kinds[word] = cls


class InRegister(Registered, word="mine"):
    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(3, 3, 3, padding=1), Calls()

    def forward(self, x):
        return self.up(F.relu(self.conv(x)))


class Calls(Registered, word="calls"):
    def forward(self, x):
        return F.conv_transpose2d(x, x.new_ones(3, 2, 2, 2))


def test_classes_that_know_who_inherits_from_them(fused):
    known = dict(Registered.kinds)
    model, twin, report = accelerated(InRegister())
    assert [run.members for run in report.runs] == [("conv", "relu")]
    assert Registered.kinds == known
    assert [isinstance(model, InRegister), type(model) is InRegister, type(model.up) is Calls] == [True, False, False]
    check(model, twin)
    assert fused[-1] == 2
    assert type(restore(pickle.loads(pickle.dumps(model)))) is InRegister


# ---- what is written anew


def used_elsewhere(self, x):
    y = self.conv(x)
    z = self.norm(y)
    return y + z


def written_twice(self, x):
    y = x = self.conv(x)
    x = self.norm(x)
    return x + y


def with_arguments(self, x):
    x = self.conv(x, None)
    return self.norm(*[x])


def of_a_variable(self, x):
    x = self.conv(x)
    x = x.relu()
    x = self.conv(x)
    return x.add(x)


def caught(self, x):
    try:
        x = self.conv(x)
        x = self.norm(x)
    except ValueError:
        return x
    return x


def caught_in_a_group(self, x):
    try:
        x = self.conv(x)
        x = self.norm(x)
    except* ValueError:
        x = x + 1
    return x


def suppressed(self, x):
    with contextlib.suppress(ValueError):
        x = self.conv(x)
        x = self.norm(x)
    return x


def looks(self, x):
    x = self.norm(self.conv(x))
    return locals()


def later(self, x):
    x = self.conv(x)
    x = self.norm(x)
    return lambda: x


def writes_itself(self, x):
    self = self.inner
    return self.norm(self.conv(x))


def of_others(self, x):
    return len(str(x))


def makes(self):
    def inner(x):
        return self.norm(self.conv(x))

    return inner


def unchanged(function):
    return function


@unchanged
def decorated(self, x):
    return self.norm(self.conv(x))


@pytest.mark.parametrize(
    "method",
    [used_elsewhere, written_twice, with_arguments, of_a_variable, caught, caught_in_a_group, suppressed, looks, later,
     writes_itself, of_others, makes, makes(None), decorated, len, nn.Linear, None,
     eval("lambda self, x: self.norm(self.conv(x))")],
)  # fmt: skip
def test_what_stays_as_it_is(method):
    assert chains.chained(method, ("conv",)) is None


def joined(self, x, /, y: int = 3, *rest, more=None):
    x = self.conv(x)
    x = self.norm(x)
    x = self.other(F.relu(x))
    while y:
        y -= 1
        x = self.a.conv(x)
        x = self.norm(x)
    else:
        x = self.conv(x[0] + (x := y))
        return F.relu(x)
    return self.conv(x)


def test_what_is_joined():
    found = chains.chained(joined, ("conv", "a.conv"))
    assert found.chains == (("conv", "norm", "", "other"), ("a.conv", "norm"), ("conv", ""))
    assert chains.chained(joined, ("other",)) is None
    assert chains.chained(joined) is chains.chained(joined)
    names = ("__defaults__", "__kwdefaults__", "__globals__", "__name__")
    assert all(getattr(found.function, name) == getattr(joined, name) for name in names)
    assert found.function.__code__.co_filename == __file__


def test_it_computes_the_same_in_the_same_order():
    class Recorder:
        def __init__(self):
            self.calls = []
            self.a = self

        def __getattr__(self, name):
            return lambda x: self.calls.append((name, x)) or [*x, name]

        def _tconv_chain(self, names, called, x):
            for each in called:
                x = each(x)
            return x

    results = []
    for function in (straight, chains.chained(straight, ("conv", "conv2")).function):
        recorder = Recorder()
        results.append((function(recorder, ["x"]), recorder.calls))
    assert results[0] == results[1]
    assert len(results[0][1]) == 7


def straight(self, x):
    x = self.conv(x)
    x = self.norm(x)
    x = self.relu(x)
    y = self.conv2(self.pool(x))
    if x:
        y = self.norm(y)
    return self.last(y)


def test_a_source_that_is_not_what_runs(tmp_path):
    file = tmp_path / "edited.py"
    file.write_text("def forward(self, x):\n    return self.norm(self.conv(x))\n")
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    assert chains.chained(names["forward"], ("conv",)) is not None
    file.write_text("def forward(self, x):\n    return self.norm(self.other(x))\n")
    exec(compile("def forward(self, x):\n    return self.relu(self.conv(x))\n", str(file), "exec"), names)
    assert chains.chained(names["forward"], ("conv",)) is None


@pytest.mark.parametrize(
    "source", ["", "# nothing\n", "def forward(self, x):\n    return ((\n", 'def f(self):\n    """ \n', "\0"]
)
def test_a_source_that_breaks_off(source, tmp_path):
    file, names = tmp_path / "broken.py", {}
    exec(compile("def forward(self, x):\n    return self.norm(self.conv(x))\n", str(file), "exec"), names)
    file.write_text(source)
    assert chains.chained(names["forward"]) is None
