"""What the commands on ONNX models share: reading the model, and what is said of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile

import numpy as np
import typer
from numpy.typing import NDArray

from tconv.cli import options
from tconv.cli.errors import Failure, UsageError
from tconv.placing import check_file

if TYPE_CHECKING:
    from onnx import ModelProto

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The file of an ONNX model; it is not changed.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="NAME=SIZE", help="The shape of an input, such as x=1x3x64x64; repeatable."),
]


def load(path: Path) -> ModelProto:
    """The model in a file; a file that holds no whole model is a failure, and no wrong use."""
    from tconv import onnx

    try:
        return onnx.load(path)
    except (ValueError, MemoryError) as error:
        reason = str(error).partition("\n")[0].removeprefix("onnx.load: ")
    raise Failure(f"{path}: {reason}")


def shapes(given: Sequence[str] | None) -> dict[str, tuple[int, ...]] | None:
    """The shapes of inputs, from name=1x3x64x64; None where there are none."""
    if not given:
        return None
    found = {}
    for text in given:
        name, separator, size = text.rpartition("=")
        if not separator or not name:
            raise UsageError(f"--shape must be the name of an input and its shape, such as x=1x3x64x64; got {text!r}")
        found[name] = options.sizes("--shape", size)
    return found


def arrays(path: Path | None) -> dict[str, NDArray[Any]] | None:
    """The arrays in a .npz file by name; None where there is no file."""
    if path is None:
        return None
    check_file(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError, TypeError, BadZipFile):
        raise UsageError(f"--feeds must be a .npz file of arrays of numbers; {path} is not") from None
