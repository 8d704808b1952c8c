"""Which systems and processors there are kernels for, by what Python says of them."""

import platform
import sys
import sysconfig

import pytest

from tconv.jit.machine import systems
from tconv.jit.machine.systems import TRIPLES, Host, host

pytestmark = pytest.mark.quick


@pytest.fixture
def said(monkeypatch):
    """What Python says of another machine."""

    def say(system, machine, program="linux-x86_64"):
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: machine)
        monkeypatch.setattr(sysconfig, "get_platform", lambda: program)
        systems._host.cache_clear()

    yield say
    systems._host.cache_clear()


@pytest.mark.parametrize(
    ("system", "machine", "program", "found"),
    [
        ("Linux", "x86_64", "linux-x86_64", Host("linux", "x86_64")),
        ("Linux", "aarch64", "linux-aarch64", Host("linux", "aarch64")),
        ("Linux", "riscv64", "linux-riscv64", None),
        ("Darwin", "x86_64", "macosx-14.0-x86_64", Host("macos", "x86_64")),
        ("Darwin", "arm64", "macosx-14.0-universal2", Host("macos", "aarch64")),
        ("Windows", "AMD64", "win-amd64", Host("windows", "x86_64")),
        ("Windows", "ARM64", "win-arm64", Host("windows", "aarch64")),
        # A program for x86-64 that AArch64 emulates.
        ("Windows", "ARM64", "win-amd64", Host("windows", "x86_64")),
        ("Windows", "AMD64", "win32", None),
        ("FreeBSD", "amd64", "freebsd-14-amd64", None),
        ("Android", "aarch64", "android-24-arm64_v8a", None),
    ],
)
def test_what_a_process_runs_on(said, system, machine, program, found):
    said(system, machine, program)
    assert host() == found
    assert found is None or found in TRIPLES


@pytest.mark.parametrize(("name", "value"), [("maxsize", 2**31 - 1), ("byteorder", "big")])
def test_programs_of_32_bits_and_the_other_order_of_bytes_have_none(said, monkeypatch, name, value):
    said("Linux", "x86_64")
    monkeypatch.setattr(sys, name, value)
    assert host() is None


def test_every_system_has_every_processor():
    assert set(TRIPLES) == {
        (name, processor) for name in systems._SYSTEMS.values() for processor in ("x86_64", "aarch64")
    }
    assert "aarch64-pc-windows-msvc-elf" not in TRIPLES.values()  # it ends the process
