"""Borders of copies around one axis: what `F.pad` makes of them, bit for bit, and its errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from tconv.torch import accelerated, bordering, nn
from tconv.torch.bordering import padded


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    """Small tensors are copied row by row, too."""
    monkeypatch.setattr(bordering, "FEW", 0)


@pytest.fixture
def by_pytorch(monkeypatch):
    """How often PyTorch was asked."""
    found = []

    def recorded(*given, **named):
        found.append(1)
        return F.pad(*given, **named)

    monkeypatch.setattr(bordering, "F", SimpleNamespace(pad=recorded))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("ends", [(0, 0), (1, 0), (0, 1), (6, 6), (3, 2)])
@pytest.mark.parametrize("shape", [(7,), (1, 7), (3, 7)])
def test_equal_to_pytorchs(shape, ends, mode, dtype, by_pytorch):
    x = (10 * torch.randn(2, *shape)).to(dtype)
    expected = F.pad(x, ends, mode)
    found = padded(x, ends, mode)
    assert not by_pytorch
    assert found.equal(expected)
    assert found.stride() == expected.stride()
    assert found.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("cells", [1, 2])
def test_few_cells_are_replicated_many_times(cells):
    x = torch.randn(1, 2, cells)
    assert padded(x, (5, 4), "replicate").equal(F.pad(x, (5, 4), "replicate"))


@pytest.mark.parametrize(
    ("shape", "ends", "mode"),
    [((2, 3, 5), (5, 0), "reflect"), ((2, 3, 5), (0, 9), "reflect"), ((1, 2, 0), (1, 1), "replicate")],
)
def test_what_does_not_fit_is_pytorchs_error(shape, ends, mode):
    x = torch.zeros(shape)
    with pytest.raises(RuntimeError) as theirs:
        F.pad(x, ends, mode)
    with pytest.raises(RuntimeError) as ours:
        padded(x, ends, mode)
    assert str(ours.value) == str(theirs.value)


def test_what_is_left_to_pytorch(by_pytorch, monkeypatch):
    x = torch.randn(1, 4, 9)
    padded(x, (-1, 2), "replicate")
    padded(x, (2, 2), "circular")
    padded(x.mT, (2, 2), "reflect")
    y = padded(x.requires_grad_(), (2, 2), "reflect")
    assert y.requires_grad
    monkeypatch.setattr(bordering, "FEW", 36)
    padded(x.detach(), (2, 2), "reflect")
    assert len(by_pytorch) == 5


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_layers(mode, by_pytorch):
    ours = nn.Conv1d(4, 6, 3, padding=((2, 1),), padding_mode=mode)
    x = torch.randn(2, 4, 7)
    with torch.no_grad():
        expected = F.conv1d(F.pad(x, (2, 1), mode), ours.weight, ours.bias)
        torch.testing.assert_close(ours(x), expected)
        torch.testing.assert_close(ours(x[0]), expected[0])
    assert not by_pytorch


def test_it_is_pads():
    """With every argument, and those of layers whose calls of functions are replaced."""
    x, y = torch.randn(1, 4, 9), torch.randn(1, 4, 6, 5)
    calls = [
        (x, (2, 1), "reflect"), (x, [torch.tensor(2), torch.tensor(0)], "replicate"), (x, (1, 2)),
        (x, (1, 2), "constant", 3.0), (x, (1, 2), "circular"), (y, (1, 2, 0, 1), "reflect"), (x[0], (1, 1), "reflect"),
    ]  # fmt: skip
    with torch.no_grad():
        for given in calls:
            assert padded(*given).equal(F.pad(*given))
            with accelerated.CallsReplaced(accelerated.EVERY):
                found = F.pad(*given)
            assert found.equal(F.pad(*given))


@pytest.mark.parametrize(
    "given",
    [((1, 1), "reflect", 2.0), ((1.0, 1), "reflect"), ((1,), "replicate"), ((1, 1), "mirror"), ((1, 9), "reflect")],
)
def test_wrong_arguments_are_judged_by_pytorch(given):
    """Values where none is used, cells that are no numbers of them, words that are no modes."""
    x = torch.randn(1, 4, 9)
    with pytest.raises((RuntimeError, TypeError, ValueError, NotImplementedError)) as theirs:
        F.pad(x, *given)
    with pytest.raises(theirs.type) as ours:
        padded(x, *given)
    assert str(ours.value) == str(theirs.value)


def test_dtypes_that_have_no_border():
    with pytest.raises(NotImplementedError):
        padded(torch.ones(1, 4, 9, dtype=torch.bool), (1, 1), "reflect")


def test_a_value_that_is_not_used(by_pytorch):
    assert padded(torch.ones(1, 4, 9), (1, 1), "reflect", 0.0).shape == (1, 4, 11)
    assert not by_pytorch
