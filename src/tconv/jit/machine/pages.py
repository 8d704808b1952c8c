"""Memory for machine code, from Linux, macOS and Windows: written first, then made executable, never both at once.

A system may refuse a process executable memory (`MemoryDenyWriteExecute` of systemd, some policies of SELinux, the
hardened runtime of macOS, Arbitrary Code Guard of Windows). That is an OSError, whose text says it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from enum import Enum
from functools import lru_cache

from tconv.jit.machine.relocations import Refused
from tconv.jit.machine.systems import host

#: Bytes of a page, to whole numbers of which all below applies.
PAGE = mmap.PAGESIZE


class Access(Enum):
    """What may be done with a page: how POSIX says it, and how Windows does."""

    READ = 0x1, 0x02  # PROT_READ; PAGE_READONLY
    WRITE = 0x3, 0x04  # PROT_READ | PROT_WRITE; PAGE_READWRITE
    EXECUTE = 0x5, 0x20  # PROT_READ | PROT_EXEC; PAGE_EXECUTE_READ


if sys.platform == "win32":
    _COMMIT_AND_RESERVE, _RELEASE = 0x3000, 0x8000

    @lru_cache(maxsize=1)
    def _kernel32() -> ctypes.WinDLL:
        library = ctypes.WinDLL("kernel32", use_last_error=True)
        address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
        library.VirtualAlloc.argtypes = [address, size, number, number]
        library.VirtualAlloc.restype = address
        library.VirtualProtect.argtypes = [address, size, number, ctypes.POINTER(number)]
        library.VirtualFree.argtypes = [address, size, number]
        library.GetCurrentProcess.restype = address
        library.FlushInstructionCache.argtypes = [address, address, size]
        return library

    def reserve(size: int) -> int:
        """New pages that can be written, all zeros."""
        return _kernel32().VirtualAlloc(None, size, _COMMIT_AND_RESERVE, Access.WRITE.value[1]) or _fail(size)

    def release(address: int, size: int) -> None:
        """Give pages back, all that were reserved at once."""
        _kernel32().VirtualFree(address, 0, _RELEASE)

    def protect(address: int, size: int, access: Access) -> None:
        """Change what may be done with pages."""
        before = ctypes.c_uint32()
        if size and not _kernel32().VirtualProtect(address, size, access.value[1], ctypes.byref(before)):
            _fail(0)

    def flush(address: int, size: int) -> None:
        """Let the processor see new code."""
        _kernel32().FlushInstructionCache(_kernel32().GetCurrentProcess(), address, size)

    def _error() -> tuple[int, str]:
        number = ctypes.get_last_error()
        return number, ctypes.FormatError(number).strip()

else:

    @lru_cache(maxsize=1)
    def _libc() -> ctypes.CDLL:
        library = ctypes.CDLL(None, use_errno=True)
        address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        library.mmap.argtypes = [address, size, number, number, number, ctypes.c_long]
        library.mmap.restype = address
        library.mprotect.argtypes = [address, size, number]
        library.munmap.argtypes = [address, size]
        return library

    def reserve(size: int) -> int:
        """New pages that can be written, all zeros."""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = _libc().mmap(None, size, Access.WRITE.value[0], flags, -1, 0)
        return _fail(size) if address == ctypes.c_void_p(-1).value else int(address)

    def release(address: int, size: int) -> None:
        """Give pages back, all that were reserved at once."""
        _libc().munmap(address, size)

    def protect(address: int, size: int, access: Access) -> None:
        """Change what may be done with pages."""
        if size and _libc().mprotect(address, size, access.value[0]):
            _fail(0)

    def flush(address: int, size: int) -> None:
        """Let the processor see new code: x86 does by itself, AArch64 has to be told."""
        here = host()
        if here is not None and here.architecture == "aarch64":
            _clear_cache(here.system)(address, size)

    @lru_cache(maxsize=1)
    def _clear_cache(system: str) -> Callable[[int, int], object]:
        """What makes the instruction cache forget so many bytes from an address."""
        try:
            found = (
                ctypes.CDLL(None)["sys_icache_invalidate"]
                if system == "macos"
                else ctypes.CDLL("libgcc_s.so.1")["__clear_cache"]
            )
        except (OSError, AttributeError) as error:
            raise Refused(f"no way to tell the processor of new code: {error}") from None
        found.argtypes, found.restype = [ctypes.c_void_p, ctypes.c_size_t], None
        if system == "macos":
            return found
        return lambda address, size: found(address, address + size)  # that of GCC takes an end

    def _error() -> tuple[int, str]:
        number = ctypes.get_errno()
        return number, os.strerror(number)


def _fail(size: int) -> int:
    number, why = _error()
    what = f"the system has no memory for {size} bytes of code" if size else "the system refuses executable memory"
    raise OSError(number, f"{what} ({why})")
