"""Sets of instructions that the processor lacks, lowered onto those it has: their schedules, tables and IR are run."""

from functools import lru_cache

import pytest
from lowered import in_use, runs_natively, target
from registry import needs_kernels
from schedule_cases import CASES, EVERY_CASE

from tconv.jit.machine import isa
from tests.fuzz.trial import Trial

pytestmark = needs_kernels


@lru_cache(maxsize=1)
def one_of_each():
    """For each set of instructions, operation, layout and kind of schedule the first case that has it.

    In float64: what packs vectors of 16 elements takes LLVM, where they have to become several, ten times as long as of
    8. The fuzz has both.
    """
    found = {}
    for name in isa.ISAS:
        for case, channels_last in EVERY_CASE:
            problem = CASES[case].problem("float64")
            for schedule in CASES[case].schedules("float64", channels_last, target(name)):
                found.setdefault((name, problem.operation, channels_last, schedule.kind), (problem, schedule))
    return found


@pytest.mark.parametrize("name", isa.ISAS)
def test_every_kind_of_schedule(name):
    """Natively these are run by the tests of the engine, in every case."""
    of_name = {key: value for key, value in one_of_each().items() if key[0] == name}
    assert len(of_name) > 15
    if runs_natively(name):
        return
    for (_, _, channels_last, _), (problem, schedule) in of_name.items():
        Trial(problem, channels_last, name, threads=2).compiled(schedule)


@pytest.mark.parametrize("name", isa.ISAS)
def test_what_runs_here_has_the_lanes_of_what_is_meant(name):
    meant, runs = isa.ISAS[name], target(name)
    assert runs.triple == isa.ISAS[isa.available()[0]].triple
    for what in ("name", "vector_bytes", "registers", "fma", "masks", "broadcast", "mask_registers", "by_lane"):
        assert getattr(runs, what) == getattr(meant, what)
    assert (runs == meant) == runs_natively(name)


def test_it_is_in_use_for_a_while_only():
    before = isa.current()
    for name in isa.ISAS:
        with in_use(name, 2) as wanted:
            assert isa.current() is wanted
            assert wanted.name == name
        assert isa.current() is before
