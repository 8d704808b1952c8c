"""Every check: what passes and in which form, what does not and in which words."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tconv import checks
from tconv.checks import Rejected

pytestmark = pytest.mark.quick


def rejection(check, *arguments):
    """The class of the error and the sentence."""
    with pytest.raises(Rejected) as caught:
        check(*arguments)
    return caught.value.kind, str(caught.value)


# -- one value ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_an_integer_passes_as_pythons(value):
    assert checks.integer("stride", value, 1) == 3
    assert type(checks.integer("stride", value, 1)) is int


def test_the_least_integer_passes():
    assert checks.integer("batch", 0, 0) == 0
    assert checks.integer("padding", -(10**30)) == -(10**30)


@pytest.mark.parametrize(
    ("value", "least", "kind", "text"),
    [
        (0, 1, ValueError, "stride must be an integer of at least 1; got 0"),
        (np.int64(-3), 0, ValueError, "stride must be an integer of at least 0; got -3"),
        (True, 1, TypeError, "stride must be an integer of at least 1; got True"),
        (
            np.bool_(True),
            1,
            TypeError,
            f"stride must be an integer of at least 1; got {np.True_!r} of type {np.bool_.__name__}",
        ),
        (2.0, 1, TypeError, "stride must be an integer of at least 1; got 2.0 of type float"),
        (np.float32(2), None, TypeError, f"stride must be an integer; got {np.float32(2)!r} of type float32"),
        ("2", 1, TypeError, "stride must be an integer of at least 1; got '2' of type str"),
        (None, None, TypeError, "stride must be an integer; got None of type NoneType"),
        ((2,), None, TypeError, "stride must be an integer; got (2,) of type tuple"),
        (np.array([2]), None, TypeError, "stride must be an integer; got array([2]) of type ndarray"),
    ],
)
def test_what_is_no_integer(value, least, kind, text):
    assert rejection(checks.integer, "stride", value, least) == (kind, text)


@pytest.mark.parametrize(
    ("value", "pair"), [(1, (1, 1)), (-2, (-2, -2)), ((1, 2), (1, 2)), ([np.int8(0), -1], (0, -1))]
)
def test_a_padding_pair(value, pair):
    assert checks.padding_pair("padding", value) == pair


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ((1,), ValueError, "padding must be an integer or a (low, high) pair of them; got (1,)"),
        ((), ValueError, "padding must be an integer or a (low, high) pair of them; got ()"),
        ((1, 2, 3), ValueError, "padding must be an integer or a (low, high) pair of them; got (1, 2, 3)"),
        ((0, 1.0), TypeError, "padding[1] must be an integer; got 1.0 of type float"),
        ((True, 1), TypeError, "padding[0] must be an integer; got True"),
        (
            0.5,
            TypeError,
            "padding must be an integer; got 0.5 of type float; one cell more at one end is a (low, high) pair, such "
            "as (0, 1)",
        ),
        ("11", TypeError, "padding must be an integer; got '11' of type str"),
    ],
)
def test_what_is_no_padding_pair(value, kind, text):
    assert rejection(checks.padding_pair, "padding", value) == (kind, text)


def test_words():
    assert checks.padding_word("same") == "same"
    assert checks.choice("layout", "first", ("first", "last")) == "first"
    assert rejection(checks.padding_word, "SAME") == (
        ValueError,
        'padding must be "same", "valid", an integer or (low, high) pairs; got \'SAME\'; did you mean "same"?',
    )
    assert rejection(checks.choice, "layout", "middle", ("first", "last")) == (
        ValueError,
        'layout must be one of "first", "last"; got \'middle\'',
    )
    assert rejection(checks.choice, "layout", 1, ("first", "last")) == (
        TypeError,
        'layout must be one of "first", "last"; got 1 of type int',
    )


def test_divides():
    checks.divides("groups", 3, "channels", 6)
    assert rejection(checks.divides, "groups", 4, "channels", 6) == (
        ValueError,
        "groups must divide channels = 6; got 4",
    )


# -- a value an axis ---------------------------------------------------------------------------------------------------


def test_one_value_serves_every_axis():
    assert checks.per_axis("stride", 2, 3, 1) == (2, 2, 2)
    assert checks.per_axis("stride", [1, np.int64(2)], 2, 1) == (1, 2)
    assert checks.padding_per_axis(1, 2) == ((1, 1), (1, 1))
    assert checks.padding_per_axis("same", 2) == ("same", "same")
    assert checks.padding_per_axis((1, (0, 2)), 2) == ((1, 1), (0, 2))
    assert checks.padding_per_axis((1, 2), 2) == ((1, 1), (2, 2))  # two axes, not one pair
    assert checks.padding_per_axis(((1, 2),), 1) == ((1, 2),)


@pytest.mark.parametrize(
    ("value", "ndim", "kind", "text"),
    [
        ((1, 2), 3, ValueError, "stride must be an integer or a sequence of 3 integers, one an axis; got (1, 2)"),
        ((1, 2), 1, ValueError, "stride must be an integer or a sequence of 1 integer, one an axis; got (1, 2)"),
        ((1, 0), 2, ValueError, "stride[1] must be an integer of at least 1; got 0"),
        ((1.0, 1), 2, TypeError, "stride[0] must be an integer of at least 1; got 1.0 of type float"),
        ("12", 2, TypeError, "stride must be an integer of at least 1; got '12' of type str"),
        (b"12", 2, TypeError, "stride must be an integer of at least 1; got b'12' of type bytes"),
        ({1, 2}, 2, TypeError, "stride must be an integer of at least 1; got {1, 2} of type set"),
    ],
)
def test_what_is_no_value_an_axis(value, ndim, kind, text):
    assert rejection(checks.per_axis, "stride", value, ndim, 1) == (kind, text)


@pytest.mark.parametrize(
    ("value", "ndim", "kind", "text"),
    [
        (
            (1, 2, 3),
            2,
            ValueError,
            'padding must be "same", "valid", one integer, or a sequence of 2 entries, one an axis, '
            "each an integer or a (low, high) pair; got (1, 2, 3)",
        ),
        (
            (1, 2),
            1,
            ValueError,
            'padding must be "same", "valid", one integer, or a sequence of 1 entry, one an axis, '
            "each an integer or a (low, high) pair; got (1, 2); write ((1, 2),) for a (low, high) pair",
        ),
        (
            ((1, 2), (3,)),
            2,
            ValueError,
            "padding[1] must be an integer or a (low, high) pair of them; got (3,)",
        ),
        (((1, 2), (3, "4")), 2, TypeError, "padding[1][1] must be an integer; got '4' of type str"),
        (("same", 1), 2, TypeError, "padding[0] must be an integer; got 'same' of type str"),
        (
            "reflect",
            2,
            ValueError,
            'padding must be "same", "valid", an integer or (low, high) pairs; got \'reflect\'',
        ),
        (None, 2, TypeError, "padding must be an integer; got None of type NoneType"),
    ],
)
def test_what_is_no_padding(value, ndim, kind, text):
    assert rejection(checks.padding_per_axis, value, ndim) == (kind, text)


# -- how values are shown ----------------------------------------------------------------------------------------------


def test_a_short_value_is_shown_whole_and_a_long_one_cut_in_the_middle():
    assert checks.shorten("abc") == "'abc'"
    assert checks.shorten("abc" * 6, limit=20) == "'abcabcabcabcabcabc'"
    assert checks.shorten(list(range(100)), limit=20) == "[0, 1,  ... 98, 99]"


@given(text=st.text(max_size=200), limit=st.integers(20, 80))
def test_what_is_shown_keeps_to_the_limit(text, limit):
    assert len(checks.shorten(text, limit)) <= limit
    assert checks.shorten(text, 10**6) == repr(text)


def test_counts():
    assert [checks.count(n, "axis", "axes") for n in (0, 1, 2)] == ["0 axes", "1 axis", "2 axes"]
    assert [checks.count(n, "cell") for n in (1, 2)] == ["1 cell", "2 cells"]


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (range(5, 7), "5, 6"),
        (range(5, 6), "5"),
        (range(8), "0, 1, 2, 3, 4, 5, 6, 7"),
        (range(9), "0 to 8"),
        (range(1, 40, 4), "1 to 37 in steps of 4"),
        (range(10**30, 3 * 10**30), f"{10**30} to {3 * 10**30 - 1}"),
    ],
)
def test_some_of_a_range(cells, text):
    assert checks.some_of(cells) == text


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-4, 4).filter(bool))
def test_the_length_of_a_range(start, stop, step):
    assert checks.length(range(start, stop, step)) == len(range(start, stop, step))


def test_the_length_of_a_huge_range():
    assert checks.length(range(0, 10**30, 10)) == 10**29


def test_echo():
    assert checks.echo(stride=2, kernel=(3, 3), padding="same") == "stride=2, kernel=(3, 3), padding='same'"


# -- memory ------------------------------------------------------------------------------------------------------------


def test_what_fits_passes():
    checks.fits_memory("the result", 8)
    checks.fits_memory("the result", checks.physical_memory())


def test_what_does_not_fit(monkeypatch):
    monkeypatch.setattr(checks, "physical_memory", lambda: 2**30)
    assert rejection(checks.fits_memory, "the result", 2**31 + 2**30) == (
        MemoryError,
        "the result must fit into memory, 1.0 GiB; it would take 3.0 GiB",
    )
    assert rejection(checks.fits_memory, "the result", 2**63) == (
        ValueError,
        "the result must have a size below 2**63 bytes; it would take 9223372036854775808",
    )


def test_memory_is_known_or_unlimited(monkeypatch):
    assert 2**20 < checks.physical_memory() <= checks.INDEX_MAX
    monkeypatch.delattr("os.sysconf", raising=False)  # as on Windows
    assert checks.physical_memory() == checks.INDEX_MAX == sys.maxsize


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20, "1.0 MiB"), (5 * 2**40, "5120.0 GiB")]
)
def test_memory_in_words(size, text):
    assert checks.memory(size) == text


# -- from a reason to an error -----------------------------------------------------------------------------------------


def test_explained_adds_the_call_and_its_context():
    with pytest.raises(ValueError) as caught, checks.explained("tconv.conv", lambda: "stride=0"):
        checks.integer("stride", 0, 1)
    assert str(caught.value) == "tconv.conv: stride must be an integer of at least 1; got 0\n  called with stride=0"
    assert caught.value.__suppress_context__  # the user sees no inner traceback


def test_explained_keeps_the_class_of_the_error():
    with pytest.raises(TypeError) as caught, checks.explained("Axis"):
        checks.wrong_type("it must not be so")
    assert str(caught.value) == "Axis: it must not be so"
    assert not isinstance(caught.value, Rejected)


def test_explained_looks_at_the_context_only_when_there_is_an_error():
    with checks.explained("Axis", lambda: pytest.fail("no error, no context")):
        checks.integer("stride", 1, 1)


def test_explained_leaves_other_errors_alone():
    with pytest.raises(ZeroDivisionError), checks.explained("Axis"):
        1 / 0  # noqa: B018  # for its error


def test_numbers_too_long_to_print_are_described():
    with pytest.raises(Rejected, match=r"^stride must be an integer of at least 1; got an integer of 16610 bits$"):
        checks.integer("stride", -(10**5000), 1)
    with pytest.raises(
        Rejected, match=r"^the result must have a size below 2\*\*63 bytes; it would take an integer of"
    ):
        checks.fits_memory("the result", 10**5000)


def test_the_first_line_of_an_error():
    assert checks.first_line(ValueError("\n  wrong here \n and there")) == "wrong here"
    assert checks.first_line(KeyError()) == "KeyError"
    assert checks.first_line(RuntimeError(" \n")) == "RuntimeError"
