"""Why all fine cells are reached by as many taps, or not, in words; and the nearest geometry where it is otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import gcd

from tconv.axis import Axis
from tconv.draw.scene import Said
from tconv.draw.words import learn
from tconv.geometry import Geometry

# The English of those that say why not is `Axis.unevenness`, word for word.
learn({
    "evenness factor": (
        "stride {0} and dilation {1} share the factor {2}: only one in {2} fine positions is reached",
        "步幅 {0} 与膨胀率 {1} 有公因数 {2}：每 {2} 个细网格位置只有一个被触及",
    ),
    "evenness gaps": (
        "kernel {0} is smaller than stride {1}: {2} in every {1} fine positions are reached by no tap",
        "卷积核 {0} 小于步幅 {1}：每 {1} 个细网格位置有 {2} 个没有任何抽头触及",
    ),
    "evenness remainder": (
        "kernel {0} is no multiple of stride {1}: {2} in every {1} fine positions get {3} taps, the rest {4}",
        "卷积核 {0} 不是步幅 {1} 的倍数：每 {1} 个细网格位置有 {2} 个得到 {3} 个抽头，其余 {4} 个",
    ),
    "evenness multiple": (
        "kernel {0} is {2} times stride {1}: away from the border every fine position is reached by as many taps, {2}",
        "卷积核 {0} 是步幅 {1} 的 {2} 倍：远离边界处每个细网格位置都被同样多的抽头触及，即 {2} 个",
    ),
    "evenness unit": (
        "stride 1: away from the border every fine position is reached by as many taps, {0}",
        "步幅 1：远离边界处每个细网格位置都被同样多的抽头触及，即 {0} 个",
    ),
    "evenness axis": ("axis {0}: {1}", "轴 {0}：{1}"),
})  # fmt: skip


def reasons(geometry: Geometry) -> tuple[Said, ...]:
    """Why the coverage is even or not: what all axes say, or each that is to blame; axes that say the same together."""
    told: dict[Said, list[int]] = {}
    for number, axis in enumerate(geometry.axes):
        if geometry.is_even or not axis.is_even:
            told.setdefault(reason(axis), []).append(number)
    if [len(numbers) for numbers in told.values()] == [geometry.ndim]:
        return tuple(told)
    return tuple(Said("evenness axis", (", ".join(map(str, numbers)), said)) for said, numbers in told.items())


def reason(axis: Axis) -> Said:
    """Why the coverage of an axis is even or not."""
    k, s, d = axis.kernel, axis.stride, axis.dilation
    if gcd(s, d) > 1:
        return Said("evenness factor", (s, d, gcd(s, d)))
    if k < s:
        return Said("evenness gaps", (k, s, s - k))
    if k % s:
        return Said("evenness remainder", (k, s, k % s, k // s + 1, k // s))
    taps = len(axis.taps_of_phase(0))
    return Said("evenness unit", (taps,)) if s == 1 else Said("evenness multiple", (k, s, taps))


def contrast(geometry: Geometry) -> Geometry | None:
    """The nearest geometry that is even where this one is not, and the other way round; None where there is none.

    It has another kernel; only where no kernel helps, another dilation or stride.
    """
    even = not geometry.is_even
    axes = tuple(axis if axis.is_even == even else _other(axis, even) or axis for axis in geometry.axes)
    found = Geometry(axes)
    return found if found.is_even == even else None


def _other(axis: Axis, even: bool) -> Axis | None:
    for kernel, stride, dilation in _near(axis, even):
        left = min(axis.output_padding, max(stride, dilation) - 1)
        try:
            other = Axis(axis.coarse, kernel, stride, axis.padding, left, dilation)
        except ValueError:  # the padding leaves nothing of the fine grid
            continue
        if other.is_even == even:
            return other
    return None


def _near(axis: Axis, even: bool) -> Iterator[tuple[int, int, int]]:
    """Kernel, stride and dilation, the nearest first; of two that are as near the larger kernel."""
    k, s, d = axis.kernel, axis.stride, axis.dilation
    if even:
        coprime = next(each for each in range(d, 0, -1) if gcd(each, s) == 1)
        kernels = sorted((k - k % s, k + -k % s), key=lambda kernel: (abs(kernel - k), -kernel))
        yield from ((kernel, s, coprime) for kernel in kernels if kernel)
    elif s > 1:
        yield from ((kernel, s, d) for kernel in (k + 1, k - 1) if kernel)
    elif axis.coarse > 1:  # where there is one cell, nothing can be seen of another stride
        yield k, next(each for each in count(2) if k % each and gcd(each, d) == 1), d
