"""Where a forward method calls modules one behind the other: found in its source, and written as one call each.

    x = self.conv(x)
    x = F.relu(self.norm(x))     ->     x = self._tconv_chain(("conv", "norm", ""), (self.conv, self.norm, F.relu), x)

Only that is rewritten where nothing else can have what is in between: calls that are an argument of each other, and
statements that follow each other and write the same name, or return. All the rest of the method stays as it is, what it
does elsewhere and what it decides included, which a trace of it would lose. (What is called is looked up before the
convolution computes, and not after it: it is taken for granted that a convolution of torch.nn does not change the
attributes of who calls it.) A method is left alone unless its source, compiled, is what runs.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

#: The method that a rewritten one calls.
METHOD = "_tconv_chain"
#: Names with which a method may look at its own variables.
_LOOKING = {"locals", "vars", "dir", "eval", "exec", "super", "__class__"}
_SAME = (
    "co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount",
    "co_posonlyargcount", "co_kwonlyargcount", "co_flags",
)  # fmt: skip


class Chained(NamedTuple):
    """A method rewritten."""

    function: Callable[..., Any]
    chains: tuple[tuple[Any, ...], ...]  #: what is called: names of parts of the module, or functions
    once: frozenset[str]  #: the names that stand in the method once


@functools.cache
def chained(function: Any, heads: tuple[str, ...] | None = None) -> Chained | None:
    """A forward method in which chains are one call each that begin with modules of these names, or any.

    None where it has none, or cannot be read.
    """
    try:
        return _chained(function, heads)
    except (OSError, SyntaxError, TypeError, ValueError, RecursionError):  # there is no source, or another one
        return None


def _chained(function: Any, heads: tuple[str, ...] | None) -> Chained | None:
    if not isinstance(function, FunctionType) or function.__closure__ or function.__code__.co_cellvars:
        return None
    if hasattr(function, "__wrapped__"):
        return None
    source, first = inspect.getsourcelines(function)
    tree = ast.parse("if True:\n" + "".join(source) if source[0][:1].isspace() else "".join(source))
    method = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
    if not isinstance(method, ast.FunctionDef) or method.decorator_list or not _own(method):
        return None
    ast.increment_lineno(tree, first - method.lineno)
    if not _is_code(_code(method, function), function.__code__) or not _is_plain(method):
        return None
    writer = _Writer(_own(method), frozenset(function.__code__.co_varnames), heads)
    method = writer.visit(method)
    if not writer.chains:
        return None
    ast.fix_missing_locations(method)
    made = FunctionType(_code(method, function), function.__globals__, function.__name__, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    for name in ("__module__", "__qualname__", "__doc__", "__annotations__"):
        setattr(made, name, getattr(function, name))
    chains = tuple(tuple(_meant(node, name, function) for node, name in chain) for chain in writer.chains)
    return Chained(made, chains, frozenset(name for name, times in writer.names.items() if times == 1))


def _meant(node: ast.expr, name: str, function: FunctionType) -> Any:
    """The name of a part of the module, or what a name means outside of it; None where that is not known."""
    if name:
        return name
    path = ast.unparse(node).split(".")
    found = function.__globals__.get(path[0])
    for each in path[1:]:
        found = getattr(found, each, None)
    return found


def _code(method: ast.FunctionDef, function: FunctionType) -> CodeType:
    """The code of a method."""
    file, flags = function.__code__.co_filename, function.__code__.co_flags & 0x1FF0000  # those of __future__
    # The compiler calls functions of what it saw imported in another way than methods.
    known = function.__globals__
    imported = sorted(name for name in function.__code__.co_names if isinstance(known.get(name), ModuleType))
    imports = [ast.copy_location(ast.Import([ast.alias(name)]), method) for name in imported]
    whole = compile(
        ast.fix_missing_locations(ast.Module([*imports, method], [])), file, "exec", flags, dont_inherit=True
    )
    return next(code for code in whole.co_consts if isinstance(code, CodeType) and code.co_name == method.name)


def _own(method: ast.FunctionDef) -> str:
    """The name of the module in its method."""
    return next((each.arg for each in (*method.args.posonlyargs, *method.args.args)), "")


def _is_code(found: CodeType, runs: CodeType) -> bool:
    return all(getattr(found, name) == getattr(runs, name) for name in _SAME)


def _is_plain(method: ast.FunctionDef) -> bool:
    """Whether nobody in a method can look at a variable but by its name, further down."""
    own = _own(method)
    for node in ast.walk(method):
        if isinstance(node, ast.Try | ast.With | ast.Lambda | ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal):
            return False
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not method:
            return False
        if isinstance(node, ast.Name) and (node.id in _LOOKING or (node.id == own and type(node.ctx) is not ast.Load)):
            return False
    return True


class _Chain(NamedTuple):
    """Calls of one argument each, the first one first."""

    called: tuple[ast.expr, ...]
    argument: ast.expr


class _Writer(ast.NodeTransformer):
    """Writes chains as calls."""

    def __init__(self, own: str, variables: frozenset[str], heads: tuple[str, ...] | None) -> None:
        self.own, self.variables, self.heads = own, variables - {own}, heads
        self.chains: list[list[tuple[ast.expr, str]]] = []
        self.names: Counter[str] = Counter()

    def visit(self, node: ast.AST) -> Any:
        """A node rewritten, and statements in it joined first."""
        for name in ("body", "orelse"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, list(self._joined(statements)))
        return super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
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
        called = ast.Tuple([self.visit(called) for called in chain.called], ast.Load())
        return ast.copy_location(ast.Call(method, [written, called, self.visit(chain.argument)], []), node)

    def _begins(self, name: str) -> bool:
        return name != "" if self.heads is None else name in self.heads

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Count what of the module is named."""
        self.names[self._name(node)] += 1
        return self.generic_visit(node)

    def _joined(self, statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements, of which each that only brings the next one its argument has become that argument."""
        before: ast.Assign | None = None
        for statement in statements:
            if before is not None and not self._takes(before, statement):
                yield before
            name = _assigned(statement)
            before = statement if name and isinstance(statement, ast.Assign) and self._chain(statement.value) else None
            if before is None:
                yield statement
        if before is not None:
            yield before

    def _takes(self, before: ast.Assign, statement: ast.stmt) -> bool:
        """Let a statement take the value of the one before, if it is the only one that can."""
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            return False
        if isinstance(statement, ast.Assign) and _assigned(statement) != _assigned(before):
            return False
        chain = self._chain(statement.value)
        if chain is None or not isinstance(chain.argument, ast.Name) or chain.argument.id != _assigned(before):
            return False
        bringing = self._chain(before.value)
        if bringing is None or not any(self._begins(self._name(called)) for called in bringing.called[-2:]):
            return False
        innermost: Any = statement.value
        while innermost.args[0] is not chain.argument:
            innermost = innermost.args[0]
        innermost.args[0] = before.value
        return True

    def _chain(self, node: ast.expr) -> _Chain | None:
        """The calls that an expression is made of."""
        if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
            return None
        # What is called must not depend on variables, one of which may be what is in between.
        if isinstance(node.args[0], ast.Starred) or _root(node.func) in {"", *self.variables}:
            return None
        inner = self._chain(node.args[0])
        return (
            _Chain((node.func,), node.args[0]) if inner is None else _Chain((*inner.called, node.func), inner.argument)
        )

    def _name(self, node: ast.expr) -> str:
        """The name of a part of the module; "" of anything else."""
        said = ast.unparse(node)
        return said.removeprefix(f"{self.own}.") if said.startswith(f"{self.own}.") else ""


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
