"""Which kind of schedule is expected to be the quickest for a problem: the one with the largest share of the peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from tconv.jit.machine.isa import Isa
from tconv.jit.schedules.base import MOST_SCRATCH, Schedule
from tconv.jit.schedules.layouts import MemoryLayout, layout_of, spread_out
from tconv.jit.schedules.registry import KINDS
from tconv.problem import Problem

#: Bytes that rounding to lines may add to scratch.
SPARE = 4096


class Offer(NamedTuple):
    """One way to serve a problem, and the share of the peak it is expected to reach."""

    share: float
    make: Callable[[], Schedule]


def by_model(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1) -> Schedule:
    """The schedule of the kind with the largest share, of those whose copies fit, if any do."""
    found: list[Offer] = []
    for offer in _serving(problem, channels_last, isa, threads):
        # The kinds for depthwise layers alone come first. All others have a share of the peak, and no more than 1.
        if offer.share <= 1.0 and (best := _best([offer for offer in found if offer.share > 1.0])):
            return best
        found.append(offer)
    return _best(found) or max(found, key=lambda offer: offer.share).make()


def _best(found: list[Offer]) -> Schedule | None:
    made = (offer.make() for offer in sorted(found, key=lambda offer: -offer.share))
    return next(filter(_fits, made), None)


def offered(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1) -> list[Offer]:
    """All kinds that can serve a problem in one of the layouts."""
    found = list(_serving(problem, channels_last, isa, threads))
    return [offer for offer in found if _fits(offer.make())] or found


def _serving(problem: Problem, channels_last: bool, isa: Isa, threads: int) -> Iterator[Offer]:
    layout = layout_of(problem, channels_last)
    if layout.joined and problem.groups > 1 and (layout.channels_last or problem.operation != "conv_transpose"):
        layout = spread_out(problem, channels_last)
    return offers(problem, layout, isa, threads)


@lru_cache(maxsize=1024)
def by_filter(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1) -> Schedule | None:
    """The schedule by minimal filtering, which is not exact; None where it has nothing to offer."""
    layout = layout_of(problem, channels_last)
    for kind in KINDS.values():
        share = None if kind.exact else kind.share(problem, layout, isa, threads)
        if share is not None:
            made: Schedule = kind.make(problem, layout, isa, threads)
            return made if _fits(made) else None
    return None


def _fits(made: Schedule) -> bool:
    """Whether what a schedule copies leaves room in scratch for rounding to lines."""
    return made.panel + made.block + made.cells <= MOST_SCRATCH - SPARE


def offers(problem: Problem, layout: MemoryLayout, isa: Isa, threads: int = 1) -> Iterator[Offer]:
    """What the kinds that can serve a problem offer, one after the other."""
    for kind in KINDS.values():
        share = kind.share(problem, layout, isa, threads) if kind.exact else None
        if share is not None:
            yield Offer(share, partial(kind.make, problem, layout, isa, threads))
