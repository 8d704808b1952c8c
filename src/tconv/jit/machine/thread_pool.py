"""What starts the threads of a call: the pool of `pool.py`.

It has functions at an address, called as GOMP_parallel: `share(work, shared, threads, flags)` lets up to so many
threads call `work(shared)`, and returns when all that began have ended. What is shared begins with the address of the
words of the pool. Where the system lacks what threads need, they are those of Python (`python_threads.py`).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from tconv.cached import cached_property
from tconv.forks import uninterrupted
from tconv.jit.machine import isa
from tconv.jit.machine.system_calls import Call, SystemCalls

if TYPE_CHECKING:
    from tconv.jit.machine.ir import Module


class NativeThreads:
    """Threads that do what `pool.py` says. Nothing ends them but the process, and no Python runs on them."""

    #: Measured on two cores of an AMD EPYC of family 26 in a virtual machine, Linux 6.18: calls one after the other
    #: gain from a second thread at 17 µs.
    worth = 20e-6

    def __init__(self, system: SystemCalls, functions: dict[Call, int]) -> None:
        self.system, self.functions = system, functions
        self.size = 0

    @cached_property
    def entries(self) -> dict[str, int]:
        """Where the code of the pool lies; empty where it cannot be had: the caller computes alone."""
        from tconv.jit.machine import compile as compiler
        from tconv.jit.machine.ir import Module

        module = Module(isa.current())
        serve = self.emit(module)
        try:
            return compiler.addresses(module, [serve, "share", "share_briefly"])
        except compiler.Unavailable:  # kernels were loaded before the process gave up executable memory
            return {}

    def emit(self, module: Module) -> str:
        """Write the code of the pool; the name of what its threads do."""
        from tconv.jit.machine import pool

        pool.emit(module, self.system)
        return "serve"

    @cached_property
    def share(self) -> int:
        """What lets several threads work."""
        return self.entries["share"]

    @cached_property
    def share_briefly(self) -> int:
        """What lets several threads do little work: as `share`, but without yielding to a thread that it woke."""
        return self.entries["share_briefly"]

    @cached_property
    def address(self) -> int:
        """The words of the pool, which are never given back: at the end of the process threads may still read them."""
        from tconv.jit.machine.pool import POOL_WORDS

        words = (ctypes.c_int64 * (POOL_WORDS + 7))()
        _KEPT.append(words)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(words))
        first = -ctypes.addressof(words) % 64 // 8  # of a cache line
        for call, function in self.functions.items():
            words[first + call] = function
        return ctypes.addressof(words) + 8 * first

    def grow(self, size: int) -> bool:
        """Start threads up to so many; whether there is any."""
        with uninterrupted:
            while self.size < size and self.entries:
                if not self.system.begin(self.functions, self.entries["serve"], self.address):
                    break  # the system has no more: fewer do as well
                self.size += 1
        return self.size > 0


#: The words of pools.
_KEPT: list[object] = []
