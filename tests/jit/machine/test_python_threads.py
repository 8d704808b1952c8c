"""Threads of Python in the pool: all that began are waited for, whatever happens meanwhile."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from registry import needs_kernels

from tconv.jit.machine.pool import FREE, Pool
from tconv.jit.machine.python_threads import PythonThreads, _raise_in

pytestmark = [pytest.mark.quick, needs_kernels]
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
START = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)


def call(pool, work, threads, share="share"):
    """As generated code does it."""
    body, shared = WORK(lambda _: work() and None), ctypes.c_int64(pool.address)
    START(getattr(pool, share))(ctypes.cast(body, ctypes.c_void_p), ctypes.addressof(shared), threads, 0)


def word(pool, which):
    return ctypes.c_int64.from_address(pool.address + 8 * which).value


@pytest.mark.parametrize("share", ["share", "share_briefly"])
def test_as_many_as_are_wanted(share):
    pool = PythonThreads()
    for threads in (2, 4, 3):
        assert pool.grow(threads - 1)
        together = threading.Barrier(threads)
        call(pool, lambda together=together: together.wait(timeout=30), threads, share)
        assert not together.broken
    assert pool.size == 3


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
    """The only thread is busy with something else; it is not asked again and again."""
    pool, free, seen = PythonThreads(), threading.Event(), []
    pool.grow(1)
    busy = pool._executor.submit(free.wait)
    for _ in range(3):
        call(pool, lambda: seen.append(threading.get_ident()), 2)
    assert seen == 3 * [threading.get_ident()]
    assert [word(pool, which) for which in (Pool.SEATS, Pool.BUSY)] == [0, 0]
    assert len(pool._asked) == 1
    free.set()
    busy.result(timeout=30)


def test_a_pool_that_takes_no_more_work_leaves_it_to_the_caller():
    pool, seen = PythonThreads(), []
    pool.grow(1)
    pool._executor.shutdown()
    call(pool, lambda: seen.append(1), 2)
    assert seen == [1]


def test_a_call_within_another_is_computed_alone():
    """As in the handler of a signal that comes while threads are asked, or in a `__del__`."""
    pool, seen = PythonThreads(), []
    pool.grow(1)
    submit = pool._executor.submit

    def interrupted(*given):
        call(pool, lambda: seen.append(word(pool, Pool.SEATS)), 2)
        return submit(*given)

    pool._executor.submit = interrupted
    call(pool, lambda: None, 2)
    assert seen == [FREE]


def test_what_a_handler_raises_comes_after_all_has_been_done():
    """Nobody is asked then, and the caller does all; code of C lets no exception through."""
    pool, seen, asked = PythonThreads(), [], []
    pool.grow(1)
    submit = pool._executor.submit

    def interrupted(function, *given):
        if function is not _raise_in:
            raise KeyboardInterrupt
        asked.append(given)

    pool._executor.submit = interrupted
    call(pool, lambda: seen.append(1), 2)
    assert (seen, asked) == ([1], [(threading.get_ident(), KeyboardInterrupt)])
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes at some place
        submit(_raise_in, *asked[0])
        for _ in range(3000):
            time.sleep(0.01)


#: What a child knows before it is interrupted: the result of one thread, and that three of Python are to compute it.
COMPUTED = """
import signal, threading, time
import numpy as np
import tconv
from tconv.jit.machine import system_calls

system_calls.here = lambda: None
x, w = np.ones((2, 32, 48, 48), np.float32), np.ones((32, 16, 4, 4), np.float32)
tconv.set_num_threads(1)
right = tconv.conv_transpose(x, w, stride=2, method="jit")
tconv.set_num_threads(3)
"""


def check_child(script, said, timeout):
    """It ends as it should, and says what is expected."""
    command = [sys.executable, "-c", COMPUTED + script]
    found = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=os.environ)
    assert (found.returncode, found.stdout) == (0, said), found.stderr


def test_a_signal_while_threads_are_started_leaves_none_behind():
    """The process would wait for it in the end, for ever."""
    check_child(STARTED, "interrupted, whole\n", timeout=60)


STARTED = """
start, signals = threading.Thread.start, []

def started(thread):
    start(thread)
    if thread.name.startswith("tconv"):
        signal.raise_signal(signal.SIGINT)

def once(*_):
    signals.append(1)
    if len(signals) == 1:
        raise InterruptedError

threading.Thread.start = started
signal.signal(signal.SIGINT, once)
try:
    tconv.conv_transpose(x, w, stride=2, method="jit")
except InterruptedError:
    print("interrupted", end=", ")
assert np.array_equal(tconv.conv_transpose(x, w, stride=2, method="jit"), right)
print("whole")
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers that send signals")
def test_interrupted_again_and_again():
    """Every result is whole, and the process ends as it should.

    What is raised where code of C enters Python is said on stderr only.
    """
    check_child(INTERRUPTED, "whole\n", timeout=120)


INTERRUPTED = """
raised, caught, end = 0, 0, time.monotonic() + 1.0

def handler(*_):
    global raised
    if time.monotonic() < end:
        raised += 1
        raise InterruptedError

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
while time.monotonic() < end:
    try:
        while time.monotonic() < end:
            assert np.array_equal(tconv.conv_transpose(x, w, stride=2, method="jit"), right)
    except InterruptedError:
        caught += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print("whole" if 0 < caught <= raised else (raised, caught))
"""
