"""What expressions of a method are chains of calls, and of what."""

from __future__ import annotations

import ast
from typing import NamedTuple

from tconv.torch.fusing.links import LOOKED_UP, PAIR
from tconv.torch.fusing.reading import looks_up, variables_in


class Chain(NamedTuple):
    """Calls of one argument each, the first one first."""

    called: tuple[ast.expr, ...]
    argument: ast.expr
    #: Variables that are called, that what is called is found by, and that are added.
    read: frozenset[str] = frozenset()

    def then(self, called: ast.expr, read: frozenset[str]) -> Chain:
        """With one more."""
        return Chain((*self.called, called), self.argument, self.read | read)


class Added(ast.Name):
    """A variable that is added, and how."""

    how = "+"


class Expressions(NamedTuple):
    """The expressions of a method."""

    own: str  #: the name of the module in it
    variables: frozenset[str]  #: the others

    def chain(self, node: ast.expr, result: str = "") -> Chain | None:
        """The calls that an expression is made of; a sum may begin with the variable `result`, too, "" for none."""
        if isinstance(node, ast.BinOp):
            return self._sum(node, result)
        if not isinstance(node, ast.Call) or node.keywords or not 1 <= len(node.args) <= 2:
            return None
        if any(isinstance(each, ast.Starred) for each in node.args) or not looks_up(node.func):
            return None
        called = node.func
        if len(node.args) == 2:
            if self.name(node.func) or not self._is_number(node.args[1]):
                return None
            called = ast.copy_location(ast.Tuple([node.func, node.args[1]], ast.Load()), node)
        inner, read = self.chain(node.args[0], result), variables_in(called) & self.variables
        return Chain((called,), node.args[0], read) if inner is None else inner.then(called, read)

    def _sum(self, node: ast.BinOp, result: str) -> Chain | None:
        """A chain, or a variable that may be the result of one, to which a variable is added."""
        if not isinstance(node.op, ast.Add):
            return None
        in_place = getattr(node, "how", "")
        for chain, other, how in ((node.left, node.right, in_place or "+"), (node.right, node.left, "+r")):
            if in_place and how == "+r":
                return None
            if not isinstance(other, ast.Name) or other.id not in self.variables:
                continue
            inner = self.chain(chain, result)  # once: it may be a sum itself, of many
            if inner is not None or (isinstance(chain, ast.Name) and chain.id == result):
                added = ast.copy_location(Added(other.id, ast.Load()), other)
                added.how, read = how, frozenset({other.id})
                return Chain((added,), chain, read) if inner is None else inner.then(added, read)
        return None

    def _is_number(self, node: ast.expr) -> bool:
        """Whether an argument may be a number that calls do not change: written, of the module, or of its file."""
        if isinstance(node, ast.Constant):
            return type(node.value) in (int, float)
        if isinstance(node, ast.Name):
            return node.id not in {self.own, *self.variables}
        return isinstance(node, ast.Attribute) and self.name(node) not in ("", LOOKED_UP)

    def name(self, node: ast.expr) -> str:
        """The name of a part of the module, or what stands for one; "" of what is found without variables."""
        if isinstance(node, Added):
            return node.how
        if isinstance(node, ast.Tuple):
            return PAIR
        path = node
        while isinstance(path, ast.Attribute):
            path = path.value
        if isinstance(path, ast.Name) and path.id == self.own:
            return ast.unparse(node).partition(".")[2]
        return LOOKED_UP if variables_in(node) & {self.own, *self.variables} else ""
