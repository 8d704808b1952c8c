"""Calls of functions in forward methods: replaced in the module whose method it is, in its thread, and nowhere else."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
import torch
from accelerated_models import Functional, kept
from torch import nn
from torch.export import export
from torch.nn import functional as F

from tconv.torch import accelerate, restore

pytestmark = pytest.mark.usefixtures("all_win")
X = torch.ones(1, 4, 9)


def test_calls_of_functions_are_replaced_where_they_were_found(replaced):
    model, x = nn.Sequential(nn.Linear(9, 9), Functional()), torch.randn(1, 4, 9)
    accelerate(model, x)
    assert kept(model) == ["1"]
    replaced.clear()
    model(x)
    assert replaced == ["conv_transpose1d"]
    F.conv_transpose1d(x, model[1].w)
    model[0](x)
    assert len(replaced) == 1
    restore(model)(x)
    assert len(replaced) == 1


class Calls(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 3, 4))

    def forward(self, x):
        return F.conv_transpose1d(x, self.w, stride=2).relu()


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # PyTorch's, where it copies exported programs
@pytest.mark.parametrize("made_by", [torch.fx.symbolic_trace, lambda model: export(model, (X,)).module()])
def test_modules_of_graphs(made_by, replaced):
    """Each has a class of its own, in which recompiling writes, and says itself how it is copied."""
    graph = made_by(Calls())
    expected = graph(X)
    accelerate(graph, X)
    graph.recompile()
    for accelerated in (graph, copy.deepcopy(graph), copy.copy(graph)):
        assert kept(accelerated) == [""]
        replaced.clear()
        torch.testing.assert_close(accelerated(X), expected)
        assert replaced == ["conv_transpose1d"] or replaced == ["conv_transpose1d.default"]
        assert kept(restore(accelerated)) == []
        torch.testing.assert_close(accelerated(X), expected)
    assert len(replaced) == 1


def test_pickles_of_graphs():
    graph = accelerate(torch.fx.symbolic_trace(Calls()), X)[0]
    again = pickle.loads(pickle.dumps(graph))
    assert kept(again) == [""]
    torch.testing.assert_close(again(X), graph(X))


def test_no_mode_is_left_after_an_error(replaced):
    model, x = accelerate(Functional(), torch.randn(1, 4, 9))[0], torch.randn(1, 4, 9)
    before = torch._C._len_torch_function_stack()
    with pytest.raises(ValueError, match="scale"):
        model(x, scale=-1)
    assert torch._C._len_torch_function_stack() == before
    replaced.clear()
    F.conv_transpose1d(x, model.w)
    assert not replaced


def test_modules_inside_of_each_other_and_of_themselves(replaced):
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Functional()
            self.w = nn.Parameter(torch.randn(3, 4, 1))

        def forward(self, x, times=2):
            if times == 0:
                return x
            return self(F.conv_transpose1d(self.inner(x), self.w)[..., :9], times - 1)

    model, x = Nested(), torch.randn(1, 4, 9)
    expected = model(x)
    accelerate(model, x)
    assert kept(model) == ["", "inner"]
    replaced.clear()
    torch.testing.assert_close(model(x), expected)
    assert len(replaced) == 4


def test_threads_do_not_see_each_others_modes(replaced):
    inside, done = threading.Event(), threading.Event()

    class Waits(Functional):
        waiting = False

        def forward(self, x):
            if self.waiting:
                inside.set()
                assert done.wait(20)
            return super().forward(x)

    x = torch.randn(1, 4, 9)
    model, _ = accelerate(Waits(), x)
    assert kept(model) == [""]
    replaced.clear()
    Waits.waiting = True
    thread = threading.Thread(target=model, args=(x,))
    thread.start()
    assert inside.wait(20)
    F.conv_transpose1d(x, model.w)
    assert not replaced
    done.set()
    thread.join()
    assert replaced == ["conv_transpose1d"]
