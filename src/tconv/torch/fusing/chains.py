"""Where a forward method calls modules one behind the other: found in its source, and written as one call each.

    x = self.conv(x)
    x = F.relu(self.norm(x))     ->     x = self._tconv_chain(("conv", "norm", ""), (self.conv, self.norm, F.relu), x)

    y = self.conv(x)
    y += x                       ->     y = self._tconv_chain(("conv", "+="), (self.conv, x), x)

    for conv in self.convs:
        y = conv(x)
        x = y + x        ->         x = self._tconv_chain(("[]", "+"), (conv, x), x)

An addition of a variable is a call, too, of the variable's value, and so is `F.leaky_relu(x, slope)`. What is called
may be in a variable or in a list: then the method says only where, and which module it is is known when it is called.

Only that is rewritten where nothing else can have what is in between: calls that are an argument of each other, and
statements that follow each other and write the same name, or one that nobody reads further down, or return. All the
rest of the method stays as it is, what it does elsewhere and what it decides included, which a trace of it would lose.
(What is called is looked up before the first of them computes, and not after it, and so is what an `if` in between
asks, of attributes of the module and what is None: it is taken for granted that calls do not change the attributes of
who calls them.) A method is left alone unless its source, compiled, is what runs.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tconv.torch.fusing.rewriting import Writer

#: Names with which a method may look at its own variables.
_LOOKING = {"locals", "vars", "dir", "eval", "exec", "super", "__class__"}
#: Statements and expressions that leave in the middle, and come back, or have variables of others.
_APART = (
    ast.Try | ast.TryStar | ast.With | ast.Lambda | ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal
)  # fmt: skip
_SAME = (
    "co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount",
    "co_posonlyargcount", "co_kwonlyargcount", "co_flags",
)  # fmt: skip


class Chained(NamedTuple):
    """A method rewritten."""

    function: Callable[..., Any]
    chains: tuple[tuple[str, ...], ...]  #: what is called: names of parts of the module, "" of functions, or links


class _Written(NamedTuple):
    """The code of a method rewritten, which keeps nobody."""

    code: CodeType
    chains: tuple[tuple[str, ...], ...]


#: What came of methods, by the names of modules that chains begin with; methods may have their classes.
_known: WeakKeyDictionary[FunctionType, dict[tuple[str, ...] | None, _Written | None]] = WeakKeyDictionary()


def chained(function: Any, heads: tuple[str, ...] | None = None) -> Chained | None:
    """A forward method in which chains are one call each that begin with modules of these names, or any.

    None where it has none, or cannot be read.
    """
    if not isinstance(function, FunctionType):
        return None
    known = _known.setdefault(function, {})
    if heads not in known:
        try:
            known[heads] = _written(function, heads)
        except Exception:  # of any class: there is no source, or another one, which breaks off anywhere
            known[heads] = None
    written = known[heads]
    if written is None:
        return None
    made = FunctionType(written.code, function.__globals__, function.__name__, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    for name in ("__module__", "__qualname__", "__doc__", "__annotations__"):
        setattr(made, name, getattr(function, name))
    return Chained(made, written.chains)


def _written(function: FunctionType, heads: tuple[str, ...] | None) -> _Written | None:
    if function.__closure__ or function.__code__.co_cellvars or hasattr(function, "__wrapped__"):
        return None
    source, first = inspect.getsourcelines(function)
    tree = ast.parse("if True:\n" + "".join(source) if source[0][:1].isspace() else "".join(source))
    method = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
    if not isinstance(method, ast.FunctionDef) or method.decorator_list or not _own(method):
        return None
    ast.increment_lineno(tree, first - method.lineno)
    if not _is_code(_code(method, function), function.__code__) or not _is_plain(method):
        return None
    writer = Writer(method, _own(method), frozenset(function.__code__.co_varnames), heads)
    method = writer.visit(method)
    if not writer.chains:
        return None
    ast.fix_missing_locations(method)
    return _Written(_code(method, function), tuple(writer.chains))


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
        if isinstance(node, _APART):
            return False
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not method:
            return False
        if isinstance(node, ast.Name) and (node.id in _LOOKING or (node.id == own and type(node.ctx) is not ast.Load)):
            return False
    return True
