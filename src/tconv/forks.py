"""What a fork must not interrupt.

A forked child has the thread that forked and no other. What another thread was in the middle of stays so in it for
ever: a module half imported, LLVM between two states, a lock that nobody gives back. So all that is done once (modules
imported by a first call, plans, tables, machine code, packed weights, threads started) is done under one lock, and a
fork takes that first: it waits, for milliseconds mostly, and the child finds everything whole. Kernels run without it:
all they leave behind in a child is memory.
"""

from __future__ import annotations

import os
import threading

#: Seconds that a fork waits at most. Nothing takes that long, but for a thread that in turn waits for the one that
#: forks, which may hold locks: that of logging, say, whose hook comes before this one if it was imported later.
PATIENCE = 60.0

#: Held by who does such a thing. There is one for all of it: with two, threads could take them in two orders.
uninterrupted = threading.RLock()


def _wait() -> None:
    uninterrupted.acquire(timeout=PATIENCE)


def _go_on() -> bool:
    """Give it back; whether it had been had."""
    try:
        uninterrupted.release()
    except RuntimeError:
        return False
    return True


def _go_on_in_child() -> None:
    if not _go_on():  # who holds it is not here
        uninterrupted._at_fork_reinit()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_go_on_in_child)
