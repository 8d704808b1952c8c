"""Threads of Python in the place of the pool, for systems without the functions that one is made of."""

from __future__ import annotations

import _thread
import ctypes
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tconv.forks import uninterrupted

_Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Share = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)


class PythonThreads:
    """A `ThreadPool` (`thread_pool.py`) whose function at an address is one of Python."""

    #: Starting threads takes 70 to 110 µs, on two cores of an AMD EPYC of family 26 in a virtual machine.
    worth = 150e-6
    address = 0

    def __init__(self) -> None:
        self.size = 0
        self._kept = _Share(self._call)
        self.share = self.share_briefly = ctypes.cast(self._kept, ctypes.c_void_p).value or 0

    def grow(self, size: int) -> bool:
        """Threads up to so many, which start as they are needed."""
        with uninterrupted:
            if size > self.size:
                self._executor = ThreadPoolExecutor(size, thread_name_prefix="tconv")
                self.size = size
        return True

    def _call(self, work: int, shared: int, threads: int, flags: int) -> None:
        """Work is taken piece by piece: whoever does not begin in time is not missed."""
        function, others = _Work(work), list[Future[None]]()
        try:
            for _ in range(threads - 1):
                others.append(self._executor.submit(function, shared))
        except RuntimeError:  # the interpreter is going down, or the system has no thread left
            pass
        function(shared)
        _wait_for(others)


def _wait_for(others: Sequence[Future[None]]) -> None:
    """Take back what nobody has begun, and wait for the rest, even if the user interrupts: it writes to memory."""
    interrupted = False
    while True:
        try:
            for other in others:
                if not other.cancel():
                    other.result()
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        _thread.interrupt_main()  # out of a function that code of C calls, no exception gets
