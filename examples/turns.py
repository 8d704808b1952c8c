"""Training: one network with a progress bar, or several in turns, batch by batch, to time what differs in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from time import perf_counter
from typing import Protocol

from rich.console import Console

from tconv.cli import output


class Training(Protocol):
    """A network and all that it takes to train it."""

    def epoch(self) -> Iterator[float]:
        """Train for an epoch, a batch each time the next loss is asked for."""


@dataclass(slots=True)
class Turns:
    """What one of several networks took, and where it got."""

    seconds: list[float] = field(default_factory=list)  #: of each epoch
    losses: list[list[float]] = field(default_factory=list)  #: of each batch of each epoch

    @property
    def seconds_an_epoch(self) -> float:
        """The median, without the first epoch, in which kernels are generated and memory is asked for."""
        return median(self.seconds[1:] or self.seconds)


def train(
    training: Training, epochs: int, title: str, after: Callable[[int, float], None] = lambda epoch, loss: None
) -> list[float]:
    """Train for so many epochs; the mean loss of each. `after` is called with the epochs done and the last loss."""
    losses: list[float] = []
    with output.progress(title) as progress:
        for number in range(epochs):
            progress(number, epochs, title if not losses else f"{title}, loss {losses[-1]:.4f}")
            losses.append(fmean(training.epoch()))
            after(number + 1, losses[-1])
    return losses


def in_turns(trainings: Mapping[str, Training], epochs: int, title: str = "in turns") -> dict[str, Turns]:
    """Train all for so many epochs, batch by batch in turns, so that what else the machine does slows them alike."""
    turns = {name: Turns() for name in trainings}
    with output.progress(title) as progress:
        for number in range(epochs):
            progress(number, epochs)
            _epoch(trainings, turns)
    return turns


def _epoch(trainings: Mapping[str, Training], turns: Mapping[str, Turns]) -> None:
    running = {name: training.epoch() for name, training in trainings.items()}
    order = list(trainings)
    for turn in turns.values():
        turn.seconds.append(0.0)
        turn.losses.append([])
    while order:
        for name in tuple(order):
            start = perf_counter()
            loss = next(running[name], None)
            turns[name].seconds[-1] += perf_counter() - start
            if loss is None:
                order.remove(name)
            else:
                turns[name].losses[-1].append(loss)
        order.reverse()  # nobody always runs after the same one


def show(title: str, turns: Mapping[str, Turns], out: Console, heads: Sequence[str] = ("layers",)) -> None:
    """A table of networks that were trained in turns; a name with commas fills several columns."""
    epochs = len(next(iter(turns.values())).seconds)
    columns = (*heads, "seconds an epoch", "first loss", f"loss of epoch {epochs}")
    rows = [
        (*name.split(", "), f"{t.seconds_an_epoch:.2f}", f"{t.losses[0][0]:.6f}", f"{fmean(t.losses[-1]):.4f}")
        for name, t in turns.items()
    ]
    output.heading(title, out)
    output.table(columns, rows, out, right=columns[len(heads) :])
