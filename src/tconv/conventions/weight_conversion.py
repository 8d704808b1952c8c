"""Weights in files carried from one framework to another: which arrays, into which layout, and what was done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tconv import checks
from tconv.conventions import weight_files, weight_from_tconv, weight_norm, weight_to_tconv
from tconv.conventions.base import Dialect
from tconv.conventions.registry import named, transposing
from tconv.conventions.weight_files import Contents
from tconv.resolve import Ints
from tconv.tables import aligned, printable

Array = NDArray[Any]
#: Weights have two axes of channels, and at least one of taps.
LEAST_AXES = 3
COLUMNS = ("array", "type", "before", "after", "outcome")


@dataclass(frozen=True, slots=True)
class Carried:
    """One array of a file, and what became of it."""

    name: str
    dtype: str
    before: tuple[int, ...]
    after: tuple[int, ...] | None  #: None where it was left out
    is_weights: bool  #: whether it was turned from one layout into the other
    joined: bool = False  #: whether the file held it in halves, as weight_norm does

    def row(self) -> list[str]:
        """The cells of a table, as `COLUMNS` names them."""
        name = printable(self.name)
        if self.after is None:
            return [name, self.dtype, _shown(self.before), "-", "left out"]
        done = ("joined from g and v, " if self.joined else "") + ("converted" if self.is_weights else "copied")
        return [name, self.dtype, _shown(self.before), _shown(self.after), done]


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


@dataclass(frozen=True, slots=True)
class WeightConversion:
    """What became of the arrays of a file; prints as a table."""

    source: str
    target: str
    layouts: tuple[str, str]  #: of the weights, before and after
    arrays: tuple[Carried, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        names = ("name", "dtype", "before", "after", "is_weights", "joined")
        arrays = [{name: getattr(array, name) for name in names} for array in self.arrays]
        return {"source": self.source, "target": self.target, "layouts": self.layouts, "arrays": arrays}

    @property
    def summary(self) -> str:
        """How many arrays are weights, and their layouts."""
        count = sum(array.is_weights for array in self.arrays)
        of = f"{count} of {checks.count(len(self.arrays), 'array')}"
        return f"{of}: from {self.source} {self.layouts[0]} to {self.target} {self.layouts[1]}"

    def rows(self) -> list[list[str]]:
        """The cells of the table, a row an array."""
        return [array.row() for array in self.arrays]

    def __str__(self) -> str:
        return "\n".join([self.summary, "", *aligned(COLUMNS, self.rows())])


def convert_weights(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    source: str,
    target: str,
    names: Sequence[str] | None = None,
    groups: int = 1,
    dilation: Ints | None = None,
    transpose_kernel: bool = False,
) -> WeightConversion:
    """Copy a file of arrays, those that are weights of transposed convolutions in another framework's layout.

    Args:
        path: a .npy, .npz or .safetensors file, which is only read, or a checkpoint of PyTorch, .pt or .pth, that holds
            tensors and no code. PyTorch is not needed; names within names have a dot between them.
        output: where to write, in the format that its name says; another file than `path`. A .npy file takes the one
            array that is converted; the others take all of them.
        source: the dialect of the weights, such as "torch"; see `DIALECTS`, and `ALIASES` for other names.
        target: the dialect to write them for.
        names: which arrays are weights, as names or patterns such as "decoder.*.weight". None if there is one array of
            three or more axes, which is it.
        groups: of these layers. Frameworks without groups get zeros between them, and must have zeros there.
        dilation: of these layers. Keras and TFLite, which have none beside a stride, hold it as zeros between the taps.
        transpose_kernel: JAX's and Flax's; their weights then lie the other way round.

    Weights that PyTorch's weight_norm keeps in two halves, X_g and X_v or parametrizations.X.original0 and original1,
    are chosen by the name of the whole, X, and written as the whole. Types stay as they are, bfloat16 in .safetensors
    included, and so do biases and other arrays. ValueError, TypeError for arguments that do not fit, and for files that
    do not hold what their names say; OSError where a file cannot be read or written; MemoryError where its arrays would
    not fit into memory.

    >>> import numpy as np
    >>> import tconv
    >>> np.savez("torch.npz", weight=np.ones((16, 8, 4, 4), "float32"), bias=np.ones(8, "float32"))
    >>> print(tconv.convert_weights("torch.npz", "keras.npz", source="torch", target="keras"))
    1 of 2 arrays: from torch (Cin, Cout/groups, *kernel) to keras (*kernel, Cout, Cin)
    <BLANKLINE>
    array   type     before    after     outcome
    weight  float32  16x8x4x4  4x4x8x16  converted
    bias    float32  8         8         copied
    """
    given, place = Path(path), Path(output)
    with checks.explained("convert_weights", lambda: checks.echo(path=str(path), output=str(output))):
        read, written = named("source", source), named("target", target)
        if transpose_kernel and not (read.may_transpose_kernel or written.may_transpose_kernel):
            checks.wrong(f"transpose_kernel must be left out where neither source nor target is one of {transposing()}")
        _check_places(given, place)
        contents = weight_files.read(given)
        before, halves = _with_wholes(contents.arrays, names)
        chosen = _chosen(before, names)
        keywords = _keywords(read, written, groups, dilation, transpose_kernel)
        arrays = dict(before)
        for name in chosen:
            arrays[name] = _converted(name, arrays[name], *keywords)
        if weight_files.form("output", place) == ".npy":
            arrays = {name: arrays[name] for name in _the_one(chosen)}
        weight_files.write(place, Contents(arrays, contents.metadata))
    return WeightConversion(
        read.name,
        written.name,
        (_layout(read, transpose_kernel), _layout(written, transpose_kernel)),
        tuple(
            Carried(
                name,
                array.dtype.name,
                array.shape,
                arrays[name].shape if name in arrays else None,
                name in chosen,
                name in halves,
            )
            for name, array in before.items()
        ),
    )


def _layout(dialect: Dialect, transpose_kernel: bool) -> str:
    return str(dialect.layout({"transpose_kernel": transpose_kernel and dialect.may_transpose_kernel}))


def _check_places(path: Path, output: Path) -> None:
    weight_files.form_read("path", path)
    weight_files.form("output", output)
    if output.exists() and path.exists() and output.samefile(path):
        checks.wrong(f"output must be another file than path; got {str(output)!r} for both")


def _with_wholes(
    arrays: dict[str, Array], names: Sequence[str] | None
) -> tuple[dict[str, Array], dict[str, tuple[str, str]]]:
    """The arrays with those that may be weights and are held in halves put together, and which these are.

    What no name chooses stays as it is: it is copied.
    """
    patterns = names if checks.is_sequence(names) else ("*",)
    halves = {
        whole: pair
        for whole, pair in weight_norm.halves(arrays).items()
        if arrays[pair[1]].ndim >= LEAST_AXES and any(_fits(whole, str(pattern)) for pattern in patterns)
    }
    wholes = {
        pair[1]: (name, weight_norm.joined(name, *(arrays[half] for half in pair))) for name, pair in halves.items()
    }
    gone = {pair[0] for pair in halves.values()}
    return dict(wholes.get(name, (name, array)) for name, array in arrays.items() if name not in gone), halves


def _chosen(arrays: dict[str, Array], names: Sequence[str] | None) -> list[str]:
    """The names of the arrays that are weights."""
    able = [name for name, array in arrays.items() if array.ndim >= LEAST_AXES]
    listed = checks.words(able) if able else "none"
    if names is None:
        if len(able) != 1:
            checks.wrong(f"names must say which arrays are weights of transposed convolutions; there may be {listed}")
        return able
    if not checks.is_sequence(names) or not all(isinstance(name, str) for name in names):
        checks.wrong_type(f"names must be a sequence of names or patterns; got {checks.shorten(names)}")
    for pattern in names:
        if pattern in arrays and pattern not in able:
            axes = checks.count(arrays[pattern].ndim, "axis", "axes")
            checks.wrong(f"names must be of arrays of at least {LEAST_AXES} axes; {pattern!r} has {axes}")
        if not any(_fits(name, pattern) for name in able):
            checks.wrong(f"names must be of arrays of at least {LEAST_AXES} axes, which are {listed}; got {pattern!r}")
    return [name for name in able if any(_fits(name, pattern) for pattern in names)]


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _the_one(chosen: list[str]) -> list[str]:
    if len(chosen) != 1:
        checks.wrong(f"output must be a .npz or .safetensors file to hold {len(chosen)} arrays; a .npy file holds one")
    return chosen


def _keywords(
    source: Dialect, target: Dialect, groups: int, dilation: Ints | None, transpose_kernel: bool
) -> tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]:
    """Each dialect, with what its conversion is called with."""

    def of(dialect: Dialect) -> dict[str, Any]:
        return {
            "groups": groups,
            "transpose_kernel": transpose_kernel and dialect.may_transpose_kernel,
            "dilation": dilation if dialect.layout({}).grouping == "dense" else None,
        }

    return (source.name, of(source)), (target.name, of(target))


def _converted(name: str, w: Array, source: tuple[str, dict[str, Any]], target: tuple[str, dict[str, Any]]) -> Array:
    """One array in the other layout; errors name it."""
    try:
        return weight_from_tconv(weight_to_tconv(w, source[0], **source[1]), target[0], **target[1])
    except (ValueError, TypeError, MemoryError) as error:
        reason = str(error).partition("\n")[0].partition(": ")[2]
        raise checks.Rejected(type(error), f"{name!r} cannot be converted: {reason}") from None
