"""What is measured of runs, which of them are kept, and what is said of it."""

from __future__ import annotations

import pytest
import torch
from accelerated_models import kept
from joined import X, accelerated, decoder
from registry import needs_kernels
from torch import nn

import tconv.torch
from tconv.measuring.contest import ORIGINAL, Contest
from tconv.torch import both_ways, closing
from tconv.torch.fusing import call, measuring, sequences

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


def report_of(model, x=X, **options):
    return accelerated(model, x, **options)[2]


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
    model = nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), nn.ReLU())
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
    report = report_of(Beside())
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
    assert report_of(model()).runs == ()


def test_halves_are_left_to_the_modules():
    model = nn.Sequential(nn.ConvTranspose2d(3, 4, 2, 2), nn.ReLU()).bfloat16()
    assert report_of(model, X.bfloat16()).runs == ()
