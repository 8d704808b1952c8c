"""What `.ci/emulated` runs inside of emulators, here without one: problems, and LLVM in another process."""

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest
from needs import needs_signals
from registry import needs_kernels

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa, launch
from tconv.problem import OPERATIONS
from tests.emulated import __main__ as program
from tests.emulated import inside, outside
from tests.emulated.systems import REPOSITORY, SYSTEMS, Started, as_windows

pytestmark = [needs_kernels, needs_signals]  # it runs on Linux

IR = "define i64 @f(i64 %x) {\n  %y = mul i64 %x, 3\n  ret i64 %y\n}\n"


@pytest.fixture
def served(monkeypatch):
    """LLVM in a thread of its own; what changes inside of an emulator is changed back."""
    for module, name in ((compiler, "_compiled"), (launch, "BRIEF"), (launch, "starting")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(launch, "_here", launch._Process(forked=False))
    with outside.serving() as where:
        for name, value in where.items():
            monkeypatch.setenv(name, value)
        yield


def test_problems_lean_on_edges():
    trials = [inside.trial(operation, number) for operation in OPERATIONS for number in range(inside.PROBLEMS)]
    problems = [trial.problem for trial in trials]
    axes = [axis for problem in problems for axis in problem.geometry.axes]
    for found in (
        {trial.channels_last for trial in trials} == {False, True},
        {problem.dtype for problem in problems} == {"float32", "float64"},
        {problem.geometry.ndim for problem in problems} >= {1, 2, 3},
        any(problem.groups > 1 for problem in problems),
        any(problem.groups > 1 and problem.cin == problem.cout == 1 for problem in problems),
        any(axis.coarse == 1 for axis in axes),
        any(axis.kernel < axis.stride for axis in axes),
        any(axis.dilation > 1 for axis in axes),
        any(min(axis.padding) < 0 for axis in axes),
        any(axis.output_padding for axis in axes),
    ):
        assert found


def test_a_few_problems(served, capsys, folder):
    assert inside.main([isa.current().name, "--problems", "4"]) == 0
    assert f"{isa.current().name}: 12 of 12 problems right, " in capsys.readouterr().out


def test_wrong_results_are_counted(served, capsys, monkeypatch, folder):
    right = inside.call
    monkeypatch.setattr(inside, "call", lambda trial, method: 1 / (trial.seed - 1) and right(trial, method))
    assert inside.main(["--problems", "2"]) == 1
    said = capsys.readouterr().out
    assert said.count("ZeroDivisionError") == 3
    assert ": 3 of 6 problems right, " in said


def test_other_instructions_than_expected_are_an_error(capsys):
    other = next(name for name in isa.ISAS if name != isa.current().name)
    assert inside.main([other]) == 1
    assert capsys.readouterr().out == f"the engine takes {isa.current().name} here, not {other}\n"


def test_llvm_outside_makes_the_same(served):
    inner = compiler._compiled
    with closing(outside.Compiling()) as compiling:
        for target in isa.ISAS.values():
            assert compiling(IR, target) == inner(IR, target)
        assert (compiling.made, compiling.both) == (len(isa.ISAS), 1)
        with pytest.raises(RuntimeError, match="expected instruction opcode"):
            compiling("define void @f() { nonsense }", isa.current())


def test_other_objects_inside_are_an_error(served):
    with closing(outside.Compiling()) as compiling:
        compiling.inside = lambda *_: b"other"
        with pytest.raises(AssertionError, match="another object inside"):
            compiling(IR, isa.current())


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_systems_run_tests_that_are_there(system):
    assert len(set(system.tests)) == len(system.tests)
    assert all((REPOSITORY / "tests/jit/machine" / f"test_{name}.py").exists() for name in system.tests)
    assert system.isa in (*isa.ISAS, "")


def ended(*module):
    return program._ended(Started(Path(sys.executable), {}), dict(os.environ), *module)


def test_what_fails_and_what_hangs_is_not_right(monkeypatch):
    assert ended("json.tool", "--help").right
    failed = ended("json.tool", "no such file")
    assert not failed.right
    assert "no such file" in failed.text
    monkeypatch.setattr(program, "PATIENCE", 0.5)
    hanging = ended("http.server", "0")
    assert (hanging.right, hanging.text.splitlines()[-1]) == (False, "http.server hangs: it did not end in 0.5 s")


def test_unknown_systems(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [".ci/emulated", "vax"])
    with pytest.raises(SystemExit):
        program.main()
    assert capsys.readouterr().err.endswith(f"there is no system vax: choose from {', '.join(SYSTEMS)}\n")


def test_paths_under_wine():
    assert as_windows(REPOSITORY.parent / "a b") == "Z:" + str(REPOSITORY.parent).replace("/", "\\") + "\\a b"
