"""Normalizations and activations in front of convolutions, by a kernel of their own: equal, or as they were."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
import torch
from accelerated_models import kept
from registry import needs_kernels
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tconv.torch import accelerate, restore
from tconv.torch.fusing import alone, snakes

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))


class Snake1d(nn.Module):
    """As DAC has it."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, hidden_states):
        shape = hidden_states.shape
        hidden_states = hidden_states.reshape(shape[0], shape[1], -1)
        hidden_states = hidden_states + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * hidden_states).pow(2)
        return hidden_states.reshape(shape)


MODULES = {
    "elu": lambda: nn.ELU(0.7),
    "silu": nn.SiLU,
    "gelu": lambda: nn.GELU("tanh"),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "group": lambda: nn.GroupNorm(2, 4),
    "instance": lambda: nn.InstanceNorm2d(4, affine=True),
    "snake": lambda: Snake1d(4),
}
every_module = pytest.mark.parametrize("name", MODULES)


@pytest.fixture
def by_kernel(monkeypatch):
    """For each call of a module, whether a kernel computed it."""
    found, computed = [], alone.computed

    def recorded(*given):
        result = computed(*given)
        found.append(result is not None)
        return result

    monkeypatch.setattr(alone, "computed", recorded)
    return found


def model_of(name, *more):
    model = nn.Sequential(MODULES[name](), nn.Conv2d(4, 3, 3), *more).eval()
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 2)
    return model


def accelerated(model, x=X):
    twin = copy.deepcopy(model)
    with torch.no_grad():
        _, report = accelerate(model, x, layers="all")
    return model, twin, report


def check(model, twin, x=X):
    with torch.no_grad():
        expected = twin(x)
        found = model(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.stride() == expected.stride()


@every_module
def test_all_kinds(name, by_kernel):
    model, twin, report = accelerated(model_of(name))
    assert [(module.name, module.kind, module.kept) for module in report.modules] == [
        ("0", type(twin[0]).__name__, True)
    ]
    assert kept(model) == ["0", "1"]
    assert isinstance(model[0], type(twin[0]))
    assert repr(model) == repr(twin)
    by_kernel.clear()
    before = X.clone()
    check(model, twin)
    check(model, twin, torch.randn(1, 4, 9, 70))
    assert by_kernel == [True, True]
    assert torch.equal(X, before)
    restore(model)
    assert [type(module) for module in model] == [type(module) for module in twin]


@every_module
def test_float64(name, by_kernel):
    model, twin, report = accelerated(model_of(name).double(), X.double())
    check(model, twin, X.double())
    assert [module.name for module in report.modules] == (
        [] if name == "snake" else ["0"]
    )  # its 1e-9 has a digit there


@every_module
def test_gradients(name, by_kernel):
    model, twin, _ = accelerated(model_of(name))
    by_kernel.clear()
    found = []
    for each in (model, twin):
        x = X.clone().requires_grad_()
        each(x).square().sum().backward()
        found.append([t.grad for t in (x, *each.parameters())])
    assert by_kernel == [False]
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        model(X)
    assert by_kernel[-1]


@every_module
@pytest.mark.parametrize("where", ["last", "view", "empty", "half", "scalar"])
def test_tensors_of_other_kinds(name, where, by_kernel):
    module = MODULES[name]().eval()
    model, _, _ = accelerated(nn.Sequential(module, nn.Conv2d(4, 3, 3)).eval())
    twin = MODULES[name]().eval()
    twin.load_state_dict(model[0].state_dict())
    x = {
        "last": X.to(memory_format=torch.channels_last), "view": X[..., ::2], "empty": X[:0],
        "half": X.bfloat16(), "scalar": torch.tensor(0.5),
    }[where]  # fmt: skip
    by_kernel.clear()
    with torch.no_grad():
        try:
            expected = twin(x)
        except Exception as error:
            with pytest.raises(type(error)):
                model[0](x)
        else:
            torch.testing.assert_close(model[0](x), expected)
    assert by_kernel == [where == "scalar" and name not in ("group", "instance", "snake")]


CUTS = [
    X[..., 1:4], X[:, :, 1:], X[:1, :, 2:, 1:], X[..., :1], X[:, :3], X[:, ::2], X.transpose(0, 1), X.mT, X[..., ::2],
    X[:1].expand(2, 4, 6, 5), X[:, :1].expand(2, 4, 6, 5), X[:1, :, :, 1:], X.flatten(2)[..., 1:-1], X[0, 0][:, 1:],
]  # fmt: skip


@pytest.mark.parametrize("name", ["elu", "tanh", "snake"])
@pytest.mark.parametrize("at", range(len(CUTS)))
def test_cells_cut_off(name, at, by_kernel):
    x = CUTS[at]
    model, _, _ = accelerated(model_of(name))
    if name == "snake" and x.dim() > 2 and x.shape[1] != 4:
        model[0].alpha = nn.Parameter(torch.rand(1, x.shape[1], 1) + 0.5)
    twin = MODULES[name]().eval()
    twin.__dict__["_parameters"] = model[0]._parameters
    by_kernel.clear()
    with torch.no_grad():
        if name == "snake" and x.dim() < 3:
            return
        expected, found = twin(x), model[0](x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert found.stride() == expected.stride()
    if at in (1, 12):
        assert by_kernel == [True]


class Operators(TorchDispatchMode):
    heard = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.heard += 1
        return func(*args, **(kwargs or {}))


@every_module
def test_hooks_and_who_listens(name, by_kernel):
    model, twin, _ = accelerated(model_of(name))
    seen = []
    for each in (model, twin):
        each[0].register_forward_hook(lambda module, args, result: seen.append(result))
    by_kernel.clear()
    check(model, twin)
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-5)
    assert by_kernel == [True]
    with torch.no_grad(), Operators() as mode:
        model(X)
    assert mode.heard >= 2
    with torch.no_grad():
        torch.testing.assert_close(torch.vmap(model)(X[None]), twin(X)[None], rtol=1e-4, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model(X), twin(X), rtol=0.05, atol=0.05)
    assert by_kernel == [True, False, False, False]


@every_module
def test_changes_and_copies(name):
    model, twin, _ = accelerated(model_of(name))
    for each in (model, twin):
        for parameter in each.parameters():
            parameter.data.mul_(1.5)
        for attribute, value in (("alpha", 2.0), ("eps", 0.5)):
            if isinstance(getattr(each[0], attribute, None), float):
                setattr(each[0], attribute, value)
    check(model, twin)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(again[0]) is type(model[0])
        check(again, twin)
        assert kept(restore(again)) == []


def test_in_place_is_in_place(by_kernel):
    model = nn.Sequential(nn.ELU(inplace=True), nn.Conv2d(4, 3, 1)).eval()
    with torch.no_grad():
        _, report = accelerate(model, X.clone(), layers="all")
        assert report.modules == ()
        x = X.clone()
        model(x)
        torch.testing.assert_close(x, nn.functional.elu(X))


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.LeakyReLU(), nn.PReLU(), nn.GELU(), nn.InstanceNorm2d(4, track_running_stats=True)]
)
def test_what_is_left_alone(activation):
    _, _, report = accelerated(nn.Sequential(activation, nn.Conv2d(4, 3, 1)).eval())
    assert report.modules == ()


def test_transposed_convolutions_alone_leave_them_alone():
    model = nn.Sequential(nn.ELU(), nn.ConvTranspose2d(4, 3, 2)).eval()
    with torch.no_grad():
        _, report = accelerate(model, X, layers="transposed")
    assert report.modules == ()


def test_what_belongs_to_a_run_stays_in_it():
    model = nn.Sequential(Snake1d(4), nn.Conv2d(4, 4, 1), Snake1d(4), nn.Conv2d(4, 4, 1)).eval()
    model, twin, report = accelerated(model)
    assert [run.kinds for run in report.runs] == [("Conv2d", "Snake1d")]
    assert [module.name for module in report.modules] == ["0"]
    for _ in range(3):
        check(model, twin)


def test_a_module_in_many_calls():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.activation, self.conv = nn.ELU(), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            for _ in range(3):
                x = self.conv(self.activation(x)) + 1
            return x

    model, twin, report = accelerated(Loop().eval())
    assert [(module.name, len(module.shapes)) for module in report.modules] == [("activation", 3)]
    check(model, twin)


# ---- which modules are Snake


class OfTwo(Snake1d):
    def forward(self, x):
        return x + torch.sin(self.alpha * x).pow(2)


class Drawn(Snake1d):
    def forward(self, x):
        return super().forward(x) + 1e-3 * torch.randn_like(x)


class InPlaceSnake(Snake1d):
    def forward(self, x):
        return x.add_((self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2))


class SnakeOfSwitch(Snake1d):
    def __init__(self, channels):
        super().__init__(channels)
        self.logarithm = True

    def forward(self, x):
        alpha = self.alpha.exp() if self.logarithm else self.alpha
        return x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


class FailingSnake(Snake1d):
    def forward(self, x):
        raise RuntimeError("no")


class Adder(Snake1d):
    """Of another name."""


@pytest.mark.parametrize("kind", [OfTwo, Drawn, InPlaceSnake, SnakeOfSwitch, FailingSnake, Adder])
def test_what_is_no_snake(kind):
    kind.__name__ = kind.__name__ if kind is Adder else f"Snake{kind.__name__}"
    assert not snakes.is_snake(kind(4).eval())


@pytest.mark.parametrize("how", ["training", "shape", "more", "buffer", "double"])
def test_modules_that_are_no_snake(how):
    module = Snake1d(4).eval()
    assert snakes.is_snake(module)
    if how == "training":
        module.train()
    elif how == "shape":
        module.alpha = nn.Parameter(torch.ones(4))
    elif how == "more":
        module.eps = 1e-9
    elif how == "buffer":
        module.register_buffer("beta", torch.ones(1))
    else:
        module.double()
    assert not snakes.is_snake(module)


def test_marks_of_a_library_are_allowed():
    module = Snake1d(4).eval()
    module._is_initialized = True
    assert snakes.is_snake(module)


def test_nobody_hears_of_the_first_look():
    class SnakeHeard(Snake1d):
        pass

    with Operators() as mode, torch.no_grad():
        assert not snakes.is_snake(SnakeHeard(4).eval())
    assert mode.heard <= 2  # what makes the module
    assert snakes.is_snake(SnakeHeard(4).eval())


@pytest.mark.parametrize("alpha", [0.0, 1e-9, -3.0, 1e3])
def test_alphas(alpha):
    model = nn.Sequential(Snake1d(4), nn.Conv2d(4, 3, 1)).eval()
    nn.init.constant_(model[0].alpha, alpha)
    check(*accelerated(model)[:2])


# ---- the report


def test_the_report_has_a_row_for_each():
    _, _, report = accelerated(model_of("elu", nn.GroupNorm(3, 3), nn.Tanh()))
    text = str(report)
    assert "1 of 1 other module by a kernel: 2e+03 ms before, 1e+03 ms after" in text
    assert "module  class  shape" in text
    assert report.by_kernels == 1
    facts = report.as_dict()
    assert [module["kind"] for module in facts["modules"]] == ["ELU"]
    json.dumps(facts)


def test_a_model_without_layers():
    model, twin, report = accelerated(nn.Sequential(nn.Linear(5, 5), nn.Tanh()).eval())
    assert report.verdict == "no convolution was found in the model: other modules are by kernels"
    check(model, twin)


# ---- who takes models apart


@every_module
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traces_and_exports(name, by_kernel):
    torch.compiler.reset()  # what other tests have compiled counts towards its limit
    model, twin, _ = accelerated(model_of(name))
    with torch.no_grad():
        expected = twin(X)
        by_kernel.clear()
        torch.testing.assert_close(torch.jit.trace(model, X)(X), expected, rtol=1e-4, atol=1e-4)
        assert not by_kernel[0]
        exported = torch.export.export(model, (X,)).module()
        torch.testing.assert_close(exported(X), expected, rtol=1e-4, atol=1e-4)
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(X), expected, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        torch.testing.assert_close(model(X), expected, rtol=1e-4, atol=1e-4)
    assert by_kernel[-1]
    with pytest.raises(RuntimeError, match="restore"):
        torch.jit.script(model)
