"""Memory for machine code: written, then run; what the system refuses is an error that says so."""

import ctypes
import sys

import pytest
from registry import needs_kernels

from tconv.jit.machine import pages
from tconv.jit.machine.pages import PAGE, Access
from tconv.jit.machine.relocations import Refused
from tconv.jit.machine.systems import Host, host

pytestmark = [pytest.mark.quick, needs_kernels]

#: return 42
CODE = {"x86_64": "b82a000000c3", "aarch64": "40058052c0035fd6"}


def test_what_is_written_runs():
    code, address = bytes.fromhex(CODE[host().architecture]), pages.reserve(2 * PAGE)
    assert address % PAGE == 0
    assert ctypes.string_at(address, 2 * PAGE) == bytes(2 * PAGE)
    for _ in range(3):  # writable again after it ran
        ctypes.memmove(address, code, len(code))
        pages.flush(address, PAGE)
        pages.protect(address, PAGE, Access.EXECUTE)
        pages.protect(address + PAGE, PAGE, Access.READ)
        assert ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 42
        pages.protect(address, 2 * PAGE, Access.WRITE)
    pages.release(address, 2 * PAGE)


def test_nothing_is_asked_for_no_pages():
    pages.protect(1, 0, Access.EXECUTE)


def test_more_than_there_is():
    with pytest.raises(OSError, match=r"^\[Errno \d+\] the system has no memory for \d+ bytes of code \(.+\)$"):
        pages.reserve(1 << 62)


def test_what_cannot_be_protected():
    with pytest.raises(OSError, match=r"^\[Errno \d+\] the system refuses executable memory \(.+\)$"):
        pages.protect(PAGE, PAGE, Access.EXECUTE)  # nothing lies there


@pytest.fixture
def aarch64(monkeypatch):
    """A system on AArch64, and what it was asked to flush."""
    if sys.platform == "win32":
        pytest.skip("one function serves all processors there")

    def of(system, libraries):
        monkeypatch.setattr(pages, "host", lambda: Host(system, "aarch64"))
        monkeypatch.setattr(ctypes, "CDLL", lambda name: libraries[name])
        pages._clear_cache.cache_clear()

    yield of
    pages._clear_cache.cache_clear()


class Library(dict):
    """Functions by name."""

    def __missing__(self, name):
        raise AttributeError(name)


def test_aarch64_is_told_of_new_code(aarch64):
    asked = []

    class Function:
        def __call__(self, *given):
            asked.append(given)

    function = Function()
    aarch64("linux", {"libgcc_s.so.1": Library(__clear_cache=function)})
    pages.flush(4096, 100)
    assert function.argtypes == [ctypes.c_void_p, ctypes.c_size_t]
    aarch64("macos", {None: Library(sys_icache_invalidate=function)})
    pages.flush(8192, 100)
    assert asked == [(4096, 4196), (8192, 100)]  # to an end, and a size


def test_without_a_way_to_tell_it_the_object_is_refused(aarch64):
    aarch64("linux", {"libgcc_s.so.1": Library()})
    with pytest.raises(Refused, match=r"^no way to tell the processor of new code: __clear_cache$"):
        pages.flush(4096, 100)
