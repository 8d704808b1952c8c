"""Methods made at random, as they are and written anew: the same results, and the same calls in the same order.

Numbers are lists, which calls and `+=` may change in place, and which variables may share.
"""

from __future__ import annotations

import importlib.util
import itertools
import random

import pytest

from tconv.torch.fusing import chains, links

VARIABLES, FUNCTIONS = ("x", "y", "z"), ("f", "g")
CALLED = ("self.a", "self.b", "self.c", "self.l[0]", "self.l[1]", "self.l[i]", "self.l[i + 1]", "f", "g", "f", "g", "G")
TESTS = (
    "self.t is not None",
    "self.t",
    "not self.u",
    "self.u is None and self.t",
    "n > 1",
    "y is None",
    "self.u or self.t",
)
LOOPS = ("for i in range(2):", "for i in range(0):", "for f, g in [(self.a, G), (self.l[0], self.l[1])]:")


class Author:
    """Writes methods."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.one_of = self.random.choice

    def expression(self, depth=0):
        kind = self.random.random()
        if depth > 2 or kind < 0.3:
            return self.one_of(VARIABLES)
        if kind < 0.85:
            return f"{self.one_of(CALLED)}({self.expression(depth + 1)})"
        if kind < 0.95:
            return f"{self.expression(depth + 1)} + {self.one_of(VARIABLES)}"
        names = self.one_of((VARIABLES, FUNCTIONS))
        return f"({self.one_of(names)} := {self.one_of(names)})"

    def statement(self, depth):
        kind = self.random.random()
        if kind < 0.65 or depth > 3:
            return [f"{self.one_of(VARIABLES)} = {self.expression()}"]
        if kind < 0.75:
            return [f"{self.one_of(VARIABLES)} += {self.one_of(VARIABLES)}"]
        if kind < 0.80:
            return [f"{self.one_of(FUNCTIONS)} = {self.one_of(('self.a', 'self.l[0]', 'G', *FUNCTIONS))}"]
        if kind < 0.83:
            return [f"return {self.expression()}" if depth else f"x: list = {self.expression()}"]
        if kind < 0.93:
            otherwise = ["else:", *self.inside(depth)] if self.random.random() < 0.3 else []
            return [f"if {self.one_of(TESTS)}:", *self.inside(depth), *otherwise]
        return [self.one_of(LOOPS), *self.inside(depth)]

    def chain(self, depth):
        """Statements that mostly pass a variable on."""
        y, x = self.random.sample(VARIABLES, 2)
        lines = [f"{y} = {self.one_of(CALLED)}({self.one_of((x, y))})"]
        lines += [f"{y} = {self.one_of(CALLED)}({y})"] * self.random.randint(0, 2)
        if self.random.random() < 0.5:
            lines += [f"if self.{self.one_of('tu')} is not None:", f"    {x} = {self.expression(1)}"]
        lines.append(self.one_of((f"{y} += {x}", f"{y} = {y} + {x}", f"{x} = {y} + {x}", f"{y} = {x} + {y}")))
        return [*lines, f"{y} = {self.one_of(CALLED)}({y})"][: len(lines) + self.random.randint(0, 1)]

    def block(self, depth):
        kinds = [self.chain if self.random.random() < 0.3 else self.statement for _ in range(self.random.randint(1, 4))]
        return [line for kind in kinds for line in kind(depth)]

    def inside(self, depth):
        return [f"    {line}" for line in self.block(depth + 1)]

    def method(self, name):
        lines = [*self.block(0), *self.block(0), f"return {self.expression()}"]
        return "\n".join([f"def {name}(self, x, y, z, f, g, i, n):", *(f"    {line}" for line in lines), "\n"])


class Owner:
    """Whoever is called writes down what it was given."""

    def __init__(self, t, u):
        self.t, self.u, self.calls = t, u, []
        self.a, self.b, self.c, *self.l = (self.called(name) for name in ("a", "b", "in place", "l", "in place"))

    def called(self, name):
        def call(x):
            self.calls.append((name, list(x)))
            if name == "in place":
                x.append(name)
            return x if name in ("b", "in place") else [*x, name]

        return call

    def _tconv_chain(self, names, called, x):
        for each in links.given(names, called):
            x = each(x)
        return x


def outcome(method, t, u, i, n):
    owner = Owner(t, u)
    x, y, z = ["x"], ["y"], ["z"]
    method.__globals__["G"] = owner.called("G")
    try:
        result = method(owner, x, x if t else y, z, owner.called("f"), owner.called("g"), i, n)
    except (NameError, IndexError, TypeError) as error:  # what is called is looked up before the first of them computes
        return type(error)
    return result if isinstance(result, list) else None, x, y, z, owner.calls


@pytest.mark.parametrize("seed", range(6))
def test_the_same_calls_in_the_same_order(tmp_path, seed):
    author, file = Author(seed), tmp_path / f"written_{seed}.py"
    names = [f"method{number}" for number in range(120)]
    file.write_text("\n".join(map(author.method, names)))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    methods = [getattr(module, name) for name in names]
    written = {method: found.function for method in methods if (found := chains.chained(method)) is not None}
    assert len(written) > len(names) / 2
    for method, anew in written.items():
        for state in itertools.product((None, 7), (None, 1), (0, -1), (1, 2)):
            assert outcome(anew, *state) == outcome(method, *state), file.read_text().split("def ")[
                names.index(method.__name__) + 1
            ]
