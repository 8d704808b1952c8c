"""From the text of a page to the page: `{{ table record ... }}` on a line of its own is where a table goes.

`benchmarks/results/NAME.md` is the text of `docs/performance/NAME.md`. `docs/performance.md` is written by hand, but
for what is between its two markers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.pages import (
    engine,
    means,
    methods,
    of_blocks,
    of_conv,
    of_fft,
    of_held,
    of_jax,
    of_models,
    of_onnx,
    pytorch,
)
from benchmarks.record import RESULTS, Record
from tconv.checks import count

DOCS = Path(__file__).parent.parent.parent / "docs"
COMMAND = "python -m benchmarks.pages"
BEGIN, END = f"<!-- written by `{COMMAND}` from benchmarks/results/ -->", "<!-- end of what is written -->"

TABLES: dict[str, Callable[..., list[str]]] = {
    "prepared": engine.prepared,
    "functional": engine.functional,
    "in_short": engine.in_short,
    "rooflines": engine.rooflines,
    "distribution": engine.distribution,
    "lowest": engine.lowest,
    "mended": engine.mended,
    "gradients": engine.gradients,
    "torch_contiguous": pytorch.contiguous,
    "torch_channels_last": pytorch.channels_last,
    "torch_means": pytorch.means,
    "torch_random": pytorch.random,
    "torch_compiled": pytorch.compiled,
    "torch_calls": pytorch.calls,
    "models_in_ways": of_models.ways,
    "models_in_short": of_models.in_short,
    "models_ahead": of_models.ahead,
    "models_together": of_models.together,
    "models_that_fail": of_models.failures,
    "jax_forward": of_jax.forward,
    "jax_gradients": of_jax.gradients,
    "jax_in_short": of_jax.in_short,
    "jax_distribution": of_jax.distribution,
    "onnx_models": of_onnx.models,
    "detector_layers": of_onnx.detector_layers,
    "detector_pipelines": of_onnx.detector_pipelines,
    "fft": of_fft.kernels,
    "conv_layers": of_conv.layers,
    "blocks_pieces": of_blocks.pieces,
    "blocks_peers": of_blocks.peers,
    "blocks_graph": of_blocks.graph,
    "blocks_stores": of_blocks.stores,
    "tiles": of_blocks.tiles,
    "held": of_held.layers,
    "methods": methods.layers,
    "methods_picks": methods.picks,
}
_PLACE = re.compile(r"^\{\{ (\w+) ([\w -]+) \}\}$", re.MULTILINE)


def pages(results: Path = RESULTS, docs: Path = DOCS) -> dict[Path, str]:
    """What every file that is written should hold. A text waits until all records that it names are there."""
    records = read(results)
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(results.glob("*.md"))}
    written = {
        docs / "performance" / name: page(text, name, records)
        for name, text in texts.items()
        if set(named(text)) <= set(records)
    }
    overview = docs / "performance.md"
    return {**written, overview: between(overview.read_text(encoding="utf-8"), means.overview(records))}


def read(results: Path = RESULTS) -> dict[str, Record]:
    """The records by their names."""
    return {path.stem: Record.read(path) for path in sorted(results.glob("*.json"))}


def page(text: str, name: str, records: Mapping[str, Record]) -> str:
    """The text with its tables, under a line that says where they come from."""

    def filled(place: re.Match[str]) -> str:
        kind, names = place[1], place[2].split()
        if kind == "conditions":
            return "\n".join(conditions({each: records[each] for each in names}))
        return "\n".join(TABLES[kind](*(records[each] for each in names)))

    head = f"<!-- Written by `{COMMAND}` from benchmarks/results/{name} and the records that it names. -->\n\n"
    return head + _PLACE.sub(filled, text)


def kinds(text: str) -> Iterable[str]:
    """The kinds of tables that a text has."""
    return {place[1] for place in _PLACE.finditer(text)}


def named(text: str) -> Iterable[str]:
    """The records that a text names."""
    return {name for place in _PLACE.finditer(text) for name in place[2].split()}


def conditions(records: Mapping[str, Record]) -> Iterator[str]:
    """By what commands these were measured, and where the records are; then when, and on what."""
    for name, record in records.items():
        command = f"`{record.command}`: " if record.command else ""
        yield f"- {command}[{name}.json](../../benchmarks/results/{name}.json)"
    yield ""
    machines = [machine(record.machine) for record in records.values()]
    yield from dict.fromkeys(machines)


def machine(on: Mapping[str, Any]) -> str:
    """A record's machine in a sentence."""
    versions = ", ".join(f"{package} {number}" for package, number in on["versions"].items())
    hardware = f"{on['processor']}, {count(on['cores'], 'core')}, {on['instructions']}, {on['system']}"
    return f"Measured on {on['date']}: {hardware}; Python {on['python']}, {versions}."


def between(text: str, lines: Iterable[str]) -> str:
    """The text with these lines between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/performance.md must have the two lines {BEGIN} and {END}")
    return "\n".join([before + begin, "", *lines, "", end + after])
