"""How many threads a measurement may use: the process is pinned to so many cores, and NumPy's BLAS held to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def count() -> int:
    """Cores that this process may use now."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


#: When this was imported, which is when NumPy was: its BLAS has so many threads.
_AT_START = count()


def count_at_start() -> int:
    """Cores that this process could use before anything was pinned."""
    return _AT_START


@contextmanager
def held(threads: int) -> Iterator[None]:
    """The process on this many of its cores while the block runs, where the system can pin; all of them need none.

    Libraries that take a thread a core, as XLA does, must be loaded within.
    """
    if threads == count() or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    _pin(set(sorted(before)[:threads]))
    try:
        yield
    finally:
        _pin(before)


def _pin(chosen: set[int]) -> None:
    """All threads that exist; those to come inherit it."""
    with suppress(OSError):  # without /proc, the calling thread alone
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # a thread may have ended since
                os.sched_setaffinity(int(task.name), chosen)
    os.sched_setaffinity(0, chosen)


def can_hold_blas() -> bool:
    """Whether threadpoolctl is there."""
    return find_spec("threadpoolctl") is not None


def hold_blas(threads: int) -> Any:
    """NumPy's BLAS on so many threads; what is returned restores it. None where it has as many anyway."""
    if not can_hold_blas():
        return None
    threadpoolctl: Any = import_module("threadpoolctl")
    return threadpoolctl.threadpool_limits(threads, user_api="blas")
