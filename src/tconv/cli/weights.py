"""`tconv convert --weights`: files of arrays, the weights among them in another framework's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tconv.cli import options, output
from tconv.cli.errors import Failure, UsageError, in_options
from tconv.conventions.weight_conversion import COLUMNS, WeightConversion, convert_weights
from tconv.placing import check_place


def convert_file(
    path: Path,
    target_path: Path | None,
    source: str,
    target: str,
    names: list[str] | None,
    groups: options.Text,
    dilation: options.Text,
    transpose_kernel: bool,
    json: bool,
) -> None:
    """Convert and say what was done."""
    if target_path is None:
        raise UsageError("--output must be given with --weights")
    check_place(target_path)
    keywords: dict[str, Any] = {
        "names": names,
        "groups": 1 if groups is None else options.integer("--groups", groups),
        "dilation": None if dilation is None else options.value("--dilation", dilation),
        "transpose_kernel": transpose_kernel,
    }
    try:
        done = convert_weights(path, target_path, source=source, target=target, **keywords)
    except (ValueError, TypeError, MemoryError) as error:
        raise _in_options(path, error) from None
    if json:
        output.as_json({"path": str(path), "output": str(target_path), **done.as_dict()})
    else:
        _print(target_path, done)


def _in_options(path: Path, error: Exception) -> Exception:
    """What was said of an argument names its option; what was said of the file is a failure."""
    sentence = in_options(str(error))
    for argument, option in (("names", "--name"), ("path", "--weights"), ("transpose_kernel", "--transpose-kernel")):
        if sentence.startswith(f"{argument} must "):
            return UsageError(option + sentence.removeprefix(argument))
    if sentence.startswith("--"):
        return UsageError(sentence)
    return Failure(f"{path}: {sentence}")


def _print(target_path: Path, done: WeightConversion) -> None:
    out = output.console()
    out.print(done.summary, soft_wrap=True)
    out.print()
    output.table(COLUMNS, done.rows(), out)
    out.print()
    out.print(f"wrote {target_path}", soft_wrap=True)
