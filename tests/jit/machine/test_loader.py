"""Object files in memory without LLVM: the same results as through LLVM's loader, and refused where not understood."""

import ctypes
import mmap
import random
import struct
from pathlib import Path

import pytest
import tiny_kernel
from hypothesis import given
from hypothesis import strategies as st
from needs import needs_proc

import tconv
from tconv.jit.kernels import linking
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa, loader, pages, relocations
from tconv.jit.machine.relocations import AARCH64, X86_64, Refused
from tconv.jit.schedules import layouts
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.methods.base import Problem

here = pytest.mark.skipif(not loader.machine(), reason="objects are loaded by LLVM here")
NUMBER = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
BASE = 0x7F00_0000_0000

#: A table of constants, a table of jumps, an exported function called by another, and its address.
VARIED = """
@table = internal constant [4 x i64] [i64 7, i64 5, i64 3, i64 1]

define i64 @look(i64 %i) {
  %p = getelementptr i64, ptr @table, i64 %i
  %v = load i64, ptr %p
  ret i64 %v
}

define i64 @jump(i64 %i) {
  switch i64 %i, label %other [i64 0, label %a i64 1, label %b i64 2, label %c i64 3, label %d i64 4, label %e]
a:
  %va = call i64 @look(i64 2)
  ret i64 %va
b:
  %vb = call i64 @look(i64 %i)
  %nb = mul i64 %vb, 3
  ret i64 %nb
c:
  %vc = call i64 @look(i64 0)
  %nc = xor i64 %vc, 88
  ret i64 %nc
d:
  ret i64 -4
e:
  %ve = ptrtoint ptr @look to i64
  ret i64 %ve
other:
  ret i64 -1
}

define double @constant(double %x) {
  %y = fmul double %x, 0x3FF3AE147AE147AE
  ret double %y
}
"""


def compiled(text, name="baseline"):
    return compiler._compiled(text, isa.ISAS[name])


def native(text):
    return compiled(text, isa.available()[-1])


def by_llvm(data, table):
    return compiler._by_llvm(data, isa.ISAS[isa.available()[-1]], ["through"], table)


@pytest.fixture(scope="module")
def varied():
    return native(VARIED)


@pytest.fixture
def without_llvm(monkeypatch):
    """Whatever the loader refuses is an error."""

    def fail(*_):
        raise AssertionError("refused")

    monkeypatch.setattr(compiler, "_by_llvm", fail)


@here
def test_code_runs(varied):
    addresses = loader.load(varied)
    assert addresses.keys() == {"look", "jump", "constant"}
    look, jump = NUMBER(addresses["look"]), NUMBER(addresses["jump"])
    assert [look(i) for i in range(4)] == [7, 5, 3, 1]
    assert [jump(i) for i in range(6)] == [3, 15, 95, -4, addresses["look"], -1]
    constant = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(addresses["constant"])
    assert constant(2.0) == 2.46


def test_llvm_loads_what_the_loader_refuses(monkeypatch):
    def refuse(*_):
        raise Refused("on purpose")

    times, by_llvm = [], compiler._by_llvm
    monkeypatch.setattr(loader, "load", refuse)
    monkeypatch.setattr(compiler, "_by_llvm", lambda *given: times.append(given) or by_llvm(*given))
    assert tiny_kernel.error(tiny_kernel.fresh()) < 1e-5
    assert len(times) == len(tiny_kernel.PROGRAM.code.parts)


@here
@pytest.mark.parametrize("name", isa.available())
@pytest.mark.parametrize("channels", [1, 24])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_are_loaded_without_llvm(without_llvm, name, channels, dtype):
    geometry = tconv.Geometry.conv_transpose((9, 9), (4, 5), stride=(2, 3), padding=1)
    problem = Problem("conv_transpose", geometry, 1, channels, channels, 1, dtype)
    target = isa.ISAS[name]
    code = pixels.make(problem, layouts.layout_of(problem, False), target).code
    tiny_kernel.forget()
    assert linking.linked(code, target)


#: Calls the function of a number in a table of others.
THROUGH_A_TABLE = """
@kernels = external hidden constant [0 x ptr]

define i64 @through(i64 %i) {
  %p = getelementptr ptr, ptr @kernels, i64 %i
  %f = load ptr, ptr %p
  %v = call i64 %f(i64 %i)
  ret i64 %v
}
"""


@pytest.mark.parametrize("load", [loader.load, by_llvm], ids=["tconv", "llvm"])
@here
def test_code_calls_others_through_its_table(varied, load):
    """The same code with one table and with another."""
    look, jump = (loader.load(varied)[name] for name in ("look", "jump"))
    through = native(THROUGH_A_TABLE)
    first, second = (NUMBER(load(through, table)["through"]) for table in ([look, jump, jump], [jump, look]))
    assert [first(i) for i in range(3)] == [7, 15, 95]
    assert [second(i) for i in range(2)] == [3, 5]


@pytest.mark.parametrize("name", isa.ISAS)
def test_the_table_lies_among_the_constants(name):
    machine = {"neon": AARCH64}.get(name, X86_64)
    elf = loader.Object(compiled(THROUGH_A_TABLE, name), machine, [1, 2**64 - 1])
    image = elf.linked(BASE).image
    assert image[elf.code :].startswith(struct.pack("<2Q", 1, 2**64 - 1))


@needs_proc
@here
def test_no_memory_is_writable_and_executable(varied):
    address = loader.load(varied)["look"]
    pages = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        pages[range(first, last)] = line.split()[1]
    [protection] = [how for where, how in pages.items() if address in where]
    assert protection == "r-xp"
    [protection] = [how for where, how in pages.items() if address + mmap.PAGESIZE in where]
    assert protection == "r--p"


def test_where_there_are_no_kernels_nothing_is_loaded(varied, monkeypatch):
    monkeypatch.setattr(loader, "host", lambda: None)
    assert loader.machine() == 0
    with pytest.raises(Refused, match="objects are not loaded on "):
        loader.load(varied)


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@g = global i64 1\ndefine ptr @f() { ret ptr @g }", r"section \.data of kind 1 and flags 0x3 is unknown"),
        ("@g = global i64 0\ndefine ptr @f() { ret ptr @g }", r"section \.bss of kind 8 and flags 0x3 is unknown"),
        (
            "@g = thread_local global i64 1\ndefine i64 @f() { %v = load i64, ptr @g\n ret i64 %v }",
            r"section \.tdata of kind 1 and flags 0x403 is unknown",
        ),
        ("declare i64 @h()\ndefine i64 @f() { %v = call i64 @h()\n ret i64 %v }", "the object needs h from elsewhere"),
        (THROUGH_A_TABLE, "the object needs kernels from elsewhere"),
        ("@g = constant i64 1", "the object has 0 bytes of code and "),
    ],
    ids=["data", "bss", "thread", "external", "no-table", "no-code"],
)
def test_unknown_contents_are_refused(text, reason):
    with pytest.raises(Refused, match=reason):
        loader.Object(compiled(text), X86_64).linked(BASE)


def patched(data, offset, layout, value):
    raw = bytearray(data)
    struct.pack_into(layout, raw, offset, value)
    return bytes(raw)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda raw: b"", "the object is damaged: unpack requires a buffer of 64 bytes"),
        (lambda raw: b"\x7fOLD" + raw[4:], "not a relocatable ELF object of 64 bits"),
        (lambda raw: patched(raw, 4, "<B", 1), "not a relocatable ELF object of 64 bits"),
        (lambda raw: patched(raw, 16, "<H", 3), "not a relocatable ELF object of 64 bits"),
        (lambda raw: patched(raw, 18, "<H", AARCH64), "the object is for processor 183 of ELF, this is 62"),
        (lambda raw: patched(raw, 58, "<H", 40), "an entry of the table of sections has 40 bytes"),
        (lambda raw: patched(raw, 40, "<Q", 2**63), "the object ends at byte "),
        (lambda raw: patched(raw, 62, "<H", 999), "the object is damaged: list index out of range"),
        (lambda raw: raw[: len(raw) // 2], "the object ends at byte "),
    ],
)
def test_damaged_headers_are_refused(harm, reason):
    with pytest.raises(Refused, match=reason):
        loader.Object(harm(compiled(VARIED)), X86_64)


@given(st.randoms(use_true_random=False))
def test_damage_anywhere_is_refused_or_harmless(rng: random.Random):
    """No exception but `Refused`, and no image of another size than was reserved."""
    data = bytearray(OBJECTS[rng.choice([X86_64, AARCH64])])
    machine = struct.unpack_from("<H", data, 18)[0]
    tables = struct.unpack_from("<Q", data, 40)[0]
    for _ in range(rng.randint(1, 4)):
        # Mostly where it hurts: the header and the table of sections.
        start, end = rng.choice([(0, 64), (tables, len(data)), (tables, len(data)), (0, len(data))])
        data[rng.randrange(start, end)] = rng.choice([0, 1, 2, 127, 128, 255, rng.randrange(256)])
    try:
        elf = loader.Object(bytes(data), machine, [1, 2])
        linked = elf.linked(BASE)
    except Refused:
        return
    assert len(linked.image) == elf.size
    assert all(0 <= offset < linked.code for offset in linked.functions.values())


OBJECTS = {
    machine: compiled(VARIED + THROUGH_A_TABLE, name) for machine, name in ((X86_64, "baseline"), (AARCH64, "neon"))
}


# ---- relocations, by hand: the first number is the bytes before, the last the bytes after


@pytest.mark.parametrize(
    ("machine", "kind", "before", "distance", "after"),
    [
        (X86_64, 1, "0000000000000000", 0x1234, "34220000007f0000"),
        (X86_64, 2, "00000000", -4, "fcffffff"),
        (X86_64, 4, "00000000", 0x12345678, "78563412"),
        (X86_64, 24, "0000000000000000", -2, "feffffffffffffff"),
        (AARCH64, 257, "0000000000000000", 0, "00100000007f0000"),
        (AARCH64, 260, "0000000000000000", 2**33, "0000000002000000"),
        (AARCH64, 261, "00000000", -1, "ffffffff"),
        (AARCH64, 274, "00000010", 5, "20000030"),  # adr x0, . -> adr x0, .+5
        (AARCH64, 275, "00000090", 0x1000, "000000b0"),  # adrp x0 of the next page
        (AARCH64, 275, "01000090", -0x1000, "e1fffff0"),  # adrp x1 of the page before
        (AARCH64, 275, "00000090", 0x4FFF, "20000090"),
        (AARCH64, 277, "00000091", 0x234, "00d00891"),  # add x0, x0, #0x234
        (AARCH64, 278, "00004039", 0x7, "001c4039"),  # ldrb w0, [x0, #7]
        (AARCH64, 284, "00004079", 0x6, "000c4079"),  # ldrh w0, [x0, #6]
        (AARCH64, 285, "000040b9", 0x8, "000840b9"),  # ldr w0, [x0, #8]
        (AARCH64, 286, "000040f9", 0x18, "000c40f9"),  # ldr x0, [x0, #24]
        (AARCH64, 299, "0000c03d", 0x20, "0008c03d"),  # ldr q0, [x0, #32]
        (AARCH64, 282, "00000014", -4, "ffffff17"),  # b .-4
        (AARCH64, 283, "00000094", 8, "02000094"),  # bl .+8
        (AARCH64, 311, "00000090", 0x1000, "000000b0"),
        (AARCH64, 312, "080140f9", 0x234, "08d10891"),  # ldr x8, [x8, #...] -> add x8, x8, #0x234
    ],
)
def test_relocations(machine, kind, before, distance, after):
    image = bytearray(8) + bytearray.fromhex(before)
    relocations.relocate(machine, kind, image, 8, len(image), BASE - 8 + 0x1000, BASE + 0x1000 + distance)
    assert image[:8] == bytes(8)
    assert image[8:].hex() == after


def test_a_move_from_the_table_of_addresses_becomes_one_of_the_address():
    image = bytearray.fromhex("488b3d00000000")  # mov rdi, [rip + 0]
    relocations.relocate(X86_64, 42, image, 3, 7, BASE, BASE + 0x103)
    assert image.hex() == "488d3d00010000"  # lea rdi, [rip + 0x100]


@pytest.mark.parametrize(
    ("machine", "kind", "before", "distance", "reason"),
    [
        (X86_64, 99, "00000000", 0, "relocation 99 of processor 62 is unknown"),
        (X86_64, 2, "0000", 0, "a relocation lies behind the end of its section"),
        (X86_64, 2, "00000000", 2**31, "distance 2147483648 does not fit into 32 bits"),
        (X86_64, 42, "00000000", 0, "a table of addresses is used by something else than MOV"),
        (AARCH64, 274, "00000010", 2**20, "distance 1048576 does not fit into 21 bits"),
        (AARCH64, 275, "00000090", 2**32, "distance 1048576 does not fit into 21 bits"),
        (AARCH64, 282, "00000014", 2, "distance 2 is no number of instructions"),
        (AARCH64, 282, "00000014", 2**27, "distance 33554432 does not fit into 26 bits"),
        (AARCH64, 286, "000040f9", 4, "address 0x7f0000000004 is not aligned to 8 bytes"),
        (AARCH64, 312, "00000091", 0, "a table of addresses is used by something else than LDR"),
    ],
)
def test_relocations_that_are_refused(machine, kind, before, distance, reason):
    image = bytearray.fromhex(before)
    with pytest.raises(Refused) as refusal:
        relocations.relocate(machine, kind, image, 0, len(image), BASE, BASE + distance)
    assert str(refusal.value) == reason


def test_objects_for_aarch64_are_linked():
    linked = loader.Object(OBJECTS[AARCH64], AARCH64, [1, 2]).linked(BASE)
    assert linked.functions.keys() == {"look", "jump", "constant", "through"}
    assert linked.code % mmap.PAGESIZE == 0
    assert len(linked.image) > linked.code


@here
def test_memory_that_the_system_refuses_is_given_back(varied, monkeypatch):
    def refuse(*_):
        raise Refused("on purpose")

    returned = []
    monkeypatch.setattr(pages, "protect", refuse)
    monkeypatch.setattr(pages, "release", lambda *given: returned.append(given))
    with pytest.raises(Refused, match="on purpose"):
        loader.load(varied)
    [(_, size)] = returned
    assert size == loader.Object(varied, loader.machine()).size


def test_the_cache_keeps_what_the_loader_gets(tmp_path, monkeypatch):
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "kernels"))
    tiny_kernel.fresh()
    assert {data[:4] for data in tiny_kernel.kept().values()} == {b"\x7fELF"}
