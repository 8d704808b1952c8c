"""Problems drawn at random, for every test that draws them and for the fuzz: they lean on what goes wrong first.

Everything is drawn through one function, which takes one of several options:

    pick = random.Random(seed).choice                                        from a seed
    pick = lambda options: draw(strategies.sampled_from(options))            under hypothesis (`strategies.py`)

Faults hide where things are few, or just do not fit: an axis of one cell, a kernel of one tap or smaller than its
stride, one channel, rows around whole vectors. So these are what options repeat. Nothing is drawn and then rejected:
what would be too large is cropped, or drawn from fewer options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, TypeAlias

from tconv import Axis, Geometry
from tconv.jit.machine.isa import ISAS
from tconv.problem import OPERATIONS, Problem

#: Takes one of the options; the first ones are the simplest.
Pick: TypeAlias = Callable[[Sequence[Any]], Any]


class Bounds(NamedTuple):
    """The largest values drawn for one axis."""

    coarse: int
    kernel: int
    stride: int
    dilation: int


#: By number of axes, so that a grid stays small.
BOUNDS = {1: Bounds(8, 6, 5, 4), 2: Bounds(5, 4, 4, 3), 3: Bounds(3, 3, 3, 2), 4: Bounds(2, 3, 2, 2)}
SMALL_BOUNDS = {1: Bounds(5, 4, 4, 3), 2: Bounds(3, 3, 3, 2), 3: Bounds(2, 2, 2, 2), 4: Bounds(2, 2, 2, 1)}
#: Fine cells of a small geometry, at most: few enough for a dense matrix.
SMALL = 200


class Window(NamedTuple):
    """What is done along an axis, whatever its size; machine code depends on no more."""

    kernel: int
    stride: int
    dilation: int
    low: int
    high: int

    @property
    def span(self) -> int:
        """Fine cells from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1


#: A kernel of one tap, at any stride; an axis that stays as it is, or is only cropped or padded; a kernel shorter than
#: the stride, as long, twice as long; anything.
WINDOWS = ("any", "one tap", "stays", "moved", "gaps", "no overlap", "twice", "any")
#: What several axes have in common: it takes two of them at an edge to meet some faults. Padding, too.
MOODS = (WINDOWS, ("one tap", "stays", "one tap", "stays", "moved"))
PADDED = (True, False)


def windows(pick: Pick, bounds: Bounds, ndim: int) -> tuple[Window, ...]:
    """The windows of all axes."""
    mood, padded = pick(MOODS), pick(PADDED)
    return tuple(window(pick, bounds, mood, padded=padded) for _ in range(ndim))


def window(pick: Pick, bounds: Bounds, mood: Sequence[str] = WINDOWS, *, padded: bool = True) -> Window:
    """The window of an axis."""
    how, stride = pick(mood), pick((1, 1, 2, 2, *range(1, bounds.stride + 1)))
    if how == "stays":
        return Window(1, 1, 1, 0, 0)
    if how == "moved":
        return Window(1, 1, 1, pick((-1, 1, 0)), pick((-1, 1, 0)))
    if how == "gaps":
        stride = max(2, stride)
    kernel = {"one tap": 1, "gaps": pick(range(1, max(2, stride))), "no overlap": stride, "twice": 2 * stride}.get(how)
    kernel = min(bounds.kernel, kernel or pick(range(1, bounds.kernel + 1)))
    # Now and then so long that taps reach from one end of a grid beyond the other.
    dilation = pick((1, 1, 1, 1, *range(1, bounds.dilation + 1), 2 * bounds.dilation + 1))
    span = dilation * (kernel - 1) + 1
    if not padded:
        return Window(kernel, stride, dilation, 0, 0)
    # Up to a whole kernel: then a tap of the outermost cell lies in the crop.
    low = pick((0, 0, (span - 1) // 2, *range(-2, span + 1)))
    return Window(kernel, stride, dilation, low, pick((low, low, 0, *range(-2, span + 1))))


def axis(pick: Pick, window: Window, sizes: Sequence[int], room: int) -> Axis:
    """An axis with a window, of one of the sizes, in cells of the coarse grid; at most so many of the fine one."""
    kernel, stride, dilation, low, high = window
    a = pick((0, 0, max(stride, dilation) - 1, *range(max(stride, dilation))))
    without_stride = window.span - low - high + a
    least = max(1, 1 - (without_stride - 1) // stride)  # the fewest coarse cells that leave something of the fine grid
    fitting = [n for n in sizes if n >= least and (n - 1) * stride + without_stride <= room]
    coarse = pick(fitting or (least,))
    beyond = (coarse - 1) * stride + without_stride - room
    return Axis(coarse, kernel, stride, (low, high + max(0, beyond)), a, dilation)


def axis_within(pick: Pick, bounds: Bounds, room: int = 1 << 20) -> Axis:
    """An axis within bounds: padding of either sign and different ends, output padding, strides beyond the kernel."""
    return axis(pick, window(pick, bounds), _sizes(bounds), room)


def _sizes(bounds: Bounds) -> Sequence[int]:
    return (1, *range(1, bounds.coarse + 1))


def geometry(pick: Pick, ndims: Sequence[int] = (1, 2, 3), *, small: bool = False) -> Geometry:
    """A geometry; a small one has few fine cells."""
    ndim, room, axes = pick(ndims), SMALL if small else 1 << 20, list[Axis]()
    bounds = (SMALL_BOUNDS if small else BOUNDS)[ndim]
    for one in windows(pick, bounds, ndim):
        axes.append(axis(pick, one, _sizes(bounds), room))
        room = max(1, room // axes[-1].fine)
    return Geometry(axes)


# ---- for the engine: channels, and sizes around whole vectors

#: Numbers around whole vectors, of any set of instructions in any dtype; those that are whole for all of them most.
LANES = sorted({isa.lanes(size) for isa in ISAS.values() for size in (4, 8)})
AROUND = [n + d for n in (*LANES, 2 * LANES[-1]) for d in (-1, 0, 0, 1)] + [LANES[-1], 2 * LANES[-1]]
#: Of the axes that are not the last, and of an axis of windows that are larger, or of a single one.
FEW = (1, 1, 2, 3, 4, 5, 7)
#: Windows by number of axes.
WIDE = {1: Bounds(40, 9, 9, 3), 2: Bounds(40, 5, 5, 2), 3: Bounds(40, 3, 3, 2), 4: Bounds(2, 2, 2, 1)}
#: Multiplications and elements of a grid, at most, so that a case takes milliseconds.
MOST_WORK, MOST_CELLS = 100_000, 6_000
#: Cells that are left, at least, for each axis before one that is drawn.
LEFT = 4
#: How the channels of the two grids go together.
CHANNELS = ("one group", "one group", "groups", "depthwise", "depthwise", "multiplied", "one channel")
#: Of single cells, whose weight gradients (`OPERATIONS` ends with them) are the rarest of all ways that schedules take.
OF_SINGLE = ("one group",) * 5 + CHANNELS[2:]


@dataclass(frozen=True)
class Family:
    """What the machine code of a problem depends on: problems of one family differ in sizes, and share much of it."""

    operation: str
    dtype: str
    windows: tuple[Window, ...]
    single: bool  #: each image is one coarse cell
    cin: int
    cout: int
    groups: int

    def problem(self, pick: Pick) -> Problem:
        """A problem with sizes of its own."""
        batch = pick((1, 2, 2, 3, 5, 17))
        work = MOST_WORK // (self.cin * self.cout * self.groups * prod(w.kernel for w in self.windows))
        room = max(1, min(MOST_CELLS // (self.cin * self.groups), MOST_CELLS // (self.cout * self.groups), work))
        batch = min(batch, max(1, room if self.single else room // 8))
        room = max(1, room // batch)
        axes = [Axis(1, w.kernel, w.stride) for w in self.windows] if self.single else self._axes(pick, max(8, room))
        sizes = (batch, self.cin * self.groups, self.cout * self.groups, self.groups)
        return Problem(self.operation, Geometry(axes), *sizes, self.dtype)  # type: ignore[arg-type]

    def _axes(self, pick: Pick, room: int) -> list[Axis]:
        """The last axis first: it is the one that is cut into vectors. It leaves some room for each of the others."""
        found = list[Axis]()
        for left, one in zip(reversed(range(len(self.windows))), reversed(self.windows), strict=True):
            sizes = FEW if found else (*FEW, *AROUND)
            found.insert(0, axis(pick, one, sizes, max(1, room // LEFT**left)))
            room = max(1, room // max(found[0].fine, found[0].coarse))
        return found


def family(pick: Pick, operations: Sequence[str] = OPERATIONS, dtypes: Sequence[str] = ("float32",) * 3 + ("float64",)):
    """Windows, channels and dtype."""
    ndim = pick((1, 2, 2, 2, 3, 3, 4))
    single = pick((False,) * 5 + (True,))
    cin, cout, groups = _channels(pick, OF_SINGLE if single else CHANNELS)
    operation = pick((*operations, operations[-1]) if single else operations)
    return Family(operation, pick(dtypes), windows(pick, WIDE[ndim], ndim), single, cin, cout, groups)


def _channels(pick: Pick, ways: Sequence[str]) -> tuple[int, int, int]:
    """Of a group, and how many groups."""
    how = pick(ways)
    if how == "one channel":
        return 1, 1, 1
    if how in ("depthwise", "multiplied"):
        return 1, 1 if how == "depthwise" else pick((2, 3)), pick((2, 3, *AROUND))
    few = pick(((1, 2, 3), AROUND)), pick(((1, 2, 3), AROUND))
    if how == "groups":
        return pick(few[0][:8]), pick(few[1][:12]), pick((2, 3, 5))
    return pick(few[0]), pick(few[1]), 1


def problem(pick: Pick, **options: Sequence[str]) -> Problem:
    """A problem for the engine."""
    return family(pick, **options).problem(pick)
