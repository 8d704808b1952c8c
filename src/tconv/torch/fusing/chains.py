"""Where a forward method calls modules one behind the other: found in its source, and written as one call each.

    x = self.conv(x)
    x = F.relu(self.norm(x))     ->     x = self._tconv_chain(("conv", "norm", ""), (self.conv, self.norm, F.relu), x)

    y = self.conv(x)
    y += x                       ->     y = self._tconv_chain(("conv", "+="), (self.conv, x), x)

An addition of a variable is a call, too, of the variable's value, and so is `F.leaky_relu(x, slope)`. Only that is
rewritten where nothing else can have what is in between: calls that are an argument of each other, and statements that
follow each other and write the same name, or return. All the rest of the method stays as it is, what it does elsewhere
and what it decides included, which a trace of it would lose. (What is called is looked up before the convolution
computes, and not after it: it is taken for granted that a convolution of torch.nn does not change the attributes of who
calls it.) A method is left alone unless its source, compiled, is what runs.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from tconv.torch.fusing.links import ADDITIONS, PAIR, Add, Pair
from tconv.torch.fusing.rewriting import Writer

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
    writer = Writer(_own(method), frozenset(function.__code__.co_varnames), heads)
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
    if name in ADDITIONS:
        return Add(name, None)
    if name == PAIR and isinstance(node, ast.Tuple):
        argument = node.elts[1]
        value = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument).split(".", 1)[1]
        return Pair(_meant(node.elts[0], "", function), value)
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
