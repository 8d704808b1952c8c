"""Which instructions kernels are generated for, and what happens where there are none."""

import platform
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from registry import ARRAY_METHODS, needs_kernels

import tconv
from tconv.checks import Rejected
from tconv.jit import compile as compiler
from tconv.jit import isa
from tconv.methods import METHODS
from tconv.plan import make_plan

pytestmark = pytest.mark.quick

X, W = np.ones((2, 4, 5, 7), np.float32), np.ones((4, 6, 3, 3), np.float32)


@pytest.fixture(autouse=True)
def nothing_remembered():
    """What was found out on one machine must not be remembered on another."""

    def forget():
        make_plan.cache_clear()
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
        ("Linux", "aarch64", (), ("neon",)),
        ("Linux", "aarch64", AVX512, ("neon",)),
        ("Linux", "riscv64", AVX512, ()),
        ("Windows", "AMD64", AVX512, ()),
        ("Darwin", "arm64", (), ()),
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
def test_features_are_those_that_llvm_finds():
    binding = pytest.importorskip("llvmlite.binding")
    has = {name for name, yes in binding.get_host_cpu_features().items() if yes}
    for target in isa.ISAS.values():
        if target.needs:
            assert isa.processor_features().issuperset(target.needs) == has.issuperset(target.needs), target.name


def test_every_entry_is_consistent():
    for name, target in isa.ISAS.items():
        assert target.name == name
        assert target.lanes(4) == 2 * target.lanes(8) == target.vector_bytes // 4
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
    """Plans are kept; whether they can be run is asked every time."""
    op, can = tconv.ConvTranspose(W), isa.available()
    wanted = op(X)
    for name in can:
        monkeypatch.setenv("TCONV_ISA", name)
        np.testing.assert_allclose(tconv.conv_transpose(X, W, method="jit"), wanted, rtol=1e-5)
    monkeypatch.setenv("TCONV_ISA", "sse9")
    with pytest.raises(ValueError) as error:
        tconv.conv_transpose(X, W, method="jit")
    text = f"TCONV_ISA must be one of {', '.join(can)} on this machine, or unset; got 'sse9'"
    assert str(error.value) == f"conv_transpose: {text}"


def check_without_kernels(reason):
    """All but the engine compute, and the plan says why it does not."""
    wanted = tconv.conv_transpose(X, W, method="matrix")
    np.testing.assert_allclose(tconv.conv_transpose(X, W), wanted, rtol=1e-5)
    np.testing.assert_allclose(tconv.ConvTranspose(W)(X), wanted, rtol=1e-5)
    plan = tconv.plan(X, W)
    assert plan.method in ARRAY_METHODS
    assert {candidate.method: candidate.excluded for candidate in plan.candidates} == {
        **dict.fromkeys(METHODS, ""),
        "jit": reason,
    }
    shown = [line.split(maxsplit=5) for line in str(plan).splitlines()]
    assert ["jit", "inf", "s", "0", "B", reason] in shown
    with pytest.raises(ValueError) as error:
        tconv.conv_transpose(X, W, method="jit")
    assert str(error.value).splitlines()[0] == f'conv_transpose: method "jit" {reason}'
    with pytest.raises(ValueError) as error:
        tconv.ConvTranspose(W, method="jit")(X)
    assert str(error.value).splitlines()[0] == f'ConvTranspose: method "jit" {reason}'


def test_a_processor_without_support(machine):
    machine("Linux", "riscv64")
    assert compiler.available() == "no kernels are generated for this processor (riscv64)"
    with pytest.raises(Rejected, match=r"^no kernels are generated for this processor \(riscv64\)$"):
        isa.current()
    check_without_kernels("has no kernels for this processor")


def test_a_system_without_support(machine):
    machine("Windows", "AMD64", AVX512)
    check_without_kernels("has no kernels for this processor")


def test_without_llvmlite(machine, monkeypatch):
    machine("Linux", "x86_64", AVX512)
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    assert compiler.available() == "llvmlite is not installed: pip install llvmlite"
    check_without_kernels("cannot generate kernels: llvmlite is not installed: pip install llvmlite")
