"""`tconv bench`: tconv against other libraries, on the layers of published networks or on random ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from tconv.arguments import LAYOUTS, Layout
from tconv.cli import options, output
from tconv.cli.errors import UsageError
from tconv.pictures import naming
from tconv.placing import check_place
from tconv.problem import OPERATIONS, Operation

if TYPE_CHECKING:
    from tconv.bench.record import Record
    from tconv.bench.run import Request

Given = options.Text
FORMATS = (".png", ".svg")


def bench(
    *,
    layers: Annotated[Given, typer.Option(metavar="A,B", help="Only these of the public layers.")] = None,
    peers: Annotated[Given, typer.Option(metavar="A,B", help="Only these peers, such as torch,onnxruntime.")] = None,
    threads: Annotated[Given, typer.Option(metavar="N", help="Cores to compute on; all if left out.")] = None,
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="conv_transpose, or a gradient: conv (by x) or weight_gradient.")
    ] = "conv_transpose",
    layout: Annotated[
        str, typer.Option(metavar="LAYOUT", help="Of tconv's arrays: channels_first or channels_last.")
    ] = "channels_first",
    rounds: Annotated[str, typer.Option(metavar="N", help="Turns that each has; the median counts.")] = "7",
    random: Annotated[Given, typer.Option(metavar="N", help="So many random layers, not the public ones.")] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="For --random: the same layers for the same seed.")] = "0",
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every time to this file, layer by layer.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the --json file, and keep what it has.")] = False,
    show: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure nothing; show what such a file has.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a chart: .png or .svg.")] = None,
    theme: options.Theme = "light",
) -> None:
    """How fast tconv is, against other libraries in their best settings.

    Every peer that is installed gets ready, its result is checked, and then all take turns in one process. With fewer
    threads than cores the process is pinned to as many cores. The public layers take some minutes.

        tconv bench --threads 1 --json times.json --plot chart.svg
        tconv bench --layers dcgan.3,unet.up4 --peers torch,onnxruntime
        tconv bench --random 100 --threads 1
        tconv bench --operation weight_gradient --threads 1
    """
    for path in (json, plot):
        if path is not None:
            check_place(path)
    if plot is not None and plot.suffix.lower() not in FORMATS:
        raise UsageError(f"--plot must end in {' or '.join(FORMATS)}; got {plot.name!r}")
    options.theme(theme)
    if resume and json is None:
        raise UsageError("--resume must come with --json, the file to go on with")
    if show is not None:
        record = _read(show)
    else:
        record = _measured(_request(layers, peers, threads, operation, layout, rounds, random, seed), json, resume)
    _print(record)
    if plot is not None:
        from tconv.draw.bench import save

        with naming(plot, "cannot be written"):
            save(record, plot, theme)


def _request(
    layers: Given,
    peers: Given,
    threads: Given,
    operation: str,
    layout: str,
    rounds: str,
    random: Given,
    seed: str,
) -> Request:
    """The options, read and checked; what they lead to is loaded only now."""
    from tconv.bench import cores
    from tconv.bench.layers import public
    from tconv.bench.peers import PEERS
    from tconv.bench.run import Request

    if operation not in OPERATIONS:
        raise UsageError(f"--operation must be one of {', '.join(OPERATIONS)}; got {operation!r}")
    if layout not in LAYOUTS:
        raise UsageError(f"--layout must be {' or '.join(LAYOUTS)}; got {layout!r}")
    if layers and random:
        raise UsageError("one of --layers and --random may be given; got both")
    count = cores.count()
    return Request(
        layers=_names("--layers", layers, list(public())),
        random=options.count("--random", random) or 0,
        seed=options.integer("--seed", seed, 0),
        peers=_names("--peers", peers, list(PEERS)),
        threads=count if threads is None else options.integer("--threads", threads, most=count),
        layout=next(word for word in get_args(Layout) if word == layout),
        rounds=options.integer("--rounds", rounds),
        operation=next(word for word in get_args(Operation) if word == operation),
    )


def _names(option: str, text: Given, known: list[str]) -> tuple[str, ...]:
    given = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    for name in given:
        if name not in known:
            raise UsageError(f"{option} must be of {', '.join(known)}; got {name!r}")
    return given


def _measured(request: Request, path: Path | None, resume: bool) -> Record:
    from tconv.bench.run import NotComparable, run

    resumed = _read(path) if resume and path is not None and path.exists() else None
    with output.progress("bench") as progress:
        try:
            return run(request, path=path, resumed=resumed, progress=progress)
        except NotComparable as error:
            raise UsageError(f"--resume must go on with measurements of the same kind; {error}") from None


def _read(path: Path) -> Record:
    from tconv.bench.record import NoRecord, Record

    try:
        return Record.read(path)
    except NoRecord as error:
        raise UsageError(str(error)) from None


def _print(record: Record) -> None:
    from tconv.cli.bench_tables import show

    show(record, output.console())
