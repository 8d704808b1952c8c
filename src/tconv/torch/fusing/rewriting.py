"""Chains of calls in the syntax tree of a method, statements joined to make them, written as one call each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from tconv.torch.fusing.expressions import Added, Expressions
from tconv.torch.fusing.links import ADDITIONS, LOOKED_UP, METHOD, PAIR
from tconv.torch.fusing.reading import (
    as_assignment,
    as_it_was,
    asks_only,
    assigned,
    passed_on,
    variables_in,
    written_in,
)


class Writer(ast.NodeTransformer):
    """Writes chains as calls."""

    def __init__(
        self, method: ast.FunctionDef, own: str, variables: frozenset[str], heads: tuple[str, ...] | None
    ) -> None:
        self.own, self.heads = own, heads
        self.expressions = Expressions(own, variables - {own})
        self.passed_on = passed_on(method)
        self.chains: list[tuple[str, ...]] = []

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
        chain = self.expressions.chain(node)
        if chain is None or len(chain.called) < 2 or (chain.read & written_in(chain.argument)):
            return self.generic_visit(node)
        names = tuple(self.expressions.name(called) for called in chain.called)
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
        if isinstance(called, Added):
            return ast.copy_location(ast.Name(called.id, ast.Load()), called)
        visited: ast.expr = self.visit(called)
        return visited

    def _joined(self, statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements, of which each that only brings the next one its argument has become that argument."""
        before: ast.Assign | None = None
        for statement in map(as_assignment, self._branched(statements)):
            result = "" if before is None else assigned(before)
            if before is not None and not self._takes(before, statement):
                yield as_it_was(before)
            if (
                isinstance(statement, ast.Assign)
                and assigned(statement)
                and self.expressions.chain(statement.value, result)
            ):
                before = statement
            else:
                before = None
                yield as_it_was(statement)
        if before is not None:
            yield as_it_was(before)

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
                result = assigned(as_assignment(done[-1])) if done else ""
                head, tail = self._around(done, left, result)
                written = {result}.union(*map(written_in, head))
                if head and tail and not variables_in(statement.test) & written:
                    del done[len(done) - len(head) :], left[: len(tail)]
                    without = copy.deepcopy([*head, *tail])
                    statement = ast.copy_location(
                        ast.If(statement.test, [*head, *statement.body, *tail], without), statement
                    )
            done.append(statement)
        return done

    def _around(self, done: list[ast.stmt], left: list[ast.stmt], result: str) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """The statements of a chain at the end of some, and those that go on with it at the beginning of others.

        `result` is the variable that the last one writes.
        """
        first = len(done) - 1
        while first > 0 and result and self._goes_on(done[first], result) and self._brings(done[first - 1], result):
            first -= 1
        head = done[first:] if result and self._brings(done[-1], result) else []
        count = 0
        while count < len(left) and self._goes_on(left[count], result):
            count += 1
        return head, left[:count]

    def _brings(self, statement: ast.stmt, result: str) -> bool:
        """Whether a statement writes the result of a chain to a variable."""
        written = as_assignment(statement)
        return (
            isinstance(written, ast.Assign)
            and assigned(written) == result
            and self.expressions.chain(written.value, result) is not None
        )

    def _goes_on(self, statement: ast.stmt, result: str) -> bool:
        """Whether a statement takes a variable into a chain, and writes it anew or returns."""
        written = as_assignment(statement)
        if not isinstance(written, ast.Assign | ast.Return) or written.value is None:
            return False
        if isinstance(written, ast.Assign) and assigned(written) != result:
            return False
        chain = self.expressions.chain(written.value, result)
        return chain is not None and isinstance(chain.argument, ast.Name) and chain.argument.id == result

    def _takes(self, before: ast.Assign, statement: ast.stmt) -> bool:
        """Let a statement take the value of the one before, if it is the only one that can."""
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            return False
        name = assigned(before)
        if isinstance(statement, ast.Assign) and assigned(statement) != name and name not in self.passed_on:
            return False
        chain = self.expressions.chain(statement.value, name)
        if chain is None or not isinstance(chain.argument, ast.Name) or chain.argument.id != name:
            return False
        if chain.read & {name, *written_in(before.value)}:  # it would be another one
            return False
        bringing = self.expressions.chain(before.value, name)
        if bringing is None:
            return False
        if not any(self._begins(self.expressions.name(called)) for called in bringing.called[-3:]):
            return False
        _put(statement.value, chain.argument, before.value)
        return True


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
