"""Whether sums of integers fit into a dtype: by how many products they have, and by what the operands may hold."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.problem import Problem

#: The dtypes that a message offers, in this order.
_WIDER = ("int32", "int64")


def terms(problem: Problem) -> int:
    """The most products that are added up to one number of the result."""
    g = problem.geometry
    if problem.operation == "weight_gradient":
        return problem.batch * problem.coarse_cells
    if problem.operation == "conv":
        return problem.cout * problem.taps
    return problem.cin * prod(max(axis.taps_per_phase) for axis in g.axes)


def said(problem: Problem, operands: tuple[str, str], dtype: str) -> str:
    """What becomes of sums of integers in a dtype, in a sentence; "" for other numbers."""
    if (
        not all(np.dtype(name).kind in "iu" for name in (*operands, dtype) if name != "bfloat16")
        or "bfloat16" in operands
    ):
        return ""
    of = operands[0] if operands[0] == operands[1] else " and ".join(operands)
    number = terms(problem)
    low, high = _reach(operands, number)
    if _holds(dtype, low, high):
        return f"sums of {number:,} products of {of} fit into {dtype}: nothing is lost"
    wider = next((name for name in _WIDER if _holds(name, low, high)), "")
    hint = f'; dtype="{wider}" holds them' if wider else ""
    return f"sums of up to {number:,} products of {of} may reach {max(-low, high):,}: they wrap around in {dtype}{hint}"


def _reach(operands: tuple[str, str], number: int) -> tuple[int, int]:
    """The least and the largest sum of so many products."""
    first, second = (np.iinfo(name) for name in operands)
    products = [int(a) * int(b) for a in (first.min, first.max) for b in (second.min, second.max)]
    return number * min(products), number * max(products)


def _holds(dtype: str, low: int, high: int) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= low and high <= info.max)
