"""Classes that are made at run time: the same for the same, kept by nobody, found again by copies and pickles."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from copies import pickled
from torch import nn
from torch.nn import functional as F

from tconv.torch import accelerate, classes, restore
from tconv.torch.accelerated import EVERY, LAYERS, calls_replaced
from tconv.torch.fusing.alone import by_kernel
from tconv.torch.fusing.bordered import by_rows
from tconv.torch.fusing.sequences import with_runs
from tconv.torch.whole_format import Laid, Order, channels_last

LAID = Laid(("conv.weight",), (Order((0, 1, 2, 3)),))
#: Ways to make a class, and what they are given besides the class that it is made from.
WAYS = {
    "calls": (calls_replaced, (EVERY,)),
    "runs": (with_runs, (("conv",), ())),
    "kernel": (by_kernel, ()),
    "rows": (by_rows, ()),
    "channels last": (channels_last, (LAID,)),
}
#: Ways to copy a model.
COPIES = [copy.copy, copy.deepcopy, pickled]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.conv(F.pad(x, (1, 1, 0, 0), "reflect"))
        return F.relu(self.norm(x))


class MadeOfArguments(Model):
    """Copies and pickles call its class with a keyword."""

    def __new__(cls, *, number=0):
        made = super().__new__(cls)
        made.__dict__["number"] = number
        return made

    def __init__(self, *, number=0):
        super().__init__()

    def __getnewargs_ex__(self):
        return (), {"number": self.number}


def built(kind):
    return kind.__new__(kind)


class MadeByAFunction(Model):
    """Copies and pickles call a function, and give it the class."""

    def __reduce_ex__(self, protocol):
        return built, (type(self),), self.__dict__


class MadeByItsClass(Model):
    """Copies and pickles call the class."""

    def __reduce__(self):
        return type(self), (), self.__dict__


def local():
    """A model of a class that nobody else has, as of a cell of a notebook."""

    class Own(Model):
        def forward(self, x):
            return super().forward(x)  # its method has its class

    return Own().eval()


def becoming(model, way):
    kind, given = WAYS[way]
    return classes.become(model.eval(), kind, *given)


def is_gone(reference):
    for _ in range(3):  # what it is made from goes after it
        gc.collect()
    return reference() is None


@pytest.mark.parametrize("way", WAYS)
def test_the_same_class_of_the_same(way):
    kind, given = WAYS[way]
    made = kind(Model, *given)
    assert kind(Model, *given) is made
    assert kind(MadeByItsClass, *given) is not made
    assert (made.__name__, made.__qualname__, made.__module__) == (Model.__name__, Model.__qualname__, __name__)
    assert classes.before(made) is Model
    assert type(restore(becoming(Model(), way))) is Model


def test_others_of_what_else_is_given():
    one, other = with_runs(Model, ("conv",), ()), with_runs(Model, ("conv",), ("conv",))
    assert one is not other
    assert calls_replaced(Model, ("conv",)) is not calls_replaced(Model, EVERY)
    assert by_kernel(Model) is not by_rows(Model)


def test_threads_that_make_it_at_once_have_the_same():
    both = Barrier(2, timeout=60)

    @classes.derives
    def waiting(plain):
        both.wait()
        return {}

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(waiting, [Model, Model])
    assert one is other


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("restored", [False, True])
def test_nothing_keeps_a_class(way, restored):
    model = becoming(local(), way)
    references = weakref.ref(type(model)), weakref.ref(classes.class_before(model))
    model(torch.randn(1, 2, 5, 6))
    if restored:
        restore(model)
        assert is_gone(references[0])
        assert type(model) is references[1]()
    del model
    assert is_gone(references[1])
    assert is_gone(references[0])


def test_nothing_keeps_the_class_of_a_graph():
    model = torch.fx.symbolic_trace(Model().eval())
    plain, made = weakref.ref(type(model)), weakref.ref(type(becoming(model, "calls")))
    assert plain() is not made()
    del model
    assert is_gone(made)
    assert is_gone(plain)


def test_accelerate_keeps_no_class():
    for make in (local, lambda: type("Own", (Model,), {"forward": Model.forward})().eval()):
        model, _ = accelerate(make(), torch.randn(1, 2, 5, 6), rounds=3, memory_format="measure")
        plain = weakref.ref(classes.class_before(model))
        del model
        assert is_gone(plain)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plain", [Model, MadeOfArguments, MadeByAFunction, MadeByItsClass])
@pytest.mark.parametrize("protocol", [None, *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_copies_and_pickles(way, plain, protocol):
    model, x = becoming(plain(), way), torch.randn(1, 2, 5, 6)
    model.mine = 3
    again = copy.deepcopy(model) if protocol is None else pickled(model, protocol)
    assert type(again) is type(model)
    assert vars(again).keys() == vars(model).keys()
    assert again.mine == 3
    assert torch.equal(again(x), model(x))
    assert type(restore(again)) is plain


@pytest.mark.parametrize("under", ["calls", "runs"])
@pytest.mark.parametrize("copied", COPIES)
def test_one_above_another(under, copied):
    model = becoming(becoming(Model(), under), "channels last")
    assert classes.class_before(model) is Model
    again = copied(model)
    assert type(again) is type(model)
    assert type(again).__bases__[0] is WAYS[under][0](Model, *WAYS[under][1])
    assert type(restore(again)) is Model


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("copied", COPIES)
def test_a_class_that_somebody_has_made_from_ours(way, copied, monkeypatch):
    kind, given = WAYS[way]
    theirs = type("Theirs", (kind(Model, *given),), {"__module__": __name__})
    monkeypatch.setitem(globals(), "Theirs", theirs)
    model, x = theirs().eval(), torch.randn(1, 2, 5, 6)
    again = copied(model)
    assert type(again) is theirs
    assert torch.equal(again(x), model(x))


def test_above_a_layer():
    kind = channels_last(LAYERS[nn.Conv2d], Laid(("weight",), LAID.orders))
    layer = nn.Conv2d(2, 3, 3)
    layer.__class__ = kind
    assert type(pickled(layer)) is kind
    assert type(restore(layer)) is nn.Conv2d


def test_a_pickle_that_outlives_its_class():
    model, x = becoming(Model(), "runs"), torch.randn(1, 2, 5, 6)
    y, kept, made = model(x), pickle.dumps(model), weakref.ref(type(model))
    del model
    assert is_gone(made)
    again = pickle.loads(kept)
    assert classes.class_before(again) is Model
    assert type(again) is with_runs(Model, ("conv",), ())
    assert torch.equal(again(x), y)
