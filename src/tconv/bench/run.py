"""A whole run: who takes part, which layers, and a record that is written as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tconv.arguments import Layout
from tconv.bench import cores, drawn, layers, machine
from tconv.bench.layers import BenchLayer
from tconv.bench.measure import measure
from tconv.bench.peers import OURS, PEERS, Peer
from tconv.bench.record import Record
from tconv.measuring.rounds import Effort
from tconv.problem import Operation

#: Seconds before a turn where there is more than one thread. Threads wait busily for a while after their work, on the
#: cores of whoever comes next: those of GNU's OpenMP for 8 ms, those of NumPy's OpenBLAS for more than 50 and less than
#: 100, which made the next one 1.6 times as slow.
PAUSE = 0.1

Progress = Callable[[int, int, str], None]


class NotComparable(Exception):
    """A record is of another machine, version or request, and in what they differ."""


@dataclass(frozen=True)
class Request:
    """What to measure."""

    layers: tuple[str, ...] = ()  #: names of public layers; all where empty
    random: int = 0  #: draw so many layers instead
    seed: int = 0
    peers: tuple[str, ...] = ()  #: all where empty
    threads: int = 1
    layout: Layout = "channels_first"
    rounds: int = 7
    operation: Operation = "conv_transpose"

    def chosen_layers(self) -> list[BenchLayer]:
        """The layers to measure, in the order of the file, or of their numbers."""
        if self.random:
            return [drawn.draw(self.seed, number) for number in range(self.random)]
        return [layer for name, layer in layers.public().items() if name in (self.layers or (name,))]

    def contestants(self) -> list[Peer]:
        """Who is measured: tconv's ways, and the peers."""
        return [*OURS.values(), *(peer for name, peer in PEERS.items() if name in (self.peers or (name,)))]

    @property
    def effort(self) -> Effort:
        """How long each layer is measured."""
        return Effort(rounds=self.rounds, pause=PAUSE if self.threads > 1 else 0.0)

    def options(self) -> dict[str, Any]:
        """What makes two runs comparable: not which layers."""
        drawn_with = {"seed": self.seed} if self.random else {}
        return {
            "operation": self.operation,
            "threads": self.threads,
            "layout": self.layout,
            "rounds": self.rounds,
            "peers": list(self.peers or PEERS),
            **drawn_with,
        }


def run(request: Request, *, path: Path | None, resumed: Record | None, progress: Progress) -> Record:
    """Measure what `resumed` does not hold yet, writing the record to `path` after each layer."""
    with cores.held(request.threads):
        record, contestants = begin(request)
        if resumed is not None:
            if difference := record.differs_from(resumed):
                raise NotComparable(difference)
            record.rows = list(resumed.rows)
        _measure_all(request, record, contestants, path, progress)
    return record


def begin(request: Request) -> tuple[Record, list[Peer]]:
    """An empty record, and who takes part. Within `cores.held`: some can be held to the threads only then."""
    record = Record(machine.describe(), request.options(), {})
    present = []
    for contestant in request.contestants():
        if not contestant.settings_for(request.operation):
            continue
        if reason := contestant.missing(request.threads):
            record.skipped[contestant.name] = reason
        else:
            present.append(contestant)
    if reason := machine.no_ceilings():
        record.skipped["roofline"] = reason
    return record, present


def _measure_all(
    request: Request, record: Record, contestants: Sequence[Peer], path: Path | None, progress: Progress
) -> None:
    wanted = request.chosen_layers()
    there = {row.layer for row in record.rows}
    for number, layer in enumerate(wanted):
        if layer in there:
            continue

        def say(what: str, number: int = number, name: str = layer.name) -> None:
            progress(number, len(wanted), f"{name}: {what}")

        measured = measure(
            layer,
            contestants,
            threads=request.threads,
            layout=request.layout,
            operation=request.operation,
            effort=request.effort,
            with_ceilings="roofline" not in record.skipped,
            say=say,
        )
        record.rows.append(measured)
        if path is not None:
            record.write(path)
