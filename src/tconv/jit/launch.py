"""How many threads compute, and what starts them: an OpenMP runtime already in the process, or a pool of our own.

Generated code takes work piece by piece from a shared counter, so any number of threads up to the one asked for gives
the same result. What starts them is `GOMP_parallel`, which GNU's, LLVM's and Intel's OpenMP runtimes all have. The one
that PyTorch uses comes first: the threads of a second runtime would fight with its threads for the cores. Without a
runtime, threads of the standard library do the same (`_Pool`).

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tconv import checks
from tconv.jit import isa

if TYPE_CHECKING:
    from tconv.jit.compile import Machine

#: The most threads that can be asked for. GNU's runtime ends the process where it cannot start one.
MOST_THREADS = 1024

#: Seconds of work on one thread from which several are worth starting: through OpenMP, and through the pool. Measured
#: (two cores of an AMD EPYC of family 26, Linux 6.18, GNU OpenMP 12, Python 3.11), as medians of an empty call on two
#: threads: 1.3 to 1.7 µs through OpenMP while its threads spin between calls, 65 to 140 µs where they sleep, and 3 to
#: 20 µs through the pool, 140 to 190 µs after a pause. Calls one after the other gain from a second thread at 17 µs
#: through OpenMP (10.7 µs then), and through the pool not yet at 60 µs (63 µs) but at 137 µs (112 µs).
#: What the constants leave out: on that virtual machine the system often wakes the second thread of OpenMP on the core
#: of the first, which spins until the runtime gives up, 6 to 8 ms later. Calls of PyTorch after a pause show the same.
WORTH, WORTH_IN_POOL = 20e-6, 200e-6

#: What is in `sys.modules` once PyTorch's libraries, and with them its OpenMP runtime, are loaded.
_TORCH = "torch._C"

#: Loaded libraries in which to look for `GOMP_parallel`, by how their file names begin. PyTorch's stands for the
#: runtime that it is linked to.
_LIBRARIES = ("libtorch_cpu.", "libgomp", "libiomp5.", "libomp.")

#: Runtimes to load where none is loaded yet.
_SYSTEM = ("libgomp.so.1",)


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
    return _here.threads or _here.default or _look_up()


def useful(seconds_expected: float, pieces: int) -> int:
    """How many threads to compute with: work of so many seconds on one thread, in so many pieces."""
    if pieces <= 1 or seconds_expected < WORTH:
        return 1
    if seconds_expected < WORTH_IN_POOL and not start_address():
        return 1
    return min(setting(), pieces)


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


def run(machine: Machine, program: int, x: int, packed: int, y: int, scratch: int, threads: int) -> None:
    """Run a program on up to so many threads, and no more than the setting; `scratch` has room for all of them.

    What is given are addresses. The setting counts here too: it may have changed since the call was prepared.
    """
    if threads <= 1 or (threads := min(threads, setting())) == 1:
        machine.run(program, x, packed, y, scratch, 1, 0)
    elif start := start_address():
        machine.run(program, x, packed, y, scratch, threads, start)
    else:
        _here.pool.run(machine.worker, (program, x, packed, y, scratch), threads)


def pack(
    machine: Machine, program: int, blocks: int, count: int, weights: int, bias: int, packed: int, threads: int
) -> bool:
    """Pack weights on up to so many threads; whether all are finite. What is given are addresses and a count."""
    shared = (program, blocks, count, weights, bias, packed)
    if threads <= 1:
        return not machine.pack(*shared, 1, 0)
    if start := start_address():
        return not machine.pack(*shared, threads, start)
    return not _here.pool.run(machine.pack_worker, shared, threads)


def start_address() -> int:
    """The address of GOMP_parallel, or 0 where there is none to use; imports and forks change it from call to call."""
    return _here.starts[_TORCH in sys.modules]


class _Starts(dict[bool, int]):
    """The address of GOMP_parallel, found when first asked for: before PyTorch is loaded (False), and after (True)."""

    def __missing__(self, torch: bool) -> int:
        address = self[torch] = next(filter(None, map(_gomp_parallel, _runtimes())), 0)
        return address


def _runtimes() -> Iterator[ctypes.CDLL]:
    """Libraries that may lead to an OpenMP runtime, in the order in which the dynamic linker binds PyTorch to one."""
    loaded = getattr(os, "RTLD_NOLOAD", 0)
    yield from _opened(None, 0)
    if loaded:
        for path in _loaded_libraries():
            yield from _opened(path, loaded)
    for name in _SYSTEM:
        yield from _opened(name, 0)


def _opened(name: str | None, mode: int) -> Iterator[ctypes.CDLL]:
    """The library; nothing where it is not there. None: all that the whole process sees, such as preloaded ones."""
    try:
        yield ctypes.CDLL(name, mode=mode)
    except (OSError, TypeError):  # TypeError: Windows has no such thing as None
        return


def _gomp_parallel(library: ctypes.CDLL) -> int:
    """The address of GOMP_parallel in a library or in what it is linked to, or 0."""
    try:
        return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p).value or 0
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


# ---- a pool where there is no OpenMP runtime


class _Region:
    """One call's work: what its threads share, and how many of the pool are at it."""

    def __init__(self, worker: Callable[[int], None], addresses: tuple[int, ...]) -> None:
        # The words of `kernels/driver.py` or `weights.py`: what is given, then two counters that begin with 0.
        self.words = (ctypes.c_int64 * (len(addresses) + 2))(*addresses)
        self.worker, self.running, self.open = worker, 0, True
        self.errors: list[BaseException] = []
        self.changed = threading.Condition()

    def work(self) -> None:
        """Do pieces on this thread until none is left."""
        self.worker(ctypes.addressof(self.words))

    def help(self) -> None:
        """Do so on a thread of the pool, unless the caller has gone on already."""
        with self.changed:
            if not self.open:
                return
            self.running += 1
        try:
            self.work()
        except BaseException as error:  # the caller raises it
            self.errors.append(error)
        with self.changed:
            self.running -= 1
            self.changed.notify_all()

    def finish(self) -> None:
        """Let nobody begin any more and wait for those who have: they write into the caller's arrays.

        What interrupts the wait, such as Ctrl-C, is raised after it.
        """
        while True:
            try:
                with self.changed:
                    self.open = False
                    self.changed.wait_for(lambda: not self.running)
                break
            except BaseException as error:
                self.errors.insert(0, error)
        if self.errors:
            raise self.errors[0]


class _Pool:
    """Threads that wait for work. They end with the interpreter, which does not wait for them (daemon threads)."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.size = 0
        self.growing = threading.Lock()

    def run(self, worker: Callable[[int], None], addresses: tuple[int, ...], threads: int) -> int:
        """Let this thread and up to `threads` - 1 of the pool do the pieces; busy ones are not waited for.

        Returns the last of the words that they shared.
        """
        region = _Region(worker, addresses)
        try:
            self._grow(threads - 1)
            for _ in range(threads - 1):
                self.tasks.put(region.help)
            region.work()
        finally:
            region.finish()
        return region.words[-1]

    def _grow(self, size: int) -> None:
        if self.size >= size:
            return
        with self.growing:
            while self.size < size:
                try:
                    threading.Thread(target=self._serve, name="tconv", daemon=True).start()
                except RuntimeError:  # no more threads, or the interpreter is about to end: fewer do as well
                    return
                self.size += 1

    def _serve(self) -> None:
        while True:
            self.tasks.get()()


# ---- this process


@dataclass(slots=True)
class _Process:
    """What belongs to one process; a forked one starts anew."""

    forked: bool
    threads: int = 0  #: what `set_num_threads` was told; 0: the default
    default: int = 0  #: 0: not looked up yet
    pool: _Pool = field(default_factory=_Pool)
    starts: dict[bool, int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = {False: 0, True: 0} if self.forked else _Starts()


def _forked() -> bool:
    """Whether this process was forked without a new program, before this module was imported. Only Linux says."""
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
