"""tconv against other libraries: `python -m benchmarks.compare` is the command `tconv bench` with `--record FILE`.

    python -m benchmarks.compare --threads 1 --rounds 5 --record benchmarks/results/engine-one-thread.json
    python -m benchmarks.compare --show times.json --record benchmarks/results/engine-one-thread.json

The record has of each layer what the pages show; the file of `--json`, from which `--show` makes a record too, has
every setting of every peer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.record import Record, Row, digits, milliseconds, record_option
from tconv.bench import record as bench
from tconv.bench import report
from tconv.bench.layers import public
from tconv.bench.peers import PEERS
from tconv.cli import main as tconv_main


def main(arguments: list[str]) -> int:
    """The command, and the record of what it measured or showed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    record_option(parser)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", type=Path)
    asked, others = parser.parse_known_args(arguments)
    if asked.record is None:
        return tconv_main(["bench", *arguments])
    with TemporaryDirectory() as folder:
        path = asked.show or asked.json or Path(folder, "times.json")
        failed = tconv_main(["bench", *others, "--show" if asked.show else "--json", str(path)])
        if not failed:
            kept(bench.Record.read(path)).write(asked.record)
    return failed


def kept(measured: bench.Record) -> Record:
    """Of all that `tconv bench` has measured, what the pages show."""
    rows = [report.row(each, measured.options["layout"]) for each in measured.rows]
    return Record(command(measured), measured.machine, [_row(each) for each in rows])


def command(measured: bench.Record) -> str:
    """What a shell takes for the same; options that are as they are by themselves are left out."""
    options, names = measured.options, [each.layer.name for each in measured.rows]
    words = ["tconv bench"]
    if options["operation"] != "conv_transpose":
        words.append(f"--operation {options['operation']}")
    words.append(f"--threads {options['threads']}")
    if "seed" in options:
        words.append(f"--random {len(names)} --seed {options['seed']}")
    elif names != list(public()):
        words.append(f"--layers {','.join(names)}")
    if options["layout"] != "channels_first":
        words.append(f"--layout {options['layout']}")
    if options["peers"] != list(PEERS):
        words.append(f"--peers {','.join(options['peers'])}")
    return " ".join([*words, f"--rounds {options['rounds']}"])


def _row(each: report.Row) -> Row:
    ours = {"prepared": each.prepared, "functional": each.functional}
    there = {name: speed for name, speed in ours.items() if speed is not None}
    times = {name: speed.seconds for name, speed in there.items()}
    of_no_list = {"what": str(each.layer), "gflops": {name: digits(speed.gflops) for name, speed in there.items()}}
    return {
        "layer": each.layer.name,
        **({} if each.layer.name in public() else of_no_list),
        "best peer": each.best_peer,
        "ms": milliseconds({"best": each.best_seconds, **times, "torch": each.torch_seconds}),
        "roofline": {name: round(speed.share, 3) for name, speed in there.items() if speed.share is not None},
        "bound": None if each.compute_bound is None else "compute" if each.compute_bound else "memory",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
