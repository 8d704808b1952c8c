"""Normalizations and activations in front of convolutions, by a kernel of their own: equal, or as they were."""

from __future__ import annotations

import copy
import json
from functools import partial

import pytest
import torch
from accelerated_models import kept
from copies import pickled
from joined import Operators, Snake1d, accelerated, check, check_gradients
from registry import needs_kernels
from torch import nn

from tconv.torch import accelerate, restore

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
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
#: There is nothing that later calls would find packed.
once = partial(check, times=1, atol=1e-4)


def model_of(name, *more):
    model = nn.Sequential(MODULES[name](), nn.Conv2d(4, 3, 3), *more)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 2)
    return model


@every_module
def test_all_kinds(name, by_kernel):
    model, twin, report = accelerated(model_of(name), X)
    assert [(module.name, module.kind, module.kept) for module in report.modules] == [
        ("0", type(twin[0]).__name__, True)
    ]
    assert kept(model) == ["0", "1"]
    assert isinstance(model[0], type(twin[0]))
    assert repr(model) == repr(twin)
    by_kernel.clear()
    before = X.clone()
    once(model, twin, X)
    once(model, twin, torch.randn(1, 4, 9, 70))
    assert by_kernel == [True, True]
    assert torch.equal(X, before)
    restore(model)
    assert [type(module) for module in model] == [type(module) for module in twin]


@every_module
def test_float64(name, by_kernel):
    model, twin, report = accelerated(model_of(name).double(), X.double())
    once(model, twin, X.double())
    assert [module.name for module in report.modules] == (
        [] if name == "snake" else ["0"]
    )  # its 1e-9 has a digit there


@every_module
def test_gradients(name, by_kernel):
    model, twin, _ = accelerated(model_of(name), X)
    by_kernel.clear()
    check_gradients(model, twin, X)
    assert by_kernel == [False]
    with torch.no_grad():
        model(X)
    assert by_kernel[-1]


@every_module
@pytest.mark.parametrize("where", ["last", "view", "empty", "half", "scalar"])
def test_tensors_of_other_kinds(name, where, by_kernel):
    module = MODULES[name]().eval()
    model, _, _ = accelerated(nn.Sequential(module, nn.Conv2d(4, 3, 3)), X)
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
    model, _, _ = accelerated(model_of(name), X)
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


@pytest.mark.parametrize(
    "make", [*list(MODULES.values())[:5], lambda: nn.GroupNorm(1, 1), lambda: nn.InstanceNorm2d(1)]
)
def test_one_channel_is_contiguous_in_either_format(make, by_kernel):
    """Modules return now one, now the other, and what follows lies as they do."""
    x = X[:, :1].contiguous()
    model, twin, _ = accelerated(nn.Sequential(make(), nn.Conv2d(1, 3, 1)), x)
    by_kernel.clear()
    once(model, twin, x)
    once(model, twin, x.to(memory_format=torch.channels_last))
    assert by_kernel == [True, False]


@every_module
def test_hooks_and_who_listens(name, by_kernel):
    model, twin, _ = accelerated(model_of(name), X)
    seen = []
    for each in (model, twin):
        each[0].register_forward_hook(lambda module, args, result: seen.append(result))
    by_kernel.clear()
    once(model, twin, X)
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-5)
    assert by_kernel == [True]
    with torch.no_grad(), Operators() as mode:
        model(X)
    assert len(mode.heard) >= 2
    with torch.no_grad():
        torch.testing.assert_close(torch.vmap(model)(X[None]), twin(X)[None], rtol=1e-4, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model(X), twin(X), rtol=0.05, atol=0.05)
    assert by_kernel == [True, False, False, False]


@every_module
def test_changes_and_copies(name):
    model, twin, _ = accelerated(model_of(name), X)
    for each in (model, twin):
        for parameter in each.parameters():
            parameter.data.mul_(1.5)
        for attribute, value in (("alpha", 2.0), ("eps", 0.5)):
            if isinstance(getattr(each[0], attribute, None), float):
                setattr(each[0], attribute, value)
    once(model, twin, X)
    for again in (copy.deepcopy(model), pickled(model)):
        assert type(again[0]) is type(model[0])
        once(again, twin, X)
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
    _, _, report = accelerated(nn.Sequential(activation, nn.Conv2d(4, 3, 1)), X)
    assert report.modules == ()


def test_transposed_convolutions_alone_leave_them_alone():
    _, _, report = accelerated(nn.Sequential(nn.ELU(), nn.ConvTranspose2d(4, 3, 2)), X, layers="transposed")
    assert report.modules == ()


def test_what_belongs_to_a_run_stays_in_it():
    model = nn.Sequential(Snake1d(4), nn.Conv2d(4, 4, 1), Snake1d(4), nn.Conv2d(4, 4, 1))
    model, twin, report = accelerated(model, X)
    assert [run.kinds for run in report.runs] == [("Conv2d", "Snake1d")]
    assert [module.name for module in report.modules] == ["0"]
    check(model, twin, X, atol=1e-4)


def test_a_module_in_many_calls():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.activation, self.conv = nn.ELU(), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            for _ in range(3):
                x = self.conv(self.activation(x)) + 1
            return x

    model, twin, report = accelerated(Loop(), X)
    assert [(module.name, len(module.shapes)) for module in report.modules] == [("activation", 3)]
    once(model, twin, X)


def test_the_report_has_a_row_for_each():
    _, _, report = accelerated(model_of("elu", nn.GroupNorm(3, 3), nn.Tanh()), X)
    text = str(report)
    assert "1 of 1 other module by a kernel: 2e+03 ms before, 1e+03 ms after" in text
    assert "module  class  shape" in text
    assert report.by_kernels == 1
    facts = report.as_dict()
    assert [module["kind"] for module in facts["modules"]] == ["ELU"]
    json.dumps(facts)


def test_a_model_without_layers():
    model, twin, report = accelerated(nn.Sequential(nn.Linear(5, 5), nn.Tanh()), X)
    assert report.verdict == "no convolution was found in the model: other modules are by kernels"
    once(model, twin, X)


@every_module
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traces_and_exports(name, by_kernel):
    torch.compiler.reset()  # what other tests have compiled counts towards its limit
    model, twin, _ = accelerated(model_of(name), X)
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
