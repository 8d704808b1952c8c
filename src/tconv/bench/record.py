"""What was measured, and the JSON file that holds it: written after every layer, so that a long run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tconv.bench.layers import BenchLayer
from tconv.placing import check_file

FORMAT = 2


@dataclass(frozen=True)
class Timing:
    """One setting of one contestant on one layer."""

    seconds: float  #: a call: the median of its turns
    turns: int
    error: float  #: largest difference from the reference, over the largest value of that


@dataclass(frozen=True)
class MeasuredLayer:
    """One layer. The mappings are by contestant, then by setting."""

    layer: BenchLayer
    peak: float | None  #: operations a second of all cores in use; None where no loop could be generated
    bandwidth: float | None  #: bytes a second, copied from and to
    timings: Mapping[str, Mapping[str, Timing]]
    failures: Mapping[str, Mapping[str, str]]  #: what went wrong
    left_out: Mapping[str, Mapping[str, str]]  #: why a setting was not tried

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> MeasuredLayer:
        """The measurements of a layer from what JSON holds."""
        timings = {
            name: {setting: Timing(**timing) for setting, timing in settings.items()}
            for name, settings in row["timings"].items()
        }
        return cls(
            BenchLayer.read(row["layer"]), row["peak"], row["bandwidth"], timings, row["failures"], row["left_out"]
        )

    def as_dict(self) -> dict[str, Any]:
        """The measurements of a layer as plain values for JSON."""
        return asdict(self)

    def best(self, name: str) -> float | None:
        """Seconds of a contestant in its fastest setting; None if it has none."""
        return min((timing.seconds for timing in self.timings.get(name, {}).values()), default=None)


class NoRecord(Exception):
    """A file holds no measurements, and why that is thought."""


@dataclass
class Record:
    """A run: on what, how, who was missing, and a row a layer."""

    machine: dict[str, Any]
    options: dict[str, Any]
    skipped: dict[str, str]
    rows: list[MeasuredLayer] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values for JSON."""
        head = {"format": FORMAT, "machine": self.machine, "options": self.options, "skipped": self.skipped}
        return {**head, "layers": [row.as_dict() for row in self.rows]}

    def write(self, path: Path) -> None:
        """All of it, at once: who reads meanwhile finds the file of before."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Record:
        """From a file. NoRecord where it holds something else."""
        check_file(path)
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise ValueError(f"format {held['format']}")
            rows = [MeasuredLayer.read(row) for row in held["layers"]]
            return cls(held["machine"], held["options"], held["skipped"], rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoRecord(f"{path} holds no measurements of `tconv bench`: {error}") from error

    def differs_from(self, other: Record) -> str:
        """What makes the rows of two records incomparable; "" if nothing does. The date does not."""
        ours = {**self.machine, **self.options, "skipped": self.skipped, "date": ""}
        theirs = {**other.machine, **other.options, "skipped": other.skipped, "date": ""}
        names = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        return "; ".join(f"{name}: {theirs.get(name)} there, {ours.get(name)} here" for name in sorted(names))
