"""Runs that are compiled, and which of them are operators in the graph."""

import copy
import operator

import pytest
import torch
import torch._inductor.config as inductor
from joined import CONVOLUTIONS, NORMS, Snake1d, X, accelerated, activation_of, check
from registry import needs_kernels
from torch import nn
from torch._dynamo.backends.debugging import aot_eager

from tconv.torch.fusing import runs

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


class Graphs:
    """A backend that keeps the operators of tconv in graphs, which it runs as they are."""

    def __init__(self):
        self.operators, self.sums = [], 0

    def __call__(self, graph, examples):
        names = [str(node.target).removesuffix(".default") for node in graph.graph.nodes]
        self.sums += sum(node.target is operator.add for node in graph.graph.nodes)
        self.operators.append([name for name in names if name.startswith("tconv.")])
        return aot_eager(graph, examples)


@pytest.fixture
def graphs():
    torch.compiler.reset()  # what other tests have compiled counts towards its limit
    return Graphs()


def compiled(model, graphs, **options):
    with inductor.patch(freezing=True):
        return torch.compile(model, backend=graphs, fullgraph=True, **options)


def block(*behind, conv=None):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1) if conv is None else conv, *behind)


@pytest.mark.parametrize("ndim", CONVOLUTIONS)
@pytest.mark.parametrize("name", NORMS)
def test_both_operators_are_in_the_graph(ndim, name, graphs):
    """Also of convolutions that Inductor would pack."""
    conv = CONVOLUTIONS[ndim](8)
    model = nn.Sequential(block(NORMS[name](ndim, 8), nn.Dropout(), nn.PReLU(), conv=conv), nn.Flatten())
    x = torch.randn(2, 4, *(5, 4, 3)[:ndim])
    model, twin, _ = accelerated(model, x)
    with inductor.patch(freezing=True):
        check(compiled(model, graphs), twin, x)
    assert graphs.operators == [[f"tconv.{'conv_transpose' if ndim == 2 else 'conv'}", "tconv.normalized_"]]


class Parts(nn.Sequential):
    """As MONAI has them: a normalization, dropout and an activation, in an order of its own."""


def test_parts_in_a_sequence_of_another_class(graphs):
    parts = Parts(nn.Dropout(), nn.Sequential(nn.Identity(), nn.InstanceNorm2d(8)), nn.PReLU())
    model, twin, _ = accelerated(nn.Sequential(block(parts)), X)
    check(compiled(model, graphs), twin, X)
    assert graphs.operators == [["tconv.conv", "tconv.normalized_"]]


@pytest.mark.parametrize("kind", runs.ACTIVATIONS)
def test_activations(kind, graphs):
    model, twin, _ = accelerated(nn.Sequential(block(nn.GroupNorm(4, 8), activation_of(kind, 8))), X)
    check(compiled(model, graphs), twin, X)
    assert graphs.operators == [["tconv.conv", "tconv.normalized_"]]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.InstanceNorm2d(3, affine=True), nn.ReLU()

    def forward(self, x, other):
        y = self.conv(x)
        y = self.norm(y)
        y = y + other
        return self.relu(y)


@pytest.mark.parametrize("other", [X.flip(0), X.clone().expand(2, 3, 6, 5)])
def test_residuals(other, graphs):
    model, twin, _ = accelerated(Residual(), (X, X.flip(1)))
    check(compiled(model, graphs), twin, X, other=other)
    assert graphs.operators == [["tconv.conv", "tconv.normalized_"]]
    assert not graphs.sums


OTHERS = [
    torch.ones(1, 3, 1, 1), X.double(), 3, 1.5, torch.ones(2, 2, 3, 6, 5), X.to(memory_format=torch.channels_last),
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_sums_that_are_not_like_the_result_are_inductors(other, graphs):
    model, twin, _ = accelerated(Residual(), (X, X.flip(1)))
    check(compiled(model, graphs), twin, X, other=other)
    assert graphs.operators == [["tconv.conv"]]
    assert graphs.sums


def test_results_that_lie_channels_last_are_normalized_by_modules(graphs):
    norm, conv = nn.InstanceNorm3d(8), nn.Conv3d(3, 8, 2)
    model, twin, _ = accelerated(block(norm, nn.PReLU(), conv=conv), torch.randn(2, 3, 5, 2, 4))
    ready = compiled(model, graphs)
    for size in ((5, 2, 4), (9, 2, 17), (2, 2, 3)):
        check(ready, twin, torch.randn(1, 3, *size).to(memory_format=torch.channels_last_3d))
    assert not any("tconv.normalized_" in each for each in graphs.operators)


#: Of one channel, or one cell, a result that lies channels last is contiguous as well.
OF_ONE = [
    (nn.Conv2d(3, 1, 1), nn.InstanceNorm2d(1), (2, 3, 5, 9)),
    (nn.ConvTranspose3d(3, 1, 2), nn.GroupNorm(1, 1), (1, 3, 2, 4, 3)),
    (nn.Conv2d(3, 6, 1), nn.GroupNorm(2, 6), (2, 3, 1, 1)),
]


@pytest.mark.parametrize(("conv", "norm", "shape"), OF_ONE)
def test_axes_of_one_are_normalized_where_strides_are_those_of_the_default_order(conv, norm, shape, graphs):
    """Inductor is given nothing to write into but what needs no other strides: it has no way of that."""
    x = torch.randn(shape)
    lying = [x, x.to(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[x.dim()])]
    model, twin, _ = accelerated(block(norm, nn.SiLU(), conv=conv), x)
    ready = compiled(model, graphs)
    for each in lying:
        check(ready, twin, each)
    assert ["tconv.normalized_" in each for each in graphs.operators] == [True, False]
    with torch.no_grad():
        found = torch.compile(copy.deepcopy(model), fullgraph=True)(lying[1])
    torch.testing.assert_close(found, twin(lying[1]), rtol=1e-4, atol=1e-5)


def test_sizes_that_change(graphs):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(8), nn.SiLU()), X)
    ready = compiled(model, graphs, dynamic=True)
    for x in (X, torch.randn(1, 3, 9, 11), torch.randn(3, 3, 2, 33), X[:0]):
        check(ready, twin, x)
    assert {tuple(each) for each in graphs.operators} == {("tconv.conv", "tconv.normalized_")}


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(4), nn.Identity()], ids=["batch", "none"])
def test_batch_normalization_is_inductors(norm, graphs):
    model, twin, _ = accelerated(nn.Sequential(nn.Conv1d(4, 4, 3), norm, nn.ReLU()), ROWS)
    check(compiled(model, graphs), twin, ROWS)
    assert graphs.operators == [["tconv.conv" if type(norm) is nn.BatchNorm1d else "tconv.conv_followed"]]


# ---- what is done where a result is stored

ROWS = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", runs.ACTIVATIONS)
@pytest.mark.parametrize("conv", [nn.Conv1d(4, 8, 3), nn.ConvTranspose3d(4, 8, 2)], ids=["conv", "conv_transpose"])
def test_activations_in_the_store(conv, kind, graphs):
    x = ROWS if isinstance(conv, nn.Conv1d) else torch.randn(1, 4, 3, 1, 2)
    model, twin, _ = accelerated(nn.Sequential(conv, nn.Dropout(), activation_of(kind, 8)), x)
    check(compiled(model, graphs), twin, x)
    assert graphs.operators == [[f"tconv.{'conv' if isinstance(conv, nn.Conv1d) else 'conv_transpose'}_followed"]]


class Looped(nn.Module):
    """The block of HiFi-GAN: functions with numbers, modules in variables, and a residual."""

    def __init__(self):
        super().__init__()
        self.convs1 = nn.ModuleList(nn.Conv1d(4, 4, 3, padding=d, dilation=d) for d in (1, 3))
        self.convs2 = nn.ModuleList(nn.Conv1d(4, 4, 3, padding=1) for _ in range(2))

    def forward(self, x):
        for conv1, conv2 in zip(self.convs1, self.convs2, strict=True):
            residual = x
            x = nn.functional.leaky_relu(x, 0.2)
            x = conv1(x)
            x = nn.functional.leaky_relu(x, 0.2)
            x = conv2(x)
            x = x + residual
        return x


@pytest.mark.parametrize("dynamic", [False, True])
def test_loops(dynamic, graphs):
    model, twin, _ = accelerated(Looped(), ROWS)
    ready = compiled(model, graphs, dynamic=dynamic)
    for x in (ROWS, torch.randn(1, 4, 33), torch.randn(3, 4, 2), ROWS.double().float()[:1]):
        check(ready, twin, x)
    assert {tuple(each) for each in graphs.operators} == {("tconv.conv_followed",) * 4}
    assert not graphs.sums


class Added(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x, other):
        y = self.conv(x)
        return other + y


class Marked(torch.Tensor):
    """A subclass that adds nothing: others know PyTorch's operators only."""


@pytest.mark.parametrize("where", ["x", "conv.weight", "conv.bias", "relu.weight", "other"])
def test_subclasses_are_pytorchs(where):
    torch.compiler.reset()
    model = Residual()
    model.conv, model.norm, model.relu = nn.Conv1d(3, 3, 3, padding=1), nn.Identity(), nn.PReLU(3)
    x = torch.randn(2, 3, 9)
    given = {"x": x, "other": x.flip(0)}
    model, twin, _ = accelerated(model, tuple(given.values()))
    operators = []

    def backend(graph, examples):
        operators.extend(str(node.target) for node in graph.graph.nodes if "tconv." in str(node.target))
        return graph.forward

    with torch.no_grad():
        wanted = twin(**given)
        if where in given:
            given[where] = given[where].as_subclass(Marked)
        else:
            owner, name = where.split(".")
            setattr(model.get_submodule(owner), name, nn.Parameter(model.get_parameter(where).data.as_subclass(Marked)))
        found = torch.compile(model, backend=backend)(**given)
        torch.testing.assert_close(found.as_subclass(torch.Tensor), wanted, rtol=1e-4, atol=1e-5)
    assert operators == (["tconv.conv"] if where in ("relu.weight", "other") else [])


SUMS = [
    torch.ones(4, 1), ROWS.double(), 3, 1.5, torch.ones(2, 2, 4, 9), ROWS.transpose(1, 2).contiguous().transpose(1, 2),
]  # fmt: skip


@pytest.mark.parametrize("other", SUMS)
def test_what_no_kernel_adds_is_inductors(other, graphs):
    model, twin, _ = accelerated(Added(), (ROWS, ROWS.flip(0)))
    check(compiled(model, graphs), twin, ROWS, other=other)
    assert graphs.operators == [["tconv.conv"]]
    assert graphs.sums


def test_runs_that_inductor_packs_or_that_are_snakes_are_inductors(graphs):
    model = nn.Sequential(block(nn.ReLU()), nn.Sequential(nn.Conv2d(8, 2, 1), nn.ReLU()), nn.Flatten(2))
    snakes = (
        nn.Sequential(nn.Conv1d(2, 4, 3), Snake1d(4)),
        nn.Sequential(nn.Conv1d(4, 4, 3), nn.InstanceNorm1d(4), Snake1d(4)),
    )
    model, twin, _ = accelerated(nn.Sequential(model, *snakes), X)
    with inductor.patch(freezing=True):
        check(compiled(model, graphs), twin, X)
    assert graphs.operators == [["tconv.conv_followed", "tconv.conv", "tconv.conv", "tconv.normalized_"]]


def test_derivatives_hooks_and_exports_have_modules(graphs):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(8), nn.SiLU()), X)
    given = [X.clone().requires_grad_() for _ in range(2)]
    for each, x in zip((compiled(model, graphs), twin), given, strict=True):
        each(x).square().sum().backward()
    torch.testing.assert_close(*[x.grad for x in given], rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        exported = torch.export.export(model, (X,))
        torch.testing.assert_close(exported.module()(X), twin(X), rtol=1e-4, atol=1e-5)
    assert not any("tconv" in str(node.target) for node in exported.graph.nodes)
    for each in (model, twin):
        each[1].register_forward_hook(lambda module, given, result: result + 1)
    check(compiled(model, graphs), twin, X)
    assert not any("tconv.normalized_" in each for each in graphs.operators)


def test_statistics_of_one_number_are_refused_in_pytorchs_words(graphs):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(8), nn.SiLU()), X)
    x = torch.randn(1, 3, 1, 1)
    with torch.no_grad(), pytest.raises(ValueError, match="more than 1 spatial element"):
        twin(x)
    with torch.no_grad(), pytest.raises(Exception, match="more than 1 spatial element"):
        compiled(model, graphs)(x)
