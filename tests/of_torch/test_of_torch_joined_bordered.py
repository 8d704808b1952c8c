"""Forward methods that pad one axis with copies, row by row: equal bit for bit, or as they were."""

from __future__ import annotations

import copy
import json
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from accelerated_models import kept
from copies import pickled
from joined import Functions, accelerated, check
from registry import needs_kernels
from torch import nn

from tconv.torch import accelerate, bordering, restore
from tconv.torch.fusing import bordered
from tconv.torch.plain import plain

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win", "rows")]

X = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def rows(recorded, monkeypatch):
    """For each border that was copied row by row, its ends; small tensors are, too."""
    monkeypatch.setattr(bordering, "FEW", 0)
    return recorded(bordering, "_by_rows", lambda result, x, ends, mode: ends)


class Codec(nn.Module):
    """As EnCodec has it: lengths in tensors, a static method, and a border of what may be too short."""

    def __init__(self, mode="reflect", stride=2):
        super().__init__()
        self.conv, self.mode = nn.Conv1d(4, 4, 5, stride), mode
        self.total = nn.Buffer(torch.tensor(5 - stride), persistent=False)

    @staticmethod
    def pad(x, cells, mode):
        missing = max(max(cells) - x.shape[-1] + 1, 0)
        x = F.pad(x, (0, missing)) if missing else x
        y = F.pad(x, cells, mode, 0.0)
        return y[..., : y.shape[-1] - missing]

    def forward(self, x):
        frames = torch.ceil(x.shape[-1] / torch.tensor(self.conv.stride[0])).to(torch.int64)
        extra = frames * self.conv.stride[0] - x.shape[-1]
        return self.conv(self.pad(x, (self.total - self.total // 2, self.total // 2 + extra), self.mode))


MODELS = {
    "reflect": Codec,
    "replicate": lambda: Codec("replicate"),
    "layer that reflects": lambda: nn.Sequential(nn.ReflectionPad1d((2, 1)), nn.Conv1d(4, 4, 3)),
    "layer that replicates": lambda: nn.Sequential(nn.ReplicationPad1d((0, 3)), nn.Conv1d(4, 4, 3)),
}
every_model = pytest.mark.parametrize("name", MODELS)
#: A border rounds nothing, so the tolerances are those that PyTorch has for what should be the same.
once = partial(check, times=1, rtol=None, atol=None)


def padder(model):
    return model if isinstance(model, Codec) else model[0]


@every_model
def test_all_of_them(name, rows):
    model, twin, report = accelerated(MODELS[name](), X)
    kind = type(padder(twin)).__name__
    assert [(found.kind, found.pads, found.kept) for found in report.modules] == [(kind, True, True)]
    assert len(kept(model)) == 2
    assert repr(model) == repr(twin)
    for x in (X, X[0], torch.randn(1, 4, 33), torch.randn(3, 4, 4)):
        rows.clear()
        once(model, twin, x)
        assert len(rows) == 1
    restore(model)
    assert [type(module) for module in model.modules()] == [type(module) for module in twin.modules()]


@every_model
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes(name, dtype, rows):
    model, twin, _ = accelerated(MODELS[name]().to(dtype), X.to(dtype))
    rows.clear()
    with torch.no_grad():
        torch.testing.assert_close(model(X.to(dtype)), twin(X.to(dtype)), rtol=1e-2, atol=1e-2)
    assert len(rows) == 1


@every_model
def test_copies_and_pickles(name, rows):
    model, twin, _ = accelerated(MODELS[name](), X)
    for made in (copy.deepcopy(model), pickled(model), copy.copy(model)):
        assert kept(made) == kept(model)
        rows.clear()
        once(made, twin, X)
        assert rows
        assert type(padder(restore(made))) is type(padder(twin))


@every_model
def test_derivatives_training_and_compilers(name, rows):
    model, twin, _ = accelerated(MODELS[name](), X)
    rows.clear()
    found = []
    for each in (model.train(), twin.train()):
        x = X.clone().requires_grad_()
        y = each(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *each.parameters()])])
    torch.testing.assert_close(*found)
    model.eval(), twin.eval()
    if not isinstance(model, Codec):  # whose sizes are in tensors, which no whole graph has
        with torch.no_grad():
            torch.testing.assert_close(torch.compile(model, backend="aot_eager", fullgraph=True)(X), twin(X))
    assert not rows


@every_model
def test_whoever_listens_hears_what_pytorch_does(name, rows):
    model, twin, _ = accelerated(MODELS[name](), X)
    rows.clear()
    with torch.no_grad():
        with Functions() as ours:
            y = model(X)
        with Functions() as theirs:
            torch.testing.assert_close(y, twin(X))
        assert [mode.heard.count(F.pad) for mode in (ours, theirs)] == [1, 1]
        torch.testing.assert_close(torch.func.vmap(model)(X[None])[0], y)
    assert not rows


@every_model
def test_hooks_see_what_is_there(name):
    model, twin, _ = accelerated(MODELS[name](), X)
    seen = []
    for each in (model, twin):
        conv = each.conv if isinstance(each, Codec) else each[1]
        conv.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    once(model, twin, X)
    assert len(seen) == 2
    assert seen[0].equal(seen[1])


def test_errors_are_pytorchs():
    model, twin, _ = accelerated(MODELS["layer that reflects"](), X)
    for x in (torch.ones(1, 4, 2), torch.ones(1, 4, 0), torch.ones(9)):
        with torch.no_grad():
            with pytest.raises(RuntimeError) as theirs:
                twin(x)
            with pytest.raises(RuntimeError) as ours:
                model(x)
        assert str(ours.value) == str(theirs.value)
    assert torch._C._len_torch_function_stack() == 0


def test_what_lies_in_another_way(rows):
    model, twin, _ = accelerated(MODELS["layer that reflects"](), X)
    rows.clear()
    once(model, twin, X.mT.contiguous().mT)
    once(model, twin, torch.randn(2, 4, 12)[..., :9])
    assert not rows


def test_convolutions_inside_are_as_quick():
    x = torch.ones(2)
    with bordering.PadsReplaced():
        assert plain(x, x, None)
        with Functions():
            assert not plain(x, x, None)


def test_what_is_left_alone():
    class Own(Codec):
        def __reduce__(self):
            return Own, ()

    assert not accelerated(Own(), X)[2].modules
    assert not accelerated(nn.Sequential(nn.ConstantPad1d(1, 0.0), nn.Conv1d(4, 4, 3)), X)[2].modules
    assert not accelerated(nn.Conv1d(4, 4, 3, padding=1, padding_mode="reflect"), X)[2].modules
    planes = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2, 4, 3))
    assert not accelerated(planes, torch.randn(2, 2, 4, 9))[2].modules
    model = Codec().eval()
    assert not accelerate(model, X)[1].modules  # derivatives are recorded
    with torch.no_grad():
        assert not accelerate(Codec().eval(), X, layers="transposed")[1].modules


def test_other_operations_take_longer(monkeypatch):
    """What the mode costs is weighed, but where there is none."""
    from tconv.torch import both_ways

    monkeypatch.setattr(both_ways, "seconds_an_operation", lambda: 1.0)
    assert [found.kept for found in accelerated(Codec(), X)[2].modules] == [False]
    assert [found.kept for found in accelerated(MODELS["layer that reflects"](), X)[2].modules] == [True]


def test_modules_within_each_other(rows):
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.border = nn.ModuleList([Codec(), Codec("replicate")]), nn.ReflectionPad1d(1)

        def forward(self, x):
            x = F.pad(x, (1, 0), "replicate")
            for part in self.inner:
                x = part(x)
            return self.border(x)

    model, twin, report = accelerated(Outer(), X)
    assert [found.name for found in report.modules] == ["", "inner.0", "inner.1", "border"]
    rows.clear()
    once(model, twin, X)
    assert len(rows) == 4


def test_the_report():
    report = accelerated(nn.Sequential(nn.ELU(), Codec()), X)[2]
    assert "1 of 1 other module by a kernel: 2e+03 ms before, 1e+03 ms after" in str(report)
    assert "1 of 1 module with a border row by row: 2e+03 ms before, 1e+03 ms after" in str(report)
    assert (report.by_kernels, report.by_rows) == (1, 1)
    assert [module["pads"] for module in report.as_dict()["modules"]] == [False, True]
    json.dumps(report.as_dict())
    alone = accelerated(nn.Sequential(nn.ReflectionPad1d(1)), X)[2]
    assert alone.verdict == "no convolution was found in the model: what pads does so row by row"


def test_traces_are_of_pytorchs(rows):
    model, twin, _ = accelerated(MODELS["layer that reflects"](), X)
    rows.clear()
    with torch.no_grad():
        assert "ReflectionPad1d" in str(torch.fx.symbolic_trace(model))
        for made in (torch.jit.trace(model, X, check_trace=False), torch.export.export(model, (X,)).module()):
            torch.testing.assert_close(made(X), twin(X))
    assert not rows


def test_training_is_not_slowed(monkeypatch):
    """Operations take as long as before where nothing may be computed row by row."""
    model, twin, _ = accelerated(Codec(), X)
    monkeypatch.setattr(bordered, "PadsReplaced", None)
    torch.testing.assert_close(model(X), twin(X))
    with Functions(), torch.no_grad():
        torch.testing.assert_close(model(X), twin(X))
    with torch.no_grad(), pytest.raises(TypeError):
        model(X)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # which Dynamo reads
def test_methods_that_end_graphs_stay_out_of_them(rows):
    """Lengths are in tensors, which are read for `F.pad`: so the method runs as it does without a graph."""
    torch.compiler.reset()
    model, twin, report = accelerated(nn.Sequential(nn.ELU(), Codec(), nn.SiLU(), Codec("replicate")), X)
    assert [found.apart for found in report.modules if found.pads] == [True, True]
    graphs = []

    def backend(graph, examples):
        graphs.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        return graph.forward

    made = torch.compile(model, backend=backend)
    rows.clear()
    check(made, twin, X)
    assert len(rows) == 6
    assert graphs == [[F.elu], [F.silu]]
    for each in pickled(model), copy.deepcopy(model):
        torch.compiler.reset()
        rows.clear()
        check(torch.compile(each, backend=backend), twin, X)
        assert len(rows) == 6
    torch.compiler.reset()
    with torch.no_grad(), pytest.raises(Exception, match="lengths of its padding are in tensors"):
        torch.compile(model, backend=backend, fullgraph=True)(X)
    x = X.clone().requires_grad_()
    rows.clear()
    torch.compiler.reset()
    y = torch.compile(model, backend=backend)(x)
    torch.testing.assert_close(*(torch.autograd.grad(each.square().sum(), x) for each in (y, twin(x))))
    assert not rows


class Network(Codec):
    """A codec that is no layer: what it pads for is a network."""

    def __init__(self):
        super().__init__()
        self.behind = nn.Sequential(nn.Softplus(), nn.Softsign(), nn.Softplus())

    def forward(self, x):
        return self.behind(super().forward(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # which Dynamo reads
def test_networks_that_pad_by_lengths_in_tensors_are_compiled(rows):
    torch.compiler.reset()
    model, twin, report = accelerated(Network(), X)
    assert [found.apart for found in report.modules if found.pads] == [False]
    operators = []

    def backend(graph, examples):
        operators.extend(node.target for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    rows.clear()
    check(torch.compile(model, backend=backend), twin, X)
    assert [each for each in operators if each in (F.softplus, F.softsign)] == [F.softplus, F.softsign, F.softplus]
    assert not rows


def test_what_is_compiled_inside(rows):
    inside = nn.Sequential(nn.ReflectionPad1d(1), nn.Conv1d(4, 4, 3))
    model = Codec().eval()
    twin = copy.deepcopy(model)
    twin.conv = nn.Sequential(twin.conv, inside)
    model.conv = nn.Sequential(model.conv, torch.compile(inside, backend="aot_eager", fullgraph=True))
    for each in (model, twin):
        each.conv.stride = (2,)
    model.__class__ = bordered.by_rows(Codec)
    once(model, twin, X)
    assert len(rows) == 1


def test_a_class_is_made_once():
    assert bordered.by_rows(Codec) is bordered.by_rows(Codec)
