"""`tconv inspect`: the transposed convolutions of an ONNX model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tconv.cli import models, options, output
from tconv.cli.errors import Failure, usage_errors

if TYPE_CHECKING:
    from tconv.onnx import Inspection


def inspect(model: models.Model, *, shape: models.Shapes = None, json: options.Json = False) -> None:
    """Every transposed convolution of an ONNX model: geometry, share of the work, coverage, what runtimes disagree on.

    Weights, subgraphs and functions are looked into. Where sizes are open, --shape gives those of an input; where sizes
    do not fit, it is said where, and the exit code is 1.

        tconv inspect model.onnx
        tconv inspect model.onnx --shape x=1x3x224x224 --json
    """
    shapes = models.shapes(shape)
    read = models.load(model)
    from tconv.onnx import inspection

    with usage_errors():
        found = inspection.inspect(read, shapes=shapes)
    if json:
        output.as_json(found.as_dict())
        _check(found)
        return
    out = output.console()
    out.print(found.heading, soft_wrap=True)
    if len(found):
        out.print()
        output.table(inspection.COLUMNS, found.rows(), out, right=inspection.NUMBERS)
    if found.footnote:
        out.print()
        out.print(found.footnote, soft_wrap=True)
    if found.remarks:
        out.print()
        output.facts(found.remarks, out)
    _check(found)


def _check(found: Inspection) -> None:
    """All is told even so, but a script must not go on with sizes that cannot be."""
    if found.impossible:
        raise Failure(found.impossible)
