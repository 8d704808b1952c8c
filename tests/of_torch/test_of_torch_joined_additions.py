"""Residuals that forward methods add, and slopes that they give: in one call with the convolution, or as written."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from joined import BasicParts, accelerated, check, check_gradients
from registry import needs_kernels
from torch import nn

from tconv.torch.fusing import chains

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]

X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))


class Parts(BasicParts):
    """Modules, which forward methods below call."""

    slope = 0.2

    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__(norm=norm)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)  # with a bias


class InPlace(Parts):
    def forward(self, x):
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        out += identity
        out = self.relu(out)
        return out  # noqa: RET504


class Nested(Parts):
    def forward(self, x):
        return self.relu(self.bn2(self.conv2(self.relu(self.conv1(x)))) + x)


class OnTheLeft(Parts):
    def forward(self, x):
        x = x + self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, self.slope)), 0.3))
        return F.elu(x, 0.7)


class Returned(Parts):
    def forward(self, x):
        y = self.relu(x * 2)
        return self.conv1(x) + y


class Vocoder(Parts):
    def forward(self, x):
        for _ in range(2):
            x = F.leaky_relu(x, self.slope)
        residual = x
        x = self.conv1(x)
        x = nn.functional.leaky_relu(x, self.slope)
        x = self.conv2(x)
        x = residual + x
        return x  # noqa: RET504


BLOCKS = {InPlace: [3, 4], Nested: [2, 4], OnTheLeft: [2, 3], Returned: [2], Vocoder: [2, 2]}
every_block = pytest.mark.parametrize("kind", BLOCKS)


@every_block
def test_blocks(kind, fused):
    model, twin, _ = accelerated(kind(), X)
    check(model, twin, X)
    assert fused[-len(BLOCKS[kind]) :] == BLOCKS[kind]


@every_block
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_layouts_and_dtypes(kind, dtype, fused):
    model, twin, _ = accelerated(kind().to(dtype), X.to(dtype))
    for x in (X, X.to(memory_format=torch.channels_last), X[:1], X[:0]):
        check(model, twin, x.to(dtype))


@every_block
def test_gradients(kind, fused):
    model, twin, _ = accelerated(kind(), X)
    fused.clear()
    check_gradients(model, twin, X)
    assert not any(fused)


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d, lambda n: nn.GroupNorm(2, n)])
def test_statistics_then_a_residual(norm, fused):
    model, twin, _ = accelerated(InPlace(norm), X)
    check(model, twin, X)
    assert fused[-2:] == [3, 4]


class Broadcast(Parts):
    def forward(self, x, other=None):
        y = self.conv1(x)
        y = y + other
        return self.relu(y)


OTHERS = [
    torch.ones(1, 4, 1, 1), torch.ones(2, 4, 6, 5).double(), torch.ones(2, 4, 6, 5, dtype=torch.int64), 3, 1.5, True,
    torch.ones(6, 5), X.flip(0).transpose(2, 3).contiguous().transpose(2, 3), X.to(memory_format=torch.channels_last),
    nn.Parameter(X), X.expand(2, 4, 6, 5), X[:1].expand(2, 4, 6, 5), torch.full_like(X, torch.nan), torch.zeros(()),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(OTHERS)))
def test_residuals_of_all_kinds(at, fused):
    model, twin, _ = accelerated(Broadcast(), (X, X.flip(1)))
    with torch.no_grad():
        for _ in range(3):
            expected, found = twin(X, OTHERS[at]), model(X, OTHERS[at])
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
            assert found.dtype is expected.dtype
            assert found.stride() == expected.stride()
    with torch.no_grad(), pytest.raises(RuntimeError):
        model(X, torch.ones(3, 4, 6, 5))
    with torch.no_grad(), pytest.raises(TypeError):
        model(X, None)


class Kept(Parts):
    """Whoever keeps what is in between finds it as it was."""

    def forward(self, x):
        y = self.conv1(x)
        self.between = y
        y += x
        z = self.conv2(y)
        z = z + z
        y = self.conv1(y) + y
        return self.relu(y) + z


def test_what_is_in_between_is_kept():
    model, twin, _ = accelerated(Kept(), X)
    check(model, twin, X)
    torch.testing.assert_close(model.between, twin.between, rtol=1e-4, atol=1e-5)


class InPlaceOfOther(Parts):
    """An addition in place of what is not the result."""

    def forward(self, x):
        y = self.conv1(x)
        x += y
        x = self.relu(x)
        y = self.conv2(x)
        return y + x


def test_another_tensor_is_changed_in_place():
    model, twin, _ = accelerated(InPlaceOfOther(), X)
    check(model, twin, X)  # and the argument with it


class Lists(Parts):
    def forward(self, x, more):
        x = self.conv1(x)
        more = more + [x]  # noqa: RUF005
        return more  # noqa: RET504


def test_additions_of_no_tensors():
    model, _, _ = accelerated(Lists(), (X, [1]))
    with torch.no_grad():
        assert model(X, [1])[0] == 1


def test_what_is_written():
    [written] = chains.chained(InPlace.forward).chains
    assert written == ("conv1", "bn1", "relu", "conv2", "bn2", "+=", "relu")
    [chain] = [each for each in chains.chained(OnTheLeft.forward).chains if len(each) > 1]
    assert chain == ("()", "conv1", "()", "conv2", "+r", "()")
    assert not any("+=" in each for each in chains.chained(Kept.forward).chains)


def test_a_slope_that_changes():
    model, twin, _ = accelerated(Vocoder(), X)
    check(model, twin, X)
    for each in (model, twin):
        each.slope = 0.6
    check(model, twin, X)
    for each in (model, twin):
        each.slope = torch.tensor(0.1)
    check(model, twin, X)
