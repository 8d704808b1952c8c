"""What threads need of the system: to wait for a word of memory to change, to wake who waits, to yield, to begin.

Every system has functions of its own for that. Code of the pool (`pool.py`) calls them by their addresses, which lie in
the words of the pool that `Call` numbers; `here` looks them up. Where a name is missing, threads
of Python take seats in the pool (`python_threads.py`).

    system   waits and wakes                                              source
    linux    futex(2)                                                     its manual page
    windows  WaitOnAddress, WakeByAddressSingle                           synchapi.h, since Windows 8
    macos    os_sync_wait_on_address, os_sync_wake_by_address_any         os/os_sync_wait_on_address.h, since macOS 14.4
             __ulock_wait, __ulock_wake                                   not public, but what libc++ is built on

All compare a word and go to sleep in one step, against which a change of the word and a wake in another thread are
ordered: who is about to sleep while the word changes does not.
"""

from __future__ import annotations

import ctypes
import sys
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from tconv.jit.machine.systems import host

if TYPE_CHECKING:
    from tconv.jit.machine.ir import Function, Value


class Call(IntEnum):
    """Words of a pool that hold the addresses of functions."""

    YIELD = 40
    WAIT = 41
    WAKE = 42
    GET_CORE = 43
    CREATE = 44
    DETACH = 45


class SystemCalls:
    """Those of one system: their names, and how code calls them; `%pool` is the pool, whose threads wait."""

    names: ClassVar[dict[Call, str]]

    def wait(self, f: Function, word: str, seen: str) -> None:
        """Sleep while a word of 32 bits is what was seen; it may end sooner."""
        raise NotImplementedError

    def wake(self, f: Function, word: str, most: Value, sleepers: str) -> None:
        """Wake up to so many of those that sleep at a word."""
        raise NotImplementedError

    def create(self, f: Function, room: str, entry: str) -> str:
        """Start a thread that nobody waits for, with the pool; whether there is one. There is room for 8 bytes."""
        raise NotImplementedError

    def begin(self, addresses: dict[Call, int], entry: int, argument: int) -> bool:
        """The same from Python."""
        raise NotImplementedError

    def give_up_the_core(self, f: Function) -> None:
        """Let another thread have this core, if one waits for it."""
        f.let(f"call i32 {_function(f, Call.YIELD)}()")

    def core(self, f: Function) -> str:
        """The number of the core that this thread is on; -1 where the system does not say."""
        if Call.GET_CORE not in self.names:
            return "-1"
        return f.let(f"sext i32 {f.let(f'call i32 {_function(f, Call.GET_CORE)}()')} to i64")

    def look_up(self) -> dict[Call, int] | None:
        """The addresses of the functions; None where one is missing."""
        try:
            return {call: _address(name) for call, name in self.names.items()}
        except (AttributeError, OSError):
            return None


class _Posix(SystemCalls):
    """Threads of POSIX; nothing of a thread is needed once it runs."""

    _names: ClassVar = {Call.YIELD: "sched_yield", Call.CREATE: "pthread_create", Call.DETACH: "pthread_detach"}

    def create(self, f: Function, room: str, entry: str) -> str:
        """pthread_create and pthread_detach."""
        failed = f.let(f"call i32 {_function(f, Call.CREATE)}(ptr {room}, ptr null, ptr {entry}, ptr %pool)")
        began = f.let(f"icmp eq i32 {failed}, 0")
        with f.when(began):
            f.let(f"call i32 {_function(f, Call.DETACH)}(ptr {f.pointer(room, 0)})")
        return began

    def begin(self, addresses: dict[Call, int], entry: int, argument: int) -> bool:
        """pthread_create and pthread_detach, likewise."""
        address, number = ctypes.c_void_p, ctypes.c_int
        create = ctypes.CFUNCTYPE(number, address, address, address, address)(addresses[Call.CREATE])
        thread = ctypes.c_void_p()
        if create(ctypes.addressof(thread), None, entry, argument):
            return False
        ctypes.CFUNCTYPE(number, address)(addresses[Call.DETACH])(thread)
        return True


class Linux(_Posix):
    """A futex, which wakes as many as are wanted at once."""

    names: ClassVar = {
        **_Posix._names, Call.WAIT: "syscall", Call.WAKE: "syscall", Call.GET_CORE: "sched_getcpu",
    }  # fmt: skip
    _number: ClassVar = {"x86_64": 202, "aarch64": 98}
    _wait, _wake = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, for the threads of one process

    def wait(self, f: Function, word: str, seen: str) -> None:
        """FUTEX_WAIT, without an end."""
        self._call(f, Call.WAIT, word, f"i64 {self._wait}, i32 {seen}, ptr null")

    def wake(self, f: Function, word: str, most: Value, sleepers: str) -> None:
        """FUTEX_WAKE, which takes a number."""
        self._call(f, Call.WAKE, word, f"i64 {self._wake}, i64 {most}")

    def _call(self, f: Function, call: Call, word: str, rest: str) -> None:
        number = self._number[f.module.isa.architecture]
        f.let(f"call i64 (i64, ...) {_function(f, call)}(i64 {number}, ptr {word}, {rest})")


class _OneByOne(SystemCalls):
    """Systems that wake one or all: one as often as it takes, since a call may want few of many."""

    def wake(self, f: Function, word: str, most: Value, sleepers: str) -> None:
        """Wake one, as often as it takes."""
        with f.loop(f.smaller(most, sleepers)):
            self._wake_one(f, word)

    def _wake_one(self, f: Function, word: str) -> None:
        raise NotImplementedError


class Windows(_OneByOne):
    """Those of its API."""

    names: ClassVar = {
        Call.YIELD: "SwitchToThread", Call.WAIT: "WaitOnAddress", Call.WAKE: "WakeByAddressSingle",
        Call.GET_CORE: "GetCurrentProcessorNumber", Call.CREATE: "CreateThread", Call.DETACH: "CloseHandle",
    }  # fmt: skip

    def wait(self, f: Function, word: str, seen: str) -> None:
        """WaitOnAddress, which takes the address of what was seen."""
        compared = f.stack(8)
        f.store("i32", seen, compared)
        forever = -1
        f.let(f"call i32 {_function(f, Call.WAIT)}(ptr {word}, ptr {compared}, i64 4, i32 {forever})")

    def _wake_one(self, f: Function, word: str) -> None:
        f.do(f"call void {_function(f, Call.WAKE)}(ptr {word})")

    def create(self, f: Function, room: str, entry: str) -> str:
        """CreateThread, whose handle is closed."""
        create = _function(f, Call.CREATE)
        handle = f.let(f"call ptr {create}(ptr null, i64 0, ptr {entry}, ptr %pool, i32 0, ptr null)")
        began = f.let(f"icmp ne ptr {handle}, null")
        with f.when(began):
            f.let(f"call i32 {_function(f, Call.DETACH)}(ptr {handle})")
        return began

    def begin(self, addresses: dict[Call, int], entry: int, argument: int) -> bool:
        """CreateThread, likewise."""
        address, number = ctypes.c_void_p, ctypes.c_uint32
        kinds = [address, ctypes.c_size_t, address, address, number, address]
        handle = ctypes.CFUNCTYPE(address, *kinds)(addresses[Call.CREATE])(None, 0, entry, argument, 0, None)
        if not handle:
            return False
        ctypes.CFUNCTYPE(number, address)(addresses[Call.DETACH])(handle)
        return True


class Macos(_OneByOne, _Posix):
    """The public functions. The system does not say in a cheap way which core a thread is on."""

    names: ClassVar = {
        **_Posix._names, Call.WAIT: "os_sync_wait_on_address", Call.WAKE: "os_sync_wake_by_address_any",
    }  # fmt: skip

    def wait(self, f: Function, word: str, seen: str) -> None:
        """os_sync_wait_on_address, of 4 bytes."""
        wide = f.let(f"zext i32 {seen} to i64")
        f.let(f"call i32 {_function(f, Call.WAIT)}(ptr {word}, i64 {wide}, i64 4, i32 0)")

    def _wake_one(self, f: Function, word: str) -> None:
        f.let(f"call i32 {_function(f, Call.WAKE)}(ptr {word}, i64 4, i32 0)")


class OlderMacos(_OneByOne, _Posix):
    """Those that were there before."""

    names: ClassVar = {**_Posix._names, Call.WAIT: "__ulock_wait", Call.WAKE: "__ulock_wake"}
    _operation = 1  # UL_COMPARE_AND_WAIT, of 32 bits

    def wait(self, f: Function, word: str, seen: str) -> None:
        """__ulock_wait, without an end."""
        wide, forever = f.let(f"zext i32 {seen} to i64"), 0
        f.let(f"call i32 {_function(f, Call.WAIT)}(i32 {self._operation}, ptr {word}, i64 {wide}, i32 {forever})")

    def _wake_one(self, f: Function, word: str) -> None:
        f.let(f"call i32 {_function(f, Call.WAKE)}(i32 {self._operation}, ptr {word}, i64 0)")


#: By system and processor, the better ones first. Where AArch64 emulates x86-64, threads were reported to wait for ever
#: in the newer functions of macOS.
KINDS: dict[tuple[str, str], tuple[SystemCalls, ...]] = {
    ("linux", "x86_64"): (Linux(),),
    ("linux", "aarch64"): (Linux(),),
    ("windows", "x86_64"): (Windows(),),
    ("windows", "aarch64"): (Windows(),),
    ("macos", "x86_64"): (OlderMacos(), Macos()),
    ("macos", "aarch64"): (Macos(), OlderMacos()),
}


def here() -> tuple[SystemCalls, dict[Call, int]] | None:
    """Those of this system, and where they lie; None where names are missing."""
    kinds = KINDS.get(found, ()) if (found := host()) else ()
    return next(((calls, addresses) for calls in kinds if (addresses := calls.look_up()) is not None), None)


def _function(f: Function, call: Call) -> str:
    return f.pointer("%pool", call)


def _address(name: str) -> int:
    """Where a function of the system lies. AttributeError: it has none of that name."""
    found = next((library[name] for library in _libraries() if hasattr(library, name)), None)
    if found is None:
        raise AttributeError(name)
    return ctypes.cast(found, ctypes.c_void_p).value or 0


@lru_cache(maxsize=1)
def _libraries() -> tuple[ctypes.CDLL, ...]:
    if sys.platform == "win32":
        return ctypes.WinDLL("kernel32"), ctypes.WinDLL("api-ms-win-core-synch-l1-2-0")
    return (ctypes.CDLL(None),)
