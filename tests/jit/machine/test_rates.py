"""What a machine does: measured when that is asked for, kept, and what the models of cost make of it."""

import json

import pytest
from registry import needs_kernels

import tconv
from tconv.jit.choice import expected
from tconv.jit.machine import cache, isa, rates, roofline
from tconv.methods import cost

pytestmark = pytest.mark.quick

AVX2 = isa.ISAS["avx2"]


@pytest.fixture(autouse=True)
def nothing_known(folder):
    """As in a process that starts, where nothing was measured before."""
    rates.known.cache_clear()
    rates.compared.cache_clear()
    yield
    rates.known.cache_clear()
    rates.compared.cache_clear()


@pytest.fixture
def loops(monkeypatch):
    """Every other measurement was disturbed."""
    peaks, bandwidths = iter([50e9, 100e9] * rates.ROUNDS), iter([2e9, 8e9] * rates.ROUNDS)
    monkeypatch.setattr(roofline, "peak", lambda isa: next(peaks))
    monkeypatch.setattr(roofline, "bandwidth", lambda isa: next(bandwidths))


def keep(isa, peak, bandwidth):
    """As if it had been measured."""
    cache.write(rates._key(isa), rates._BY, json.dumps({"peak": peak, "bandwidth": bandwidth}).encode())


def test_the_best_is_kept_for_this_set_of_instructions(loops):
    assert rates.known(AVX2) is None
    assert rates.measured(AVX2) == ((100e9, 8e9), True)
    assert rates.known(AVX2) == (100e9, 8e9)
    rates.known.cache_clear()  # another process
    assert rates.known(AVX2) == (100e9, 8e9)
    assert rates.known(isa.ISAS["baseline"]) is None


def test_nothing_is_kept_where_there_is_no_folder(loops, monkeypatch):
    monkeypatch.setattr(cache, "place", lambda: None)
    assert rates.measured(AVX2) == ((100e9, 8e9), False)
    assert rates.known(AVX2) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b'{"peak": 1e9}', b'{"peak": "fast", "bandwidth": 1}', b'{"peak": 0, "bandwidth": 1}',
     b'{"peak": 1e9, "bandwidth": -1}', b'{"peak": NaN, "bandwidth": 1}', b'{"peak": 1e9, "bandwidth": Infinity}'],
)  # fmt: skip
def test_what_is_no_machine_is_not_used(content):
    cache.write(rates._key(AVX2), rates._BY, content)
    assert rates.known(AVX2) is None


def test_another_machine_shares_the_folder(loops, monkeypatch):
    rates.measured(AVX2)
    monkeypatch.setattr(rates.platform, "node", lambda: "another")
    rates.known.cache_clear()
    assert rates.known(AVX2) is None


def test_what_is_expected_of_the_engine():
    problem = tconv.plan((1, 256, 64, 64), (256, 256, 3, 3)).problem
    before = expected.seconds(problem, AVX2, 1)
    rate = 2 * 2 * 8 * expected.CLOCK  # two multiply-adds of eight lanes in a cycle
    keep(AVX2, rate / 2, expected.MOVING / 2)
    rates.known.cache_clear()
    assert expected.seconds(problem, AVX2, 1) - expected.CALL == pytest.approx(2 * (before - expected.CALL))
    double = tconv.plan((1, 256, 64, 64), (256, 256, 3, 3), dtype="float64").problem
    arithmetic = double.multiplications / (rate / 2 / 2 / 2 * expected.EFFICIENCY)
    assert expected.seconds(double, AVX2, 1) > arithmetic > expected.seconds(problem, AVX2, 1)


def test_what_is_expected_of_numpy_is_scaled_too():
    """Else a slow machine would be given the other methods."""
    problem = tconv.plan((1, 64, 16, 16), (64, 64, 3, 3)).problem
    product, moved = cost.matmul(problem, 512, 512, 512), cost.copy(problem, 1 << 20, 1 << 20)
    best = isa.ISAS[isa.available()[0]] if isa.available() else AVX2
    keep(best, rates.ASSUMED.peak / 4, rates.ASSUMED.bandwidth / 2)
    rates.known.cache_clear()
    rates.compared.cache_clear()
    if isa.available():
        assert cost.matmul(problem, 512, 512, 512) == pytest.approx(4 * product, rel=0.01)
        assert cost.copy(problem, 1 << 20, 1 << 20) == pytest.approx(2 * moved, rel=0.01)


@needs_kernels
def test_a_real_measurement(monkeypatch):
    monkeypatch.setattr(rates, "ROUNDS", 1)
    found, kept = rates.measured(isa.current())
    assert kept
    assert min(found) > 0
    assert rates.known(isa.current()) == found


def test_nothing_is_measured_by_a_plan(monkeypatch):
    def forbidden(*_):
        raise AssertionError

    monkeypatch.setattr(roofline, "peak", forbidden)
    monkeypatch.setattr(roofline, "bandwidth", forbidden)
    assert tconv.plan((1, 3, 5, 7), (3, 2, 3, 3), stride=2).method
    assert tconv.plan((1, 3, 5, 7), (3, 2, 3, 3), stride=2, dtype="float64").method
