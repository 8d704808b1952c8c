"""The fuzz finds faults that are planted, in its own cases; what it finds can be met again."""

import os
import re
import signal

import pytest
from needs import needs_signals
from registry import needs_kernels

from tconv.jit.machine.isa import ISAS
from tconv.problem import OPERATIONS
from tests.fuzz import __main__ as program
from tests.fuzz.cases import Options, schedules
from tests.fuzz.faults import FAULTS
from tests.fuzz.trial import Trial
from tests.fuzz.work import Runner

OPTIONS = Options(0, tuple(ISAS), OPERATIONS)

#: A case that shows each fault: `python -m tests.fuzz --prove` says which.
SHOWN_BY = {
    "rows that a stride sets apart, in place": 304,
    "outer axes cropped, cells at once": 246,
    "a cell less at the high border": 2,
    "no zeros between rows that a tile spans": 32,
    "lanes of the last vector": 4,
    "where the weights of a group begin": 20,
    "from image to image of y": 4,
    "the last row, of some phases": 111,
    "copies as if cells were not apart": 129,
    "the bias of the second tile of channels": 87,
    "strides of two axes swapped": 3,
    "cells that exist, of one row only": 73,
    "chunks at the high border like the others": 4,
    "chunks that lack a phase like the others": 171,
    "rows of cells at once, a stride apart": 192,
    "parts of rows of cells at once": 159,
    "rows that some taps miss like the others": 33,
    "the last of several tiles that are alike": 37,
    "an epilogue from the first q on, where y begins later": 90,
    "an epilogue of rows side by side where they are not": 5,
    "an epilogue after each tile of a run": 71,
    "the first phase of another origin": 46,
    "rows of a box moved as one": 32,
    "axes of a box joined": 25,
    "the cell of a single one": 49,
}


def failures(number, share=0.0):
    return list(Runner(OPTIONS, share).case(number))


def test_every_fault_has_a_case():
    assert SHOWN_BY.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name):
    assert failures(SHOWN_BY[name]) == []
    with FAULTS[name].planted():
        assert failures(SHOWN_BY[name])


def test_cases_come_from_their_numbers_alone():
    for number in (0, 7, 1 << 30):
        trial = OPTIONS.trial(number)
        assert trial == OPTIONS.trial(number)
        assert list(schedules(trial)) == list(schedules(trial))
    assert len({OPTIONS.trial(number) for number in range(50)}) == 50


@needs_kernels
@pytest.mark.parametrize("name", ISAS)
def test_cases_interpreted_compiled_and_called(name):
    """A few of what `python -m tests.fuzz` does without end, all of them compiled."""
    runner = Runner(Options(1, (name,), OPERATIONS), share=1.0)
    for number in range(2):
        assert [failure.what for failure in runner.case(number)] == []
        assert all(runner.done[how] for how in ("interpreted", "compiled", "called"))


@needs_kernels
def test_the_program_says_how_to_meet_a_failure_again(capsys):
    """In another process, which a fault that is planted before it begins is in, too."""
    name = "where the weights of a group begin"
    number = SHOWN_BY[name]
    with FAULTS[name].planted():
        assert program.main(["--only", str(number), "--share", "0"]) == 1
        said = capsys.readouterr().out
        assert f"python -m tests.fuzz --seed 0 --only {number}\n" in said
        assert said.count(" elements are wrong") > 1  # as they come, and at the end
        pasted = re.search(r"^import tests\.fuzz\n.*?\)$(?=\n\n)", said, re.MULTILINE | re.DOTALL)[0]
        with pytest.raises(AssertionError, match="elements are wrong"):
            exec(pasted, {})
    exec(pasted, {})
    assert program.main(["--only", str(number)]) == 0


@needs_signals
def test_a_process_that_dies_is_a_failure_of_its_case(capsys, monkeypatch):
    """As it does where a kernel steps onto an inaccessible page."""
    monkeypatch.setattr(Trial, "interpreted", lambda self, schedule: os.kill(os.getpid(), signal.SIGSEGV))
    assert program.main(["--only", "3"]) == 1
    assert re.search(r"^3: the process ended with -\d+: ", capsys.readouterr().out, re.MULTILINE)
