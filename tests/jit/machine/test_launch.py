"""Threads: how many, what starts them, and that their number and callers at the same time change no result."""

from __future__ import annotations

import ctypes
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from needs import needs_proc
from small_program import SmallProgram, has_openmp

import tconv
from tconv.jit.machine import isa, launch, system_calls
from tconv.jit.machine.python_threads import PythonThreads
from tconv.jit.machine.thread_pool import NativeThreads

openmp = pytest.mark.skipif(not has_openmp(), reason="the system has no libgomp.so.1")
#: How `launch.run` is told what starts threads; and threads of Python, which it takes where the pool cannot be had.
PATHS = [pytest.param({"openmp": True}, marks=openmp), {}, {"brief": True}, {"python": True}]


@pytest.fixture(autouse=True)
def process(monkeypatch):
    """A process as it is after a start, whatever other tests have set."""
    monkeypatch.delenv("TCONV_NUM_THREADS", raising=False)
    fresh = launch._Process(forked=False)
    monkeypatch.setattr(launch, "_here", fresh)
    return fresh


@pytest.fixture(params=PATHS, ids=lambda how: " ".join(how) or "pool")
def how(request, process):
    """What starts threads, and eight of them allowed."""
    tconv.set_num_threads(8)
    if "openmp" in request.param:
        process.openmp = launch._gomp_parallel(ctypes.CDLL("libgomp.so.1"))
        assert process.openmp
    if "python" in request.param:
        process.pool = PythonThreads()
        return {}
    return request.param


@pytest.fixture(scope="module")
def small() -> SmallProgram:
    return SmallProgram()


# ---- how many threads


def test_the_default_is_the_cores_of_this_process():
    assert tconv.get_num_threads() == isa.cores()


def test_the_setting_is_kept_until_none_takes_it_back():
    tconv.set_num_threads(np.int64(5))
    assert tconv.get_num_threads() == 5
    tconv.set_num_threads(None)
    assert tconv.get_num_threads() == isa.cores()


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0, ValueError, "set_num_threads: threads must be an integer of at least 1; got 0"),
        (-2, ValueError, "set_num_threads: threads must be an integer of at least 1; got -2"),
        (1025, ValueError, "set_num_threads: threads must be at most 1024; got 1025"),
        (True, TypeError, "set_num_threads: threads must be an integer of at least 1; got True"),
        (2.0, TypeError, "set_num_threads: threads must be an integer of at least 1; got 2.0 of type float"),
        ("2", TypeError, "set_num_threads: threads must be an integer of at least 1; got '2' of type str"),
    ],
)
def test_a_wrong_number_changes_nothing(value, kind, text):
    tconv.set_num_threads(3)
    with pytest.raises(kind) as caught:
        tconv.set_num_threads(value)
    assert str(caught.value) == text
    assert tconv.get_num_threads() == 3


@pytest.mark.parametrize(("text", "threads"), [("3", 3), (" 12 ", 12), ("1024", 1024)])
def test_the_environment_sets_the_default(monkeypatch, text, threads):
    monkeypatch.setenv("TCONV_NUM_THREADS", text)
    assert tconv.get_num_threads() == threads
    tconv.set_num_threads(2)
    assert tconv.get_num_threads() == 2


def test_an_empty_environment_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("TCONV_NUM_THREADS", " ")
    assert tconv.get_num_threads() == isa.cores()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0", "must be an integer of at least 1; got 0"),
        ("-1", "must be an integer of at least 1; got -1"),
        ("4096", "must be at most 1024; got 4096"),
        ("2.5", "must be an integer of at least 1; got '2.5'"),
        ("all", "must be an integer of at least 1; got 'all'"),
    ],
)
def test_a_wrong_environment_variable_is_named(monkeypatch, text, reason):
    monkeypatch.setenv("TCONV_NUM_THREADS", text)
    with pytest.raises(ValueError) as caught:
        tconv.get_num_threads()
    assert str(caught.value) == f"get_num_threads: TCONV_NUM_THREADS {reason}"


@pytest.mark.parametrize(
    ("seconds", "pieces", "threads"),
    [
        (1.0, 100, 4),  # the setting
        (1.0, 3, 3),  # no more than there are pieces
        (1.0, 1, 1),
        (1.0, 0, 1),
        (19e-6, 100, 1),  # too little to share
        (21e-6, 100, 4),
    ],
)
def test_small_work_takes_one_thread(process, seconds, pieces, threads):
    process.pool = NativeThreads(None, {})
    tconv.set_num_threads(4)
    assert launch.useful(seconds, pieces) == threads


def test_threads_of_python_take_more_work(process, monkeypatch):
    monkeypatch.setattr(system_calls, "here", lambda: None)
    tconv.set_num_threads(4)
    assert [launch.useful(seconds, 100) for seconds in (149e-6, 151e-6)] == [1, 4]
    assert type(process.pool) is PythonThreads


# ---- running


def test_the_number_of_threads_changes_no_bit(how, small):
    small.check(1)
    alone = small(1)
    for threads in (2, 3, 5):
        for _ in range(5):
            np.testing.assert_array_equal(small(threads, **how), alone)


def test_eight_python_threads_at_once_with_two_programs(how, small):
    programs = [small, SmallProgram(stride=3, batch=3)]
    ready = threading.Barrier(8)

    def call(number: int) -> None:
        ready.wait(timeout=30)
        for turn in range(20):
            programs[(number + turn) % 2].check(1 + (number + turn) % 4, **how)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))


WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def start(address: int, work: WORK, shared: int, threads: int) -> None:
    """Call what starts threads."""
    kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    ctypes.CFUNCTYPE(None, *kinds)(address)(ctypes.cast(work, ctypes.c_void_p), shared, threads, 0)


def test_as_many_threads_compute_as_asked_for(how):
    pool, threads, address = launch.starting(3, "brief" in how, "openmp" in how)
    together, shared = threading.Barrier(3), ctypes.c_int64(pool)
    start(address, WORK(lambda _: together.wait(timeout=30) and None), ctypes.addressof(shared), threads)
    assert not together.broken


@pytest.mark.parametrize(
    ("threads", "setting", "given", "called"),
    [
        (1, 8, {}, (0, 1, 2, 3, 4, 5, 1, 0)),
        (4, 1, {}, (0, 1, 2, 3, 4, 5, 1, 0)),
        (4, 8, {"openmp": True}, (0, 1, 2, 3, 4, 5, 4, 99)),
        (4, 3, {"openmp": True}, (0, 1, 2, 3, 4, 5, 3, 99)),  # the setting may have changed since the call was prepared
        (4, 8, {}, (7, 1, 2, 3, 4, 5, 4, 77)),
        (4, 8, {"brief": True}, (7, 1, 2, 3, 4, 5, 4, 78)),
    ],
)
def test_what_is_called(process, threads, setting, given, called):
    seen = []
    process.openmp = 99
    process.pool = SimpleNamespace(size=8, address=7, share=77, share_briefly=78)
    tconv.set_num_threads(setting)
    machine = SimpleNamespace(run=lambda *arguments: seen.append(arguments))
    launch.run(machine, 1, 2, 3, 4, 5, threads, **given)
    assert seen == [called]


def test_a_system_that_starts_no_thread_computes_on_the_calling_one(process, monkeypatch, small):
    calls, addresses = system_calls.here()
    monkeypatch.setattr(type(calls), "begin", lambda *_: False)
    process.pool = NativeThreads(calls, addresses)
    tconv.set_num_threads(4)
    small.check(4)
    assert process.pool.size == 0


# ---- the runtime of PyTorch


def test_the_runtime_is_looked_for_once_after_pytorch_was_loaded(monkeypatch):
    found = iter([16, 32])
    monkeypatch.setattr(launch, "_runtimes", lambda: iter([object()]))
    monkeypatch.setattr(launch, "_gomp_parallel", lambda _: next(found))
    monkeypatch.delitem(sys.modules, "torch._C", raising=False)
    assert launch.openmp_address() == 0
    monkeypatch.setitem(sys.modules, "torch._C", object())
    assert [launch.openmp_address() for _ in range(3)] == [16, 16, 16]


def test_without_any_runtime_the_pool_computes(process, monkeypatch, small):
    monkeypatch.setitem(sys.modules, "torch._C", object())
    monkeypatch.setattr(launch, "_loaded_libraries", lambda: ["/nowhere/libgomp.so.1"])
    opened = launch._opened
    monkeypatch.setattr(launch, "_opened", lambda name, mode: opened(name, mode) if name else iter(()))
    assert launch.openmp_address() == 0
    tconv.set_num_threads(2)
    small.check(2, openmp=True)
    assert process.pool.size == 1


@openmp
@needs_proc
def test_a_loaded_runtime_is_found_among_the_libraries_of_the_process():
    ctypes.CDLL("libgomp.so.1")
    assert any(Path(path).name.startswith("libgomp") for path in launch._loaded_libraries())


def test_libraries_are_listed_with_that_of_pytorch_first(monkeypatch):
    maps = """7f00-7f01 r--p 00000000 fe:00 11   /usr/lib/libgomp.so.1.0.0
7f01-7f02 r-xp 00001000 fe:00 11   /usr/lib/libgomp.so.1.0.0
7f02-7f03 rw-p 00000000 00:00 0
7f03-7f04 r--p 00000000 fe:00 12   /some where/libiomp5.so
7f04-7f05 r--p 00000000 fe:00 13   /torch/lib/libtorch_cpu.so
7f05-7f06 r--p 00000000 fe:00 14   /torch/lib/libtorch_cpu_extras.so
7f06-7f07 r--p 00000000 fe:00 15   /usr/lib/libomp.so.5
7f07-7f08 rw-p 00000000 00:00 0    [stack]
"""
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: maps)
    assert launch._loaded_libraries() == [
        "/torch/lib/libtorch_cpu.so",
        "/usr/lib/libgomp.so.1.0.0",
        "/some where/libiomp5.so",
        "/usr/lib/libomp.so.5",
    ]
