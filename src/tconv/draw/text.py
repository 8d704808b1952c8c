"""How wide text is, without a font: advances of DejaVu Sans, the widest of the fonts that pictures ask for."""

from __future__ import annotations

from functools import lru_cache

#: Thousandths of the size, from the blank to the tilde.
_PLAIN = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
)  # fmt: skip
#: What bold letters take more, and a letter of the monospaced font.
_BOLD, _MONO = 1.1, 602
#: Letters that are in no table: signs, and those of Chinese, which are squares.
_SIGN, _SQUARE = 838, 1000


@lru_cache(4096)  # layouts measure the same lines for every size of cells that they try
def width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """Of a line of text of a size."""
    thousandths = sum(_advance(ord(letter), mono) for letter in text)
    return thousandths * size * (_BOLD if bold and not mono else 1) / 1000


def _advance(code: int, mono: bool) -> int:
    if 32 <= code < 127:
        return _MONO if mono else _PLAIN[code - 32]
    return _SQUARE if code >= 0x2E80 else _MONO if mono else _SIGN


def fitting(text: str, size: float, room: float, *, bold: bool = False) -> float:
    """The size, or a smaller one with which a line of text is no wider than the room."""
    wide = width(text, size, bold=bold)
    return round(size if wide <= room else size * room / wide, 1)


def cut(text: str, size: float, room: float) -> str:
    """A line of text that is no wider than the room: the middle of a longer one is left out."""
    if width(text, size) <= room:
        return text
    kept = len(text) - 1
    while kept > 1 and width(_halves(text, kept), size) > room:
        kept -= 1
    return _halves(text, kept)


def _halves(text: str, kept: int) -> str:
    """So many letters of the start and the end of a text."""
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


@lru_cache(4096)
def wrapped(text: str, size: float, room: float, *, bold: bool = False, mono: bool = False) -> tuple[str, ...]:
    """Lines that fit; broken at blanks, and between Chinese letters, and anywhere where nothing else helps."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip(), size, bold=bold, mono=mono) > room:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return (*lines, line.rstrip()) if line.strip() or not lines else tuple(lines)


def _pieces(text: str) -> list[str]:
    """Words with the blank behind them, and squares by themselves."""
    found, word = [], ""
    for letter in text:
        word += letter
        if letter == " " or ord(letter) >= 0x2E80:
            found.append(word)
            word = ""
    return [*found, word] if word else found
