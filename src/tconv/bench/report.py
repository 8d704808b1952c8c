"""The arithmetic of the comparison: ratios, shares of the roofline, geometric means, the distribution. No printing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

from tconv.arguments import Layout
from tconv.bench.layers import BenchLayer
from tconv.bench.peers import LIBRARIES
from tconv.bench.record import MeasuredLayer

#: PyTorch's functional call on arrays of our layout; contiguous ones where it has no other.
_FUNCTIONAL_PEERS: dict[Layout, tuple[str, ...]] = {
    "channels_first": ("torch",),
    "channels_last": ("torch.channels_last", "torch"),
}
QUANTILES = {"least": 0.0, "5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "most": 1.0}


@dataclass(frozen=True)
class Speed:
    """One contestant on one layer."""

    seconds: float
    gflops: float  #: of useful work
    share: float | None  #: of the roofline; None where that was not measured
    over_best: float | None  #: how many times as fast as the best peer; None where there is none


@dataclass(frozen=True)
class Row:
    """One layer of the report."""

    layer: BenchLayer
    best_peer: str  #: "" where no peer was measured
    best_seconds: float | None
    prepared: Speed | None
    functional: Speed | None
    torch_seconds: float | None  #: PyTorch's functional call
    functional_over_torch: float | None
    compute_bound: bool | None  #: whether multiply-adds and not bytes set the roofline; None where it is not known

    @property
    def ours(self) -> Speed | None:
        """What stands for tconv in the distribution: the prepared operator, else the functional call."""
        return self.prepared or self.functional


def row(measured: MeasuredLayer, layout: Layout) -> Row:
    """A layer's figures from its times."""
    seconds = {name: each for name in LIBRARIES if (each := measured.best(name)) is not None}
    best_peer = min(seconds, key=seconds.__getitem__, default="")
    best = seconds.get(best_peer)
    torch = next((seconds[name] for name in _FUNCTIONAL_PEERS[layout] if name in seconds), None)
    functional = measured.best("functional")
    return Row(
        layer=measured.layer,
        best_peer=best_peer,
        best_seconds=best,
        prepared=speed(measured, measured.best("prepared"), best),
        functional=speed(measured, functional, best),
        torch_seconds=torch,
        functional_over_torch=None if torch is None or functional is None else torch / functional,
        compute_bound=is_compute_bound(measured),
    )


def speed(measured: MeasuredLayer, seconds: float | None, best: float | None) -> Speed | None:
    """A contestant's figures; None where it has no time."""
    if seconds is None:
        return None
    roof = roofline_seconds(measured)
    return Speed(
        seconds=seconds,
        gflops=measured.layer.flops / seconds / 1e9,
        share=None if roof is None else roof / seconds,
        over_best=None if best is None else best / seconds,
    )


def roofline_seconds(measured: MeasuredLayer) -> float | None:
    """No call can be shorter: its useful operations at the peak, or its arrays moved once, whichever takes longer."""
    if measured.peak is None or measured.bandwidth is None:
        return None
    work = measured.layer.work
    return max(work.flops / measured.peak, work.bytes / measured.bandwidth)


def is_compute_bound(measured: MeasuredLayer) -> bool | None:
    """Whether the multiply-adds and not the bytes set the roofline."""
    if measured.peak is None or measured.bandwidth is None:
        return None
    work = measured.layer.work
    return work.flops / measured.peak >= work.bytes / measured.bandwidth


@dataclass(frozen=True)
class Summary:
    """Many numbers in a few."""

    count: int
    geomean: float
    least: float
    below_one: int


def summary(values: Iterable[float | None]) -> Summary | None:
    """The values that are there, in a few numbers; None where there are none."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    return Summary(len(there), geomean(there), min(there), sum(value < 1 for value in there))


def geomean(values: Sequence[float]) -> float:
    """The mean of ratios: of 2 and 1/2 it is 1."""
    return exp(sum(map(log, values)) / len(values))


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """The distribution, interpolated between neighbours."""
    ordered = sorted(values)
    return {name: _quantile(ordered, share) for name, share in QUANTILES.items()}


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def worst(rows: Iterable[Row], count: int = 10) -> list[Row]:
    """The layers with the lowest ratio to the best peer, lowest first."""
    compared = [(each.ours.over_best, each) for each in rows if each.ours and each.ours.over_best is not None]
    return [each for _, each in sorted(compared, key=lambda pair: pair[0])[:count]]
