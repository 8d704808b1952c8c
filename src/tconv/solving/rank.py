"""Which of the geometries that have the wanted sizes comes first, and the search for the first few of them.

Each axis has its own parameter sets (`reach.Question`), so N axes have the product of them, which is never built.
Nearly everything in the order adds up over the axes (kernels multiply), so that of all pairs from two sorted lists,
pair (i, j) has (i + 1) * (j + 1) - 1 others before it: few pairs can be among the first `limit`. What does not add up
is on how many axes the parameters are the same; so every way of letting axes share them is searched by itself, and the
results are merged. They are exact: the first `limit` of all there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from math import gcd, prod
from typing import TypeAlias

from tconv.axis import Axis
from tconv.solving.reach import Question

Axes: TypeAlias = tuple[Axis, ...]


def beyond_taps(axis: Axis) -> tuple[int, int]:
    """How many fine positions lie before the first tap that any coarse cell writes, and after the last."""
    low, high = axis.padding
    return max(0, -low), max(0, axis.output_padding - high)


def has_gaps(axis: Axis) -> bool:
    """Whether fine positions are left without a tap, far from the border or beyond the first or the last tap."""
    return axis.kernel < axis.stride or gcd(axis.stride, axis.dilation) > 1 or any(beyond_taps(axis))


def order(axes: Axes) -> tuple[int, ...]:
    """Solutions are sorted by this, the smallest first.

    How many axes have uneven coverage; how many have gaps; how many different windows (kernel and stride) there are
    among the axes, and how many different parameter sets; taps; axes with asymmetric padding; output padding; by how
    much the ends of the padding differ; how far stride * coarse is from the fine size; strides. Then the parameters
    themselves, so that no two are equal.
    """
    uneven, gaps, *rest = _sums(axes)
    windows = len({(axis.kernel, axis.stride) for axis in axes})
    return (uneven, gaps, windows, *rest)


def ranked(questions: Sequence[Question], limit: int) -> list[Axes]:
    """The first `limit` solutions, in order."""
    together: dict[tuple[int, ...], list[Axes]] = {}
    found: set[Axes] = set()
    for parts in _partitions(tuple(range(len(questions)))):
        for part in parts:
            if part not in together:
                together[part] = _sharing_a_window([questions[i] for i in part], limit)
        places = [i for part in parts for i in part]
        for axes in _combined([together[part] for part in parts], limit):
            found.add(_in_place(places, axes))
    return nsmallest(limit, found, key=order)


def _partitions(items: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Every way to put items into groups."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for groups in _partitions(rest):
        yield [(first,), *groups]
        for i, group in enumerate(groups):
            yield [*groups[:i], (first, *group), *groups[i + 1 :]]


def _sharing_a_window(questions: Sequence[Question], limit: int) -> list[Axes]:
    """The first `limit` solutions of axes that all have the same kernel and the same stride."""
    found: set[Axes] = set()
    for stride in set.intersection(*(set(question.strides) for question in questions)):
        for kernel in _kernels(questions, stride, limit):
            each = [question.axes(kernel, stride, limit) for question in questions]
            found.update(_with_the_window(each, limit))
    return nsmallest(limit, found, key=_sums)


def _with_the_window(each: Sequence[Sequence[Axis]], limit: int) -> Iterator[Axes]:
    """The first `limit` combinations of axes whose kernel and stride are settled, and some more."""
    for parts in _partitions(tuple(range(len(each)))):
        lists = [nsmallest(limit, _equal([each[i] for i in part]), key=_sums) for part in parts]
        places = [i for part in parts for i in part]
        yield from (_in_place(places, axes) for axes in _combined(lists, limit))


def _equal(each: Sequence[Sequence[Axis]]) -> list[Axes]:
    """The combinations of axes that have the same padding and the same output padding."""
    first, *rest = ({(axis.padding, axis.output_padding): axis for axis in axes} for axes in each)
    return [(axis, *(axes[key] for axes in rest)) for key, axis in first.items() if all(key in axes for axes in rest)]


def _in_place(places: Sequence[int], axes: Axes) -> Axes:
    return tuple(axis for _, axis in sorted(zip(places, axes, strict=True), key=lambda pair: pair[0]))


def _kernels(questions: Sequence[Question], stride: int, limit: int) -> set[int]:
    """The kernels that all axes share at this stride and that can be among the first `limit`.

    At each of the thresholds from which one more axis can be without gaps, the next few below the stride, of its
    multiples, and of the rest.
    """
    each = [question.kernels(stride) for question in questions]
    first, stop = max(kernels.start for kernels in each), min(kernels.stop for kernels in each)
    picked: set[int] = set()
    for threshold in {first, *(question.gapless_from(stride) for question in questions)}:
        start = max(first, threshold)
        multiples = range(-(-start // stride) * stride, stop, stride)
        others = range(max(start, stride + 1), stop) if stride > 1 else range(0)
        for kernels in (range(start, min(stop, stride)), multiples, (k for k in others if k % stride)):
            picked.update(islice(kernels, limit))
    return picked


def _combined(lists: Iterable[list[Axes]], limit: int) -> list[Axes]:
    """The first `limit` of all combinations of one entry from each list, the lists being in order."""
    best: list[Axes] = [()]
    for entries in lists:
        pairs = (left + right for i, left in enumerate(best) for right in entries[: limit // (i + 1)])
        best = nsmallest(limit, pairs, key=_sums)
    return best


def _sums(axes: Axes) -> tuple[int, ...]:
    """`order` without what does not add up over groups of axes that share no window."""
    return (
        sum(not axis.is_even for axis in axes),
        sum(map(has_gaps, axes)),
        len({(axis.kernel, axis.stride, axis.padding, axis.output_padding) for axis in axes}),
        prod(axis.kernel for axis in axes),
        sum(axis.padding[0] != axis.padding[1] for axis in axes),
        sum(axis.output_padding for axis in axes),
        sum(abs(axis.padding[1] - axis.padding[0]) for axis in axes),
        sum(abs(axis.stride * axis.coarse - axis.fine) for axis in axes),
        sum(axis.stride for axis in axes),
        # The parameters themselves: where a list is cut among equals, it is not by the order of a set.
        *(n for axis in axes for n in (axis.kernel, axis.stride, *axis.padding)),
    )
