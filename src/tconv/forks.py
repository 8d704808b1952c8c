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

#: Held by who does such a thing. There is one for all of it: with two, threads could take them in two orders.
uninterrupted = threading.RLock()

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(
        before=uninterrupted.acquire,
        after_in_parent=uninterrupted.release,
        after_in_child=uninterrupted.release,
    )
