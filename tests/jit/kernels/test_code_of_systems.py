"""The machine code of every kind of kernel for every system: what it may use there, and what it must give back.

Made as object files are made, on any machine: only what runs it is not there.
"""

import re
from dataclasses import fields, replace
from functools import cache
from math import prod

import pytest
from registry import needs_kernels
from running import problem_of
from test_assembly import functions

import tconv
from tconv.bench.layers import public
from tconv.jit.kernels import by_plane, linking
from tconv.jit.kernels.by_plane import ByPlane
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import fingerprint, isa, loader, pool, transposing
from tconv.jit.machine.ir import Module
from tconv.jit.machine.native.translate import emit
from tconv.jit.machine.relocations import MACHINES, Refused
from tconv.jit.machine.system_calls import KINDS as CALLS
from tconv.jit.machine.systems import TRIPLES
from tconv.jit.schedules import layouts
from tconv.jit.schedules.gradient.loops.chunks import chunks_of_gradient
from tconv.jit.schedules.registry import KINDS
from tconv.problem import OPERATIONS

pytestmark = needs_kernels

TARGETS = [
    pytest.param(name, system, id=f"{name}-{system}")
    for name, target in isa.ISAS.items()
    for system, architecture in TRIPLES
    if target.architecture == architecture
]
#: Together they have all kinds of schedules, in every way that a kernel has; the last has lanes that taps do not reach.
LAYERS = {
    **{name: public()[name].geometry for name in ("dcgan.5", "centernet.dw", "hifigan.up1")},
    "masked": tconv.Geometry.conv_transpose(64, 15, stride=8, padding=4),
    "filtered": tconv.Geometry.conv_transpose((56, 56), 3, padding=1),
}
CHANNELS = {
    "dcgan.5": (128, 3, 1),
    "centernet.dw": (256, 256, 256),
    "hifigan.up1": (64, 48, 1),
    "masked": (64, 1, 1),
    "filtered": (64, 64, 1),
}


#: Whose fields say how much of them is unrolled.
UNROLLED = (Channels, Pixels, Planes)


def _wide(number):
    """A register of AArch64 for floating point by all of its names; what is kept of it is the lower half."""
    return {f"{kind}{number}" for kind in "vqds"}


_X86_INTEGERS = [
    {"rbx", "ebx", "bl"},
    {"rbp", "ebp"},
    *({f"r{n}", f"r{n}d", f"r{n}w", f"r{n}b"} for n in range(12, 16)),
]
_ARM = [*({f"x{n}", f"w{n}"} for n in range(19, 30)), *map(_wide, range(8, 16))]
#: Registers that a function gives back as they were, each by all of its names.
KEPT = {
    **dict.fromkeys([("linux", "x86_64"), ("macos", "x86_64")], _X86_INTEGERS),
    ("windows", "x86_64"): [
        *_X86_INTEGERS,
        *({f"r{name}", f"e{name}"} for name in ("si", "di")),
        *({f"{kind}mm{n}" for kind in "xyz"} for n in range(6, 16)),
    ],
    **{(system, "aarch64"): _ARM for system in ("linux", "windows", "macos")},
}


@cache
def parts(name):
    """Of kernels that differ in sizes only, the largest."""
    target, largest = isa.ISAS[name], {}
    for layer, geometry in LAYERS.items():
        cin, cout, groups = CHANNELS[layer]
        for operation in OPERATIONS:
            problem = problem_of(geometry, cin=cin, cout=cout, groups=groups, operation=operation)
            for layout in (layouts.layout_of(problem, last) for last in (False, True)):
                for kind in KINDS.values():
                    if kind.share(problem, layout, target, 1) is not None:
                        for part in kind.make(problem, layout, target, 1).code.parts:
                            alike = type(part), tuple(value for value in values(part) if isinstance(value, bool))
                            largest[alike] = max(largest.get(alike, part), part, key=size)
    return tuple(largest.values())


def values(part):
    """What describes a kernel."""
    return [getattr(part, field.name) for field in fields(part)]


def size(part):
    """How much of it is unrolled."""
    sizes = ("rows", "pixels", "channels", "vectors", "phases") if isinstance(part, UNROLLED) else ()
    return prod(getattr(part, name, 1) for name in sizes)


def beside(target):
    """The modules that no schedule has: the pool with what the system calls, fingerprints, transposing, planes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "function", lambda module, *_, **__: module)
        yield fingerprint._function.__wrapped__(target)
        yield transposing._function.__wrapped__(target, "float", 9)
    for element in ("float", "double"):
        yield by_plane.module_of(ByPlane(element, True, "snake", "channels", True), target)
    for calls in CALLS[target.system, target.architecture]:
        module = Module(target)
        pool.emit(module, calls)
        yield module


def made(text, target, quickly=False):
    """The object file of a module, and the same code as text."""
    machine, texts = compiler._target(target, opt=0 if quickly else 2), []
    write = machine.emit_object

    def emit_both(module):
        data = write(module)
        texts.append(machine.emit_assembly(module))
        return data

    machine.emit_object = emit_both
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "_compiling", lambda _: machine)
        patch.setattr(compiler, "_target", lambda *_, **__: machine)
        return compiler._compiled(text, target, quickly), texts[0]


@cache
def everything(name, system):
    """All objects of a set of instructions on a system, with their texts."""
    target = isa.ISAS[name].on(system)
    found = {str(part): made(linking.ir(part, target), target) for part in parts(name)}
    found |= {f"beside {number}": made(str(module), target) for number, module in enumerate(beside(target))}
    loop = Module(target)
    emit(chunks_of_gradient, loop)
    return found | {"a loop of tables": made(str(loop), target, quickly=True)}


def outside(data, architecture):
    """The names that an object needs from elsewhere."""
    found = loader.Object(data, MACHINES[architecture])
    return {found._name(symbol) for symbol in found.symbols if symbol[3] == loader._UNDEFINED} - {""}


def frame(body):
    """Bytes that a function takes of the stack."""
    grows = r"subq\s+\$(\d+), %rsp|sub\s+sp, sp, #(\d+)$|st[rp]\s.*\[sp, #-(\d+)\]!|pushq\s"
    steps = [re.match(grows, re.sub(r"\s+//.*", "", line)) for line in body]
    return sum(int(next(filter(None, step.groups()), 8)) for step in steps if step)


def lost(body, system, architecture):
    """The registers that a function does not give back as they were: not put on the stack, though used."""
    used = set(re.findall(r"\b[a-z]+\d*[dwb]?\b", " ".join(line.partition("\t")[2] for line in body)))
    saves = " ".join(line for line in body if re.match(r"push|st[rp]\s|v?mov[au]p[sd]\s", line))
    kept = set(re.findall(r"\b[a-z]+\d*\b", saves))
    return [names for names in KEPT[system, architecture] if used & names and not kept & names]


@pytest.mark.parametrize(("name", "system"), TARGETS)
def test_objects_need_nothing_from_elsewhere_and_are_loaded(name, system):
    architecture = isa.ISAS[name].architecture
    for part, (data, _) in everything(name, system).items():
        assert outside(data, architecture) == ({loader.TABLE} if part.startswith("MacroKernel(") else set()), part
        linked = loader.Object(data, MACHINES[architecture], table=[0]).linked(1 << 40)
        assert linked.functions
        assert 0 < linked.code <= len(linked.image)


@pytest.mark.parametrize(("name", "system"), TARGETS)
def test_frames_are_smaller_than_a_page(name, system):
    """A larger one would have to touch its pages in order, for which Windows has a function that code calls."""
    texts = [text for _, text in everything(name, system).values()]
    assert not any(re.search(r"chkstk|\bsp, sp, #\d+, lsl", text) for text in texts)
    frames = [frame(body) for text in texts for body in functions(text).values()]
    assert 200 < max(frames) < 4096 - 64  # and what it takes to be aligned


@pytest.mark.parametrize(("name", "system"), TARGETS)
def test_registers_that_belong_to_the_caller_are_saved(name, system):
    for part, (_, text) in everything(name, system).items():
        for function, body in functions(text).items():
            assert not lost(body, system, isa.ISAS[name].architecture), (part, function)


@pytest.mark.parametrize("system", [system for system, architecture in TRIPLES if architecture == "aarch64"])
def test_aarch64_leaves_a_register_to_the_system(system):
    assert not any(re.search(r"\b[wx]18\b", text) for _, text in everything("neon", system).values())


def test_what_is_wrong_would_be_seen():
    """A large frame, a function from elsewhere, registers that are another's."""
    windows = isa.ISAS["avx2"].on("windows")
    module = Module(windows)
    f = module.function("wrong", [("i64", "size")])
    f.exported = True
    module.declare("void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    f.do(f"call void @llvm.memset.p0.i64(ptr {f.stack(8192)}, i8 0, i64 %size, i1 false)")
    f.ret()
    data, text = made(str(module), windows)
    assert {"memset", "__chkstk"} == outside(data, "x86_64")
    assert "chkstk" in text
    assert frame(functions(made(str(module), windows.on("linux"))[1])["wrong"]) > 8192
    with pytest.raises(Refused, match="from elsewhere"):
        loader.Object(data, MACHINES["x86_64"]).linked(1 << 40)
    of_linux = [functions(text) for _, text in everything("avx2", "linux").values()]
    assert any(lost(body, "windows", "x86_64") for found in of_linux for body in found.values())
    unreserved = replace(isa.ISAS["neon"], features="+neon")
    assert any(re.search(r"\b[wx]18\b", linking.assembly(part, unreserved)) for part in parts("neon"))
