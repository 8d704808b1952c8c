"""The pool of threads: all take part, and when a call has ended nobody is at work any more, whatever ended it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from tconv.jit import launch


@pytest.fixture
def pool() -> launch._Pool:
    return launch._Pool()


def test_the_pool_computes_with_as_many_threads_as_asked_for(pool):
    together = threading.Barrier(4)
    pool.run(lambda _: together.wait(timeout=30) and None, (0,) * 5, 4)
    assert not together.broken


def test_the_pool_keeps_its_threads(pool):
    seen = set()

    def worker(_: int) -> None:
        seen.add(threading.get_ident())
        time.sleep(0.002)

    for _ in range(20):
        pool.run(worker, (0,) * 5, 3)
    assert pool.size == 2
    assert len(seen) <= 3


def slow_helper(started: threading.Event, ended: list[bool], seconds: float):
    """A worker that returns on the calling thread once a helper is at work, which then takes so long."""
    caller = threading.get_ident()

    def worker(_: int) -> None:
        if threading.get_ident() == caller:
            assert started.wait(timeout=30)
            return
        started.set()
        time.sleep(seconds)
        ended.append(True)

    return worker


def test_the_pool_waits_for_its_threads(pool):
    ended: list[bool] = []
    pool.run(slow_helper(threading.Event(), ended, 0.05), (0,) * 5, 2)
    assert ended == [True]


def test_an_interrupt_is_raised_once_nobody_writes_any_more(pool):
    ended: list[bool] = []
    started = threading.Event()

    def interrupt() -> None:
        assert started.wait(timeout=30)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        pool.run(slow_helper(started, ended, 0.5), (0,) * 5, 2)
    assert ended == [True]


def test_an_error_of_the_caller_is_raised_once_nobody_writes_any_more(pool):
    ended: list[bool] = []
    worker = slow_helper(threading.Event(), ended, 0.05)

    def failing(address: int) -> None:
        worker(address)
        if not ended:
            raise MemoryError("of the caller")

    with pytest.raises(MemoryError, match="of the caller"):
        pool.run(failing, (0,) * 5, 2)
    assert ended == [True]


def test_an_error_on_a_thread_of_the_pool_reaches_the_caller(pool):
    caller, met = threading.get_ident(), threading.Barrier(2)

    def worker(_: int) -> None:
        met.wait(timeout=30)
        if threading.get_ident() != caller:
            raise MemoryError("of a helper")

    for _ in range(2):  # the thread is still there the second time
        with pytest.raises(MemoryError, match="of a helper"):
            pool.run(worker, (0,) * 5, 2)
    assert pool.size == 1


def test_threads_that_come_too_late_touch_nothing(pool):
    """The thread of the pool is busy during the call and finds it over afterwards."""
    begin, free, served = threading.Event(), threading.Event(), threading.Event()
    pool._grow(1)
    pool.tasks.put(lambda: begin.set() or free.wait(timeout=30))
    assert begin.wait(timeout=30)
    seen = []
    pool.run(lambda _: seen.append(threading.get_ident()), (0,) * 5, 2)
    free.set()
    pool.tasks.put(served.set)
    assert served.wait(timeout=30)
    assert seen == [threading.get_ident()]
