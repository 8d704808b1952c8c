"""Threads of Python in the pool, for systems without the functions by which its own wait and are woken.

A call is shared, and waited for, by the same code (`pool.py`); what Python does is to ask threads to take a seat. So a
signal whose handler raises, at whatever place, leaves no thread at work on memory that is given back, and no piece
undone: at worst fewer threads compute. A handler that computes finds the pool busy, and does so alone.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from tconv.forks import uninterrupted
from tconv.jit.machine.system_calls import Call, SystemCalls
from tconv.jit.machine.thread_pool import NativeThreads

if TYPE_CHECKING:
    from tconv.jit.machine.ir import Function, Module, Value

_Invite = ctypes.CFUNCTYPE(None, ctypes.c_int64)
_Serve = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class ThroughPython(SystemCalls):
    """Whoever is wanted is asked by a function of Python."""

    names: ClassVar = {Call.YIELD: "SwitchToThread" if sys.platform == "win32" else "sched_yield"}

    def wake(self, f: Function, word: str, most: Value, sleepers: str) -> None:
        """Ask so many."""
        f.do(f"call void {f.pointer('%pool', Call.WAKE)}(i64 {most})")


class PythonThreads(NativeThreads):
    """A pool whose threads are those of an executor."""

    #: Starting threads takes 70 to 110 µs, on two cores of an AMD EPYC of family 26 in a virtual machine.
    worth = 150e-6

    def __init__(self) -> None:
        system = ThroughPython()
        self._kept = _Invite(self._invite)
        invite = ctypes.cast(self._kept, ctypes.c_void_p).value or 0
        found = system.look_up()
        super().__init__(system, {} if found is None else {**found, Call.WAKE: invite})
        self._asked: list[Future[None]] = []

    def emit(self, module: Module) -> str:
        """Write the code of the pool; the name of what its threads do."""
        from tconv.jit.machine import pool

        pool.emit_once(module, self.system)
        return "serve_once"

    def grow(self, size: int) -> bool:
        """Threads up to so many."""
        from tconv.jit.machine import pool  # here, as what _start runs in must not wait for who imports

        with uninterrupted:
            if size > self.size and self.functions and self.entries:
                # No handler of a signal runs in any thread but the main one. What one raises while a thread is being
                # started would leave that unknown to its executor, and the process waiting for it in the end.
                starter = threading.Thread(target=self._start, args=(size, pool.Pool.SLEEPERS), daemon=True)
                with suppress(RuntimeError):  # as below
                    starter.start()
                    starter.join()
        return self.size > 0

    def _start(self, size: int, sleepers: int) -> None:
        """An executor all threads of which are there: nobody who asks them starts one."""
        executor, together = ThreadPoolExecutor(size, thread_name_prefix="tconv"), threading.Event()
        started = 0
        with suppress(RuntimeError):  # the interpreter is going down, or the system has no more: fewer do as well
            while started < size:
                executor.submit(together.wait)
                started += 1
        together.set()
        if started > self.size:
            self._serve, self._executor = _Serve(self.entries["serve_once"]), executor
            ctypes.c_int64.from_address(self.address + 8 * sleepers).value = started
            self.size = started

    def _invite(self, most: int) -> None:
        """Ask threads to take a seat, and no longer those that were asked before and have not begun."""
        try:
            for asked in self._asked:
                asked.cancel()
            self._asked = []
            for _ in range(most):
                self._asked.append(self._executor.submit(self._serve, self.address))
        except RuntimeError:  # the interpreter is going down, or the system has no thread left
            pass
        except BaseException as error:  # of the handler of a signal
            self._executor.submit(_raise_in, threading.get_ident(), type(error))


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise in another thread: out of a function that code of C calls, no exception gets."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
