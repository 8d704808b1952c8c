"""tconv's prepared operator on the public layers, with peers that are held to the same instructions.

    python -m benchmarks.held_layers --isa avx2 [--layers unet.up1 s1.k3] [--rounds 9]

Most laptops have no AVX-512. All take turns in one process on one thread, after their results were compared with
float64; the quickest call of each counts, by the time of the thread, which other work on the machine hardly changes.
tconv is measured in both layouts, and each is held against the best peer in any. What holds a peer is in
`benchmarks/held.py`.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks.held import HELD_PEERS, held, isa_option, quickest, say_ratios
from benchmarks.record import keep, milliseconds, record_option
from tconv.bench.layers import BenchLayer, public
from tconv.bench.measure import get_ready
from tconv.bench.peers import OURS, PEERS
from tconv.bench.peers.base import Case
from tconv.measuring.rounds import Run


def measured(layer: BenchLayer, rounds: int) -> dict[str, Any]:
    """The milliseconds of every way."""
    runs: dict[str, Run] = {}
    peers = [PEERS[name] for name in HELD_PEERS if not PEERS[name].missing(1)]
    for layout in ("channels_first", "channels_last"):
        contestants = [OURS["prepared"], *(peers if layout == "channels_first" else [])]
        ready = get_ready(Case.of(layer, 1, layout), contestants, lambda what: None)
        for (name, _), call in ready.calls.items():
            runs[f"tconv {layout.replace('_', ' ')}" if name == "prepared" else HELD_PEERS[name]] = call.run
    return {"layer": layer.name, "ms": milliseconds(quickest(runs, rounds))}


def main() -> None:
    """Measure, print, and keep a record where that is asked for."""
    names = list(public())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_layers", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=names, default=names, metavar="NAME", help="only these")
    parser.add_argument("--rounds", type=int, default=9)
    isa_option(parser)
    record_option(parser)
    options = parser.parse_args()
    if held("benchmarks.held_layers", options.isa):
        return
    rows = []
    for name in options.layers:
        rows.append(measured(public()[name], options.rounds))
        print(f"{name:<16} {rows[-1]['ms']}", file=sys.stderr)
    say_ratios(rows)
    keep(options.record, rows, ["torch", "openvino"])


if __name__ == "__main__":
    main()
