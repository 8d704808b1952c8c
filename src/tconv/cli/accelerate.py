"""`tconv accelerate`: an ONNX model with faster transposed convolutions, where that is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tconv.cli import models, options, output
from tconv.cli.errors import UsageError, usage_errors
from tconv.placing import check_place

if TYPE_CHECKING:
    from tconv.onnx import Acceleration


def accelerate(
    model: models.Model,
    *,
    target: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Where to write the model.")],
    runtime: Annotated[
        str,
        typer.Option(
            metavar="RUNTIME",
            help="What runs it: onnxruntime or openvino.",
            autocompletion=options.among(("onnxruntime", "openvino")),
        ),
    ] = "onnxruntime",
    threads: Annotated[options.Text, typer.Option(metavar="N", help="So many; one a core if left out.")] = None,
    shape: models.Shapes = None,
    feeds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .npz file with arrays for inputs; others are drawn.")
    ] = None,
    rounds: Annotated[str, typer.Option(metavar="N", help="Turns that each form of a layer has; at least 3.")] = "9",
    json: options.Json = False,
) -> None:
    """Rewrite the transposed convolutions that are faster in another form, measured here, in the runtime you use.

    Every layer is timed in every form, then the whole model. What does not win by more than the noise is left alone;
    OUT is written either way. Results are compared before anything is timed.

        tconv accelerate model.onnx -o fast.onnx
        tconv accelerate model.onnx -o fast.onnx --shape x=1x3x640x640 --runtime openvino --threads 1
    """
    from tconv import onnx

    check_place(target)
    if target.exists() and model.exists() and target.samefile(model):
        raise UsageError(f"--output must be another file than the model; got {str(target)!r} for both")
    count = options.count("--threads", threads)
    turns = options.integer("--rounds", rounds, 3)
    shapes, arrays = models.shapes(shape), models.arrays(feeds)
    read = models.load(model)
    with output.progress(f"accelerate {model.name}") as progress, usage_errors():
        done = onnx.accelerate(
            read,
            runtime=runtime,  # type: ignore[arg-type]  # any text; the library says which are allowed
            feeds=arrays,
            shapes=shapes,
            threads=count,
            rounds=turns,
            progress=progress,
        )
        onnx.save(done.model, target)
    if json:
        output.as_json(_as_dict(model, target, done))
    else:
        _print(target, done)


def _as_dict(model: Path, target: Path, done: Acceleration) -> dict[str, Any]:
    return {"model": str(model), "output": str(target), **done.as_dict()}


def _print(target: Path, done: Acceleration) -> None:
    from tconv.onnx.acceleration import COLUMNS

    out = output.console()
    out.print(done.verdict, soft_wrap=True)
    out.print(done.conditions, soft_wrap=True)
    if done.layers:
        out.print()
        output.table(COLUMNS, done.rows(), out, right=COLUMNS[1:-1])
    out.print()
    written = "the model as it was" if not done.changed else "the faster model"
    out.print(f"wrote {written} to {target}", soft_wrap=True)
