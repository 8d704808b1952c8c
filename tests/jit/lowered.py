"""Every set of instructions on any machine: natively where the processor has it, else lowered onto what it has.

Schedules, tables and LLVM IR are made as for the set of instructions itself: with its lanes, registers and masks. Only
what LLVM turns the IR into is another: vectors that are too wide become several, masks that have no registers become
vectors. So a lowered run proves schedules, tables and IR. It proves neither the instructions of the processor that is
meant, nor what LLVM makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import tconv
from tconv.jit import engine
from tconv.jit.machine import isa
from tconv.jit.machine.isa import Isa


def runs_natively(name: str) -> bool:
    """Whether the processor has these instructions."""
    return name in isa.available()


def target(name: str) -> Isa:
    """A set of instructions that runs here: as it is, or with the triple and the features of the machine's best."""
    best = isa.ISAS[isa.available()[0]]
    meant = isa.ISAS[name]
    if runs_natively(name):
        return meant
    of_best = {what: getattr(best, what) for what in ("architecture", "features", "arranged_for")}
    return replace(meant, **of_best)


@contextmanager
def in_use(name: str, threads: int | None = None) -> Iterator[Isa]:
    """Public functions make their kernels for these instructions, and compute on so many threads."""
    before, wanted = isa.current, target(name)
    isa.current = lambda: wanted
    tconv.set_num_threads(threads)
    engine.forget()
    try:
        yield wanted
    finally:
        isa.current = before
        tconv.set_num_threads(None)
        engine.forget()
