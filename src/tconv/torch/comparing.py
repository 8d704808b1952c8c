"""Results and gradients of the same computation made in two ways: whether they are the same up to rounding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tconv.measuring import contest
from tconv.measuring.contest import LIMITS
from tconv.problem import Array
from tconv.torch.messages import name_of

#: Gradients are longer sums than results, with more that cancels: they may differ so many times as much.
GRADIENTS = 10
#: What rounding does to a result by itself is the largest of a few differences. Another may be so many times as large.
LENIENT = 3


def disagreement(
    results: Sequence[Tensor], expected: Sequence[Tensor], outputs: int = 1, rounding: Sequence[float] = ()
) -> str:
    """Why results are not those expected, "" where they are; behind so many outputs there are gradients.

    `rounding` has for each of them how far rounding moves it by itself, where that is known.
    """
    if len(results) != len(expected):
        return f"it has {len(results)} results and gradients, and not {len(expected)}"
    for number, (result, wanted) in enumerate(zip(results, expected, strict=True)):
        what, more = ("gradient", GRADIENTS) if number >= outputs else ("result", 1)
        if result.dtype != wanted.dtype or result.shape != wanted.shape:
            return f"its {what} is {_said(result)}, and not {_said(wanted)}"
        limit = more * LIMITS.get(name_of(_real(wanted).dtype), 0.0)
        if rounding:
            limit = max(limit, LENIENT * rounding[number])
        off = difference([result], [wanted])
        if not off <= limit:
            return f"its {what} differs by {off:.1e} of the largest value; the limit is {limit:.3g}"
    return ""


def alike(results: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    """Whether there are as many results as expected, of the same shapes and dtypes."""
    return [(t.dtype, t.shape) for t in results] == [(t.dtype, t.shape) for t in expected]


def difference(results: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference, over the largest value that is expected."""
    return contest.difference([_array(t) for t in results], [_array(t) for t in expected])


def _array(t: Tensor) -> Array:
    t = _real(t.detach().cpu())
    return (t if t.dtype in (torch.float32, torch.float64) else t.float()).numpy()  # NumPy has no bfloat16


def _real(t: Tensor) -> Tensor:
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t


def _said(t: Tensor) -> str:
    return f"{name_of(t.dtype)} of shape {tuple(t.shape)}"
