"""The arithmetic of the report, on made-up times."""

from math import sqrt

import pytest
from bench_layers import measured, small_layer

from tconv.bench import report
from tconv.bench.layers import public

pytestmark = pytest.mark.quick

LAYER = public()["s1.k3"]
FLOPS, BYTES = LAYER.flops, LAYER.work.bytes


def row(seconds, layout="channels_first", **limits):
    return report.row(measured(LAYER, seconds, **limits), layout)


def test_ratios_are_to_the_fastest_library_in_its_fastest_setting():
    found = row(
        {
            "prepared": 2e-3,
            "functional": 4e-3,
            "torch": 8e-3,
            "torch.compile": {"contiguous": 5e-3, "channels_last": 3e-3},
            "onnxruntime": {"run": 6e-3, "io_binding": 6.5e-3},
            "textbook": {"gemm": 1e-3},  # tconv's own: no peer
        }
    )
    assert (found.best_peer, found.best_seconds) == ("torch.compile", 3e-3)
    assert found.prepared.over_best == pytest.approx(1.5)
    assert found.functional.over_best == pytest.approx(0.75)
    assert found.functional_over_torch == pytest.approx(2)
    assert found.prepared.gflops == pytest.approx(FLOPS / 2e6)
    assert found.ours is found.prepared


def test_the_functional_call_is_compared_with_pytorchs_in_the_same_layout():
    seconds = {"functional": 1e-3, "torch": 3e-3, "torch.channels_last": 2e-3}
    assert row(seconds).torch_seconds == 3e-3
    assert row(seconds, "channels_last").torch_seconds == 2e-3
    del seconds["torch.channels_last"]  # one axis
    assert row(seconds, "channels_last").functional_over_torch == pytest.approx(3)


@pytest.mark.parametrize(
    ("peak", "bandwidth", "compute_bound"), [(FLOPS, 2 * BYTES, True), (2 * FLOPS, BYTES, False), (FLOPS, BYTES, True)]
)
def test_the_roofline_is_whichever_takes_longer(peak, bandwidth, compute_bound):
    # At these limits the slower one takes 1 s.
    found = row({"prepared": 1.25, "functional": 2.0}, peak=peak, bandwidth=bandwidth)
    assert found.prepared.share == pytest.approx(0.8)
    assert found.functional.share == pytest.approx(0.5)
    assert found.compute_bound is compute_bound


def test_what_was_not_measured_is_none_and_nothing_fails():
    found = row({"functional": 1e-3})
    assert (found.prepared, found.best_peer, found.best_seconds, found.compute_bound) == (None, "", None, None)
    assert (found.functional.share, found.functional.over_best, found.functional_over_torch) == (None, None, None)
    assert found.ours is found.functional
    assert row({"torch": 1e-3}).ours is None


def test_geometric_means_and_counts():
    assert report.geomean([2, 0.5]) == pytest.approx(1)
    assert report.geomean([1, 2, 4]) == pytest.approx(2)
    found = report.summary([2, None, 0.5, 4])
    assert (found.count, found.least, found.below_one) == (3, 0.5, 1)
    assert found.geomean == pytest.approx(4 ** (1 / 3))
    assert report.summary([None]) is None


def test_the_distribution():
    found = report.quantiles([5, 1, 2, 4, 3])
    assert list(found) == ["least", "5 %", "25 %", "median", "75 %", "95 %", "most"]
    assert list(found.values()) == pytest.approx([1, 1.2, 2, 3, 4, 4.8, 5])
    assert set(report.quantiles([sqrt(2)]).values()) == {sqrt(2)}


def test_the_worst_come_first():
    rows = [
        report.row(measured(small_layer(str(ratio)), {"prepared": 1, "torch": ratio}), "channels_first")
        for ratio in (3, 0.5, 2, 1)
    ]
    rows.append(report.row(measured(small_layer("alone"), {"prepared": 1}), "channels_first"))
    assert [each.layer.name for each in report.worst(rows, 3)] == ["0.5", "1", "2"]
