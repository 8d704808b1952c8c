"""Threads of Python in the place of the pool: all that began are waited for, whatever happens meanwhile."""

import _thread
import ctypes
import threading
import time

import pytest

from tconv.jit.machine import python_threads
from tconv.jit.machine.python_threads import PythonThreads

pytestmark = pytest.mark.quick
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
START = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)


def call(pool, work, threads):
    """As generated code does it."""
    body, shared = WORK(lambda _: work() and None), ctypes.c_int64(0)
    START(pool.share)(ctypes.cast(body, ctypes.c_void_p), ctypes.addressof(shared), threads, 0)


def test_as_many_as_are_wanted():
    pool = PythonThreads()
    for threads in (2, 4, 3):
        assert pool.grow(threads - 1)
        together = threading.Barrier(threads)
        call(pool, lambda together=together: together.wait(timeout=30), threads)
        assert not together.broken
    assert pool.size == 3
    assert pool.share == pool.share_briefly != 0 == pool.address


def test_who_has_begun_is_waited_for():
    pool, began, ended, caller = PythonThreads(), threading.Event(), [], threading.get_ident()
    pool.grow(1)

    def work():
        if threading.get_ident() == caller:
            return began.wait(timeout=30)
        began.set()
        time.sleep(0.05)
        return ended.append(True)

    call(pool, work, 2)
    assert ended == [True]


def test_who_has_not_begun_is_not_waited_for():
    """The only thread is busy with something else."""
    pool, free, seen = PythonThreads(), threading.Event(), []
    pool.grow(1)
    busy = pool._executor.submit(free.wait)
    call(pool, lambda: seen.append(threading.get_ident()), 2)
    assert seen == [threading.get_ident()]
    free.set()
    busy.result(timeout=30)


def test_a_pool_that_takes_no_more_work_leaves_it_to_the_caller():
    pool, seen = PythonThreads(), []
    pool.grow(1)
    pool._executor.shutdown()
    call(pool, lambda: seen.append(1), 2)
    assert seen == [1]


def test_an_interrupt_comes_after_all_have_ended(monkeypatch):
    """The memory that they write to is given back when the call is left."""
    asked, told = [], []

    class Running:
        def cancel(self):
            return False

        def result(self):
            asked.append(1)
            if len(asked) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(_thread, "interrupt_main", lambda: told.append(len(asked)))
    python_threads._wait_for([Running(), Running()])
    assert (len(asked), told) == (3, [3])
