"""Arguments in, normalised values out, or the reason why they are wrong.

Every function here is pure. A wrong argument raises `Rejected`, which carries the class of the error and a sentence
that names the argument, what is allowed, and the value. Only public functions turn it into an exception of that class:
they know the name of the call and can show the shapes and the other arguments beside the sentence (see `explained`).

This file sits below `geometry.py`: sizes, strides and shapes are refused in the same words wherever they are given.
"""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeGuard

from tconv.hints import words as hints

#: The largest size, count of elements or count of bytes that an array can have: that of a signed 64-bit index.
INDEX_MAX = 2**63 - 1

#: The most axes of size: an array with two entries for each, and three more, is within NumPy's limit of 64.
MOST_AXES = 30


class Rejected(Exception):
    """An argument is wrong: the class of the error to raise, and the sentence that says why."""

    def __init__(self, kind: type[Exception], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def wrong(reason: str) -> NoReturn:
    """The value of an argument is not allowed."""
    raise Rejected(ValueError, reason)


def wrong_type(reason: str) -> NoReturn:
    """The type of an argument is not allowed."""
    raise Rejected(TypeError, reason)


class explained:
    """Turn a `Rejected` from inside into the error the user sees: the call, the reason, and what it was called with."""

    def __init__(self, call: str, context: Callable[[], str] | None = None) -> None:
        self.call, self.context = call, context

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Rejected):
            text = f"{self.call}: {error}"
            if self.context is not None:
                text += f"\n  called with {self.context()}"
            raise error.kind(text) from None


def shorten(value: object, limit: int = 60) -> str:
    """The repr of a value, cut in the middle where it is long, so that a message stays readable."""
    if isinstance(value, int) and value.bit_length() > 4096:  # Python refuses to print the largest
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def integer(name: str, value: object, least: int | None = None) -> int:
    """One integer (Python's or NumPy's; not a bool, not a float), at least `least`."""
    if type(value) is int and (least is None or value >= least):
        return value
    allowed = "must be an integer" + ("" if least is None else f" of at least {least}")
    if isinstance(value, bool):
        wrong_type(f"{name} {allowed}; got {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the except is the check
    except TypeError:
        hint = hints.number(name, value)
        wrong_type(f"{name} {allowed}; got {shorten(value)} of type {type(value).__name__}{hint}")
    if least is not None and number < least:
        wrong(f"{name} {allowed}; got {shorten(number)}")
    return number


def bounds(first: str, last: str, start: object, stop: object, size: int) -> tuple[int, int]:
    """The two ends of a range with something in it: 0 <= start < stop <= size."""
    low, high = integer(first, start, 0), integer(last, stop)
    if low >= size:
        wrong(f"{first} must be less than {size}; got {shorten(low)}")
    if not low < high <= size:
        wrong(f"{last} must be more than {first} = {low} and at most {size}; got {shorten(high)}")
    return low, high


def box(name: str, value: object, size: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """A box of a grid: a pair (start, stop) for every axis, each with something in it."""
    if not is_sequence(value):
        wrong_type(f"{name} must be a sequence of (start, stop) pairs, one an axis; got {shorten(value)}")
    if len(value) != len(size):
        wrong(f"{name} must have {count(len(size), 'pair')} (start, stop), one an axis; got {shorten(value)}")
    return tuple(_ends(f"{name}[{i}]", ends, n) for i, (ends, n) in enumerate(zip(value, size, strict=True)))


def _ends(name: str, value: object, size: int) -> tuple[int, int]:
    if not is_sequence(value) or len(value) != 2:
        wrong(f"{name} must be a pair (start, stop); got {shorten(value)}")
    return bounds(f"{name}[0]", f"{name}[1]", value[0], value[1], size)


def number(name: str, value: object) -> float:
    """A real number (Python's or NumPy's; not a bool); infinite where it is an integer that no float comes near to."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        wrong_type(f"{name} must be a number; got {shorten(value)} of type {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        return float("-inf") if value < 0 else float("inf")


def seconds(name: str, value: object) -> float:
    """A time: a number of more than 0, and finite."""
    found = number(name, value)
    if not 0 < found < float("inf"):
        wrong(f"{name} must be more than 0 and finite; got {value}")
    return found


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value counts as a tuple of entries: a sequence that is no text, such as a tuple, a list or a shape."""
    return isinstance(value, (tuple, list, Sequence)) and not isinstance(value, (str, bytes))


def per_axis(name: str, value: object, ndim: int, least: int | None = None) -> tuple[int, ...]:
    """One integer for every axis, or a sequence of `ndim` of them."""
    if not is_sequence(value):
        return (integer(name, value, least),) * ndim
    entries = tuple(value)
    if len(entries) == ndim and all(type(entry) is int and (least is None or entry >= least) for entry in entries):
        return entries
    if len(entries) != ndim:
        wrong(f"{name} must be an integer or a sequence of {count(ndim, 'integer')}, one an axis; got {shorten(value)}")
    return tuple(integer(f"{name}[{i}]", entry, least) for i, entry in enumerate(entries))


def shape(name: str, value: object) -> tuple[int, ...]:
    """The shape of an array: a sequence of integers of at least 0."""
    if not is_sequence(value):
        wrong_type(f"{name} must be a shape; got {shorten(value)} of type {type(value).__name__}")
    return tuple(integer(f"{name}[{i}]", size, 0) for i, size in enumerate(value))


def padding_pair(name: str, value: object) -> tuple[int, int]:
    """The padding of one axis as (low, high), from one integer for both ends or from a pair; negative crops."""
    if not is_sequence(value):
        number = integer(name, value)
        return (number, number)
    entries = tuple(value)
    if len(entries) != 2:
        wrong(f"{name} must be an integer or a (low, high) pair of them; got {shorten(value)}")
    return (integer(f"{name}[0]", entries[0]), integer(f"{name}[1]", entries[1]))


def padding_per_axis(value: object, ndim: int) -> tuple[tuple[int, int] | str, ...]:
    """The padding of each axis: from a word, one integer, or a sequence of integers and (low, high) pairs."""
    if isinstance(value, str):
        return (padding_word(value),) * ndim
    if not is_sequence(value):
        return (padding_pair("padding", value),) * ndim
    entries = tuple(value)
    if len(entries) != ndim:
        hint = f"; write ({shorten(entries)},) for a (low, high) pair" if ndim == 1 and len(entries) == 2 else ""
        wrong(
            f'padding must be "same", "valid", one integer, or a sequence of {count(ndim, "entry", "entries")}, one an '
            f"axis, each an integer or a (low, high) pair; got {shorten(value)}{hint}"
        )
    return tuple(padding_pair(f"padding[{i}]", entry) for i, entry in enumerate(entries))


def padding_word(value: str, allowed: Sequence[str] = ("same", "valid")) -> str:
    """One of the words that stand for a padding."""
    if value not in allowed:
        hint = hints.word(value, allowed) or hints.number("padding", value)
        wrong(f"padding must be {words(allowed)}, an integer or (low, high) pairs; got {value!r}{hint}")
    return value


def truth(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        wrong_type(f"{name} must be True or False; got {shorten(value)} of type {type(value).__name__}")
    return value


def choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """One of the given words."""
    if not isinstance(value, str):
        wrong_type(f"{name} must be one of {words(allowed)}; got {shorten(value)} of type {type(value).__name__}")
    if value not in allowed:
        wrong(f"{name} must be one of {words(allowed)}; got {value!r}{hints.word(value, allowed)}")
    return value


def words(names: Sequence[str]) -> str:
    """Names as a message lists them: "a", "b", "c"."""
    return ", ".join(f'"{name}"' for name in names)


def first_line(error: BaseException) -> str:
    """What somebody else's error says, in a line: its first that is not empty, or its class."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def count(number: int, one: str, many: str | None = None) -> str:
    """1 axis, 2 axes."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def length(cells: range) -> int:
    """The length of a range; len() overflows beyond 2**63."""
    return max(0, -((cells.start - cells.stop) // cells.step))


def some_of(sizes: range) -> str:
    """A range of sizes as a message lists it: each one while they are few, else first to last."""
    if length(sizes) <= 8:
        return ", ".join(str(size) for size in sizes)
    return f"{sizes[0]} to {sizes[-1]}" + ("" if sizes.step == 1 else f" in steps of {sizes.step}")


def one_of(sizes: range) -> str:
    """The sizes to choose from: 5, or one of 5, 6."""
    return f"one of {some_of(sizes)}" if length(sizes) > 1 else some_of(sizes)


def echo(**arguments: Any) -> str:
    """Arguments as they were given, for the line below a reason: name=value, ..."""
    return ", ".join(f"{name}={shorten(value)}" for name, value in arguments.items())


def divides(name: str, divisor: int, of: str, number: int) -> None:
    """The divisor leaves no remainder."""
    if number % divisor:
        wrong(f"{name} must divide {of} = {number}; got {divisor}")


def physical_memory() -> int:
    """Bytes of memory in this machine, or the largest index where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # no such call on Windows; an unknown name elsewhere
        return INDEX_MAX


def fits_memory(what: str, size: int, hint: str = "") -> None:
    """An array of this many bytes can be indexed and held in memory; else the hint says what to do."""
    if size > INDEX_MAX:
        wrong(f"{what} must have a size below 2**63 bytes; it would take {shorten(size, 200)}")
    if size > physical_memory():
        must = f"{what} must fit into memory, {memory(physical_memory())}; it would take {memory(size)}{hint}"
        raise Rejected(MemoryError, must)


def memory(size: int) -> str:
    """Bytes as a message shows them."""
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"
