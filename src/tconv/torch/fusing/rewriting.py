"""Chains of calls in the syntax tree of a method, written as one call each."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tconv.torch.fusing.links import ADDITIONS, METHOD, PAIR


class Chain(NamedTuple):
    """Calls of one argument each, the first one first."""

    called: tuple[ast.expr, ...]
    argument: ast.expr
    added: frozenset[str] = frozenset()  #: variables that are added

    def then(self, called: ast.expr, added: str = "") -> Chain:
        """With one more."""
        return Chain((*self.called, called), self.argument, self.added | ({added} if added else set()))


class _Added(ast.Name):
    """A variable that is added, and how."""

    how = "+"


class Writer(ast.NodeTransformer):
    """Writes chains as calls."""

    def __init__(self, own: str, variables: frozenset[str], heads: tuple[str, ...] | None) -> None:
        self.own, self.variables, self.heads = own, variables - {own}, heads
        self.chains: list[list[tuple[ast.expr, str]]] = []
        self.names: Counter[str] = Counter()
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
        if chain is None or len(chain.called) < 2:
            return self.generic_visit(node)
        names = tuple(self._name(called) for called in chain.called)
        if not any(self._begins(name) for name in names[:-1]):
            return self.generic_visit(node)
        self.chains.append(list(zip(chain.called, names, strict=True)))
        method = ast.Attribute(ast.Name(self.own, ast.Load()), METHOD, ast.Load())
        written = ast.Tuple([ast.Constant(name) for name in names], ast.Load())
        called = ast.Tuple([self._written(called) for called in chain.called], ast.Load())
        return ast.copy_location(ast.Call(method, [written, called, self.visit(chain.argument)], []), node)

    def _begins(self, name: str) -> bool:
        if name in ADDITIONS or name == PAIR:
            return False
        return name != "" if self.heads is None else name in self.heads

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Count what of the module is named."""
        self.names[self._name(node)] += 1
        return self.generic_visit(node)

    def _written(self, called: ast.expr) -> ast.expr:
        """What is called, as the tuple has it."""
        if isinstance(called, _Added):
            return ast.copy_location(ast.Name(called.id, ast.Load()), called)
        visited: ast.expr = self.visit(called)
        return visited

    def _joined(self, statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements, of which each that only brings the next one its argument has become that argument."""
        before: ast.Assign | None = None
        for statement in map(_as_assignment, statements):
            self.result = "" if before is None else _assigned(before)
            if before is not None and not self._takes(before, statement):
                yield _as_it_was(before)
            name = _assigned(statement)
            before = statement if name and isinstance(statement, ast.Assign) and self._chain(statement.value) else None
            if before is None:
                yield _as_it_was(statement)
        if before is not None:
            yield _as_it_was(before)
        self.result = ""

    def _takes(self, before: ast.Assign, statement: ast.stmt) -> bool:
        """Let a statement take the value of the one before, if it is the only one that can."""
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            return False
        if isinstance(statement, ast.Assign) and _assigned(statement) != _assigned(before):
            return False
        chain = self._chain(statement.value)
        if chain is None or not isinstance(chain.argument, ast.Name) or chain.argument.id != _assigned(before):
            return False
        if chain.argument.id in chain.added:  # it would be another one
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
        # What is called must not depend on variables, one of which may be what is in between.
        if any(isinstance(each, ast.Starred) for each in node.args) or _root(node.func) in {"", *self.variables}:
            return None
        called = node.func
        if len(node.args) == 2:
            if self._name(node.func) or not self._is_number(node.args[1]):
                return None
            called = ast.copy_location(ast.Tuple([node.func, node.args[1]], ast.Load()), node)
        inner = self._chain(node.args[0])
        return Chain((called,), node.args[0]) if inner is None else inner.then(called)

    def _sum(self, node: ast.BinOp) -> Chain | None:
        """A chain, or a variable that may be the result of one, to which a variable is added."""
        if not isinstance(node.op, ast.Add):
            return None
        in_place = getattr(node, "how", "")
        for chain, other, how in ((node.left, node.right, in_place or "+"), (node.right, node.left, "+r")):
            if in_place and how == "+r":
                return None
            if isinstance(other, ast.Name) and other.id in self.variables and self._is_summed(chain):
                added = ast.copy_location(_Added(other.id, ast.Load()), other)
                added.how = how
                inner = self._chain(chain)
                return Chain((added,), chain, frozenset({other.id})) if inner is None else inner.then(added, other.id)
        return None

    def _is_summed(self, node: ast.expr) -> bool:
        return self._chain(node) is not None or (isinstance(node, ast.Name) and node.id == self.result)

    def _is_number(self, node: ast.expr) -> bool:
        """Whether an argument may be a number that calls do not change: a constant, or an attribute of the module."""
        if isinstance(node, ast.Constant):
            return type(node.value) in (int, float)
        return isinstance(node, ast.Attribute) and self._name(node) != ""

    def _name(self, node: ast.expr) -> str:
        """The name of a part of the module; "" of anything else but additions and pairs."""
        if isinstance(node, _Added):
            return node.how
        if isinstance(node, ast.Tuple):
            return PAIR
        said = ast.unparse(node)
        return said.removeprefix(f"{self.own}.") if said.startswith(f"{self.own}.") else ""


def _as_assignment(statement: ast.stmt) -> ast.stmt:
    """`y += x` as `y = y + x`, which remembers what it was."""
    if not isinstance(statement, ast.AugAssign) or not isinstance(statement.op, ast.Add):
        return statement
    if not isinstance(statement.target, ast.Name) or not isinstance(statement.value, ast.Name):
        return statement
    target = ast.copy_location(ast.Name(statement.target.id, ast.Load()), statement)
    whole: Any = ast.copy_location(ast.BinOp(target, ast.Add(), statement.value), statement)
    whole.how = "+="
    written: Any = ast.copy_location(ast.Assign([statement.target], whole), statement)
    written.was = statement
    return written  # type: ignore[no-any-return]


def _as_it_was(statement: Any) -> ast.stmt:
    """`y += x` again, if nothing was put into it."""
    was: Any = getattr(statement, "was", None)
    left = getattr(statement, "value", None)
    unchanged = was is not None and isinstance(left, ast.BinOp) and isinstance(left.left, ast.Name)
    found: ast.stmt = was if unchanged else statement
    return found


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


def _assigned(statement: ast.stmt) -> str:
    """The one name that a statement writes."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _root(node: ast.expr) -> str:
    """The name of which an expression is an attribute, or that it is; "" where it is something else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
