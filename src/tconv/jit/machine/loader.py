"""Object files into executable memory, without LLVM, which takes longer to load than the rest of a warm start together.

Read are ELF files for x86-64 and AArch64, on every system (`systems.py`), with what generated kernels consist of: code,
constants, addresses relative to each other, and no symbol from elsewhere but one: a table of the addresses of other
functions, which is put beside the constants. Anything else, and anything out of bounds, is `Refused`, and the loader of
LLVM takes over (`compile.py`).

Memory (`pages.py`) is not given back: a thread may still be in it when the interpreter goes down, and a process
compiles each kernel once. A system that refuses executable memory is final, an OSError: LLVM's loader would ask for the
same memory, and goes on without looking whether it got it.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tconv.jit.machine import pages
from tconv.jit.machine.pages import PAGE, Access
from tconv.jit.machine.relocations import MACHINES, Refused, relocate
from tconv.jit.machine.systems import host

#: More than any kernel has: what claims more is no kernel.
MOST_BYTES = 64 << 20

_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")

_RELOCATABLE, _PROGBITS, _SYMTAB, _STRTAB, _RELA, _REL = 1, 1, 2, 3, 4, 9
_WRITE, _ALLOC, _EXECUTE, _MERGE, _STRINGS = 0x1, 0x2, 0x4, 0x10, 0x20
_UNDEFINED, _GLOBAL, _FUNCTION = 0, 1, 2

#: By what name code finds a table of addresses that is put beside it, and the section that is made for it.
TABLE = "kernels"
_TABLE = f".rodata.{TABLE}"


class Section(NamedTuple):
    """One entry of the table of sections."""

    name: str
    kind: int
    flags: int
    data: memoryview
    link: int
    info: int
    align: int

    @property
    def loaded(self) -> bool:
        """Whether it is needed at run time; unwind tables are not, as nothing is thrown through kernels."""
        return bool(self.flags & _ALLOC) and self.name != ".eh_frame"


@dataclass(frozen=True, slots=True)
class Linked:
    """The bytes of an object as they are to lie in memory."""

    image: bytearray
    code: int  #: so many bytes of it are code, whole pages, and the rest are constants
    functions: dict[str, int]  #: offsets of what is exported


def machine() -> int:
    """The number by which ELF calls this processor, 0 where objects cannot be loaded here."""
    here = host()
    return MACHINES[here.architecture] if here else 0


def refusal() -> str:
    """Why this process gets no executable memory, "" if it does; asked of the system, for one page.

    The answer is not kept: a process may give up that right at any time, and asking takes a few microseconds.
    """
    if not machine():
        return ""
    try:
        for access in (Access.WRITE, Access.EXECUTE):  # executable since it was last asked, it would be granted
            pages.protect(_page(), PAGE, access)
    except OSError as error:
        return str(error.strerror)
    return ""


@lru_cache(maxsize=1)
def _page() -> int:
    return pages.reserve(PAGE)


def load(data: bytes, table: Sequence[int] = ()) -> dict[str, int]:
    """Put an object into executable memory, with a table of addresses that its code calls `TABLE`.

    What is returned are the addresses of its exported functions. OSError: there is no such memory.
    """
    if not machine():
        raise Refused(f"objects are not loaded on {sys.platform} and {platform.machine()}")
    elf = Object(data, machine(), table)
    base = pages.reserve(elf.size)
    try:
        linked = elf.linked(base)
        ctypes.memmove(base, (ctypes.c_char * elf.size).from_buffer(linked.image), elf.size)
        pages.flush(base, linked.code)
        pages.protect(base, linked.code, Access.EXECUTE)
        pages.protect(base + linked.code, elf.size - linked.code, Access.READ)
    except BaseException:
        pages.release(base, elf.size)
        raise
    return {name: base + offset for name, offset in linked.functions.items()}


class Object:
    """A relocatable object file, checked as far as it is read."""

    def __init__(self, data: bytes, machine: int, table: Sequence[int] = ()) -> None:
        self.machine = machine
        try:
            self.sections = list(_sections(memoryview(data), machine))
            self.symbols, self.names = self._symbols()
        except (struct.error, IndexError, ValueError) as error:
            raise Refused(f"the object is damaged: {error}") from None
        if table:
            self.sections.append(Section(_TABLE, _PROGBITS, _ALLOC, _packed(table), 0, 0, 8))
        self.code, self.size, self.places = self._places()

    def _symbols(self) -> tuple[list[tuple[int, ...]], bytes]:
        tables = [section for section in self.sections if section.kind == _SYMTAB]
        if len(tables) != 1:
            raise Refused(f"the object has {len(tables)} tables of symbols")
        return list(_SYMBOL.iter_unpack(tables[0].data)), bytes(self.sections[tables[0].link].data)

    def _places(self) -> tuple[int, int, dict[int, int]]:
        """Bytes of code, bytes in all, and where sections lie: code first, then constants, on pages of their own."""
        end, places = 0, {}
        for wanted in (_EXECUTE, 0):
            for number, section in enumerate(self.sections):
                if section.loaded and section.flags & _EXECUTE == wanted:
                    _check(section)
                    end = _up(end, section.align)
                    places[number] = end
                    end += len(section.data)
            end = _up(end, PAGE)
            if wanted:
                code = end
        if not 0 < code <= end <= MOST_BYTES:
            raise Refused(f"the object has {code} bytes of code and {end} in all")
        return code, end, places

    def linked(self, base: int) -> Linked:
        """The bytes for this address."""
        image = bytearray(self.size)
        for number, place in self.places.items():
            data = self.sections[number].data
            image[place : place + len(data)] = data
        try:
            for section in self.sections:
                if section.kind in (_RELA, _REL) and section.info in self.places:
                    self._relocate(image, base, section)
            functions = dict(self._functions())
        except (struct.error, IndexError, ValueError) as error:
            raise Refused(f"the object is damaged: {error}") from None
        return Linked(image, self.code, functions)

    def _relocate(self, image: bytearray, base: int, section: Section) -> None:
        if section.kind == _REL or self.sections[section.link].kind != _SYMTAB:
            raise Refused(f"section {section.name} is not in the form of relocations that these processors use")
        place, length = self.places[section.info], len(self.sections[section.info].data)
        for offset, kind, symbol, addend in _RELOCATION.iter_unpack(section.data):
            target = base + self._place(self.symbols[symbol]) + addend
            relocate(self.machine, kind, image, place + offset, place + length, base, target)

    def _place(self, symbol: Sequence[int]) -> int:
        """Where a symbol lies; the table is the one that the object does not hold itself."""
        _, _, _, within, value, _ = symbol
        if within == _UNDEFINED and self.sections[-1].name == _TABLE and self._name(symbol) == TABLE:
            within = len(self.sections) - 1
        if within not in self.places:
            raise Refused(f"the object needs {self._name(symbol) or 'a symbol'} from elsewhere")
        return self.places[within] + value

    def _functions(self) -> Iterator[tuple[str, int]]:
        for symbol in self.symbols:
            _, info, _, within, value, size = symbol
            if info >> 4 != _GLOBAL or info & 15 != _FUNCTION:
                continue
            section = self.sections[within]
            if within not in self.places or not section.flags & _EXECUTE or value + size > len(section.data):
                raise Refused(f"function {self._name(symbol)} lies outside of the code")
            yield self._name(symbol), self.places[within] + value

    def _name(self, symbol: Sequence[int]) -> str:
        return _text(self.names, symbol[0])


def _packed(table: Sequence[int]) -> memoryview:
    return memoryview(struct.pack(f"<{len(table)}Q", *table))


def _sections(data: memoryview, machine: int) -> Iterator[Section]:
    head = _HEADER.unpack(data[: _HEADER.size])
    magic, bits, order, version, kind, found, *_, entry, count, names = head
    if (magic, bits, order, version, kind) != (b"\x7fELF", 2, 1, 1, _RELOCATABLE):
        raise Refused("not a relocatable ELF object of 64 bits")
    if found != machine:
        raise Refused(f"the object is for processor {found} of ELF, this is {machine}")
    if entry != _SECTION.size:
        raise Refused(f"an entry of the table of sections has {entry} bytes")
    rows = list(_SECTION.iter_unpack(_part(data, head[9], count * entry)))
    texts = bytes(_part(data, *rows[names][4:6]))
    for name, kind, flags, _, offset, size, link, info, align, _ in rows:
        # What only reserves memory has no bytes in the file; where it is to be loaded, `_check` refuses it.
        part = _part(data, offset, size) if kind != 8 else data[:0]
        yield Section(_text(texts, name), kind, flags, part, link, info, align or 1)


def _check(section: Section) -> None:
    """A section to be loaded is code or constants."""
    code = section.name.startswith(".text") and section.flags & _EXECUTE and not section.flags & _WRITE
    constants = section.name.startswith((".rodata", ".data.rel.ro")) and not section.flags & _EXECUTE
    known = section.flags & ~(_WRITE | _ALLOC | _EXECUTE | _MERGE | _STRINGS) == 0
    if section.kind != _PROGBITS or not known or not (code or constants):
        raise Refused(f"section {section.name} of kind {section.kind} and flags {section.flags:#x} is unknown")
    if section.align & (section.align - 1) or section.align > PAGE:
        raise Refused(f"section {section.name} wants to be aligned to {section.align}")


def _part(data: memoryview, offset: int, size: int) -> memoryview:
    if offset + size > len(data):
        raise Refused(f"the object ends at byte {len(data)}, before {offset} + {size}")
    return data[offset : offset + size]


def _text(texts: bytes, start: int) -> str:
    return texts[start : texts.index(b"\0", start)].decode("ascii") if start < len(texts) else ""


def _up(size: int, align: int) -> int:
    return -(-size // align) * align
