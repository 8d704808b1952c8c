"""A small vocabulary that writes LLVM IR as text: values, memory, vectors, structured loops.

Text, because it costs a tenth of what building llvmlite's objects does, needs no LLVM to be written or compared, and is
what one reads when debugging. Nothing here knows about convolutions. Loops keep their state in phi nodes, so the IR is
in the form that the code generator wants and no optimisation pass has to run.

Addresses are byte offsets throughout. Every memory access is aligned to its element only, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from tconv.cached import cached_property
from tconv.jit.machine.isa import Isa

Value: TypeAlias = "str | int"

#: Bytes of the scalar types; anything else is refused.
BYTES = {"half": 2, "bfloat": 2, "float": 4, "double": 8, "i32": 4, "i64": 8}
#: The types of LLVM in which dtypes are computed: those of the engine, by NumPy's names.
ELEMENTS = {"float32": "float", "float64": "double"}
#: How the intrinsics abbreviate them.
SUFFIX = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64", "i32": "i32", "i64": "i64"}


@dataclass(frozen=True)
class Vector:
    """A vector type."""

    element: str
    lanes: int

    @cached_property
    def text(self) -> str:
        """The type as LLVM writes it."""
        return f"<{self.lanes} x {self.element}>"

    @cached_property
    def mask(self) -> str:
        """The type of a mask over its lanes."""
        return f"<{self.lanes} x i1>"

    @cached_property
    def mangled(self) -> str:
        """The type as the names of intrinsics spell it."""
        return f"v{self.lanes}{SUFFIX[self.element]}"

    @cached_property
    def bytes(self) -> int:
        """Bytes of a vector."""
        return self.lanes * BYTES[self.element]


class Module:
    """Functions and the declarations they need."""

    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self.functions: list[Function] = []
        self.declared: dict[str, None] = {}

    def function(self, name: str, parameters: Sequence[tuple[str, str]], *, returns: str = "void") -> Function:
        """Begin a function; parameters are (type, name)."""
        function = Function(self, name, parameters, returns)
        self.functions.append(function)
        return function

    def declare(self, text: str) -> None:
        """Declare an intrinsic, once."""
        self.declared[f"declare {text}"] = None

    def table(self, name: str) -> None:
        """Name a table of addresses that lies beside the code, hidden from others: it is found by its distance."""
        self.declared[f"@{name} = external hidden constant [0 x ptr]"] = None

    def __str__(self) -> str:
        parts = [*self.declared, "", *(str(function) for function in self.functions)]
        return "\n".join(parts) + "\n!0 = !{i32 1}\n"


class Function:
    """One function, written from top to bottom."""

    def __init__(self, module: Module, name: str, parameters: Sequence[tuple[str, str]], returns: str) -> None:
        self.module, self.name, self.returns = module, name, returns
        self.parameters = ", ".join(f"{kind} %{name}" for kind, name in parameters)
        self.exported = self.inlined = False
        self.lines: list[str] = []
        self._names = 0
        self.loops: list[Loop] = []
        self.results: Sequence[str] = ()  #: what the last loop that ended left
        self.start("entry")

    def __str__(self) -> str:
        linkage = "" if self.exported else "internal "
        inlined = "alwaysinline " if self.inlined else ""
        isa = self.module.isa
        arranged = f'"tune-cpu"="{isa.arranged_for}" ' if isa.arranged_for else ""
        attributes = f'{inlined}{arranged}"min-legal-vector-width"="{8 * isa.vector_bytes}" nounwind'
        head = f"define {linkage}{self.returns} @{self.name}({self.parameters}) {attributes} {{"
        return "\n".join([head, *self.lines, "}", ""])

    # ---- values

    def fresh(self) -> str:
        """A new name."""
        self._names += 1
        return f"%v{self._names}"

    def let(self, text: str) -> str:
        """Name the result of an instruction."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {text}")

    def add(self, a: Value, b: Value) -> Value:
        """a + b; nothing is written where one is 0."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if b == 0:
            return a
        return b if a == 0 else self.let(f"add i64 {a}, {b}")

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return a if b == 0 else self.let(f"sub i64 {a}, {b}")

    def mul(self, a: Value, b: Value) -> Value:
        """a * b; nothing is written where one is 1."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if b == 1:
            return a
        return b if a == 1 else self.let(f"mul i64 {a}, {b}")

    def compare(self, how: str, a: Value, b: Value) -> str:
        """A comparison of two i64, by LLVM's word: slt, sge, eq..."""
        return self.let(f"icmp {how} i64 {a}, {b}")

    def smaller(self, a: Value, b: Value) -> str:
        """The smaller of two i64."""
        return self.let(f"select i1 {self.compare('slt', a, b)}, i64 {a}, i64 {b}")

    def larger(self, a: Value, b: Value) -> str:
        """The larger of two i64."""
        return self.let(f"select i1 {self.compare('sgt', a, b)}, i64 {a}, i64 {b}")

    def both(self, a: str, b: str) -> str:
        """a and b."""
        return self.let(f"and i1 {a}, {b}")

    # ---- memory

    def at(self, base: str, offset: Value) -> str:
        """The address `offset` bytes from `base`."""
        return base if offset == 0 else self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def aligned(self, pointer: str, size: int) -> str:
        """Whether an address is a multiple of so many bytes, a power of two."""
        number = self.let(f"ptrtoint ptr {pointer} to i64")
        return self.compare("eq", self.let(f"and i64 {number}, {size - 1}"), 0)

    def load(self, kind: str, pointer: str, offset: Value = 0) -> str:
        """Load a scalar."""
        return self.let(f"load {kind}, ptr {self.at(pointer, offset)}, align {8 if kind == 'ptr' else BYTES[kind]}")

    def word(self, table: str, index: int) -> str:
        """Entry `index` of a table of i64."""
        return self.load("i64", table, 8 * index)

    def pointer(self, table: str, index: int) -> str:
        """Entry `index` of a table of i64, as a pointer."""
        return self.load("ptr", table, 8 * index)

    def store(self, kind: str, value: Value, pointer: str, offset: Value = 0) -> None:
        """Store a scalar."""
        align = 8 if kind == "ptr" else BYTES[kind]
        self.do(f"store {kind} {value}, ptr {self.at(pointer, offset)}, align {align}")

    def stack(self, size: int) -> str:
        """Room on the stack for the whole of the function, aligned to a cache line."""
        name = self.fresh()
        self.lines.insert(1, f"  {name} = alloca [{size} x i8], align 64")
        for loop in self.loops:
            loop.place += 1
        return name

    # ---- vectors

    def vload(self, v: Vector, pointer: str, offset: Value = 0) -> str:
        """Load a vector."""
        return self.let(f"load {v.text}, ptr {self.at(pointer, offset)}, align {BYTES[v.element]}")

    def vstore(self, v: Vector, value: str, pointer: str, offset: Value = 0, *, streaming: bool = False) -> None:
        """Store a vector; `streaming` goes past the caches and wants the address aligned to the vector."""
        tail = f"align {v.bytes}, !nontemporal !0" if streaming else f"align {BYTES[v.element]}"
        self.do(f"store {v.text} {value}, ptr {self.at(pointer, offset)}, {tail}")

    def masked_load(self, v: Vector, pointer: str, mask: str, offset: Value = 0) -> str:
        """Load the lanes of a mask, zero elsewhere; lanes that are off touch no memory."""
        name = f"llvm.masked.load.{v.mangled}.p0"
        self.module.declare(f"{v.text} @{name}(ptr, i32, {v.mask}, {v.text})")
        where = self.at(pointer, offset)
        align = BYTES[v.element]
        return self.let(f"call {v.text} @{name}(ptr {where}, i32 {align}, {v.mask} {mask}, {v.text} zeroinitializer)")

    def masked_store(self, v: Vector, value: str, pointer: str, mask: str, offset: Value = 0) -> None:
        """Store the lanes of a mask; lanes that are off touch no memory."""
        name = f"llvm.masked.store.{v.mangled}.p0"
        self.module.declare(f"void @{name}({v.text}, ptr, i32, {v.mask})")
        where = self.at(pointer, offset)
        self.do(f"call void @{name}({v.text} {value}, ptr {where}, i32 {BYTES[v.element]}, {v.mask} {mask})")

    def gather(self, v: Vector, pointer: str, indices: str, mask: str) -> str:
        """Load elements pointer[index] (i32 indices of elements) where the mask is on, zero elsewhere."""
        pointers = f"<{v.lanes} x ptr>"
        name = f"llvm.masked.gather.{v.mangled}.v{v.lanes}p0"
        self.module.declare(f"{v.text} @{name}({pointers}, i32, {v.mask}, {v.text})")
        where = self.let(f"getelementptr {v.element}, ptr {pointer}, <{v.lanes} x i32> {indices}")
        align = BYTES[v.element]
        return self.let(
            f"call {v.text} @{name}({pointers} {where}, i32 {align}, {v.mask} {mask}, {v.text} zeroinitializer)"
        )

    def splat(self, v: Vector, scalar: Value) -> str:
        """A vector with a scalar in every lane."""
        one = self.let(f"insertelement {v.text} poison, {v.element} {scalar}, i32 0")
        return self.shuffle(v, one, "poison", [0] * v.lanes)

    def broadcast(self, v: Vector, pointer: str, offset: Value = 0) -> str:
        """Load a scalar into every lane."""
        return self.splat(v, self.load(v.element, pointer, offset))

    def broadcasts(self, v: Vector, pointer: str, count: int) -> Iterator[str]:
        """Scalars that lie side by side, each in every lane, loaded as they are asked for.

        Where a lane of a vector can be an operand, vectors of them are loaded: whole ones, then halves. One that is
        left is the second of a pair, because to load it alone is to load it into all lanes, which takes more work.
        """
        first, size, by_lane = 0, BYTES[v.element], self.module.isa.by_lane
        while first < count:
            lanes = 1 << min(v.lanes, count - first).bit_length() - 1 if by_lane else 1
            if lanes == 1 and not (by_lane and first):
                yield self.broadcast(v, pointer, first * size)
            else:
                some = Vector(v.element, max(lanes, 2))
                start = first + lanes - some.lanes
                loaded = self.vload(some, pointer, start * size)
                for lane in range(first - start, some.lanes):
                    yield self.shuffle(some, loaded, "poison", [lane] * v.lanes)
            first += lanes

    def shuffle(self, v: Vector, a: str, b: str, indices: Sequence[int | None]) -> str:
        """Lanes picked from the two vectors laid side by side; None: any value."""
        listed = ", ".join("i32 poison" if i is None else f"i32 {i}" for i in indices)
        return self.let(f"shufflevector {v.text} {a}, {v.text} {b}, <{len(indices)} x i32> <{listed}>")

    def joined(self, v: Vector, parts: Sequence[str]) -> str:
        """Vectors one behind the other, a power of two of them, as one that is longer."""
        if len(parts) == 1:
            return parts[0]
        half, lanes = len(parts) // 2, len(parts) * v.lanes
        one, two = self.joined(v, parts[:half]), self.joined(v, parts[half:])
        return self.shuffle(Vector(v.element, lanes // 2), one, two, range(lanes))

    def fma(self, v: Vector, a: str, b: str, c: str) -> str:
        """a * b + c: fused where the processor has it, else in two roundings (a call into libm would be slow)."""
        if not self.module.isa.fma:
            product = self.let(f"fmul {v.text} {a}, {b}")
            return self.let(f"fadd {v.text} {product}, {c}")
        name = f"llvm.fma.{v.mangled}"
        self.module.declare(f"{v.text} @{name}({v.text}, {v.text}, {v.text})")
        return self.let(f"call {v.text} @{name}({v.text} {a}, {v.text} {b}, {v.text} {c})")

    def select(self, v: Vector, mask: str, a: str, b: str) -> str:
        """Lanes of a where the mask is on, of b elsewhere."""
        return self.let(f"select {v.mask} {mask}, {v.text} {a}, {v.text} {b}")

    def lanes_between(self, v: Vector, low: Value | None, high: Value, first: int = 0) -> str:
        """The mask of the lanes l with low <= first + l < high, for i64 bounds within the range of i32."""
        counted = f"<{', '.join(f'i32 {first + lane}' for lane in range(v.lanes))}>"
        mask = self._lanes(v, "slt", counted, high)
        return mask if low is None else self.let(f"and {v.mask} {mask}, {self._lanes(v, 'sge', counted, low)}")

    def _lanes(self, v: Vector, how: str, counted: str, bound: Value) -> str:
        wide = Vector("i32", v.lanes)
        narrow = self.let(f"trunc i64 {bound} to i32")
        return self.let(f"icmp {how} {wide.text} {counted}, {self.splat(wide, narrow)}")

    def prefetch(self, pointer: str, offset: Value = 0, *, level: int = 1) -> None:
        """Ask for a cache line ahead of its use, in a level of cache; any address is allowed."""
        self.module.declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.do(f"call void @llvm.prefetch.p0(ptr {self.at(pointer, offset)}, i32 0, i32 {4 - level}, i32 1)")

    # ---- control

    def start(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def label(self, word: str) -> str:
        """A new name for a block."""
        self._names += 1
        return f"{word}{self._names}"

    def jump(self, label: str) -> None:
        """Go to a block."""
        self.do(f"br label %{label}")

    def branch(self, condition: str, then: str, otherwise: str) -> None:
        """Go to one of two blocks."""
        self.do(f"br i1 {condition}, label %{then}, label %{otherwise}")

    def ret(self, value: str = "") -> None:
        """Return."""
        self.do(f"ret {value or 'void'}")

    def leave(self) -> None:
        """Return from within a body; what would follow in it is never reached."""
        self.ret()
        self.start(self.label("unreached"))

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Do the body where the condition holds."""
        then, after = self.label("then"), self.label("after")
        self.branch(condition, then, after)
        self.start(then)
        yield
        self.jump(after)
        self.start(after)

    @contextmanager
    def choose(self, condition: str) -> Iterator[tuple[Branch, Branch]]:
        """Two bodies, each `with then:` or `with otherwise:`."""
        then, otherwise, after = self.label("then"), self.label("else"), self.label("after")
        self.branch(condition, then, otherwise)
        yield Branch(self, then, after), Branch(self, otherwise, after)
        self.start(after)

    def next(self, *values: Value) -> None:
        """What the innermost open loop starts its next iteration with."""
        self.loops[-1].following = values

    def loop(
        self, stop: Value, *, step: int = 1, carried: Sequence[tuple[str, Value]] = (), once: bool = False
    ) -> Loop:
        """Count from 0 to `stop`; `carried` are (type, first value) of what changes from iteration to iteration.

        `once`: the body runs at least once, whatever `stop` is, which saves a test.
        """
        return Loop(self, stop, step, carried, once)


@dataclass
class Branch:
    """One of the two bodies of `Function.choose`."""

    function: Function
    label: str
    after: str

    def __enter__(self) -> None:
        self.function.start(self.label)

    def __exit__(self, *_: object) -> None:
        self.function.jump(self.after)


class Loop:
    """`with f.loop(...) as (i, values)`: the body ends with `f.next(...)`; `f.results` then holds the last values."""

    def __init__(
        self, function: Function, stop: Value, step: int, carried: Sequence[tuple[str, Value]], once: bool
    ) -> None:
        self.function, self.stop, self.step, self.once = function, stop, step, once
        self.kinds = [kind for kind, _ in carried]
        self.first = [value for _, value in carried]
        self.following: Sequence[Value] = ()

    def __enter__(self) -> tuple[str, list[str]]:
        f = self.function
        f.loops.append(self)
        self.before, self.head, self.after = f.block, f.label("loop"), f.label("done")
        f.jump(self.head)
        f.start(self.head)
        self.counter, self.phis = f.fresh(), [f.fresh() for _ in self.kinds]
        self.place = len(f.lines)
        if not self.once:
            body = f.label("body")
            f.branch(f.compare("slt", self.counter, self.stop), body, self.after)
            f.start(body)
        return self.counter, self.phis

    def __exit__(self, *_: object) -> None:
        f = self.function
        f.loops.pop()
        after = f.add(self.counter, self.step)
        last = f.block
        if self.once:
            f.branch(f.compare("slt", after, self.stop), self.head, self.after)
        else:
            f.jump(self.head)
        names, kinds = [self.counter, *self.phis], ["i64", *self.kinds]
        first, following = [0, *self.first], [after, *self.following]
        f.lines[self.place : self.place] = [
            f"  {name} = phi {kind} [{a}, %{self.before}], [{b}, %{last}]"
            for name, kind, a, b in zip(names, kinds, first, following, strict=True)
        ]
        f.start(self.after)
        # Left at the head where tested first, else at the end: there the last values are the following ones.
        f.results = [str(value) for value in self.following] if self.once else self.phis
