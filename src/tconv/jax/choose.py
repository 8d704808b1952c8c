"""Which variant is expected to be the fastest: a rule on sizes, fitted on the CPU."""

from __future__ import annotations

from tconv.jax.task import Choice, Task


def choose(task: Task) -> Choice:
    """The variants for the result and for its derivatives by x and by w."""
    return Choice("native", "native", "columns")
