"""Whatever is set anew, threads, instructions or choices of tune, the next call of a function or a layer heeds it."""

import pytest
import torch
from registry import needs_kernels

import tconv
import tconv.torch
from tconv.jit import engine
from tconv.jit.machine import isa
from tconv.torch import choice
from tconv.torch import engine as of_tensors

pytestmark = needs_kernels

X, W = (torch.randint(-3, 4, shape).float() for shape in ((2, 4, 5, 3), (4, 6, 3, 3)))
KEYWORDS = {"stride": 2, "padding": 1}
OTHER = isa.available()[-1]

CHANGES = {
    "threads": lambda monkeypatch: tconv.set_num_threads(3 - min(tconv.get_num_threads(), 2)),
    "threads of PyTorch": lambda monkeypatch: torch.set_num_threads(3 - min(torch.get_num_threads(), 2)),
    "instructions": lambda monkeypatch: monkeypatch.setenv("TCONV_ISA", OTHER),
    "choices": lambda monkeypatch: engine.forget(),
}


def layer():
    """A layer; it lives as long as the call."""
    made = tconv.torch.nn.ConvTranspose2d(4, 6, 3, bias=False, **KEYWORDS)
    with torch.no_grad():
        made.weight.copy_(W)
    return lambda: made(X)


WAYS = {
    "layer": layer,
    "function": lambda: lambda: tconv.torch.functional.conv_transpose2d(X, W, **KEYWORDS),
    "conv2d": lambda: lambda: tconv.torch.functional.conv2d(X, W.movedim(0, 1).contiguous(), **KEYWORDS),
    "conv": lambda: lambda: tconv.conv(X, W.movedim(0, 1).contiguous(), **KEYWORDS),
}


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("TCONV_ISA", raising=False)
    tconv.set_num_threads(2)
    torch.set_num_threads(2)
    with torch.no_grad():
        yield
    torch.set_num_threads(before)
    tconv.set_num_threads(None)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_set_anew_is_heeded_by_the_next_call(way, change, monkeypatch):
    ran, run = [], engine.Engine.run
    monkeypatch.setattr(engine.Engine, "run", lambda self, *given: (ran.append(self), run(self, *given))[1])
    call = WAYS[way]()
    expected, *_ = (call() for _ in range(3))  # weights are packed for keeps when they come a second time
    prepared = len(of_tensors._calls)
    CHANGES[change](monkeypatch)
    for _ in range(3):
        torch.testing.assert_close(call(), expected, rtol=0, atol=0)
    assert not {id(made) for made in ran[:3]} & {id(made) for made in ran[3:]}
    assert len(of_tensors._calls) == prepared  # what is stale is replaced


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_setting_is_an_error_also_where_the_shapes_were_seen(way, monkeypatch):
    call = WAYS[way]()
    expected = call()
    with monkeypatch.context() as patch:
        patch.setenv("TCONV_ISA", "abacus")
        with pytest.raises(ValueError, match=r"TCONV_ISA must be one of .* got 'abacus'"):
            call()
    torch.testing.assert_close(call(), expected)


def test_who_computes_a_weight_gradient_is_decided_anew(monkeypatch):
    """Lanes that are filled for one set of instructions are not for another."""
    seen = []
    monkeypatch.setattr(choice, "is_slower", lambda problem, last: bool(seen.append(isa.current().name)))
    x, y = torch.randn(2, 9, 5, 3), torch.randn(2, 6, 10, 6)
    for name in dict.fromkeys((isa.available()[0], OTHER)):
        monkeypatch.setenv("TCONV_ISA", name)
        for _ in range(2):
            tconv.weight_gradient(x, y, 2, stride=2)
    assert seen == list(dict.fromkeys((isa.available()[0], OTHER)))
