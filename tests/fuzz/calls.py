"""The public functions: between the choice of a method and its kernels there is code as well."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
from lowered import in_use
from running import in_layout, is_gradient

import tconv
from tconv.boxed import into
from tests.fuzz.boxes import boxed
from tests.fuzz.caches import caches
from tests.fuzz.trial import Trial, Wrong

#: How arrays lie in memory: as they should, as every other element of a larger one, with their axes transposed, or at
#: an address between two elements.
MEMORY = ("contiguous", "contiguous", "strided", "turned", "misaligned")


def laid(a: np.ndarray, how: str) -> np.ndarray:
    """An equal array that lies otherwise."""
    if how == "strided":
        larger = np.full((*a.shape, 2), np.nan, a.dtype)
        larger[..., 0] = a
        return larger[..., 0]
    if how == "misaligned":
        bytes_before = a.itemsize // 2
        moved = np.empty(a.nbytes + bytes_before, np.uint8)[bytes_before:].view(a.dtype).reshape(a.shape)
        moved[...] = a
        return moved
    return np.asfortranarray(a) if how == "turned" else a


def call(trial: Trial, method: str) -> None:
    """Called twice, as the second time looks are fewer; with an array to write into, and without; with a NaN or Inf."""
    spoiled = ("x", "w", *(["bias"] if trial.arrays[2] is not None else []))
    with caches(small=trial.small), in_use(trial.isa, trial.threads):
        _call(trial, method)
        with np.errstate(invalid="ignore"):  # Inf - Inf
            _call(replace(trial, spoiled=spoiled[trial.seed % len(spoiled)]), method)


def _call(trial: Trial, method: str) -> None:
    p, pick = trial.problem, Random(trial.seed).choice
    x, w, bias = trial.arrays
    x = laid(in_layout(x, trial.channels_last), pick(MEMORY))
    w = laid(in_layout(w, trial.channels_last) if is_gradient(p) else w, pick(MEMORY))
    given: dict[str, Any] = {**p.geometry.keywords, "groups": p.groups, "method": method}
    given["layout"] = "channels_last" if trial.channels_last else "channels_first"
    arguments = (w, x, p.geometry.kernel) if is_gradient(p) else (x, w, bias)
    if trial.finishing_here is not None:
        activation, residual = trial.finishing_here
        given["activation"] = activation
        given["residual"] = None if residual is None else laid(residual, pick(MEMORY))
    function = getattr(tconv, p.operation)
    for _ in range(2):
        found = function(*arguments, **given)
        trial.check(found)
    out = laid(np.full_like(found, np.nan), pick(MEMORY))
    if function(*arguments, **given, out=out) is not out:
        raise Wrong("the result is another array than out")
    trial.check(out)
    if not is_gradient(p):
        _prepared(trial, (x, w, bias), given, laid(np.full_like(found, np.nan), pick(MEMORY)))


def _prepared(trial: Trial, arrays: tuple[Any, ...], given: dict[str, Any], out: np.ndarray) -> None:
    """The operator whose weights are packed once, for a shape that is new to it and for one that it knows."""
    x, w, bias = arrays
    residual = given.pop("residual", None)  # an operand, not a property of the operator
    operator = {"conv_transpose": tconv.ConvTranspose, "conv": tconv.Conv}[trial.problem.operation](w, bias, **given)
    for _ in range(2):
        trial.check(operator(x, residual=residual))
    trial.check(operator(x, out, residual=residual))
    if residual is None:
        pick = Random(trial.seed + 1).choice
        x, out = boxed(x, pick), boxed(np.full_like(out, np.nan), pick)
        if into(operator, x, out, pick((out.size, 1 << 40))):
            trial.check(out)
            if out.base is not None and np.isfinite(out.base).sum() != np.isfinite(out).sum():
                raise Wrong("something is written beside a box")
