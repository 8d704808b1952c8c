"""How many threads compute, and what starts them: a pool of tconv's own, or the OpenMP runtime of PyTorch.

Generated code takes work piece by piece from a shared counter, so any number of threads up to the one asked for gives
the same result. What starts them is tconv's own pool (`thread_pool.py`): it never waits for a thread that the system
does not run. Calls that come from PyTorch, between operations of its own, take `GOMP_parallel` of the runtime that
PyTorch uses, whose threads keep the cores busy for milliseconds after their work and would be in the way of others.

How many threads is tconv's own setting: `torch.set_num_threads` does not change it, so that a result's speed does not
depend on what else was imported, and reading it costs nothing. Only calls on tensors heed both (`tconv.torch`).

A process that was forked without a new program, such as a worker of PyTorch's DataLoader, computes on one thread unless
`set_num_threads` is called there, and never through OpenMP: the threads of an inherited runtime do not exist in it, and
GNU's waits for them for ever.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tconv import checks
from tconv.forks import uninterrupted
from tconv.jit.machine import isa, system_calls
from tconv.jit.machine.thread_pool import NativeThreads

if TYPE_CHECKING:
    from tconv.jit.machine.entry_points import EntryPoints

#: The most threads that can be asked for. GNU's runtime ends the process where it cannot start one.
MOST_THREADS = 1024

#: Seconds of work on one thread up to which a call is brief: a thread that has to be woken comes too late for much.
BRIEF = 300e-6

#: What is in `sys.modules` once PyTorch's libraries, and with them its OpenMP runtime, are loaded.
_TORCH = "torch._C"

#: Loaded libraries in which to look for `GOMP_parallel`, by how their file names begin. PyTorch's stands for the
#: runtime that it is linked to.
_LIBRARIES = ("libtorch_cpu.", "libgomp", "libiomp5.", "libomp.")


# ---- how many threads


def set_num_threads(threads: int | None) -> None:
    """Set how many threads tconv computes with at most, in this process; None goes back to the default.

    The default is `TCONV_NUM_THREADS`, or where that is unset the number of cores that the process may use; in a
    process that was forked without a new program it is 1. It is looked up once. PyTorch's setting is another one.
    """
    with checks.explained("set_num_threads"):
        _here.threads, _here.default = 0 if threads is None else checked("threads", threads), 0


def get_num_threads() -> int:
    """How many threads tconv computes with at most; small work takes fewer. See `set_num_threads`."""
    with checks.explained("get_num_threads"):
        return setting()


def setting() -> int:
    """What `get_num_threads` says, for callers that explain a wrong `TCONV_NUM_THREADS` themselves."""
    threads = _here.threads or _here.default or _look_up()
    return min(threads, _limit.threads) if _Limit.used else threads


class at_most:
    """Calls of this thread compute with at most so many threads meanwhile: others compute beside it."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __enter__(self) -> None:
        self.before, _limit.threads = _limit.threads, min(self.threads, _limit.threads)
        _Limit.used = True

    def __exit__(self, *error: object) -> None:
        _limit.threads = self.before


class _Limit(threading.local):
    """The limit of each thread. It is looked at once there has been one: the setting is read in every call."""

    used = False

    def __init__(self) -> None:
        self.threads = MOST_THREADS


_limit = _Limit()


def useful(seconds_expected: float, pieces: int) -> int:
    """How many threads to compute with: work of so many seconds on one thread, in so many pieces."""
    return 1 if pieces <= 1 or seconds_expected < _pool().worth else min(setting(), pieces)


def _look_up() -> int:
    threads = _here.default = 1 if _here.forked else _default()
    return threads


def _default() -> int:
    text = os.environ.get("TCONV_NUM_THREADS", "").strip()
    if not text:
        return min(isa.cores(), MOST_THREADS)
    try:
        number = int(text)
    except ValueError:
        checks.wrong(f"TCONV_NUM_THREADS must be an integer of at least 1; got {checks.shorten(text)}")
    return checked("TCONV_NUM_THREADS", number)


def checked(name: str, value: object) -> int:
    """How many threads can be asked for."""
    number = checks.integer(name, value, 1)
    if number > MOST_THREADS:
        checks.wrong(f"{name} must be at most {MOST_THREADS}; got {checks.shorten(number)}")
    return number


# ---- running


def run(
    code: EntryPoints, program: int, x: int, packed: int, y: int, scratch: int, threads: int, *,
    brief: bool = False, openmp: bool = False,
) -> None:  # fmt: skip
    """Run a program on up to so many threads, and no more than the setting; `scratch` has room for all of them.

    What is given are addresses. The setting counts here too: it may have changed since the call was prepared.
    """
    pool, threads, start = starting(min(threads, setting()), brief, openmp)
    code.run(pool, program, x, packed, y, scratch, threads, start)


def pack(
    code: EntryPoints, program: int, blocks: int, count: int, weights: int, bias: int, packed: int, threads: int,
    *, openmp: bool = False,
) -> bool:  # fmt: skip
    """Pack weights on up to so many threads; whether all are finite. What is given are addresses and a count."""
    pool, threads, start = starting(threads, False, openmp)
    return not code.pack(pool, program, blocks, count, weights, bias, packed, threads, start)


def starting(threads: int, brief: bool, openmp: bool) -> tuple[int, int, int]:
    """The pool, how many threads of those that are wanted, and what starts them; `openmp`: those of PyTorch."""
    if threads <= 1:
        return 0, 1, 0
    if openmp and (start := openmp_address()):
        return 0, threads, start
    pool = _here.pool or _pool()
    if pool.size < threads - 1 and not pool.grow(threads - 1):
        return 0, 1, 0
    return pool.address, threads, pool.share_briefly if brief else pool.share


# ---- the OpenMP runtime of PyTorch


def openmp_address() -> int:
    """The address of GOMP_parallel that PyTorch uses, or 0: it is not loaded, or this process was forked."""
    if _here.openmp is None and _TORCH in sys.modules:
        with uninterrupted:
            _here.openmp = next(filter(None, map(_gomp_parallel, _runtimes())), 0)
    return _here.openmp or 0


def _runtimes() -> Iterator[ctypes.CDLL]:
    """Libraries that may lead to an OpenMP runtime, in the order in which the dynamic linker binds PyTorch to one."""
    if sys.platform == "win32":  # its runtime has no function of that name
        return
    loaded = getattr(os, "RTLD_NOLOAD", 0)
    yield from _opened(None, 0)
    if loaded:
        for path in _loaded_libraries():
            yield from _opened(path, loaded)


def _opened(name: str | None, mode: int) -> Iterator[ctypes.CDLL]:
    """The library; nothing where it is not there. None: all that the whole process sees, such as preloaded ones."""
    try:
        yield ctypes.CDLL(name, mode=mode)
    except OSError:
        return


def _gomp_parallel(library: ctypes.CDLL) -> int:
    """The address of GOMP_parallel in a library or in what it is linked to, or 0."""
    try:
        return ctypes.cast(library["GOMP_parallel"], ctypes.c_void_p).value or 0
    except AttributeError:
        return 0


def _loaded_libraries() -> list[str]:
    """The paths of the loaded `_LIBRARIES`, in that order. Only Linux lists them; elsewhere there are none."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    paths = dict.fromkeys(line[line.index("/") :] for line in lines if "/" in line)
    return [path for name in _LIBRARIES for path in paths if os.path.basename(path).startswith(name)]


# ---- this process


@dataclass(slots=True)
class _Process:
    """What belongs to one process; a forked one starts anew."""

    forked: bool
    threads: int = 0  #: what `set_num_threads` was told; 0: the default
    default: int = 0  #: 0: not looked up yet
    pool: NativeThreads | None = None  #: None: not looked up yet
    openmp: int | None = field(init=False)  #: None: not looked up yet

    def __post_init__(self) -> None:
        self.openmp = 0 if self.forked else None


def _pool() -> NativeThreads:
    """What starts threads in this process."""
    with uninterrupted:
        found = _here.pool = _here.pool or _new_pool()
    return found


def _new_pool() -> NativeThreads:
    found = system_calls.here()
    if found is not None:
        return NativeThreads(*found)
    from tconv.jit.machine.python_threads import PythonThreads

    return PythonThreads()


def _forked() -> bool:
    """Whether this process was forked without a new program, before this module was imported. Only Linux says."""
    if sys.platform != "linux":  # wine shows Linux's file, of a process that was
        return False
    try:
        words = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return bool(int(words[6]) & 0x40)  # the flags of a process, and PF_FORKNOEXEC among them


def _begin_anew() -> None:
    global _here
    _here = _Process(forked=True)


_here = _Process(_forked())
if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_begin_anew)
