"""Chains of calls in the syntax tree of a method, written as one call each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tconv.torch.fusing.links import ADDITIONS, LOOKED_UP, METHOD, PAIR
from tconv.torch.fusing.reading import (
    as_assignment,
    as_it_was,
    asks_only,
    assigned,
    looks_up,
    passed_on,
    variables_in,
    written_in,
)


class Chain(NamedTuple):
    """Calls of one argument each, the first one first."""

    called: tuple[ast.expr, ...]
    argument: ast.expr
    read: frozenset[str] = (
        frozenset()
    )  #: variables that are called, that what is called is found by, and that are added

    def then(self, called: ast.expr, read: frozenset[str]) -> Chain:
        """With one more."""
        return Chain((*self.called, called), self.argument, self.read | read)


class _Added(ast.Name):
    """A variable that is added, and how."""

    how = "+"


class Writer(ast.NodeTransformer):
    """Writes chains as calls."""

    def __init__(
        self, method: ast.FunctionDef, own: str, variables: frozenset[str], heads: tuple[str, ...] | None
    ) -> None:
        self.own, self.variables, self.heads = own, variables - {own}, heads
        self.passed_on = passed_on(method)
        self.chains: list[tuple[str, ...]] = []
        self.result = ""  #: the variable that the statement before this one has written

    def visit(self, node: ast.AST) -> Any:
        """A node rewritten, and statements in it joined first."""
        for name in ("body", "orelse"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, list(self._joined(statements)))
        return super().visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """An addition at the end of a chain, or an operation as it is."""
        return self.visit_Call(node)

    def visit_Call(self, node: ast.expr) -> ast.AST:
        """A chain of two or more, or a call as it is."""
        chain = self._chain(node)
        if chain is None or len(chain.called) < 2 or (chain.read & written_in(chain.argument)):
            return self.generic_visit(node)
        names = tuple(self._name(called) for called in chain.called)
        if not any(self._begins(name) for name in names[:-1]):
            return self.generic_visit(node)
        self.chains.append(names)
        method = ast.Attribute(ast.Name(self.own, ast.Load()), METHOD, ast.Load())
        written = ast.Tuple([ast.Constant(name) for name in names], ast.Load())
        called = ast.Tuple([self._written(called) for called in chain.called], ast.Load())
        return ast.copy_location(ast.Call(method, [written, called, self.visit(chain.argument)], []), node)

    def _begins(self, name: str) -> bool:
        if name in ("", *ADDITIONS, PAIR):
            return False
        return name == LOOKED_UP or self.heads is None or name in self.heads

    def _written(self, called: ast.expr) -> ast.expr:
        """What is called, as the tuple has it."""
        if isinstance(called, _Added):
            return ast.copy_location(ast.Name(called.id, ast.Load()), called)
        visited: ast.expr = self.visit(called)
        return visited

    def _joined(self, statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements, of which each that only brings the next one its argument has become that argument."""
        before: ast.Assign | None = None
        for statement in map(as_assignment, self._branched(statements)):
            self.result = "" if before is None else assigned(before)
            if before is not None and not self._takes(before, statement):
                yield as_it_was(before)
            name = assigned(statement)
            before = statement if name and isinstance(statement, ast.Assign) and self._chain(statement.value) else None
            if before is None:
                yield as_it_was(statement)
        if before is not None:
            yield as_it_was(before)
        self.result = ""

    def _branched(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Statements, of which an `if` between a chain and what goes on with it is asked before the chain.

        y = self.norm(self.conv(x))         if self.down is not None:
        if self.down is not None:               y = self.norm(self.conv(x))
            x = self.down(x)                    x = self.down(x)
        y += x                       ->         y += x
                                            else:
                                                y = self.norm(self.conv(x))
                                                y += x
        """
        done: list[ast.stmt] = []
        left = list(statements)
        while left:
            statement = left.pop(0)
            if isinstance(statement, ast.If) and not statement.orelse and asks_only(statement.test, self.own):
                head, tail = self._around(done, left)
                written = {self.result}.union(*map(written_in, head))
                if head and tail and not variables_in(statement.test) & written:
                    del done[len(done) - len(head) :], left[: len(tail)]
                    without = copy.deepcopy([*head, *tail])
                    statement = ast.copy_location(
                        ast.If(statement.test, [*head, *statement.body, *tail], without), statement
                    )
            done.append(statement)
        return done

    def _around(self, done: list[ast.stmt], left: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """The statements of a chain at the end of some, and those that go on with it at the beginning of others."""
        self.result = assigned(as_assignment(done[-1])) if done else ""
        first = len(done) - 1
        while first > 0 and self.result and self._goes_on(done[first]) and self._brings(done[first - 1]):
            first -= 1
        head = done[first:] if self.result and self._brings(done[-1]) else []
        count = 0
        while count < len(left) and self._goes_on(left[count]):
            count += 1
        return head, left[:count]

    def _brings(self, statement: ast.stmt) -> bool:
        """Whether a statement writes the result of a chain to the variable that is looked at."""
        written = as_assignment(statement)
        return (
            isinstance(written, ast.Assign)
            and assigned(written) == self.result
            and self._chain(written.value) is not None
        )

    def _goes_on(self, statement: ast.stmt) -> bool:
        """Whether a statement takes the variable that is looked at into a chain, and writes it anew or returns."""
        written = as_assignment(statement)
        if not isinstance(written, ast.Assign | ast.Return) or written.value is None:
            return False
        if isinstance(written, ast.Assign) and assigned(written) != self.result:
            return False
        chain = self._chain(written.value)
        return chain is not None and isinstance(chain.argument, ast.Name) and chain.argument.id == self.result

    def _takes(self, before: ast.Assign, statement: ast.stmt) -> bool:
        """Let a statement take the value of the one before, if it is the only one that can."""
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            return False
        name = assigned(before)
        if isinstance(statement, ast.Assign) and assigned(statement) != name and name not in self.passed_on:
            return False
        chain = self._chain(statement.value)
        if chain is None or not isinstance(chain.argument, ast.Name) or chain.argument.id != name:
            return False
        if chain.read & {name, *written_in(before.value)}:  # it would be another one
            return False
        bringing = self._chain(before.value)
        if bringing is None or not any(self._begins(self._name(called)) for called in bringing.called[-3:]):
            return False
        _put(statement.value, chain.argument, before.value)
        return True

    def _chain(self, node: ast.expr) -> Chain | None:
        """The calls that an expression is made of."""
        if isinstance(node, ast.BinOp):
            return self._sum(node)
        if not isinstance(node, ast.Call) or node.keywords or not 1 <= len(node.args) <= 2:
            return None
        if any(isinstance(each, ast.Starred) for each in node.args) or not looks_up(node.func):
            return None
        called = node.func
        if len(node.args) == 2:
            if self._name(node.func) or not self._is_number(node.args[1]):
                return None
            called = ast.copy_location(ast.Tuple([node.func, node.args[1]], ast.Load()), node)
        inner, read = self._chain(node.args[0]), variables_in(called) & self.variables
        return Chain((called,), node.args[0], read) if inner is None else inner.then(called, read)

    def _sum(self, node: ast.BinOp) -> Chain | None:
        """A chain, or a variable that may be the result of one, to which a variable is added."""
        if not isinstance(node.op, ast.Add):
            return None
        in_place = getattr(node, "how", "")
        for chain, other, how in ((node.left, node.right, in_place or "+"), (node.right, node.left, "+r")):
            if in_place and how == "+r":
                return None
            if not isinstance(other, ast.Name) or other.id not in self.variables:
                continue
            inner = self._chain(chain)  # once: it may be a sum itself, of many
            if inner is not None or (isinstance(chain, ast.Name) and chain.id == self.result):
                added = ast.copy_location(_Added(other.id, ast.Load()), other)
                added.how, read = how, frozenset({other.id})
                return Chain((added,), chain, read) if inner is None else inner.then(added, read)
        return None

    def _is_number(self, node: ast.expr) -> bool:
        """Whether an argument may be a number that calls do not change: written, of the module, or of its file."""
        if isinstance(node, ast.Constant):
            return type(node.value) in (int, float)
        if isinstance(node, ast.Name):
            return node.id not in {self.own, *self.variables}
        return isinstance(node, ast.Attribute) and self._name(node) not in ("", LOOKED_UP)

    def _name(self, node: ast.expr) -> str:
        """The name of a part of the module, or what stands for one; "" of what is found without variables."""
        if isinstance(node, _Added):
            return node.how
        if isinstance(node, ast.Tuple):
            return PAIR
        path = node
        while isinstance(path, ast.Attribute):
            path = path.value
        if isinstance(path, ast.Name) and path.id == self.own:
            return ast.unparse(node).partition(".")[2]
        return LOOKED_UP if variables_in(node) & {self.own, *self.variables} else ""


def _put(node: Any, argument: ast.expr, value: ast.expr) -> None:
    """Put a value in the place of the argument of a chain."""
    if isinstance(node, ast.Call):
        if node.args[0] is argument:
            node.args[0] = value
        else:
            _put(node.args[0], argument, value)
        return
    for side in ("left", "right"):
        inner = getattr(node, side)
        if inner is argument:
            setattr(node, side, value)
            return
        if isinstance(inner, ast.Call | ast.BinOp):
            _put(inner, argument, value)
            return
