"""Runs that are compiled: statistics are a kernel's in the graph, as an operator behind the engine's."""

import copy
import itertools
import operator

import pytest
import torch
import torch._inductor.config as inductor
from joined import CONVOLUTIONS, NORMS, X, accelerated, activation_of, check, drawn
from registry import needs_kernels
from torch import library, nn
from torch._dynamo.backends.debugging import aot_eager

from tconv.torch.fusing import planes, runs

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

NORMALIZED = torch.ops.tconv.normalized_


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


def test_what_is_behind_batch_normalization_or_nothing_is_left_to_inductor(graphs):
    model = nn.Sequential(block(nn.BatchNorm2d(8), nn.ReLU()), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.GroupNorm(2, 8))
    model, twin, _ = accelerated(model, X)
    check(compiled(model, graphs), twin, X)
    assert "tconv.normalized_" not in graphs.operators[0]


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


def operands(kind, dtype, *, residual):
    """What the operator is given for an activation, and the module behind its sum."""
    module = nn.Identity() if kind is None else drawn(activation_of(kind, 8)).to(dtype)
    _, follower = runs.follower_of(None if kind is None else module)
    x, scale, shift = torch.randn(2, 8, 3, 5, dtype=dtype), torch.randn(8, dtype=dtype), torch.randn(8, dtype=dtype)
    name, number, slope = ("", None, None) if follower is None else follower
    added = torch.randn_like(x) if residual else None
    return (x, added, scale, shift, slope, 4, 1e-3, name, number), module


KINDS = list(itertools.product([None, *runs.ACTIVATIONS], [False, True], [torch.float32, torch.float64]))


@pytest.mark.parametrize("kernel", [True, False])
@torch.no_grad()
def test_the_operator_is_what_the_modules_are(kernel, monkeypatch):
    """By a kernel, and by PyTorch where there is none."""
    if not kernel:
        monkeypatch.setattr(planes, "prepared", lambda *_: None)
    for kind, residual, dtype in KINDS:
        (x, added, *given), module = operands(kind, dtype, residual=residual)
        _, norms = given, nn.functional.group_norm(x.double(), 4, given[0].double(), given[1].double(), 1e-3)
        wanted = copy.deepcopy(module).double()(norms if added is None else norms + added.double())
        for lies in (x.clone(), x.to(memory_format=torch.channels_last)):
            NORMALIZED(lies, added, *given)
            torch.testing.assert_close(lies.double(), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_operator_says_what_it_does():
    given, _ = operands(nn.PReLU, torch.float32, residual=True)
    library.opcheck(NORMALIZED.default, given, test_utils=("test_schema", "test_faketensor"))
