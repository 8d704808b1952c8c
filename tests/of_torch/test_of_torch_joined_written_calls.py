"""Methods that call modules one after the other, written anew: what stays as it is, and what of a source is read."""

from __future__ import annotations

import contextlib

import pytest
import torch.nn.functional as F
from torch import nn

from tconv.torch.fusing import chains


def used_elsewhere(self, x):
    y = self.conv(x)
    z = self.norm(y)
    return y + z


def written_twice(self, x):
    y = x = self.conv(x)
    x = self.norm(x)
    return x + y


def with_arguments(self, x):
    x = self.conv(x, None)
    return self.norm(*[x])


def of_a_variable(self, x):
    x = self.conv(x)
    x = x.relu()
    x = self.conv(x)
    return x.add(x)


def caught(self, x):
    try:
        x = self.conv(x)
        x = self.norm(x)
    except ValueError:
        return x
    return x


def caught_in_a_group(self, x):
    try:
        x = self.conv(x)
        x = self.norm(x)
    except* ValueError:
        x = x + 1
    return x


def suppressed(self, x):
    with contextlib.suppress(ValueError):
        x = self.conv(x)
        x = self.norm(x)
    return x


def looks(self, x):
    x = self.norm(self.conv(x))
    return locals()


def later(self, x):
    x = self.conv(x)
    x = self.norm(x)
    return lambda: x


def writes_itself(self, x):
    self = self.inner
    return self.norm(self.conv(x))


def of_others(self, x):
    return len(str(x))


def makes(self):
    def inner(x):
        return self.norm(self.conv(x))

    return inner


def unchanged(function):
    return function


@unchanged
def decorated(self, x):
    return self.norm(self.conv(x))


@pytest.mark.parametrize(
    "method",
    [used_elsewhere, written_twice, with_arguments, of_a_variable, caught, caught_in_a_group, suppressed, looks, later,
     writes_itself, of_others, makes, makes(None), decorated, len, nn.Linear, None,
     eval("lambda self, x: self.norm(self.conv(x))")],
)  # fmt: skip
def test_what_stays_as_it_is(method):
    assert chains.chained(method, ("conv",)) is None


def joined(self, x, /, y: int = 3, *rest, more=None):
    x = self.conv(x)
    x = self.norm(x)
    x = self.other(F.relu(x))
    while y:
        y -= 1
        x = self.a.conv(x)
        x = self.norm(x)
    else:
        x = self.conv(x[0] + (x := y))
        return F.relu(x)
    return self.conv(x)


def test_what_is_joined():
    found = chains.chained(joined, ("conv", "a.conv"))
    assert found.chains == (("conv", "norm", "", "other"), ("a.conv", "norm"), ("conv", ""))
    assert chains.chained(joined, ("other",)) is None
    assert chains.chained(joined).function.__code__ is chains.chained(joined).function.__code__  # it is remembered
    names = ("__defaults__", "__kwdefaults__", "__globals__", "__name__")
    assert all(getattr(found.function, name) == getattr(joined, name) for name in names)
    assert found.function.__code__.co_filename == __file__


def test_it_computes_the_same_in_the_same_order():
    class Recorder:
        def __init__(self):
            self.calls = []
            self.a = self

        def __getattr__(self, name):
            return lambda x: self.calls.append((name, x)) or [*x, name]

        def _tconv_chain(self, names, called, x):
            for each in called:
                x = each(x)
            return x

    results = []
    for function in (straight, chains.chained(straight, ("conv", "conv2")).function):
        recorder = Recorder()
        results.append((function(recorder, ["x"]), recorder.calls))
    assert results[0] == results[1]
    assert len(results[0][1]) == 7


def straight(self, x):
    x = self.conv(x)
    x = self.norm(x)
    x = self.relu(x)
    y = self.conv2(self.pool(x))
    if x:
        y = self.norm(y)
    return self.last(y)


def test_a_source_that_is_not_what_runs(tmp_path):
    file = tmp_path / "edited.py"
    file.write_text("def forward(self, x):\n    return self.norm(self.conv(x))\n")
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    assert chains.chained(names["forward"], ("conv",)) is not None
    file.write_text("def forward(self, x):\n    return self.norm(self.other(x))\n")
    exec(compile("def forward(self, x):\n    return self.relu(self.conv(x))\n", str(file), "exec"), names)
    assert chains.chained(names["forward"], ("conv",)) is None


@pytest.mark.parametrize(
    "source", ["", "# nothing\n", "def forward(self, x):\n    return ((\n", 'def f(self):\n    """ \n', "\0"]
)
def test_a_source_that_breaks_off(source, tmp_path):
    file, names = tmp_path / "broken.py", {}
    exec(compile("def forward(self, x):\n    return self.norm(self.conv(x))\n", str(file), "exec"), names)
    file.write_text(source)
    assert chains.chained(names["forward"]) is None
