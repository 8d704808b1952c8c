"""Which instructions kernels are generated for, and what happens where there are none."""

import os
import platform
import subprocess
import sys
import types
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from needs import EMULATOR, needs_scipy
from numpy._core import _multiarray_umath
from registry import ARRAY_METHODS, INEXACT, needs_kernels

import tconv
from tconv.checks import Rejected
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.systems import TRIPLES
from tconv.methods import METHODS
from tconv.plan import ASKED_FOR, planned

pytestmark = pytest.mark.quick

X, W = np.ones((2, 4, 5, 7), np.float32), np.ones((4, 6, 3, 3), np.float32)


@pytest.fixture(autouse=True)
def nothing_remembered():
    """What was found out on one machine must not be remembered on another."""

    def forget():
        planned.cache_clear()
        isa._pick.cache_clear()

    forget()
    yield
    forget()


@pytest.fixture
def machine(monkeypatch):
    """Another machine: a system, a processor, its features."""

    def change(system, name, features=()):
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: name)
        monkeypatch.setattr(isa, "processor_features", lambda: frozenset(features))

    return change


AVX2 = isa.ISAS["avx2"].needs
AVX512 = isa.ISAS["avx512"].needs


@pytest.mark.parametrize(
    ("system", "name", "features", "can"),
    [
        ("Linux", "x86_64", AVX512, ("avx512", "avx2", "baseline")),
        ("Linux", "x86_64", (*AVX512, "amx", "sse4a"), ("avx512", "avx2", "baseline")),
        ("Linux", "x86_64", AVX512[:-1], ("avx2", "baseline")),
        ("Linux", "x86_64", AVX2[1:], ("baseline",)),
        ("Linux", "x86_64", (), ("baseline",)),
        ("Linux", "aarch64", ("neon",), ("neon",)),
        ("Linux", "aarch64", (), ()),
        ("Linux", "aarch64", AVX512, ()),
        ("Linux", "riscv64", AVX512, ()),
        ("Darwin", "x86_64", AVX2, ("avx2", "baseline")),
        ("Darwin", "arm64", ("neon",), ("neon",)),
        ("FreeBSD", "amd64", AVX512, ()),
    ],
)
def test_what_a_machine_can_run(machine, system, name, features, can):
    machine(system, name, features)
    assert isa.available() == can
    if can:
        assert isa.current() is isa.ISAS[can[0]]


@needs_kernels
def test_this_machine(monkeypatch):
    monkeypatch.delenv("TCONV_ISA", raising=False)
    can = isa.available()
    assert [name for name in isa.ISAS if name in can] == list(can)
    assert isa.current().name == can[0]
    for name in can:
        monkeypatch.setenv("TCONV_ISA", name)
        assert isa.current() is isa.ISAS[name]


@needs_kernels
@pytest.mark.skipif(EMULATOR == "qemu", reason="LLVM may read /proc/cpuinfo, which is that of the outside")
def test_features_are_those_that_llvm_finds():
    binding = pytest.importorskip("llvmlite.binding")
    has = {name for name, yes in binding.get_host_cpu_features().items() if yes}
    for target in isa.ISAS.values():
        if target.needs:
            assert isa.processor_features().issuperset(target.needs) == has.issuperset(target.needs), target.name


#: What the system says of a processor that has everything.
CPUINFO = "flags\t\t: fpu sse2 avx2 fma f16c bmi2 avx512f avx512bw avx512dq avx512vl\nFeatures\t: fp asimd\n"


@pytest.fixture
def found(monkeypatch):
    """The features of a processor of which NumPy and LLVM find out this; None: NumPy keeps it elsewhere, no LLVM."""

    def features(by_numpy, by_llvm=None):
        isa.processor_features.cache_clear()
        with monkeypatch.context() as patch:
            if by_numpy is None:
                patch.delattr(_multiarray_umath, "__cpu_features__")
            else:
                patch.setattr(_multiarray_umath, "__cpu_features__", by_numpy)
            binding = types.SimpleNamespace(get_host_cpu_features=lambda: by_llvm)
            patch.setitem(sys.modules, "llvmlite", by_llvm and types.SimpleNamespace(binding=binding))
            patch.setattr(Path, "read_text", lambda *given, **keywords: CPUINFO)
            return isa.processor_features()

    yield features
    isa.processor_features.cache_clear()


#: NumPy's table in its versions before 2.4, and what came with that.
NOTHING = dict.fromkeys(("SSE2", "AVX2", "FMA3", *(f"AVX512{part}" for part in ("F", "CD", "BW", "DQ", "VL"))), False)
NOTHING |= {"AVX512_SKX": False, "NEON": False, "ASIMD": False}
EVERYTHING = {**dict.fromkeys(NOTHING, True), "NEON": False, "ASIMD": False}
GROUPS = {"X86_V3": True, "X86_V4": True}


@pytest.mark.parametrize(
    ("by_numpy", "features"),
    [
        ({}, ()),
        ({"AVX2": True, "FMA3": True}, AVX2),
        ({"AVX2": True, "FMA3": True, "AVX512F": True, "AVX512CD": True}, AVX2),
        (EVERYTHING, AVX512),
        ({**EVERYTHING, "AVX512_SKX": False}, AVX2),  # NPY_DISABLE_CPU_FEATURES turns groups off
        (EVERYTHING | GROUPS, AVX512),
        ({**EVERYTHING, **GROUPS, "X86_V4": False}, AVX2),
        ({**EVERYTHING, "X86_V3": False, "X86_V4": False}, ()),
        ({"NEON": True, "ASIMD": True}, ("neon",)),
    ],
)
def test_the_processor_is_asked_and_not_the_system(found, by_numpy, features):
    """An emulator of a processor without AVX shows the host's /proc/cpuinfo, which has it."""
    assert found(NOTHING | by_numpy) == set(features)


@pytest.mark.parametrize("by_numpy", [None, {}, {"AVX2": True}], ids=["elsewhere", "empty", "by other names"])
def test_llvm_is_asked_where_numpy_does_not_say(found, by_numpy):
    assert found(by_numpy, {"avx2": True, "fma": True, "avx512f": False}) == set(AVX2)
    assert found(by_numpy) == frozenset()  # without LLVM: what every processor of the kind has


def test_numpy_knows_all_that_is_needed():
    """Else LLVM would be loaded to find out, which takes long."""
    for feature, names in isa._BY_NUMPY.items():
        assert _multiarray_umath.__cpu_features__.keys() & names, feature
    assert set(isa._BY_NUMPY) == {feature for target in isa.ISAS.values() for feature in target.needs}


@needs_kernels
def test_what_numpy_is_told_to_leave_alone_is_left_alone():
    off = {"avx512": "AVX512F AVX512_SKX X86_V4", "avx2": "AVX2 FMA3 AVX512F X86_V3 X86_V4"}.get(isa.available()[0])
    if off is None or set(off.split()) & set(_multiarray_umath.__cpu_baseline__):
        pytest.skip("this processor has nothing beyond what NumPy itself needs")
    code = "from tconv.jit.machine import isa; print(*isa.available())"
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": off}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == list(isa.available()[1:])


def test_every_entry_is_consistent():
    for name, target in isa.ISAS.items():
        assert target.name == name
        assert target.lanes(4) == 2 * target.lanes(8) == target.vector_bytes // 4
        assert {target.on(system).triple for system in ("linux", "windows", "macos")} <= set(TRIPLES.values())
        assert set(target.needs) <= {word.lstrip("+-") for word in target.features.split(",")}
    with pytest.raises(FrozenInstanceError):
        isa.ISAS["neon"].registers = 16


@pytest.mark.parametrize("forced", ["avx512", "neon", "AVX2", "sse9", " "])
def test_what_the_machine_lacks_cannot_be_forced(machine, monkeypatch, forced):
    machine("Linux", "x86_64", AVX2)
    monkeypatch.setenv("TCONV_ISA", forced)
    reason = f"TCONV_ISA must be one of avx2, baseline on this machine, or unset; got {forced!r}"
    with pytest.raises(Rejected) as rejected:
        isa.current()
    assert str(rejected.value) == reason
    with pytest.raises(ValueError) as error:
        tconv.conv_transpose(X, W)
    assert str(error.value) == f"conv_transpose: {reason}\n  called with x=float32 (2, 4, 5, 7), w=float32 (4, 6, 3, 3)"
    with pytest.raises(ValueError) as error:
        tconv.plan(X, W)
    assert str(error.value) == f"plan: {reason}"


@needs_kernels
def test_what_is_forced_may_change_between_calls(monkeypatch):
    """Plans are kept, for the instructions that they were made for."""
    op, can = tconv.ConvTranspose(W), isa.available()
    wanted = op(X)
    for name in can:
        monkeypatch.setenv("TCONV_ISA", name)
        np.testing.assert_allclose(tconv.conv_transpose(X, W, method="jit"), wanted, rtol=1e-5)
    monkeypatch.setenv("TCONV_ISA", "sse9")
    with pytest.raises(ValueError) as error:
        tconv.conv_transpose(X, W, method="jit")
    text = f"TCONV_ISA must be one of {', '.join(can)} on this machine, or unset; got 'sse9'"
    assert str(error.value).splitlines()[0] == f"conv_transpose: {text}"


def check_without_kernels(reason):
    """All but the engine compute, and the plan says why it does not."""
    wanted = tconv.conv_transpose(X, W, method="matrix")
    np.testing.assert_allclose(tconv.conv_transpose(X, W), wanted, rtol=1e-5)
    np.testing.assert_allclose(tconv.ConvTranspose(W)(X), wanted, rtol=1e-5)
    plan = tconv.plan(X, W)
    assert plan.method in ARRAY_METHODS
    assert {candidate.method: candidate.excluded for candidate in plan.candidates} == {
        **dict.fromkeys(METHODS, ""),
        **dict.fromkeys(INEXACT, ASKED_FOR),
        "jit": reason,
    }
    shown = [line.split(maxsplit=5) for line in str(plan).splitlines()]
    assert ["jit", "inf", "s", "0", "B", reason] in shown
    for method in ("jit", *INEXACT):
        with pytest.raises(ValueError) as error:
            tconv.conv_transpose(X, W, method=method)
        assert str(error.value).splitlines()[0] == f'conv_transpose: method "{method}" {reason}'
        with pytest.raises(ValueError) as error:
            tconv.ConvTranspose(W, method=method)(X)
        assert str(error.value).splitlines()[0] == f'ConvTranspose: method "{method}" {reason}'


@needs_scipy
def test_a_processor_without_support(machine):
    machine("Linux", "riscv64")
    assert compiler.available() == "no kernels are generated for this processor (riscv64)"
    with pytest.raises(Rejected, match=r"^no kernels are generated for this processor \(riscv64\)$"):
        isa.current()
    check_without_kernels("has no kernels for this processor")


@needs_scipy
def test_a_system_without_support(machine):
    machine("FreeBSD", "amd64", AVX512)
    check_without_kernels("has no kernels for this processor")


@needs_scipy
def test_without_llvmlite(machine, monkeypatch):
    machine("Linux", "x86_64", AVX512)
    monkeypatch.setattr(compiler, "_found", False)
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    assert compiler.available() == "llvmlite is not installed: pip install llvmlite"
    check_without_kernels("cannot generate kernels: llvmlite is not installed: pip install llvmlite")
