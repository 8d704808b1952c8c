"""What statements and expressions of a method read and write, as far as calls can be moved by it."""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import Any

_SIMPLE = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr


def looks_up(node: ast.AST) -> bool:
    """Whether an expression only finds something that is there: a variable, an attribute, an element of a list."""
    if isinstance(node, ast.Name | ast.Constant):
        return True
    if isinstance(node, ast.Attribute):
        return looks_up(node.value)
    return isinstance(node, ast.Subscript) and looks_up(node.value) and _is_place(node.slice)


def _is_place(node: ast.AST) -> bool:
    """Whether what stands in brackets is found, or computed of what is: numbers, which nobody changes in place."""
    if isinstance(node, ast.BinOp):
        return _is_place(node.left) and _is_place(node.right)
    return _is_place(node.operand) if isinstance(node, ast.UnaryOp) else looks_up(node)


def asks_only(test: ast.AST, own: str) -> bool:
    """Whether a condition is of what calls do not change: what attributes of the module are, and what is None."""
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not) and asks_only(test.operand, own)
    if isinstance(test, ast.BoolOp):
        return all(asks_only(each, own) for each in test.values)
    if isinstance(test, ast.Compare):
        sides = (test.left, *test.comparators)
        return all(isinstance(each, ast.Is | ast.IsNot) for each in test.ops) and all(map(looks_up, sides))
    if not isinstance(test, ast.Attribute):
        return False
    while isinstance(test, ast.Attribute):
        test = test.value
    return isinstance(test, ast.Name) and test.id == own


def variables_in(node: ast.AST) -> frozenset[str]:
    """The names that stand in an expression."""
    return frozenset(each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def written_in(node: ast.AST) -> frozenset[str]:
    """The names that an expression writes, by `:=`."""
    return frozenset(each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr))


def passed_on(method: ast.FunctionDef) -> frozenset[str]:
    """The variables of which every value is read by nothing but the statement behind the one that writes it.

    y = self.conv(x)
    x = y + x           # y is of no use to anybody further down, whatever stands there
    """
    read = {id(node): node.id for node in ast.walk(method) if isinstance(node, ast.Name) and _reads(node)}
    for node in ast.walk(method):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            read[id(node.target)] = node.target.id
    names = frozenset(read.values())
    for block in _blocks(method):
        for before, statement in pairwise(block):
            if isinstance(statement, _SIMPLE) and (name := assigned(as_assignment(before))):
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and node.id == name:
                        read.pop(id(node), None)
    return names - frozenset(read.values())


def _reads(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Store)


def _blocks(method: ast.FunctionDef) -> list[list[ast.stmt]]:
    """Statements that follow each other."""
    found = (getattr(node, name, None) for node in ast.walk(method) for name in ("body", "orelse"))
    return [block for block in found if isinstance(block, list)]


def assigned(statement: ast.stmt) -> str:
    """The one name that a statement writes."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def as_assignment(statement: ast.stmt) -> ast.stmt:
    """`y += x` as `y = y + x`, which remembers what it was, and `y: Tensor = x` as `y = x`."""
    if isinstance(statement, ast.AnnAssign) and statement.simple and statement.value is not None:
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)
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


def as_it_was(statement: Any) -> ast.stmt:
    """`y += x` again, if nothing was put into it."""
    was: Any = getattr(statement, "was", None)
    left = getattr(statement, "value", None)
    unchanged = was is not None and isinstance(left, ast.BinOp) and isinstance(left.left, ast.Name)
    found: ast.stmt = was if unchanged else statement
    return found
