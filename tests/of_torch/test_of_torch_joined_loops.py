"""Modules that forward methods have in variables and lists, and what is behind an `if`: in one call, or as written."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from accelerated_models import kept
from copies import pickled
from joined import BasicParts, accelerated, check, check_gradients
from registry import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations

from tconv.torch import restore
from tconv.torch.fusing import chains

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

SLOPE = 0.1
X = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))


def convs(number=3, dilation=1):
    return nn.ModuleList(nn.Conv1d(4, 4, 3, padding=dilation, dilation=dilation) for _ in range(number))


class Parts(nn.Module):
    """Modules, which forward methods below call."""

    slope = 0.2

    def __init__(self):
        super().__init__()
        self.convs1, self.convs2 = convs(dilation=2), convs()
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in range(3))
        self.down = None


class Zipped(Parts):
    """The block of HiFi-GAN, as transformers has it."""

    def forward(self, hidden_states):
        for conv1, conv2 in zip(self.convs1, self.convs2):  # noqa: B905
            residual = hidden_states
            hidden_states = nn.functional.leaky_relu(hidden_states, self.slope)
            hidden_states = conv1(hidden_states)
            hidden_states = nn.functional.leaky_relu(hidden_states, self.slope)
            hidden_states = conv2(hidden_states)
            hidden_states = hidden_states + residual
        return hidden_states


class Original(Parts):
    """The same as its authors wrote it."""

    def forward(self, x):
        for c1, c2 in zip(self.convs1, self.convs2):  # noqa: B905
            xt = F.leaky_relu(x, SLOPE)
            xt = c1(xt)
            xt = F.leaky_relu(xt, SLOPE)
            xt = c2(xt)
            x = xt + x
        return x


class Numbered(Parts):
    def forward(self, x):
        for i in range(len(self.convs1)):
            x = self.convs1[i](x)
            x = F.relu(self.norms[i](x))
            x = torch.tanh(self.convs2[-1 - i](x))
        return x


class Annotated(Parts):
    """The residual of MONAI's unit."""

    def forward(self, x):
        res: torch.Tensor = self.convs1[0](x)
        cx: torch.Tensor = self.convs2[0](x)
        return cx + res


class Chosen(Parts):
    """A module is chosen, and that of another module is taken."""

    def forward(self, x):
        first = self.convs1[0] if x.shape[-1] > 3 else self.convs1[1]
        both = nn.ModuleDict({"conv": self.convs2[1]})
        return F.relu(both.conv(torch.sigmoid(first(x))))


BLOCKS = {Zipped: [2] * 6, Original: [2] * 6, Numbered: [3, 2] * 3, Annotated: [2], Chosen: [2, 2]}
every_block = pytest.mark.parametrize("kind", BLOCKS)


@every_block
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks(kind, dtype, fused):
    model, twin, report = accelerated(kind().to(dtype), X.to(dtype))
    fused.clear()
    check(model, twin, X.to(dtype))
    assert fused[-len(BLOCKS[kind]) :] == BLOCKS[kind]
    assert len(report.runs) == len(BLOCKS[kind])
    for x in (X[:1, :, :1], X[:0], X[..., ::2], X.transpose(0, 1).contiguous().transpose(0, 1)):
        check(model, twin, x.to(dtype))
    restore(model)
    assert type(model) is kind
    assert vars(model).keys() == vars(twin).keys()
    check(model, twin, X.to(dtype))


@every_block
def test_gradients_and_training(kind, fused):
    model, twin, _ = accelerated(kind(), X)
    fused.clear()
    for each in (model, twin):
        each.train()
    check_gradients(model, twin, X)
    assert not any(fused)


def test_the_report_names_what_was_met():
    model, _, report = accelerated(nn.Sequential(Zipped()), X)
    assert [(run.name, run.sequence, run.members) for run in report.runs[:2]] == [
        ("0.convs1.0", "0", ("convs1.0", "leaky_relu")),
        ("0.convs2.0", "0", ("convs2.0", "+")),
    ]
    assert all(run.kept for run in report.runs)
    assert {"0", "0.convs1.0", "0.convs2.2"} <= set(kept(model))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_copies(copied, fused):
    model, twin, _ = accelerated(Zipped(), X)
    check(model, twin, X)
    again = copied(model)
    fused.clear()
    with torch.no_grad():
        model.convs1[0].weight.zero_()  # of the copy nothing is the same
    check(again, twin, X)
    assert fused[-6:] == [2] * 6
    assert type(restore(again)) is Zipped


def test_lists_that_change(fused):
    model, twin, _ = accelerated(Zipped(), X)
    check(model, twin, X)
    torch.manual_seed(1)
    new = nn.Conv1d(4, 4, 5, padding=2)
    for each in (model, twin):
        each.convs1[1] = copy.deepcopy(new)
        each.convs2.append(copy.deepcopy(new))
    fused.clear()
    check(model, twin, X)
    assert fused[-5:] == [2] * 5
    for each in (model, twin):
        each.convs1[0], each.convs1[2] = each.convs1[2], each.convs1[0]
    check(model, twin, X)
    for each in (model, twin):
        each.convs1.insert(0, nn.Identity())
    check(model, twin, X)
    for each in (model, twin):
        each.convs1 = nn.ModuleList()
    fused.clear()
    check(model, twin, X)
    assert fused == []
    for each in (model, twin):
        del each.convs1
    with pytest.raises(AttributeError, match="convs1"):
        model(X)


def test_an_empty_list():
    model = Zipped()
    model.convs1 = nn.ModuleList()
    model, twin, report = accelerated(model, X)
    assert report.runs == ()
    check(model, twin, X)


def test_hooks_and_parametrizations(fused):
    model, twin, _ = accelerated(Zipped(), X)
    check(model, twin, X)
    seen = {id(model): [], id(twin): []}
    for each in (model, twin):
        each.convs2[0].register_forward_hook(lambda module, x, y, each=each: seen[id(each)].append((x[0], y.clone())))
        torch.manual_seed(0)
        parametrizations.weight_norm(each.convs1[1])
    fused.clear()
    check(model, twin, X, times=1)
    assert fused == [2] * 4
    torch.testing.assert_close(*seen.values(), rtol=1e-4, atol=1e-5)


def test_compiled(fused):
    model, twin, _ = accelerated(Zipped(), X)
    check(model, twin, X)
    fused.clear()
    check(torch.compile(model, backend="eager", fullgraph=True), twin, X, times=2)
    assert not fused


def test_traced(fused):
    model, twin, _ = accelerated(Zipped(), X)
    fused.clear()
    with torch.no_grad():
        check(torch.jit.trace(model, X, check_trace=False), twin, X)
    assert not any(fused)


class Shared(Parts):
    """One convolution in two places, and one that is sometimes alone."""

    def forward(self, x):
        for conv in (self.convs1[0], self.convs1[0], self.convs1[1]):
            x = conv(x)
            x = F.relu(x)
        for conv in (self.convs1[1], self.convs2[0], self.convs2[1]):
            x = conv(x)
            x = x + SLOPE
        y = self.convs2[0](x)
        y = F.relu(y)
        return y + self.convs2[1](x)


def test_one_module_in_two_places(fused):
    model, twin, report = accelerated(Shared(), X)
    assert [(run.members, len(run.shapes)) for run in report.runs] == [(("convs1.0", "relu"), 2)]
    check(model, twin, X)
    assert fused[-2:] == [2, 2]


class Outside(nn.Module):
    """Modules that are no part of it."""

    def __init__(self, others):
        super().__init__()
        self.others = list(others)

    def forward(self, x):
        for conv in self.others:
            x = conv(x)
            x = F.relu(x)
        return x


def test_modules_of_nobody():
    model, twin, report = accelerated(Outside(convs()), X)
    assert report.runs == ()
    check(model, twin, X)


class Basic(BasicParts):
    """The block of a ResNet, as torchvision has it."""

    def __init__(self, channels=4):
        super().__init__(channels, nn.Conv1d, nn.BatchNorm1d)

    def forward(self, x):
        identity = x

        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)

        out = self.conv2(out)
        out = self.bn2(out)

        if self.downsample is not None:
            identity = self.downsample(x)

        out += identity
        out = self.relu(out)

        return out  # noqa: RET504


def test_the_block_of_a_resnet(fused):
    model, twin, report = accelerated(nn.Sequential(Basic(), Basic(4)), X)
    assert [run.members for run in report.runs] == [("conv1", "bn1", "relu"), ("conv2", "bn2", "+=", "relu")] * 2
    fused.clear()
    check(model, twin, X)
    assert fused[-4:] == [3, 4, 3, 4]
    for each in (model, twin):
        each[0].downsample = nn.Sequential(nn.Conv1d(4, 4, 1, bias=False), nn.ReLU(inplace=True))
        nn.init.dirac_(each[0].downsample[0].weight)
    fused.clear()
    check(model, twin, X, times=1)
    assert fused == [3, 2, 3, 4]


def test_the_block_with_another_way(fused):
    model, twin, report = accelerated(Basic(3), X[:, :3])
    assert [run.members for run in report.runs] == [("conv1", "bn1", "relu"), ("conv2", "bn2"), ("0", "1")]
    check(model, twin, X[:, :3])
    assert fused[-3:] == [3, 2, 2]


def in_place_of_lists(self, x, i):
    x = self.convs[i + 1](x)
    x = self.norms[0](x)
    xt = self.convs[-1](x)
    x = x + xt
    x = self.acts[self.first].norm(x)
    return F.leaky_relu(x, SLOPE)


def test_what_is_joined():
    assert chains.chained(in_place_of_lists).chains == (("[]", "[]"), ("[]", "+r", "[]", "()"))
    [loop] = chains.chained(Original.forward).chains
    assert loop == ("[]", "()", "[]", "+")
