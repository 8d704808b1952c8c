"""Methods with loops, lists and branches, written anew: what stays as it is, and the same calls in the same order."""

from __future__ import annotations

import pytest

from tconv.torch.fusing import chains


def a_long_sum(self, x, a):
    return self.convs[0](x) + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a


def test_a_long_sum():
    [chain] = chains.chained(a_long_sum).chains
    assert chain == ("[]", *["+"] * 23)


def read_further_down(self, x):
    y = self.conv(x)
    x = y + x
    return x + y


def read_in_the_next_turn(self, x):
    y = x
    for _ in range(3):
        x = y + x
        y = self.conv(x)
        x = y + x
    return x


def read_at_the_top(self, x):
    while x:
        if x > 3:
            x = y  # noqa: F821
        y = self.conv(x)
        x = y + x
    return x


def added_in_place(self, x):
    y = self.conv(x)
    x = y + x
    y += x
    return x


def deleted(self, x):
    y = self.conv(x)
    x = y + x
    del y
    return x


def written_on_the_way(self, x, f):
    return f(self.conv(f := x)) + self.conv(x := 3) + x


def written_before(self, x, f):
    x = self.conv(f := x)
    return f(x)


def drawn(self, x, i):
    return self.norms[next(i)](self.convs[next(i)](x))


def called_by_what_is_between(self, x):
    x = self.conv(x)
    return x.norms[0](x)


def computed_before(self, x):
    y = self.conv(x)
    return (x * 2).add(y)


def asked_of_what_is_written_on_the_way(self, x, z):
    y = self.conv(z := x)
    if z is not None:
        x = self.down(x)
    y += x
    return y


@pytest.mark.parametrize(
    "method",
    [read_further_down, read_in_the_next_turn, read_at_the_top, added_in_place, deleted, written_before, drawn,
     called_by_what_is_between, computed_before, asked_of_what_is_written_on_the_way],
)  # fmt: skip
def test_what_stays_as_it_is(method):
    assert chains.chained(method) is None


def test_what_is_written_on_the_way():
    written = chains.chained(written_on_the_way)
    assert written is None or all("[]" not in each for each in written.chains)


class Recorder:
    """Whatever is called says so, and what is asked."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return self

    def __getitem__(self, index):
        return lambda x: self.calls.append((index, x)) or [*x, index]

    def _tconv_chain(self, names, called, x):
        for name, each in zip(names, called, strict=True):
            x = x + each if name == "+" else each + x if name == "+r" else each(x)
        return x


def looping(self, x, f):
    for i in range(3):
        y = self.convs[i](x)
        y = self.norms[f](y)
        if self.down is not None:
            x = self.down[7](x)
        y = y + x
        y = self.acts[i](y)
        x = y
    return x


def asked(self, x, f):
    y = self.convs[f](x)
    if not self.down or self.down is None:
        return y
    y = self.norms[f](y)
    if self.down:
        for _ in range(2):
            y = y + x
    y = self.last[0](y)
    if y:
        y = self.last[1](y)
    return y


@pytest.mark.parametrize("down", [None, ...])
@pytest.mark.parametrize("function", [looping, asked])
def test_it_computes_the_same_in_the_same_order(function, down):
    results = []
    for each in (function, chains.chained(function).function):
        recorder = Recorder()
        if down is None:
            recorder.down = None
        results.append((each(recorder, ["x"], 5), recorder.calls))
    assert results[0] == results[1]
