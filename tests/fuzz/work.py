"""What is done with a case, in a process of its own: a kernel that steps outside its arrays ends it, not the fuzz."""

from __future__ import annotations

import faulthandler
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time
from typing import Any, NamedTuple

from tests.fuzz import cases
from tests.fuzz.calls import call
from tests.fuzz.cases import Options
from tests.fuzz.trial import Trial

#: Cases of a process: what is compiled stays in memory.
RECYCLED = 400
#: Methods that the public functions are called with.
METHODS = ("auto", "jit")


class Failure(NamedTuple):
    """A case that went wrong: what happened, and how to meet it again."""

    number: int
    what: str
    code: str


class Runner:
    """Runs cases, and knows which kernels are compiled.

    Interpreting takes some 10 ms a schedule and compiling 100 to 400, running what is compiled next to nothing. So
    every schedule is interpreted, and kernels that are new are compiled for a share of the time at most.
    """

    def __init__(self, options: Options, share: float = 0.5) -> None:
        self.options, self.share = options, share
        self.compiled: set[Any] = set()
        self.done: Counter[str] = Counter()  #: in the case at hand
        self.spent = dict.fromkeys(("interpreted", "compiled", "called"), 0.0)

    def case(self, number: int) -> Iterator[Failure]:
        """One case; its failures."""
        trial, boxed = self.options.trial(number), self.options.boxed(number)
        self.done.clear()
        for one in (trial, *([boxed] if boxed.problem.within else [])):
            yield from self._schedules(one)
        if self._there_is_time():
            yield from self._try(trial, METHODS[number % len(METHODS)], "called")

    def _schedules(self, trial: Trial) -> Iterator[Failure]:
        for schedule in cases.schedules(trial, self.options.seed):
            yield from self._try(trial, schedule, "interpreted")
            known = (schedule.code, trial.isa) in self.compiled
            if known or self._there_is_time():
                self.compiled.add((schedule.code, trial.isa))
                yield from self._try(trial, schedule, "compiled")

    def _there_is_time(self) -> bool:
        """To compile."""
        return self.spent["compiled"] + self.spent["called"] < self.share * sum(self.spent.values())

    def _try(self, trial: Trial, what: Any, how: str) -> Iterator[Failure]:
        self.done[how] += 1
        begun = process_time()
        try:
            if how == "called":
                call(trial, what)
            else:
                getattr(trial, how)(what)
        except Exception as error:  # any: the fuzz goes on
            yield Failure(trial.seed, f"{how}: {cases.text(trial, what)}: {_said(error)}", cases.code(trial, what, how))
        self.spent[how] += process_time() - begun


def _said(error: Exception) -> str:
    """What an error says; where it came from, unless it says that a result is wrong."""
    if isinstance(error, AssertionError):
        return f"{type(error).__name__}: {error}"
    return "".join(traceback.format_exception(error, limit=-3)).rstrip()


def _serve(options: Options, numbers: range, share: float, to: Connection) -> None:
    faulthandler.enable(sys.__stderr__)
    runner = Runner(options, share)
    for number in numbers:
        to.send(number)
        for failure in runner.case(number):
            to.send(failure)
        to.send(runner.done)


def run(options: Options, numbers: range, share: float) -> Iterator[Failure | Counter[str]]:
    """Failures as they come, and what was done with each case as it ends."""
    while numbers:
        here, there = get_context("fork").Pipe(duplex=False)
        process = get_context("fork").Process(
            target=_serve, args=(options, numbers[:RECYCLED], share, there), daemon=True
        )
        process.start()
        there.close()
        number = numbers.start
        try:
            while True:
                said = here.recv()
                if isinstance(said, int):
                    number = said
                else:
                    yield said
        except EOFError:
            process.join()
        finally:
            process.kill()
        if process.exitcode:
            what = f"the process ended with {process.exitcode}: {cases.text(options.trial(number))}"
            yield Failure(number, what, "")
        numbers = range(number + 1, numbers.stop)
