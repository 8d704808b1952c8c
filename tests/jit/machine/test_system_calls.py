"""What threads need of every system: the code of the pool for it, and the functions of this one."""

import ctypes
import re

import pytest
from registry import needs_kernels

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa, pool, system_calls
from tconv.jit.machine.ir import Module
from tconv.jit.machine.system_calls import KINDS, Call, SystemCalls
from tconv.jit.machine.systems import TRIPLES, host

pytestmark = pytest.mark.quick

EVERY = [(system, architecture, calls) for (system, architecture), kinds in KINDS.items() for calls in kinds]


def test_every_system_has_its_functions():
    assert KINDS.keys() == TRIPLES.keys()
    for _, _, calls in EVERY:
        assert set(calls.names) | {Call.GET_CORE} == set(Call)


@pytest.mark.parametrize(
    ("system", "architecture", "calls"), EVERY, ids=lambda v: v if isinstance(v, str) else type(v).__name__
)
def test_the_pool_for_every_system(system, architecture, calls):
    """It calls the functions of the system through the words of the pool, and nothing else."""
    target = next(row for row in isa.ISAS.values() if row.architecture == architecture).on(system)
    module = Module(target)
    pool.emit(module, calls)
    text = str(module)
    offsets = {int(n) // 8 for n in re.findall(r"getelementptr i8, ptr %pool, i64 (\d+)", text)}
    # Where a thread cannot know its core, none is replaced by another that code starts.
    started_by_python = set() if Call.GET_CORE in calls.names else {Call.CREATE, Call.DETACH}
    assert {Call(n) for n in offsets if n in list(Call)} == set(calls.names) - started_by_python
    code = compiler.assembly(text, target)
    called = re.findall(r"^\s*(?:callq?|blr?)\s+(\S+)", code, re.MULTILINE)
    assert {name for name in called if re.match(r"[A-Za-z_]{4}", name)} <= {"served"}
    assert len(called) >= 4


@pytest.mark.skipif(host() is None, reason="nothing is known of this system")
def test_this_system_has_them():
    found = system_calls.here()
    assert found is not None
    calls, addresses = found
    assert addresses.keys() == calls.names.keys()
    assert all(addresses.values())


def test_where_a_name_is_missing_the_next_kind_serves(monkeypatch):
    class Missing(SystemCalls):
        names = {Call.YIELD: "tconv_has_no_such_function"}  # noqa: RUF012

    here, there = host(), system_calls.here()
    monkeypatch.setitem(KINDS, here, (Missing(), *KINDS[here]))
    assert system_calls.here() == there
    monkeypatch.setitem(KINDS, here, (Missing(),))
    assert system_calls.here() is None


@needs_kernels
@pytest.mark.parametrize("starts", [True, False])
def test_a_thread_that_the_system_does_not_start_is_none(starts):
    """A function in the place of the system's says so in its way; nothing is detached then."""
    calls, addresses = system_calls.here()
    windows, word = host().system == "windows", ctypes.c_size_t
    said = starts if windows else 11 * (not starts)  # EAGAIN
    asked = []
    create = ctypes.CFUNCTYPE(word, *[word] * (6 if windows else 4))(lambda *given: asked.append(given) or said)
    detach = ctypes.CFUNCTYPE(word, word)(lambda _: asked.append("detached") or 0)
    replaced = {Call.CREATE: create, Call.DETACH: detach}
    found = {call: ctypes.cast(function, ctypes.c_void_p).value for call, function in replaced.items()}
    assert calls.begin({**addresses, **found}, 4096, 8192) == starts
    assert {4096, 8192} <= set(asked[0])
    assert asked[1:] == ["detached"] * starts
