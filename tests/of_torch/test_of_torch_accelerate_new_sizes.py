"""`accelerate(new_sizes=True)`: every run is the first one of its sizes, of a layer and of the whole model."""

import pytest
import torch
from accelerated_models import becoming, decoder
from registry import needs_kernels

from tconv.jit import engine
from tconv.measuring.contest import ORIGINAL
from tconv.torch import accelerate
from tconv.torch.both_ways import OURS
from tconv.torch.whole_runs import Example, both_forms

pytestmark = needs_kernels

X = torch.randn(1, 6, 32, 32)


@pytest.fixture
def written(monkeypatch):
    """The programs that were written."""
    found, program_of = [], engine.program_of
    monkeypatch.setattr(engine, "program_of", lambda *given: found.append(given) or program_of(*given))
    return found


def test_layers_are_measured_with_their_tables(written):
    with torch.no_grad():
        _, again = accelerate(decoder(), X, rounds=3)
        first = len(written)
        _, anew = accelerate(decoder(), X, rounds=3, new_sizes=True)
    assert first <= 3  # one a layer, and one a run
    assert len(written) - first >= 2 * 3  # one a layer and round
    assert (again.new_sizes, anew.new_sizes) == (False, True)
    assert anew.conditions == f"{again.conditions}, every size as a new one"
    assert anew.as_dict()["new_sizes"] is True


@pytest.mark.parametrize("new_sizes", [False, True])
def test_so_is_the_whole_model(written, new_sizes):
    model = decoder()
    ups = becoming(model, ["0", "2"])
    with torch.no_grad(), both_forms(model, Example((X,), {}, False, new_sizes), ups) as forms:
        forms[OURS].seconds()  # whatever was known before
        counts = []
        for who in (ORIGINAL, OURS, OURS):
            written.clear()
            forms[who].seconds()
            counts.append(len(written))
    assert counts == ([0, 2, 2] if new_sizes else [0, 0, 0])


def test_errors():
    with pytest.raises(TypeError, match=r"^accelerate: new_sizes must be True or False; got 1 of type int\n"):
        accelerate(decoder(), X, new_sizes=1)
