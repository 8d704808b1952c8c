"""`TCONV_DEBUG`: what is printed about the engine's work."""

import numpy as np
import pytest
import tiny_kernel
from registry import needs_kernels

import tconv
from tconv import checks
from tconv.jit import engine
from tconv.jit.machine import debug


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", set()), ("plan", {"plan"}), ("ir,asm", {"ir", "asm"}), (" asm , plan,", {"asm", "plan"})],
)
def test_words(monkeypatch, text, wanted):
    monkeypatch.setenv("TCONV_DEBUG", text)
    assert {word for word in debug.WORDS if debug.wants(word)} == wanted


def test_nothing_is_wanted_where_it_is_unset(monkeypatch):
    monkeypatch.delenv("TCONV_DEBUG", raising=False)
    assert not any(map(debug.wants, debug.WORDS))


def test_an_unknown_word_is_an_error(monkeypatch):
    monkeypatch.setenv("TCONV_DEBUG", "ir,assembly")
    with pytest.raises(checks.Rejected) as refusal:
        debug.wants("plan")
    assert str(refusal.value) == ("TCONV_DEBUG must be any of plan, ir, asm, with commas between them; got 'assembly'")


@pytest.mark.parametrize(
    ("text", "shown", "hidden"), [("ir", "define void @run(", ".globl\trun"), ("asm", "\trun,", "define void @run(")]
)
def test_what_is_compiled_is_printed_even_if_it_is_kept(monkeypatch, capsys, text, shown, hidden):
    monkeypatch.delenv("TCONV_DEBUG", raising=False)
    tiny_kernel.fresh()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("TCONV_DEBUG", text)
    tiny_kernel.fresh()
    out, err = capsys.readouterr()
    assert out == ""
    assert shown in err
    assert hidden not in err


@needs_kernels
def test_a_wrong_word_is_an_error_of_the_call(monkeypatch):
    engine.forget()
    monkeypatch.setenv("TCONV_DEBUG", "plans")
    with pytest.raises(ValueError, match=r"^conv_transpose: TCONV_DEBUG must be any of plan, ir, asm") as refusal:
        tconv.conv_transpose(np.ones((1, 1, 4), np.float32), np.ones((1, 1, 2), np.float32), method="jit")
    assert type(refusal.value) is ValueError
