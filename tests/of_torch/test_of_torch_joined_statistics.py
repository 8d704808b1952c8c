"""Convolutions with instance or group normalization behind them: statistics by a kernel, equal, or not at all."""

from __future__ import annotations

import copy
import itertools
import warnings

import pytest
import torch
from accelerated_models import kept
from joined import CONVOLUTIONS, NORMS, X, accelerated, activation_of, check, check_gradients
from registry import needs_kernels
from torch import nn

from tconv.torch import restore
from tconv.torch.fusing import runs, sequences, statistics

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


@pytest.fixture
def fused(recorded):
    """For each run that came by, how many modules a kernel stood for beside the convolution."""
    normalizes = recorded(statistics, "normalizes", lambda result, *_: result)

    def beside(result, run, *_):
        by_kernel = any(normalizes)
        normalizes.clear()
        return len(run.members) - 1 if by_kernel else 0

    return recorded(sequences, "computed", beside)


def block(norm=None, *more, conv=None):
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1) if conv is None else conv, norm or nn.InstanceNorm2d(6), *more)


ACTIVATIONS = [None, *runs.ACTIVATIONS]


@pytest.mark.parametrize("ndim", CONVOLUTIONS)
@pytest.mark.parametrize("name", NORMS)
def test_all_kinds(ndim, name, fused):
    for number, (kind, dtype) in enumerate(itertools.product(ACTIVATIONS, (torch.float32, torch.float64))):
        between = [nn.Dropout(), nn.Identity()][: number % 3]
        behind = [] if kind is None else [activation_of(kind, 6)]
        model = block(NORMS[name](ndim, 6), *between, *behind, conv=CONVOLUTIONS[ndim](6)).to(dtype)
        x = torch.randn(number % 2 + 1, 4, *(5, 6, 9)[:ndim], dtype=dtype)
        model, twin, report = accelerated(model, x)
        assert len(report.runs[0].members) == len(model)
        check(model, twin, x)
        assert fused[-2:] == [len(model) - 1] * 2
        with torch.no_grad():
            expected = copy.deepcopy(twin).double()(x.double())
            torch.testing.assert_close(model(x).double(), expected, rtol=1e-4, atol=1e-5)


class Block(nn.Sequential):
    """A convolution and what follows it in a sequence of its own, in one order of several."""

    def __init__(self, order):
        followers = {"N": nn.InstanceNorm2d(6), "D": nn.Dropout(0.5), "A": nn.PReLU()}
        super().__init__()
        self.add_module("conv", nn.Conv2d(3, 6, 3))
        self.add_module("adn", nn.Sequential(*(followers[letter] for letter in order)))


@pytest.mark.parametrize(("order", "together"), [("NDA", 3), ("NA", 2), ("DNA", 3), ("NAD", 3), ("N", 1)])
def test_sequences_inside(order, together, fused):
    model, twin, report = accelerated(Block(order), X)
    assert [run.members for run in report.runs] == [("conv", "adn")]
    check(model, twin, X)
    assert fused[-1] == together


def test_a_sequence_inside_is_taken_as_a_whole_or_not_at_all(fused):
    for order in ("AND", "AN"):  # what follows an activation does not follow a convolution
        model, twin, report = accelerated(Block(order), X)
        assert report.runs == ()
        check(model, twin, X)
    model, twin, report = accelerated(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), Block("AN").adn), X)
    assert [run.members for run in report.runs] == [("0", "1")]
    check(model, twin, X)


def test_batch_normalization_in_a_sequence_inside(fused):
    model, twin, report = accelerated(nn.Sequential(nn.Conv2d(3, 6, 3), nn.Sequential(nn.BatchNorm2d(6), nn.ReLU())), X)
    assert report.runs[0].kinds == ("Conv2d", "BatchNorm2d", "ReLU")
    check(model, twin, X)


@pytest.mark.parametrize(
    "hook", [lambda m: m, lambda m: m[1], lambda m: m[1][0], lambda m: m[1][1], lambda m: m[1][2], lambda m: m[0]]
)
def test_hooks_inside_are_called(hook, fused):
    model, twin, _ = accelerated(Block("NDA"), X)
    fused.clear()
    seen = []
    for each in (model, twin):
        hook(each).register_forward_hook(lambda module, args, result: seen.append(result))
    check(model, twin, X, times=1)
    assert len(seen) == 2
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-5)
    assert fused[-1:] == ([3] if hook(model) is model else [])


def test_dropout_in_training_drops(fused):
    model, _, _ = accelerated(Block("NDA"), X)
    fused.clear()
    model[1][1].train()
    with torch.no_grad():
        assert (model(X) == 0).float().mean() > 0.3
    assert fused == []


def test_training_mode_is_no_other_for_instances(fused):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(6, affine=True), nn.ReLU()), X)
    check(model.train(), twin.train(), X)
    assert fused[-1] == 2


def test_running_statistics_are_left_to_the_module(fused):
    model, twin, report = accelerated(block(nn.InstanceNorm2d(6, track_running_stats=True)), X)
    assert report.runs == ()
    check(model, twin, X)


@pytest.mark.parametrize("of", ["x", "conv", "norm", "activation"])
def test_gradients(of, fused):
    model, twin, _ = accelerated(block(nn.GroupNorm(3, 6), nn.PReLU()), X)
    for each in (model, twin):
        for name, part in zip(("conv", "norm", "activation"), each, strict=True):
            part.requires_grad_(of == name)
    check_gradients(model, twin, X, of_x=of == "x")
    assert fused[-1] == 0


def test_changes_are_noticed(fused):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(6, affine=True), nn.LeakyReLU()), X)
    check(model, twin, X)
    for each in (model, twin):
        each[0].weight.data.mul_(-2)
        each[1].weight.data.numpy()[:] += 1
        each[1].bias.data.mul_(3)
        each[1].eps, each[2].negative_slope = 0.5, 0.7
    check(model, twin, X)
    for each in (model, twin):
        each[1] = nn.InstanceNorm2d(6)
    check(model, twin, X)
    assert fused[-1] == 2


@pytest.mark.parametrize("where", ["x", "w", "view"])
def test_layouts(where, fused):
    model, twin, _ = accelerated(block(), X)
    x = X.to(memory_format=torch.channels_last) if where == "x" else X.flip(-1)[..., ::2] if where == "view" else X
    if where == "w":
        for each in (model, twin):
            each.to(memory_format=torch.channels_last)
    check(model, twin, x)
    assert fused[-1] == (where == "view")  # kernels go through planes


@pytest.mark.parametrize(
    ("norm", "x", "error"),
    [
        (nn.InstanceNorm2d(6), torch.ones(2, 3, 1, 1), "Expected more than 1 spatial element"),
        (nn.GroupNorm(6, 6), torch.ones(1, 3, 1, 1), "Expected more than 1 value per channel"),
        (nn.InstanceNorm2d(5, affine=True), X, "weight|size"),
        (nn.GroupNorm(2, 4), X, "Expected weight|divisible"),
    ],
)
def test_what_is_wrong_is_said_by_the_modules(norm, x, error):
    model, _, _ = accelerated(block(nn.InstanceNorm2d(6), conv=nn.Conv2d(3, 6, 1)), X)
    model[1] = norm
    with torch.no_grad(), pytest.raises((ValueError, RuntimeError), match=error):
        model(x)


def test_a_warning_is_theirs_too(fused):
    model, twin, _ = accelerated(block(), X)
    for each in (model, twin):
        each[1] = nn.InstanceNorm2d(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = twin(X)
    with torch.no_grad(), pytest.warns(UserWarning, match="num_features"):
        torch.testing.assert_close(model(X), expected)
    assert fused[-1] == 0


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_no_number(value, fused):
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(6), nn.ReLU(), conv=nn.Conv2d(3, 6, 1)), X)
    x = X.clone()
    x[1, 2, 3, 4] = value
    with torch.no_grad():
        torch.testing.assert_close(model(x), twin(x), equal_nan=True, rtol=1e-4, atol=1e-5)
    assert fused[-1] == 2


def test_results_of_one_channel_lie_as_those_of_modules(fused):
    """Contiguous they are in either format; which one they have decides how what follows lies."""
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(1), nn.ReLU(), conv=nn.Conv2d(3, 1, 1)), X)
    for x, together in ((X, 2), (X.to(memory_format=torch.channels_last), 0)):
        check(model, twin, x)
        assert fused[-1] == together


def test_empty_batches_and_missing_ones(fused):
    model, twin, _ = accelerated(block(), X)
    check(model, twin, X[:0])
    check(model, twin, X[0])


def test_autocast_and_transforms_are_left_to_the_modules(fused):
    model, twin, _ = accelerated(block(nn.GroupNorm(3, 6)), X)
    with torch.no_grad():
        torch.testing.assert_close(torch.vmap(model)(X[None]), twin(X)[None], rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model(X), twin(X), rtol=0.05, atol=0.05)
    assert fused[-2:] == [0, 0]


def test_profilers_are_told():
    model, _, _ = accelerated(block(), X)
    with torch.no_grad(), torch.profiler.profile() as profile:
        model(X)
    assert "tconv::normalization" in {event.key for event in profile.key_averages()}


def test_any_number_of_threads(fused):
    import tconv

    x = torch.randn(1, 3, 90, 90)
    model, twin, _ = accelerated(block(nn.InstanceNorm2d(6), nn.SiLU()), x)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            tconv.set_num_threads(threads)
            check(model, twin, x)
            with torch.no_grad():
                results.append(model(x))
        assert all(torch.equal(results[0], each) for each in results)
    finally:
        torch.set_num_threads(before)
        tconv.set_num_threads(None)
    assert fused[-1] == 2


def test_copies_and_restoring():
    model, twin, _ = accelerated(Block("NDA"), X)
    again = copy.deepcopy(model)
    check(again, twin, X)
    assert kept(restore(again)) == []
    assert type(again) is Block
