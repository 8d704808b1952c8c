"""tconv's textbook methods, by NumPy: what was there before the engine."""

from __future__ import annotations

from typing import Any, ClassVar

from tconv.bench import cores
from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall, as_it_is
from tconv.checks import memory
from tconv.methods import METHODS, OPERATIONS, Cost
from tconv.plan import plan

#: Beyond this expected time, or this scratch memory, a method is left out.
MOST_SECONDS, MOST_SCRATCH = 1.0, 1 << 30


class Textbook(Peer):
    """tconv's functions with each method but the engine, on arrays with channels first."""

    name: ClassVar[str] = "textbook"
    settings = tuple(name for name, method in METHODS.items() if not method.by_engine)
    operations = OPERATIONS
    _limits: Any = None

    def missing(self, threads: int) -> str:
        """NumPy's BLAS takes all cores that were there when it was loaded, unless it is held."""
        if threads == cores.count_at_start() or cores.can_hold_blas():
            return ""
        return (
            f"threadpoolctl, which holds NumPy's BLAS to {threads} threads, not installed: pip install 'tconv[bench]'"
        )

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """Nothing to get ready but the BLAS."""
        cost = costs(case)[setting]
        if isinstance(cost, str):
            raise LeftOut(cost)
        if cost.seconds > MOST_SECONDS:
            raise LeftOut(f"expected to take {cost.seconds:.2g} s")
        if cost.scratch > MOST_SCRATCH:
            raise LeftOut(f"takes {memory(cost.scratch)} of scratch memory")
        self._limits = self._limits or cores.hold_blas(case.threads)
        return TimedCall(case.by_tconv(*case.operands, method=setting), as_it_is)

    def release(self) -> None:
        """The BLAS as it was."""
        if self._limits is not None:
            self._limits.restore_original_limits()
            self._limits = None


def costs(case: Case, dtype: str = "float32") -> dict[str, Cost | str]:
    """What each textbook method is expected to cost, or why it cannot run."""
    first, second = (operand.shape for operand in case.operands)
    kernel = case.layer.each("kernel") if case.writes_weights else None
    keywords = case.layer.keywords
    planned = plan(first, second, operation=case.operation, kernel_size=kernel, dtype=dtype, **keywords)
    return {c.method: c.excluded or c.cost for c in planned.candidates if c.method in Textbook.settings}
