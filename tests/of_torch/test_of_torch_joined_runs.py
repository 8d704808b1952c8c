"""Convolutions computed in one call with the normalization and the activation behind them: equal, or not at all."""

from __future__ import annotations

import copy
import io
import itertools
import pickle

import pytest
import torch
from accelerated_models import kept
from registry import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

import tconv.torch
from tconv.measuring.contest import ORIGINAL, Contest
from tconv.torch import accelerate, both_ways, closing, restore
from tconv.torch.fusing import call, measuring, runs, sequences

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

CONVOLUTIONS = {
    "conv1d": lambda: nn.Conv1d(4, 6, 3, 2, padding=1),
    "conv1d, same": lambda: nn.Conv1d(4, 6, 4, padding="same"),
    "conv2d": lambda: nn.Conv2d(4, 6, (3, 1), (1, 2), groups=2, bias=False),
    "conv2d, depthwise": lambda: nn.Conv2d(4, 4, 3, dilation=2, padding=2, groups=4),
    "conv3d": lambda: nn.Conv3d(4, 1, 2),
    "conv_transpose1d": lambda: nn.ConvTranspose1d(4, 6, 2, 3, output_padding=2),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(4, 6, 4, 2, 1, bias=False),
    "conv_transpose2d, groups": lambda: nn.ConvTranspose2d(4, 6, 3, dilation=2, groups=2),
    "conv_transpose3d": lambda: nn.ConvTranspose3d(4, 3, 2, 2),
}
#: Beside none, which is not a module.
ACTIVATIONS = {
    nn.ReLU: lambda channels: nn.ReLU(inplace=True),
    nn.LeakyReLU: lambda channels: nn.LeakyReLU(0.2, inplace=True),
    nn.PReLU: lambda channels: nn.PReLU(channels),
    nn.ELU: lambda channels: nn.ELU(0.5),
    nn.SiLU: lambda channels: nn.SiLU(),
    nn.GELU: lambda channels: nn.GELU("tanh"),
    nn.Tanh: lambda channels: nn.Tanh(),
    nn.Sigmoid: lambda channels: nn.Sigmoid(),
}
FOLLOWERS = [(norm, kind) for norm in (False, True) for kind in (None, *ACTIVATIONS) if norm or kind]


@pytest.fixture
def fused(monkeypatch):
    """For each run that came by, whether it was computed in one call."""
    found = []

    def computed(*given):
        result = call.computed(*given)
        found.append(result is not None)
        return result

    monkeypatch.setattr(sequences, "computed", computed)
    return found


def norm_of(ndim, channels, affine=True):
    norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[ndim](channels, affine=affine)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm


def sequence(conv, norm, activation, affine=True):
    ndim, channels = len(conv.kernel_size), conv.out_channels
    modules = [conv, *([norm_of(ndim, channels, affine)] if norm else [])]
    return nn.Sequential(*modules, *([ACTIVATIONS[activation](channels)] if activation else [])).eval()


def decoder():
    """Two runs, and a convolution with nothing behind it."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1, bias=False), norm_of(2, 5), nn.PReLU(5),
        nn.ConvTranspose2d(5, 4, 4, 2, 1), norm_of(2, 4), nn.LeakyReLU(0.1),
        nn.Conv2d(4, 2, 1),
    ).eval()  # fmt: skip


X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def accelerated(model=None, x=X):
    """A model with its runs in one call, and as it was."""
    model = decoder() if model is None else model
    twin = copy.deepcopy(model)
    with torch.no_grad():
        accelerate(model, x, layers="all")
    return model, twin


def check(model, twin, x=X, times=3):
    """The same results, of the first call, of that which packs, and of one that finds all packed."""
    with torch.no_grad():
        expected = twin(x)
        for _ in range(times):
            torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


# ---- that it is equal


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_all_kinds(name, fused):
    for number, ((norm, activation), dtype) in enumerate(itertools.product(FOLLOWERS, (torch.float32, torch.float64))):
        model = sequence(CONVOLUTIONS[name](), norm, activation, affine=number % 3 > 0).to(dtype)
        sizes = (7, 1, 6)[-len(model[0].kernel_size) :] if number % 2 else (5, 6, 9)[: len(model[0].kernel_size)]
        if "conv2d" in name or "3d" in name:
            sizes = (5, 6, 9)[: len(sizes)]
        x = torch.randn(number % 4 // 2 + 1, 4, *sizes, dtype=dtype)
        expected = copy.deepcopy(model).double()(x.double())
        model, twin = accelerated(model, x)
        assert kept(model)[0] == ""
        fused.clear()
        with torch.no_grad():
            results = [model(x) for _ in range(3)]
        assert fused == [False, True, True], (norm, activation)
        tolerance = 1e-5 if dtype is torch.float32 else 1e-12
        for result in results:
            torch.testing.assert_close(result.double(), expected, rtol=tolerance, atol=tolerance)
            assert result.dtype is dtype
            assert result.stride() == twin(x).stride()


def test_registries_are_complete():
    assert set(ACTIVATIONS) == set(runs.ACTIVATIONS)
    assert {type(make()) for make in CONVOLUTIONS.values()} <= set(runs.CONVOLUTIONS)
    assert len(runs.CONVOLUTIONS) == 18


@pytest.mark.parametrize("where", ["x", "w", "view"])
def test_layouts(where, fused):
    model, twin = accelerated()
    x = X.to(memory_format=torch.channels_last) if where == "x" else X.flip(-1)[..., ::2] if where == "view" else X
    if where == "w":
        for each in (model, twin):
            each.to(memory_format=torch.channels_last)
    check(model, twin, x)
    assert fused[-2:] == [True, True]
    with torch.no_grad():
        assert model(x).stride() == twin(x).stride()


def test_one_slope_for_all_channels(fused):
    model, twin = accelerated(nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU()).eval())
    check(model, twin)
    assert fused[-1]


# ---- that changes are noticed


@pytest.mark.parametrize(
    "name", ["0.weight", "1.running_mean", "1.running_var", "1.weight", "1.bias", "2.weight", "3.bias"]
)
def test_changes_of_every_tensor_are_noticed(name, fused):
    model, twin = accelerated()
    check(model, twin)
    for change in (lambda t: t.data.mul_(1.5), lambda t: t.detach().numpy().__imul__(2)):
        for each in (model, twin):
            change(each.state_dict(keep_vars=True)[name])
        check(model, twin)
    assert fused[-2:] == [True, True]


@pytest.mark.parametrize(("at", "name", "value"), [(1, "eps", 0.5), (5, "negative_slope", 0.7), (3, "padding", (0, 1))])
def test_so_are_those_of_attributes(at, name, value, fused):
    model, twin = accelerated()
    check(model, twin)
    for each in (model, twin):
        setattr(each[at], name, value)
    check(model, twin)
    assert fused[-2:] == [True, True]


def test_other_weights_are_loaded():
    model, twin = accelerated()
    check(model, twin)
    state = decoder().state_dict()
    for each in (model, twin):
        each.load_state_dict(state)
    check(model, twin)
    assert model.state_dict().keys() == twin.state_dict().keys()


def test_modules_may_be_replaced_removed_and_put_between(fused):
    model, twin = accelerated()
    check(model, twin)
    middle = norm_of(2, 4)
    for each in (model, twin):
        each[1] = nn.Softplus()
        each[5] = nn.ReLU()
    fused.clear()
    check(model, twin)
    assert fused == [True] * 3  # of one run, with what was packed before
    for each in (model, twin):
        each.insert(4, nn.Dropout().eval())
    check(model, twin)
    for each in (model, twin):
        del each[4]
        each[4] = middle
    check(model, twin)
    assert fused[-1]
    check(model[3:], twin[3:], torch.randn(1, 5, 3, 4))


# ---- that nothing is computed in one call where somebody could tell


def test_training_takes_the_same_steps(fused):
    model, twin = accelerated()
    check(model, twin)
    fused.clear()
    for each in (model, twin):
        each.train()
        optimizer = torch.optim.SGD(each.parameters(), 0.01)
        for _ in range(2):
            optimizer.zero_grad()
            each(X).square().mean().backward()
            optimizer.step()
        each.eval()
    assert not any(fused)
    for found, expected in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    check(model, twin)
    assert fused[-1]


def test_statistics_are_gathered_in_training_mode_without_gradients():
    model, twin = accelerated()
    for each in (model, twin):
        each[1].train()
    check(model, twin)
    assert model[1].num_batches_tracked == 3
    assert twin[1].num_batches_tracked == 1


@pytest.mark.parametrize("of", ["x", "parameters"])
def test_gradients_in_evaluation(of, fused):
    model, twin = accelerated()
    found = []
    for each in (model, twin):
        each.requires_grad_(of == "parameters")
        x = X.clone().requires_grad_(of == "x")
        each(x).square().sum().backward()
        found.append([t.grad for t in (x, *each.parameters()) if t.grad is not None])
    assert not any(fused[-2:])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook"])
def test_hooks_see_what_is_between(at, kind, fused):
    model, twin = accelerated()
    check(model, twin)
    seen = {id(model): [], id(twin): []}
    for each in (model, twin):
        getattr(each[at], f"register_{kind}")(lambda module, *given, each=each: seen[id(each)].append(given))
    check(model, twin, times=1)
    torch.testing.assert_close(*seen.values(), rtol=1e-4, atol=1e-5)
    assert len(seen[id(model)]) == 1
    assert fused[-1] or at > 3  # the other run is computed in one call, as is one without the activation


def test_hooks_of_all_modules(fused):
    model, twin = accelerated()
    check(model, twin)
    seen, number = [], len(fused)
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, result: seen.append(type(module)))
    try:
        check(model, twin, times=1)
    finally:
        handle.remove()
    assert len(fused) == number
    assert seen.count(nn.PReLU) == 2


def test_parametrized_layers_compute_one_by_one(fused):
    model, twin = accelerated()
    for each in (model, twin):
        torch.manual_seed(0)
        parametrizations.weight_norm(each[0])
    check(model, twin)
    assert len(fused) > 0
    assert kept(restore(model)) == []


class Functions(torch.overrides.TorchFunctionMode):
    heard = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.heard += 1
        return func(*args, **(kwargs or {}))


class Operators(TorchDispatchMode):
    heard = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.heard += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("listener", [Functions, Operators])
def test_who_listens_hears_all_operations(listener, fused):
    model, twin = accelerated()
    check(model, twin)
    fused.clear()
    with torch.no_grad(), listener() as mode:
        model(X)
    assert mode.heard >= 7
    assert fused == [False, False]


def test_autocast_is_left_to_the_modules(fused):
    model, twin = accelerated()
    check(model, twin)
    fused.clear()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result, expected = model(X), twin(X)
    torch.testing.assert_close(result, expected, rtol=0.05, atol=0.05)
    assert fused == [False, False]


def test_transforms_and_traces(fused):
    model, twin = accelerated()
    check(model, twin)
    with torch.no_grad():
        torch.testing.assert_close(torch.vmap(model)(X[None]), twin(X)[None])
        _, tangent = torch.func.jvp(model, (X,), (X,))
        torch.testing.assert_close(tangent, torch.func.jvp(twin, (X,), (X,))[1])
    assert fused[-2:] == [False, False]


def test_what_does_not_fit_is_said_by_the_layers():
    model, twin = accelerated()
    for x in (torch.ones(2, 4, 6, 5), torch.ones(6, 5), torch.ones(2, 3, 6, 5, dtype=torch.float64), "x"):
        errors = []
        for each in (model, twin):
            with torch.no_grad(), pytest.raises((RuntimeError, TypeError, ValueError, AttributeError)) as caught:
                each(x)
            errors.append(caught.type)
        assert issubclass(errors[0], errors[1]) or issubclass(errors[1], errors[0])


@pytest.mark.parametrize("other", [nn.BatchNorm2d(7), nn.BatchNorm1d(5), nn.BatchNorm2d(5).double(), nn.PReLU(3)])
def test_followers_that_do_not_fit_fail_as_before(other):
    model, _ = accelerated(nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5)).eval())
    model[1] = other.eval()
    with torch.no_grad(), pytest.raises((RuntimeError, ValueError)):
        model(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [("bias", torch.ones(2)), ("bias", torch.ones(5).double()), ("weight", torch.ones(5, 3, 1)), ("weight", None)],
)
def test_a_convolution_that_no_longer_fits_fails_as_before(name, value):
    model, twin = accelerated(nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU()).eval())
    check(model, twin)
    setattr(model[0], name, None if value is None else nn.Parameter(value))
    with torch.no_grad(), pytest.raises((RuntimeError, TypeError, ValueError)):
        model(X)


@pytest.mark.parametrize(
    "x", [X[:0], X[0], X[:1].expand(3, 3, 6, 5), torch.full_like(X, torch.nan), torch.full_like(X, torch.inf)]
)
def test_edges(x):
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(5, 2, 2, 2), nn.SiLU()).eval()
    model, twin = accelerated(model)
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(model(x), twin(x), equal_nan=True)


@pytest.mark.parametrize(("name", "value"), [("0.weight", torch.nan), ("1.running_var", -1.0), ("1.weight", torch.inf)])
def test_weights_that_are_no_numbers(name, value, fused):
    model, twin = accelerated()
    for each in (model, twin):
        each.state_dict()[name].view(-1)[0] = value
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(model(X), twin(X), equal_nan=True, rtol=1e-4, atol=1e-5)
    assert fused[-2:] == [False, True]


# ---- what it still is


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def pickled(protocol):
    return lambda model: pickle.loads(pickle.dumps(model, protocol))


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, pickled(0), pickled(5), saved])
def test_copies(copied, fused):
    model, twin = accelerated()
    check(model, twin)
    again = copied(model)
    assert type(again) is type(model)
    assert kept(again) == kept(model)
    check(again, twin)
    assert fused[-2:] == [True, True]
    assert kept(restore(again)) == []
    assert type(again) is nn.Sequential


def test_restored():
    model, twin = accelerated()
    assert kept(model) == ["", "0", "3", "6"]
    assert isinstance(model, nn.Sequential)
    assert repr(model) == repr(twin)
    check(model, twin)
    restore(model)
    assert [type(module) for module in model.modules()] == [type(module) for module in twin.modules()]
    assert [set(vars(module)) for module in model.modules()] == [set(vars(module)) for module in twin.modules()]
    with torch.no_grad():
        assert model(X).equal(twin(X))
    accelerate(model, X)
    accelerate(model, X)
    assert kept(model) == ["0", "3", "6"]  # gradients are recorded: no runs


def test_compiled(fused):
    model, twin = accelerated()
    check(model, twin)
    number = len(fused)
    check(torch.compile(model, backend="eager", fullgraph=True), twin, times=2)
    assert len(fused) == number
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(model, (X,)).module()(X), twin(X), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_scripts_want_it_restored():
    model, _ = accelerated()
    with pytest.raises(RuntimeError, match=r"call tconv\.torch\.restore"):
        torch.jit.script(model)


def test_streamed():
    model = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.ConvTranspose1d(4, 2, 2, 2), nn.Tanh()).eval()
    x = torch.randn(1, 3, 12)
    model, twin = accelerated(model, x)
    with torch.no_grad():
        stream = tconv.torch.stream(model)
        pieces = [stream.push(x[..., :5]), stream.flush(x[..., 5:])]
        torch.testing.assert_close(torch.cat(pieces, -1), twin(x))


class Block(nn.Sequential):
    """As torchvision's: a class of its own, and the forward method of a sequence."""

    def __init__(self, channels, out):
        super().__init__(nn.Conv2d(channels, out, 3, padding=1, bias=False), norm_of(2, out), nn.ReLU())
        self.out = out


class Own(Block):
    """A sequence that does something else."""

    def forward(self, x):
        return super().forward(x) + 1


def test_subclasses_of_sequences(fused):
    model, twin = accelerated(nn.Sequential(Block(3, 4), Own(4, 4)).eval())
    check(model, twin)
    assert fused[-1]
    assert kept(model) == ["0", "0.0", "1.0"]
    assert isinstance(model[0], Block)
    assert pickle.loads(pickle.dumps(model))[0].out == 4


# ---- what is measured, and what is said of it


def report_of(model, x=X, **options):
    with torch.no_grad():
        return accelerate(model, x, **{"layers": "all", **options})[1]


def test_the_report():
    report = report_of(decoder())
    assert [run.members for run in report.runs] == [("0", "1", "2"), ("3", "4", "5")]
    assert [run.kinds[0] for run in report.runs] == ["Conv2d", "ConvTranspose2d"]
    assert (report.fused, report.changed) == (2, 3)
    assert report.as_dict()["runs"][1]["sequence"] == ""
    lines = str(report).splitlines()
    assert lines[1] == "2 of 2 runs in one call each: 4e+03 ms before, 2e+03 ms after"
    assert lines[-3:] == [
        "run  modules                                  before ms  after ms  outcome",
        "0    Conv2d, BatchNorm2d, PReLU                   2e+03     1e+03  2.00 times as fast",
        "3    ConvTranspose2d, BatchNorm2d, LeakyReLU      2e+03     1e+03  2.00 times as fast",
    ]
    assert report_of(decoder(), layers="transposed").fused == 1


def test_runs_that_lose_are_left_alone(monkeypatch):
    decided = both_ways.decided
    slower = Contest({ORIGINAL: [1.0] * 9, both_ways.OURS: [2.0] * 9})
    monkeypatch.setattr(measuring.both_ways, "decided", lambda runs, effort: decided(runs, effort) and slower)
    model = decoder()
    report = report_of(model)
    assert (report.fused, report.runs[0].outcome) == (0, "left alone")
    assert all(type(module) is kind for module, kind in zip(model, map(type, decoder()), strict=True))
    assert "0 of 2 runs in one call each: 2e+03 ms before, 2e+03 ms after" in str(report)


def test_wrong_results_lose(monkeypatch):
    monkeypatch.setattr(
        sequences, "computed", lambda *given: None if (y := call.computed(*given)) is None else y * 1.001
    )
    model = decoder()
    report = report_of(model)
    assert [run.kept for run in report.runs] == [False, False]
    assert "its result differs by" in report.runs[0].outcome
    assert kept(model) == ["0", "3", "6"]


def test_the_whole_model_is_compared_with_its_runs_in_one_call(monkeypatch):
    wrong = []

    def contest(forms, layers, effort, plain=closing._contest):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sequences, "computed", lambda *given: wrong.append(1) or torch.zeros(2, 4, 12, 10))
            return plain(forms, layers, effort)

    monkeypatch.setattr(closing, "_contest", contest)
    model = nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), nn.ReLU()).eval()
    report = report_of(model)
    assert wrong
    assert (report.fused, kept(model)) == (0, [])
    assert "its result differs by" in report.whole.failure


class Beside(nn.Module):
    """A sequence whose first module is called by somebody else, and one that stands in two."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
        self.third = nn.Sequential(self.second[0], nn.Tanh())

    def forward(self, x):
        return self.third(self.second(self.first[0](x)))


def test_modules_that_stand_in_two_places_are_left_alone():
    report = report_of(Beside().eval())
    assert report.runs == ()
    assert report.changed == 2


@pytest.mark.parametrize("model", [
    lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()),
    lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()),
    lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)),
    lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.LeakyReLU(float("inf"))),
    lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softplus(), nn.ReLU()),
    lambda: nn.Sequential(tconv.torch.nn.Conv2d(3, 4, 1), nn.ReLU()),
])  # fmt: skip
def test_what_is_no_run(model):
    assert report_of(model().eval()).runs == ()


def test_halves_are_left_to_the_modules():
    model = nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), nn.ReLU()).eval().bfloat16()
    assert report_of(model, X.bfloat16()).runs == ()
