"""Addresses written into the bytes of an object: the relocations of x86-64 and AArch64 that self-contained code has.

Names and formulas are those of the ABIs of the two processors: S + A is the address that is referred to, P the address
of the place that refers to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

#: By what the system calls a processor, the number by which ELF does.
MACHINES = {"x86_64": 62, "aarch64": 183}
X86_64, AARCH64 = MACHINES.values()


class Refused(Exception):
    """This object is not loaded here; the text says why."""


#: Writes into an image, at an offset, from the address referred to and that of the place.
Rule: TypeAlias = Callable[[bytearray, int, int, int], None]


def relocate(machine: int, kind: int, image: bytearray, offset: int, end: int, base: int, target: int) -> None:
    """Write one address; `end` is where the section of the place ends, `base` where the image will lie."""
    if (machine, kind) not in RULES:
        raise Refused(f"relocation {kind} of processor {machine} is unknown")
    width, rule = RULES[machine, kind]
    if offset + width > end:
        raise Refused("a relocation lies behind the end of its section")
    rule(image, offset, target, base + offset)


def _fits(value: int, bits: int) -> int:
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise Refused(f"distance {value} does not fit into {bits} bits")
    return value


def _absolute(image: bytearray, at: int, target: int, place: int) -> None:
    """S + A."""
    struct.pack_into("<Q", image, at, target % 2**64)


def _relative(image: bytearray, at: int, target: int, place: int) -> None:
    """S + A - P in 32 bits."""
    struct.pack_into("<i", image, at, _fits(target - place, 32))


def _relative_wide(image: bytearray, at: int, target: int, place: int) -> None:
    """S + A - P in 64 bits."""
    struct.pack_into("<q", image, at, target - place)


def _put(image: bytearray, at: int, value: int, bits: int, shift: int) -> None:
    """Bits of an instruction."""
    (word,) = struct.unpack_from("<I", image, at)
    mask = (1 << bits) - 1 << shift
    struct.pack_into("<I", image, at, word & ~mask | value << shift & mask)


def _branch(image: bytearray, at: int, target: int, place: int) -> None:
    """B and BL: S + A - P in instructions, 26 bits of them."""
    _put(image, at, _instructions(target - place, 26), 26, 0)


def _instructions(distance: int, bits: int) -> int:
    if distance % 4:
        raise Refused(f"distance {distance} is no number of instructions")
    return _fits(distance // 4, bits)


def _address(image: bytearray, at: int, distance: int) -> None:
    """The 21 bits of ADR and ADRP: the lowest two apart from the others."""
    _fits(distance, 21)
    _put(image, at, distance & 3, 2, 29)
    _put(image, at, distance >> 2, 19, 5)


def _near(image: bytearray, at: int, target: int, place: int) -> None:
    """ADR: S + A - P."""
    _address(image, at, target - place)


def _page(image: bytearray, at: int, target: int, place: int) -> None:
    """ADRP: from the page of P to that of S + A, in pages of 4096 bytes whatever the system's are."""
    _address(image, at, (target >> 12) - (place >> 12))


def _within_page(scale: int) -> Rule:
    """ADD, LDR and STR: the offset of S + A within its page, in elements of 2**scale bytes."""

    def rule(image: bytearray, at: int, target: int, place: int) -> None:
        if target % (1 << scale):
            raise Refused(f"address {target:#x} is not aligned to {1 << scale} bytes")
        _put(image, at, (target & 0xFFF) >> scale, 12, 10)

    return rule


def _relaxed_move(image: bytearray, at: int, target: int, place: int) -> None:
    """MOV from a table of addresses: LEA of the address itself, as linkers do it, where all is in one object."""
    if at < 2 or image[at - 2] != 0x8B:
        raise Refused("a table of addresses is used by something else than MOV")
    image[at - 2] = 0x8D
    _relative(image, at, target, place)


def _relaxed_load(image: bytearray, at: int, target: int, place: int) -> None:
    """LDR from a table of addresses: ADD of the offset within the page to what ADRP said."""
    (word,) = struct.unpack_from("<I", image, at)
    if word & 0xFFC00000 != 0xF9400000:
        raise Refused("a table of addresses is used by something else than LDR")
    struct.pack_into("<I", image, at, 0x91000000 | word & 0x3FF | (target & 0xFFF) << 10)


#: By processor and number of the relocation: how many bytes it changes, and how.
RULES: dict[tuple[int, int], tuple[int, Rule]] = {
    (X86_64, 1): (8, _absolute),  # R_X86_64_64
    (X86_64, 2): (4, _relative),  # R_X86_64_PC32
    (X86_64, 4): (4, _relative),  # R_X86_64_PLT32: no table of procedures where everything is in one object
    (X86_64, 24): (8, _relative_wide),  # R_X86_64_PC64
    (X86_64, 42): (4, _relaxed_move),  # R_X86_64_REX_GOTPCRELX
    (AARCH64, 257): (8, _absolute),  # R_AARCH64_ABS64
    (AARCH64, 260): (8, _relative_wide),  # R_AARCH64_PREL64
    (AARCH64, 261): (4, _relative),  # R_AARCH64_PREL32
    (AARCH64, 274): (4, _near),  # R_AARCH64_ADR_PREL_LO21
    (AARCH64, 275): (4, _page),  # R_AARCH64_ADR_PREL_PG_HI21
    (AARCH64, 277): (4, _within_page(0)),  # R_AARCH64_ADD_ABS_LO12_NC
    (AARCH64, 278): (4, _within_page(0)),  # R_AARCH64_LDST8_ABS_LO12_NC
    (AARCH64, 284): (4, _within_page(1)),  # R_AARCH64_LDST16_ABS_LO12_NC
    (AARCH64, 285): (4, _within_page(2)),  # R_AARCH64_LDST32_ABS_LO12_NC
    (AARCH64, 286): (4, _within_page(3)),  # R_AARCH64_LDST64_ABS_LO12_NC
    (AARCH64, 299): (4, _within_page(4)),  # R_AARCH64_LDST128_ABS_LO12_NC
    (AARCH64, 282): (4, _branch),  # R_AARCH64_JUMP26
    (AARCH64, 283): (4, _branch),  # R_AARCH64_CALL26
    (AARCH64, 311): (4, _page),  # R_AARCH64_ADR_GOT_PAGE
    (AARCH64, 312): (4, _relaxed_load),  # R_AARCH64_LD64_GOT_LO12_NC
}
