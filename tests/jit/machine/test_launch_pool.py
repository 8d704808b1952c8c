"""Pools of threads: who is waited for, and that a thread which comes too late or is replaced does no harm."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable

import pytest

from tconv.jit.machine import system_calls
from tconv.jit.machine.pool import FREE, Pool
from tconv.jit.machine.thread_pool import NativeThreads

WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
START = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)


pytestmark = pytest.mark.skipif(system_calls.here() is None, reason="the system has no functions for such a pool")


def new_pool() -> NativeThreads:
    found = system_calls.here()
    assert found is not None
    return NativeThreads(*found)


@pytest.fixture
def pool() -> NativeThreads:
    """With one thread beside that of a call."""
    made = new_pool()
    assert made.grow(1)
    return made


def call(pool: NativeThreads, work: Callable[[], object], threads: int = 2, share: str = "share") -> None:
    """Let so many threads work."""
    shared = ctypes.c_int64(pool.address)
    body = WORK(lambda _: work() and None)
    START(getattr(pool, share))(ctypes.cast(body, ctypes.c_void_p), ctypes.addressof(shared), threads, 0)


def word(pool: NativeThreads, which: Pool) -> ctypes.c_int64:
    return ctypes.c_int64.from_address(pool.address + 8 * which)


def on_helper(caller: int, began: threading.Event, work: Callable[[], object]) -> Callable[[], object]:
    """What the caller ends as soon as a helper has begun."""

    def both() -> object:
        if threading.get_ident() == caller:
            return began.wait(timeout=30)
        began.set()
        return work()

    return both


@pytest.mark.parametrize("share", ["share", "share_briefly"])
def test_the_threads_of_the_pool_stay(pool, share):
    for _ in range(50):
        together = threading.Barrier(2)
        call(pool, lambda barrier=together: barrier.wait(timeout=30), share=share)
        assert not together.broken
    assert (pool.size, word(pool, Pool.TICKET).value) == (1, 50)


def test_sleeping_threads_are_woken(pool):
    deadline = time.monotonic() + 30
    while not word(pool, Pool.SLEEPERS).value:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    together = threading.Barrier(2)
    call(pool, lambda: together.wait(timeout=30))
    assert not together.broken


def test_who_has_begun_is_waited_for(pool):
    ended = []
    work = on_helper(threading.get_ident(), threading.Event(), lambda: (time.sleep(0.05), ended.append(True)))
    call(pool, work)
    assert ended == [True]


def test_who_has_not_begun_is_not_waited_for(pool):
    """The only thread of the pool is busy with the call of another; this one is computed alone."""
    began, free, seen = threading.Event(), threading.Event(), []
    other = threading.Thread(target=lambda: call(pool, on_helper(threading.get_ident(), began, free.wait)))
    other.start()
    assert began.wait(timeout=30)
    call(pool, lambda: seen.append(threading.get_ident()))
    assert seen == [threading.get_ident()]
    free.set()
    other.join(timeout=30)
    assert not other.is_alive()


def test_seats_that_nobody_takes_are_taken_back():
    pool = new_pool()  # without threads
    seen = []
    call(pool, lambda: seen.append(word(pool, Pool.SEATS).value), threads=4)
    assert seen == [3 * FREE]
    assert [word(pool, which).value for which in (Pool.SEATS, Pool.BUSY)] == [0, 0]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system ties no process to cores")
def test_a_thread_on_the_core_of_the_call_is_replaced():
    """On a single core every thread is; those that replace others compute."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        pool = new_pool()
        assert pool.grow(1)
        for _ in range(5):
            together = threading.Barrier(2)
            call(pool, lambda barrier=together: barrier.wait(timeout=30))
            assert not together.broken
            time.sleep(0.002)
        assert word(pool, Pool.BORN).value > 0
    finally:
        os.sched_setaffinity(0, before)
