"""Which schedule a problem gets: the kinds that can serve it, and the share of the peak that each should reach.

The model counts what a kind computes in vain (lanes that no channel or column fills), and the work around the
products: a result of `terms` products costs as much as terms + STORED of them (or what another way into y costs). The
constants were fitted to times of all kinds on the public layers, one thread of an AMD Zen 5 with AVX-512; `tconv.tune`
measures instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import NamedTuple, TypeAlias

from tconv.jit import channels_sizes, depthwise, gradient, pixels, taps
from tconv.jit.channels import ChannelSchedule
from tconv.jit.depthwise import PlaneSchedule
from tconv.jit.gradient import GradientSchedule
from tconv.jit.isa import Isa
from tconv.jit.layouts import Layout, channels_of, layout_of, spread_out
from tconv.jit.lines import Line, by_shift, moves, phase_taps
from tconv.jit.pixels import PixelSchedule
from tconv.jit.schedule import MOST_SCRATCH
from tconv.jit.taps import TapSchedule
from tconv.problem import Problem

Schedule: TypeAlias = PixelSchedule | ChannelSchedule | PlaneSchedule | TapSchedule | GradientSchedule

#: Products that the store of a result costs: from registers; likewise, but in parts, where tiles span rows; through the
#: block and a transpose; through it as runs of a vector or more.
STORED, IN_PARTS, TRANSPOSED, MOVED = 8.0, 30.0, 24.0, 40.0
#: Likewise to add a run of taps to y.
ADDED = 200.0
#: Share of the peak of pixels in lanes with few phases, with many (which leaves registers for few channels), and of
#: channels and of taps in lanes.
FEW_PHASES, MANY_PHASES, IN_CHANNELS, IN_TAPS = 0.92, 0.80, 0.93, 0.85
#: From so many phases of the last axis on pixels in lanes have many.
MANY = 8
#: What becomes of pixels in lanes with one vector of each phase.
ALONE = 0.55
#: Products that an element of x costs which is turned on its way into the panel.
TURNED = 12.0
#: What becomes of it where a row is one vector.
NARROW = 0.9
#: Likewise for depthwise layers, against 2 for their own kernel with rows that fill vectors.
SHORT = 1.5
#: Results that beginning with the next plane costs: 30 ns, against 0.2 to 0.4 a result by turning. Below 200 results a
#: plane, turning is quicker.
PLANE = 67.0
#: From so many taps a sum on, pixels in lanes serve better where several channels share what is loaded of x.
SHARED = 9
#: From so many taps a sum on, weights no longer stay in registers; what becomes of the 2 then.
LONG, LONG_SUMS = 25, 1.4
#: Bytes that rounding to lines may add to scratch.
SPARE = 4096
#: Bytes of weights from which pixels in lanes, which read all of them for every tile of pixels, wait for memory: of
#: `conv_transpose`, and of `conv`, where a vector of x that was loaded meets one tap only, so that x is in the way too.
HEAVY = {"conv_transpose": 3 << 19, "conv": 3 << 17}


class Kind(NamedTuple):
    """One way to serve a problem, and the share of the peak it is expected to reach."""

    share: float
    make: Callable[[], Schedule]


@lru_cache(maxsize=1024)
def choose(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1, generation: int = 0) -> Schedule:
    """The schedule of a problem in one of the layouts: what `tconv.tune` found, else by the model.

    `generation` is that of engines (`engine.py`): another one looks again.
    """
    from tconv.jit import choices

    return choices.remembered(problem, channels_last, isa) or by_model(problem, channels_last, isa, threads)


def by_model(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1) -> Schedule:
    """The schedule of the kind with the largest share, of those whose copies fit, if any do."""
    found: list[Kind] = []
    for kind in _serving(problem, channels_last, isa, threads):
        # The kinds for depthwise layers alone come first. All others have a share of the peak, and no more than 1.
        if kind.share <= 1.0 and (best := _best([kind for kind in found if kind.share > 1.0])):
            return best
        found.append(kind)
    return _best(found) or max(found, key=lambda kind: kind.share).make()


def _best(found: list[Kind]) -> Schedule | None:
    made = (kind.make() for kind in sorted(found, key=lambda kind: -kind.share))
    return next(filter(_fits, made), None)


def offered(problem: Problem, channels_last: bool, isa: Isa, threads: int = 1) -> list[Kind]:
    """All kinds that can serve a problem in one of the layouts."""
    found = list(_serving(problem, channels_last, isa, threads))
    return [kind for kind in found if _fits(kind.make())] or found


def _serving(problem: Problem, channels_last: bool, isa: Isa, threads: int) -> Iterator[Kind]:
    layout = layout_of(problem, channels_last)
    if layout.joined and problem.groups > 1 and (layout.last or problem.operation != "conv_transpose"):
        layout = spread_out(problem, channels_last)
    return kinds(problem, layout, isa, threads)


def _fits(made: Schedule) -> bool:
    """Whether what a schedule copies leaves room in scratch for rounding to lines."""
    return made.panel + made.block + made.cells <= MOST_SCRATCH - SPARE


def kinds(problem: Problem, layout: Layout, isa: Isa, threads: int = 1) -> Iterator[Kind]:
    """All kinds that can serve a problem."""
    last, lanes = layout.lines[-1], isa.lanes(problem.itemsize)
    if problem.operation == "weight_gradient":
        if problem.cin == problem.cout == 1 and not layout.joined:
            yield Kind(1.0, lambda: gradient.make(problem, layout, isa, own=True))
        yield Kind(IN_CHANNELS * _filled(problem.cin, lanes), lambda: gradient.make(problem, layout, isa))
        return
    if layout.joined:
        yield Kind(3.0, lambda: channels_sizes.make(problem, layout, isa, "phases" if last.apart == 1 else "channels"))
        return
    read, written, *_ = channels_of(problem)
    depth = problem.cin == problem.cout == 1
    if depthwise.able(problem, layout):
        share = _planes(
            problem, layout, _filled(len(last.span()), lanes), folded=depthwise.folded(last, lanes, isa) > 0
        )
        yield Kind(share, lambda: depthwise.make(problem, layout, isa, threads))
    if depth and (layout.last or problem.groups >= lanes):
        share = 2.0 if layout.last else SHORT * _filled(problem.groups, lanes)
        yield Kind(share, lambda: channels_sizes.make(problem, layout, isa, "channels", own=True))
    terms = read * prod(line.kernel / line.stride for line in layout.lines)  # of a result, those in gaps among them
    # Far apart in the block, the phases of a large stride fall into few sets of the cache.
    stored = STORED if layout.last else TRANSPOSED * (1 if last.stride < MANY else 2)
    inside = _inside(last)
    share = IN_CHANNELS * _filled(written, lanes) * inside * terms / (terms + stored)
    yield Kind(share, lambda: channels_sizes.make(problem, layout, isa, "channels"))
    # A run of channels-last lanes holds all channels of a pixel. (Of `conv`, dilation is negative: it has one phase.)
    if last.dilation == 1 and not (layout.last and problem.groups > 1):
        run = last.stride * (written if layout.last else 1)
        runs = 1 if layout.last else max(1, lanes // run)  # of a vector
        lanes_filled = _filled(run * runs, lanes) * _tapped(last) * _inside(last, last.low % last.stride, every=True)
        lanes_filled *= 1.0 if layout.last else _filled(written, runs)
        share = IN_CHANNELS * lanes_filled * terms / (terms + MOVED * max(1.0, lanes / run))
        yield Kind(share, lambda: channels_sizes.make(problem, layout, isa, "phases"))
    if taps.able(problem, layout, isa):
        yield Kind(_taps(problem, layout, lanes), lambda: taps.make(problem, layout, isa))
    if pixels.able(problem, layout, isa):
        # Channels first, rows that no tap reaches cost next to nothing.
        computed = 1.0 if layout.last else prod(min(1.0, line.kernel / line.stride) for line in layout.lines[:-1])
        share = _pixels(problem, layout, lanes, terms / computed, pixels.budget(isa)) * inside
        yield Kind(share, lambda: pixels.make(problem, layout, isa))


def _pixels(problem: Problem, layout: Layout, lanes: int, terms: float, budget: int) -> float:
    """The share of the peak with pixels in lanes."""
    last = layout.lines[-1]
    columns, beside = len(last.span()), len(moves(last)) - 1
    # Row by row, or flat over rows that are as far apart as x is wide with its zeros.
    by_row = _filled(columns, lanes) * (NARROW if columns <= lanes else 1.0) * terms / (terms + STORED)
    flat = (
        columns / (columns + beside) * _filled(columns * layout.lines[-2].of_strand, lanes) * terms / (terms + IN_PARTS)
    )
    share = FEW_PHASES if last.stride < MANY else MANY_PHASES
    # One vector of a phase: each weight that is loaded meets one vector of x.
    together = channels_of(problem).written * last.stride * layout.lines[-2].stride
    share *= ALONE if len(layout.lines) > 2 and budget // 2 < together <= budget else 1.0
    heavy = prod(problem.w_shape) * problem.itemsize >= HEAVY[problem.operation]
    turned = channels_of(problem).written * problem.taps
    turning = turned / (turned + TURNED) if layout.last else 1.0
    return share * turning * max(by_row, flat) * (0.6 if heavy else 1.0)


def _taps(problem: Problem, layout: Layout, lanes: int) -> float:
    """The share of the peak with taps in lanes: what is beside y is in vain, and adding a run costs much."""
    last, cells = layout.lines[-1], prod(line.read for line in layout.lines)
    landing = problem.multiplications / max(1, cells * problem.taps * problem.cin * problem.cout * problem.groups)
    run = min(lanes, last.kernel if last.dilation == 1 else 1)
    return IN_TAPS * landing * taps.filled(problem, layout, lanes) * problem.cin / (problem.cin + ADDED / run)


def _planes(problem: Problem, layout: Layout, filled: float, *, folded: bool) -> float:
    """The rank of their own kernel among what serves depthwise layers, by the taps of a sum and the lanes in use."""
    taps = prod(max(map(len, phase_taps(line))) for line in layout.lines)
    if channels_of(problem).written > 1 and taps >= SHARED:
        return 0.0
    if taps >= LONG:
        return LONG_SUMS * filled
    results = prod(line.written for line in layout.lines[max(1, len(layout.lines) - 2) :])
    return 2.0 * (results / (results + PLANE) if folded else filled)


def _inside(last: Line, origin: int = 0, *, every: bool = False) -> float:
    """The share of the taps of the last axis that meet a cell of x and not the zeros beside it.

    `every`: each phase takes every q, as in lanes, also those whose position lies beside y.
    """
    found, total, apart, read = 0, 0, last.apart, last.read
    for b, of_phase in enumerate(phase_taps(last, origin)):
        first, end = last.first(b, origin), last.end(b, origin)
        total += len(of_phase) * (len(last.span(origin)) if every else end - first)
        for _, shift in of_phase:
            found += max(0, min(end, -((shift - read) // apart)) - max(first, -(shift // apart)))
    return found / max(1, total)


def _filled(wanted: int, lanes: int) -> float:
    """The share of lanes in use when vectors cover so many elements."""
    return wanted / (-(-wanted // lanes) * lanes)


def _tapped(last: Line) -> float:
    """The share of (phase, shift) pairs of the last axis that have a tap, with phases in lanes."""
    return last.kernel / (len(by_shift(last, last.low % last.stride)) * last.stride)
