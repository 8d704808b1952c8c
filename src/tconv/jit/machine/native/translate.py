"""Writes functions of the subset (`language.py`) as LLVM IR, in the vocabulary of `machine/ir.py`."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from tconv.jit.machine.ir import Function, Module
from tconv.jit.machine.native.language import NativeFunction

_COMPARE: dict[type, str] = {
    ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip


class Unsupported(SyntaxError):
    """What stands in a function is not of the subset."""


def emit(what: NativeFunction, module: Module) -> None:
    """Write a function, and all that it calls, to a module."""
    emitted: dict[NativeFunction, Function] = {}
    _emit(what, module, emitted)
    emitted[what].exported = True


def _emit(what: NativeFunction, module: Module, emitted: dict[NativeFunction, Function]) -> None:
    body = _Body(what, module, emitted)
    emitted[what] = body.f
    body.write()


def _tree(what: NativeFunction) -> ast.FunctionDef:
    """What a function says. OSError: it was installed without its source."""
    return _functions(what.function.__code__.co_filename)[what.name]


@lru_cache(maxsize=64)
def _functions(file: str) -> dict[str, ast.FunctionDef]:
    """The functions of a file, which is read once: to take them out one by one takes three times as long."""
    text = "".join(linecache.getlines(file))
    if not text:
        raise OSError(f"{file} cannot be read")
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


class _Body:
    """The body of a function on its way to LLVM. Variables lie on the stack; LLVM puts them into registers."""

    def __init__(self, what: NativeFunction, module: Module, emitted: dict[NativeFunction, Function]) -> None:
        self.what, self.module, self.emitted = what, module, emitted
        self.f = module.function(what.name, what.parameters, returns=what.returns)
        self.f.inlined = what.inlined
        self.pointers = {name for kind, name in what.parameters if kind == "ptr"}
        self.ends: list[tuple[str, str]] = []  # for each open loop where `continue` and `break` go

    def write(self) -> None:
        """Write the whole body."""
        f, tree = self.f, _tree(self.what)
        given = {name for kind, name in self.what.parameters if kind == "i64"}
        self.names = {name for name in self.what.function.__code__.co_varnames if name not in self.pointers}
        for name in sorted(self.names):
            f.do(f"%{name}.at = alloca i64")
        for name in sorted(given):
            f.do(f"store i64 %{name}, ptr %{name}.at")
        self.block(tree.body)
        if self.what.returns == "void":
            f.ret()
        else:
            f.do("unreachable")

    # ---- statements

    def block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            write: Callable[[Any], None] | None = getattr(self, f"_{type(statement).__name__}", None)
            if write is None:
                raise self.unsupported(statement)
            write(statement)

    def _Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):  # a docstring
            return
        self.call(node.value)

    def _Pass(self, node: ast.Pass) -> None:
        pass

    def _Assign(self, node: ast.Assign) -> None:
        [target] = node.targets
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            values = [self.integer(value) for value in node.value.elts]
            for each, value in zip(target.elts, values, strict=True):
                self.store(each, value)
        else:
            self.store(target, self.integer(node.value))

    def _AugAssign(self, node: ast.AugAssign) -> None:
        loaded = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
        self.store(node.target, self.integer(loaded))

    def _If(self, node: ast.If) -> None:
        f, (then, otherwise, after) = self.f, self.labels("then", "else", "after")
        f.branch(self.condition(node.test), then, otherwise if node.orelse else after)
        for label, body in ((then, node.body), (otherwise, node.orelse)):
            if body:
                f.start(label)
                self.block(body)
                f.jump(after)
        f.start(after)

    def _While(self, node: ast.While) -> None:
        f, (head, body, after) = self.f, self.labels("head", "body", "after")
        f.jump(head)
        f.start(head)
        f.branch(self.condition(node.test), body, after)
        f.start(body)
        self.ends.append((head, after))
        self.block(node.body)
        self.ends.pop()
        f.jump(head)
        f.start(after)

    def _For(self, node: ast.For) -> None:
        if not (isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range"):
            raise self.unsupported(node)
        f, (head, body, following, after) = self.f, self.labels("head", "body", "following", "after")
        bounds = [self.integer(bound) for bound in node.iter.args]
        start, stop, step = (*bounds, "1") if len(bounds) == 2 else ("0", *bounds, "1") if len(bounds) == 1 else bounds
        before = f.block
        f.jump(head)
        f.start(head)
        counter, after_it = f.fresh(), f.fresh()
        f.do(f"{counter} = phi i64 [{start}, %{before}], [{after_it}, %{following}]")
        f.branch(f.compare("slt", counter, stop), body, after)
        f.start(body)
        self.store(node.target, counter)
        self.ends.append((following, after))
        self.block(node.body)
        self.ends.pop()
        f.jump(following)
        f.start(following)
        f.do(f"{after_it} = add i64 {counter}, {step}")
        f.jump(head)
        f.start(after)

    def _Break(self, node: ast.Break) -> None:
        self._leave(self.ends[-1][1])

    def _Continue(self, node: ast.Continue) -> None:
        self._leave(self.ends[-1][0])

    def _leave(self, label: str) -> None:
        self.f.jump(label)
        self.f.start(self.f.label("unreached"))

    def _Return(self, node: ast.Return) -> None:
        self.f.ret("" if node.value is None else f"i64 {self.integer(node.value)}")
        self.f.start(self.f.label("unreached"))

    def store(self, target: ast.expr, value: str) -> None:
        """Assign to a name or an element."""
        if isinstance(target, ast.Name):
            self.f.do(f"store i64 {value}, ptr %{target.id}.at")
        elif isinstance(target, ast.Subscript):
            self.f.do(f"store i64 {value}, ptr {self.element(target)}")
        else:
            raise self.unsupported(target)

    # ---- expressions

    def integer(self, node: ast.expr) -> str:
        """The value of an i64."""
        f = self.f
        match node:
            case ast.Constant(value=bool() | int() as value):
                return str(int(value))
            case ast.Name(id=name) if name in self.names:
                return f.let(f"load i64, ptr %{name}.at")
            case ast.Name() | ast.Attribute():
                return str(self.constant(node))
            case ast.Subscript():
                return f.let(f"load i64, ptr {self.element(node)}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f.let(f"sub i64 0, {self.integer(operand)}")
            case ast.BinOp(left=left, op=op, right=right):
                return self.arithmetic(node, op, self.integer(left), self.integer(right))
            case ast.IfExp():
                return self.either(node)
            case ast.Call(func=ast.Name(id="min" | "max" as which), args=arguments):
                how, values = "slt" if which == "min" else "sgt", [self.integer(a) for a in arguments]
                found = values[0]
                for other in values[1:]:
                    found = f.let(f"select i1 {f.compare(how, found, other)}, i64 {found}, i64 {other}")
                return found
            case ast.Call():
                return self.call(node)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return f.let(f"zext i1 {self.condition(node)} to i64")
        raise self.unsupported(node)

    def arithmetic(self, node: ast.expr, op: ast.operator, a: str, b: str) -> str:
        """The result of an operator on two integers."""
        f = self.f
        match op:
            case ast.Add() | ast.Sub() | ast.Mult():
                return f.let(f"{type(op).__name__.lower().replace('mult', 'mul')} i64 {a}, {b}")
            case ast.FloorDiv() | ast.Mod():
                rest = f.let(f"srem i64 {a}, {b}")
                opposite = f.compare("slt", f.let(f"xor i64 {rest}, {b}"), 0)
                below = f.both(f.compare("ne", rest, 0), opposite)
                if isinstance(op, ast.Mod):
                    return f.let(f"select i1 {below}, i64 {f.let(f'add i64 {rest}, {b}')}, i64 {rest}")
                quotient, less = f.let(f"sdiv i64 {a}, {b}"), f.let(f"zext i1 {below} to i64")
                return f.let(f"sub i64 {quotient}, {less}")
        raise self.unsupported(node)

    def either(self, node: ast.IfExp) -> str:
        """One of two values, of which only one is computed."""
        f, (then, otherwise, after) = self.f, self.labels("then", "else", "after")
        f.branch(self.condition(node.test), then, otherwise)
        found = []
        for label, value in ((then, node.body), (otherwise, node.orelse)):
            f.start(label)
            text = self.integer(value)
            found.append(f"[{text}, %{f.block}]")
            f.jump(after)
        f.start(after)
        return f.let(f"phi i64 {', '.join(found)}")

    def condition(self, node: ast.expr) -> str:
        """The value of an i1. The parts of `and` and `or` are computed only as far as they count."""
        f = self.f
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f.let(f"xor i1 {self.condition(operand)}, 1")
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.integer(each) for each in (left, *others)]
                found = ""
                for op, a, b in zip(ops, values, values[1:], strict=False):
                    if type(op) not in _COMPARE:
                        raise self.unsupported(node)
                    one = f.compare(_COMPARE[type(op)], a, b)
                    found = f.both(found, one) if found else one
                return found
            case ast.BoolOp(op=op, values=parts):
                after, short, ends = f.label("after"), "0" if isinstance(op, ast.And) else "1", []
                for part in parts[:-1]:
                    value, more = self.condition(part), f.label("more")
                    ends.append(f"[{short}, %{f.block}]")
                    f.branch(value, *((more, after) if short == "0" else (after, more)))
                    f.start(more)
                value = self.condition(parts[-1])
                ends.append(f"[{value}, %{f.block}]")
                f.jump(after)
                f.start(after)
                return f.let(f"phi i1 {', '.join(ends)}")
        return f.compare("ne", self.integer(node), 0)

    def call(self, node: ast.expr) -> str:
        """The result of another function; "" where it has none."""
        what = self.constant(node.func) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if not isinstance(what, NativeFunction):
            raise self.unsupported(node)
        assert isinstance(node, ast.Call)
        if what not in self.emitted:
            _emit(what, self.module, self.emitted)
        kinds = [kind for kind, _ in what.parameters]
        values = [self.array(a) if kind == "ptr" else self.integer(a) for kind, a in zip(kinds, node.args, strict=True)]
        text = f"call {what.returns} @{what.name}({', '.join(map(' '.join, zip(kinds, values, strict=True)))})"
        if what.returns == "void":
            self.f.do(text)
            return ""
        return self.f.let(text)

    def array(self, node: ast.expr) -> str:
        """The address of an array, or of a part of it."""
        match node:
            case ast.Name(id=name) if name in self.pointers:
                return f"%{name}"
            case ast.Subscript(value=value, slice=ast.Slice(lower=ast.expr() as lower, upper=None, step=None)):
                return self.f.let(f"getelementptr i64, ptr {self.array(value)}, i64 {self.integer(lower)}")
        raise self.unsupported(node)

    def element(self, node: ast.Subscript) -> str:
        """The address of an element."""
        return self.f.let(f"getelementptr i64, ptr {self.array(node.value)}, i64 {self.integer(node.slice)}")

    def constant(self, node: ast.expr) -> Any:
        """What a name, or a word of an IntEnum, stands for in the module of the function."""
        try:
            if isinstance(node, ast.Attribute):
                return int(getattr(self.constant(node.value), node.attr))
            assert isinstance(node, ast.Name)
            return self.what.function.__globals__[node.id]
        except (AssertionError, AttributeError, KeyError):
            raise self.unsupported(node) from None

    def labels(self, *words: str) -> list[str]:
        return [self.f.label(word) for word in words]

    def unsupported(self, node: ast.AST) -> Unsupported:
        return Unsupported(f"{self.what.name}: not of the subset that becomes machine code: {ast.unparse(node)}")
