"""Why no parameter set ties a coarse size to a fine one: what is reached instead, and which change would reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tconv import checks, sizes
from tconv.solving.rank import ranked
from tconv.solving.reach import Question

_PARAMETERS = ("kernel", "stride", "padding", "output_padding", "dilation", "max_kernel")


@dataclass(frozen=True, slots=True)
class ReachedSizes:
    """The fine sizes that are reached at one stride: first, first + step, ... to last, or without end."""

    first: int
    last: int | None
    step: int

    def __contains__(self, size: int) -> bool:
        inside = self.first <= size and (self.last is None or size <= self.last)
        return inside and (size - self.first) % self.step == 0

    def distance(self, size: int) -> int:
        """How far a size is from the first or the last one, if it is outside."""
        below, above = self.first - size, 0 if self.last is None else size - self.last
        return max(below, above, 0)

    def __str__(self) -> str:
        if self.last is not None:
            return checks.some_of(range(self.first, self.last + 1, self.step))
        return f"{self.first} and more" + ("" if self.step == 1 else f" in steps of {self.step}")


def reason(question: Question) -> str:
    """A sentence for an axis that has no solution: what the fixed parameters reach, and what would have to change."""
    if not question.strides:
        return _no_stride(question)
    each = {stride: reached(question, stride) for stride in question.strides}
    stride = min(each, key=lambda s: each[s].distance(question.fine if question.scale is None else 0))
    given = f"with {_given(question, stride)}"
    if question.scale is not None:
        reaching = f"fine is {question.scale} * coarse + n with n = {each[stride]}"
        return f"{given} {reaching}; {_change(question, 'n = 0')}"
    reaching = f"coarse {question.coarse} reaches " + (f"fine {each[stride]}" if str(each[stride]) else "no fine size")
    return f"{given} {reaching}; {_change(question, str(question.fine))}"


def _no_stride(question: Question) -> str:
    tried = question.tried_strides
    if not tried:
        wanted = f"fine = {question.scale} * coarse for every coarse size"
        return f"{wanted} takes stride {question.scale}; stride is {question.stride}"
    stride, a, d = tried[-1], question.output_padding, question.dilation
    return f"output_padding must be less than max(stride, dilation) = max({stride}, {d}) = {max(stride, d)}; it is {a}"


def reached(question: Question, stride: int) -> ReachedSizes:
    """The fine sizes that the fixed parameters reach from the coarse size (for a scale: how far they are from it)."""
    least, most = question.output_paddings(stride)
    smallest = question.kernel or 1
    largest = question.kernel or question.max_kernel
    size = 0 if question.scale is None else -question.fine

    def beyond(kernel: int) -> int:
        return sizes.fine_size(question.coarse, kernel, stride, question.padding or (0, 0), 0, question.dilation) + size

    if question.padding is None:  # the largest kernel, and with it the largest padding, reaches furthest both ways
        assert largest is not None  # for padding and kernel both free there is always a solution
        crop = 2 * (sizes.effective_kernel(largest, question.dilation) - 1)
        found = ReachedSizes(beyond(largest) - crop + least, beyond(largest) + most, 1)
    else:
        step = question.dilation if least == most and question.kernel is None else 1
        found = ReachedSizes(beyond(smallest) + least, None if largest is None else beyond(largest) + most, step)
    if question.scale is not None:
        return found
    return replace(found, first=max(found.first, 1 + (found.first - 1) % found.step))


def _given(question: Question, stride: int) -> str:
    """The fixed parameters and the stride, as a list in words."""
    shown = {name: getattr(question, name) for name in _PARAMETERS} | {"stride": stride}
    if question.kernel is not None:
        shown["max_kernel"] = None
    if question.dilation == 1:
        shown["dilation"] = None
    text = ", ".join(_setting(name, value) for name, value in shown.items() if value is not None)
    if question.stride is not None or question.scale is not None:
        return text
    tried = ", ".join(map(str, question.strides))
    return text.replace(f"stride {stride}", f"stride {stride} (tried: {tried})")


def _change(question: Question, wanted: str) -> str:
    """Which fixed parameters could be given up, each with the best value it would take."""
    options = []
    for name in _PARAMETERS:
        change: dict[str, Any] = {name: 1 if name == "dilation" else None}
        free = replace(question, **change)
        if free != question and (best := ranked([free], 1)):
            ((axis,),) = best
            options.append(_setting(name, getattr(axis, "kernel" if name == "max_kernel" else name)))
    if not options:
        return f"no change of one of them was found that reaches {wanted}"
    return f"{wanted} would take {' or '.join(options)}"


def _setting(name: str, value: int | tuple[int, int]) -> str:
    if isinstance(value, tuple):
        value = value[0] if value[0] == value[1] else value
    return f"{name} {value}"
