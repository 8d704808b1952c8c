"""What an accelerated model still is: everything that it was before, with hooks, copies, tied weights and training."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
import numpy as np  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.utils import parametrizations, parametrize  # noqa: E402

from tconv.bench.contest import ORIGINAL  # noqa: E402
from tconv.torch import accelerate, accelerated, both_ways, closing, restore  # noqa: E402
from tconv.torch import nn as ours  # noqa: E402


@pytest.fixture(autouse=True)
def all_win(monkeypatch):
    """Every layer is twice as fast, and nothing is timed."""

    def in_turns(runs, first, effort, timer=None):
        return {ORIGINAL: [2.0] * effort.rounds, both_ways.OURS: [1.0] * effort.rounds}

    for who in (both_ways, closing):
        monkeypatch.setattr(who, "in_turns", in_turns)
    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 0.0)
    torch.manual_seed(0)


@pytest.fixture
def replaced(monkeypatch):
    """The calls of functions that a mode has replaced."""
    calls = []

    def counted(name, function):
        def call(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        return call

    for theirs, mine in list(accelerated.CALLS.items()):
        monkeypatch.setitem(accelerated.CALLS, theirs, counted(theirs.__name__, mine))
    return calls


def kept(model):
    return [name for name, module in model.named_modules() if accelerated.is_accelerated(module)]


def classes(model):
    return [type(module) for module in model.modules()]


class Functional(nn.Module):
    """A forward method that calls a function, beside modules that have nothing to do with it."""

    def __init__(self):
        super().__init__()
        self.before = nn.Linear(9, 9)
        self.w = nn.Parameter(torch.randn(4, 3, 4))

    def forward(self, x, scale: float = 1.0):
        if scale < 0:
            raise ValueError("scale")
        return scale * F.conv_transpose1d(self.before(x), self.w, stride=2, padding=1)


class Cropped(nn.ConvTranspose1d):
    """A layer with a forward method of its own."""

    def forward(self, x):
        return super().forward(x)[..., :-1]


class Everything(nn.Module):
    """All kinds at once."""

    def __init__(self):
        super().__init__()
        self.first = nn.ConvTranspose1d(4, 4, 2, 2)
        self.normed = parametrizations.weight_norm(nn.ConvTranspose1d(4, 4, 3))
        self.functional = Functional()
        self.cropped = Cropped(3, 4, 3)
        self.again = nn.ConvTranspose1d(4, 4, 2, 2)
        self.again.weight = self.first.weight  # tied

    def forward(self, x):
        x = self.again(self.normed(self.first(x)))
        return self.cropped(self.functional(F.adaptive_avg_pool1d(x, 9)))


NAMES = ["first", "normed", "functional", "cropped", "again"]


def everything():
    return Everything().eval(), torch.randn(2, 4, 5)


def test_all_kinds_and_back():
    model, x = everything()
    expected, before, state, said = model(x), classes(model), model.state_dict(), repr(model)
    objects = {name: id(module) for name, module in model.named_modules()}
    model, report = accelerate(model, x)
    assert kept(model) == NAMES == [layer.name for layer in report.layers]
    torch.testing.assert_close(model(x), expected)
    assert {name: id(module) for name, module in model.named_modules()} == objects
    assert repr(model) == said
    assert model.state_dict().keys() == state.keys()
    assert all(value.data_ptr() == state[name].data_ptr() for name, value in model.state_dict().items())
    assert isinstance(model.first, ours.ConvTranspose1d)
    assert isinstance(model.normed, nn.ConvTranspose1d)
    assert isinstance(model.cropped, Cropped)
    assert type(model.functional).__name__ == "Functional"
    attributes = {name: set(vars(module)) for name, module in Everything().named_modules()}
    assert restore(model) is model
    assert classes(model) == before
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    torch.testing.assert_close(model(x), expected, rtol=0, atol=0)


def test_a_second_time():
    model, x = everything()
    before = classes(model)
    accelerate(model, x)
    after = classes(model)
    _, report = accelerate(model, x)
    assert kept(model) == NAMES == [layer.name for layer in report.layers]
    assert [kind.__mro__[1:] for kind in classes(model)] == [kind.__mro__[1:] for kind in after]
    assert classes(restore(restore(model))) == before
    assert kept(accelerate(model, x)[0]) == NAMES


def test_copies_are_accelerated_and_can_be_restored():
    model, x = everything()
    before = classes(model)
    accelerate(model, x)
    with torch.no_grad():
        copied = copy.deepcopy(model)
        torch.testing.assert_close(copied(x), model(x))
    assert kept(copied) == NAMES
    copied.first.weight.data.zero_()
    assert model.first.weight.abs().sum() > 0
    assert copied.first.weight is copied.again.weight
    assert classes(restore(copied)) == before
    assert kept(model) == NAMES


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.functional, self.cropped = nn.ConvTranspose1d(4, 4, 2), Functional(), Cropped(3, 4, 3)

    def forward(self, x):
        return self.cropped(self.functional(self.up(x)))


def test_pickles_are_accelerated_and_can_be_restored(tmp_path):
    model, x = Plain(), torch.randn(1, 4, 8)
    before = classes(model)
    accelerate(model, x)
    torch.save(model, tmp_path / "model.pt")
    for loaded in (
        pickle.loads(pickle.dumps(model)),
        copy.copy(model),
        torch.load(tmp_path / "model.pt", weights_only=False),
    ):
        torch.testing.assert_close(loaded(x), model(x))
        assert kept(loaded) == ["up", "functional", "cropped"]
        assert classes(loaded) == classes(model)
    assert classes(restore(pickle.loads(pickle.dumps(model)))) == before
    fresh = Plain()
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))
    model.load_state_dict(Plain().state_dict())
    assert kept(model) == ["up", "functional", "cropped"]


def test_signatures_stay():
    model, _ = accelerate(Functional(), torch.randn(1, 4, 9))
    assert list(inspect.signature(model.forward).parameters) == ["x", "scale"]
    assert type(model).forward.__doc__ == Functional.forward.__doc__
    assert inspect.getmodule(type(model)) is inspect.getmodule(Functional)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_weight_norm_as_hooks():
    model = nn.Sequential(torch.nn.utils.weight_norm(nn.ConvTranspose1d(4, 3, 4, 2)))
    x = torch.randn(1, 4, 6)
    expected = model(x)
    model, report = accelerate(model.train(), x)
    assert kept(model) == ["0"]
    assert report.trains
    torch.testing.assert_close(model(x), expected)
    model[0].weight_g.data.mul_(2)
    torch.testing.assert_close(model(x), 2 * expected - model[0].bias[:, None])
    torch.nn.utils.remove_weight_norm(model[0])
    torch.testing.assert_close(model(x), 2 * expected - model[0].bias[:, None])
    assert type(restore(model)[0]) is nn.ConvTranspose1d


class Doubled(nn.Module):
    def forward(self, w):
        return 2 * w


def test_parametrizations_come_and_go():
    model, x = nn.Sequential(nn.ConvTranspose1d(4, 3, 4, 2, bias=False)), torch.randn(1, 4, 6)
    expected = model(x)
    parametrize.register_parametrization(model[0], "weight", Doubled())
    before = type(model[0])
    accelerate(model, x)
    assert parametrize.type_before_parametrizations(model[0]) is accelerated.ConvTranspose1d
    torch.testing.assert_close(model(x), 2 * expected)
    assert type(restore(model)[0]) is before
    accelerate(model, x)
    parametrize.remove_parametrizations(model[0], "weight", leave_parametrized=False)
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    parametrize.register_parametrization(model[0], "weight", Doubled())  # on what is accelerated
    torch.testing.assert_close(model(x), 2 * expected)
    restore(model)
    assert parametrize.type_before_parametrizations(model[0]) is nn.ConvTranspose1d
    torch.testing.assert_close(model(x), 2 * expected)
    parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is nn.ConvTranspose1d


def test_parametrizations_added_in_between_stay():
    model, x = nn.Sequential(parametrizations.weight_norm(nn.ConvTranspose1d(4, 3, 4, 2))), torch.randn(1, 4, 6)
    accelerate(model, x)
    parametrize.register_parametrization(model[0], "bias", Doubled())
    expected = model(x)
    restore(model)
    assert parametrize.is_parametrized(model[0], "bias")
    torch.testing.assert_close(model(x), expected)


def test_parametrized_layers_with_a_forward_of_their_own():
    model, x = nn.Sequential(parametrizations.weight_norm(Cropped(4, 3, 4, 2))), torch.randn(1, 4, 6)
    expected, before = model(x), type(model[0])
    accelerate(model, x)
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    assert type(restore(model)[0]) is before
    accelerate(model, x)
    parametrize.remove_parametrizations(model[0], "weight")
    assert kept(model) == ["0"]
    torch.testing.assert_close(model(x), expected)
    assert type(restore(model)[0]) is Cropped


def test_hooks_stay(replaced):
    model, x = everything()
    seen = []
    model.first.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    model.functional.register_forward_hook(lambda module, args, result: seen.append(type(module)) or result * 3)
    expected = model(x)
    accelerate(model, x)
    seen.clear()
    torch.testing.assert_close(model(x), expected)
    assert len(seen) == 1
    assert all(len(module._forward_hooks) + len(module._forward_pre_hooks) <= 1 for module in model.modules())
    model.train().first.register_full_backward_hook(lambda module, dx, dy: seen.append(dy[0].shape))
    model(x.requires_grad_()).sum().backward()
    assert seen[-1] == (2, 4, 10)


def test_calls_of_functions_are_replaced_where_they_were_found(replaced):
    model, x = nn.Sequential(nn.Linear(9, 9), Functional()), torch.randn(1, 4, 9)
    accelerate(model, x)
    assert kept(model) == ["1"]
    replaced.clear()
    model(x)
    assert replaced == ["conv_transpose1d"]
    F.conv_transpose1d(x, model[1].w)
    model[0](x)
    assert len(replaced) == 1
    restore(model)(x)
    assert len(replaced) == 1


def test_no_mode_is_left_after_an_error(replaced):
    model, x = accelerate(Functional(), torch.randn(1, 4, 9))[0], torch.randn(1, 4, 9)
    before = torch._C._len_torch_function_stack()
    with pytest.raises(ValueError, match="scale"):
        model(x, scale=-1)
    assert torch._C._len_torch_function_stack() == before
    replaced.clear()
    F.conv_transpose1d(x, model.w)
    assert not replaced


def test_modules_inside_of_each_other_and_of_themselves(replaced):
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Functional()
            self.w = nn.Parameter(torch.randn(3, 4, 1))

        def forward(self, x, times=2):
            if times == 0:
                return x
            return self(F.conv_transpose1d(self.inner(x), self.w)[..., :9], times - 1)

    model, x = Nested(), torch.randn(1, 4, 9)
    expected = model(x)
    accelerate(model, x)
    assert kept(model) == ["", "inner"]
    replaced.clear()
    torch.testing.assert_close(model(x), expected)
    assert len(replaced) == 4


def test_threads_do_not_see_each_others_modes(replaced):
    inside, done = threading.Event(), threading.Event()

    class Waits(Functional):
        waiting = False

        def forward(self, x):
            if self.waiting:
                inside.set()
                assert done.wait(20)
            return super().forward(x)

    x = torch.randn(1, 4, 9)
    model, _ = accelerate(Waits(), x)
    assert kept(model) == [""]
    replaced.clear()
    Waits.waiting = True
    thread = threading.Thread(target=model, args=(x,))
    thread.start()
    assert inside.wait(20)
    F.conv_transpose1d(x, model.w)
    assert not replaced
    done.set()
    thread.join()
    assert replaced == ["conv_transpose1d"]


def test_training_takes_the_same_steps():
    def trained(model):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        losses = []
        for step in range(4):
            x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(step))
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    model = Everything().train()
    other = copy.deepcopy(model)
    accelerate(model, torch.randn(2, 4, 5))
    assert kept(model) == NAMES
    assert all(parameter.grad is None for parameter in model.parameters())
    assert trained(model) == pytest.approx(trained(other), rel=1e-5)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


class Restless(nn.Module):
    """Whatever a forward method may change, and all kinds of chance."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.spectral = parametrizations.spectral_norm(nn.ConvTranspose1d(4, 4, 2))
        self.up = nn.ConvTranspose1d(4, 4, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("largest", torch.full((), torch.nan))
        self.steps = 0

    def forward(self, x):
        self.steps += 1
        self.seen = self.seen + 1
        self.largest.copy_(x.max())
        self.cache = x
        if not hasattr(self, "grown"):
            self.grown = nn.Linear(2, 2)
            self.norm.register_forward_hook(lambda module, args, result: result + 1)
        noise = float(np.random.default_rng(0).random() + np.random.rand()) + torch.rand(())  # noqa: NPY002
        return F.dropout(self.up(self.spectral(self.norm(x))), training=self.training) * noise


@pytest.mark.parametrize("raises", [False, True])
def test_nothing_of_the_example_stays(raises):
    model, x = Restless().train(), torch.randn(3, 4, 5)
    if raises:
        model.up.register_forward_hook(lambda *args: 1 / 0)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    versions = [parameter._version for parameter in model.parameters()]
    buffer, names = model.seen, set(vars(model))
    chance = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        accelerate(model, x)
    except ZeroDivisionError:
        assert raises
    assert kept(model) == ([] if raises else ["spectral", "up"])
    assert (model.steps, set(vars(model)), model.seen is buffer) == (0, names, True)
    assert not model.norm._forward_hooks
    assert model.state_dict().keys() == state.keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0, equal_nan=True)
    assert [parameter._version for parameter in model.parameters()] == versions
    assert torch.equal(torch.get_rng_state(), chance[0])
    assert np.array_equal(np.random.get_state()[1], chance[1])  # noqa: NPY002
    assert all(parameter.grad is None for parameter in model.parameters())


def test_graphs_from_before_can_still_be_differentiated():
    model, x = nn.Sequential(nn.ConvTranspose1d(4, 4, 2), nn.BatchNorm1d(4)).train(), torch.randn(3, 4, 5)
    loss = model(x).square().sum()
    accelerate(model, x)
    loss.backward()


def test_what_is_measured_leaves_the_rest_of_the_model_its_result():
    class Checks(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose1d(4, 4, 2)
            self.results = []

        def forward(self, x):
            self.results.append(self.up(x))
            return self.results[-1]

    model, x = Checks().train(), torch.randn(3, 4, 5)
    accelerate(model, x)
    torch.testing.assert_close(model.results[0], model(x))
    assert model.results[0].requires_grad


@pytest.mark.parametrize("under", ["inference_mode", "autocast", "channels_last", "double"])
def test_under_other_conditions(under):
    model, x = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1)).eval(), torch.randn(1, 8, 5, 6)
    model, x = (model.double(), x.double()) if under == "double" else (model, x)
    model, x = (t.to(memory_format=torch.channels_last) for t in (model, x)) if under == "channels_last" else (model, x)
    context = {"inference_mode": torch.inference_mode, "autocast": lambda: torch.autocast("cpu")}.get(
        under, torch.no_grad
    )
    with context():
        expected = model(x)
        _, report = accelerate(model, x)
        result = model(x)
    assert kept(model) == ["0"], report
    assert (result.dtype, result.stride()) == (expected.dtype, expected.stride())
    torch.testing.assert_close(result, expected)


def test_wrappers_are_seen_through():
    x = torch.randn(1, 4, 5)
    for wrap in (nn.DataParallel, lambda model: torch.compile(model, backend="eager")):
        model = nn.Sequential(nn.ConvTranspose1d(4, 4, 2)).eval()
        wrapped = wrap(model)
        expected = wrapped(x)
        same, report = accelerate(wrapped, x)
        assert same is wrapped
        assert kept(model) == ["0"]
        assert report.layers[0].name == "0"
        torch.testing.assert_close(wrapped(x), expected)
        restore(wrapped)
        assert kept(model) == []
        torch.testing.assert_close(wrapped(x), expected)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch was built without torch.distributed")
def test_distributed_models_are_accelerated_inside_and_go_on_training():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model, x = nn.parallel.DistributedDataParallel(Plain()), torch.randn(2, 4, 8)
        accelerate(model, x)
        assert kept(model) == ["module.up", "module.functional", "module.cropped"]
        plain = restore(copy.deepcopy(model.module))
        for each in (model, plain):
            each(x).square().sum().backward()
        for a, b in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.ConvTranspose1d(4, 3, 4, 2)), Functional, Plain])
def test_accelerated_models_can_be_compiled_and_exported(make):
    model, x = make().eval(), torch.randn(2, 4, 9 if make is not Plain else 8)
    expected = model(x)
    accelerate(model, x)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), expected)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
