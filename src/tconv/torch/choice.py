"""Which calls PyTorch computes faster than the engine, by rules that were measured."""

from __future__ import annotations

from tconv.problem import Problem


def slower(problem: Problem, channels_last: bool, threads: int) -> str:
    """Why the engine is expected to be slower than PyTorch's own operator; "" where it is not."""
    return ""
