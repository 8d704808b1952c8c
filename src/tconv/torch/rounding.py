"""How far the results of a model move by rounding alone: it is run as it was, on inputs that differ by no more.

Behind a ReLU, a maximum or a normalization, what differs in the last bit may differ in the third digit of a gradient: a
cell near zero passes in one run and not in the other. So results of a whole model are not to be closer to each other
than those of PyTorch are among themselves, where the inputs differ by one unit in the last place, or by how they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tconv.torch.comparing import alike, difference, disagreement
from tconv.torch.whole_runs import Form

#: Whether a cell falls on the other side of a zero is chance, so it is tried so many times at most.
DRAWS = 12
_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
Change = Callable[[Tensor], Tensor]


def judged(results: Sequence[Tensor], expected: Sequence[Tensor], original: Form) -> tuple[str, float | None]:
    """Why results are not those expected of a model, and how far rounding moves those where that decides."""
    outputs = original.run.outputs
    wrong = disagreement(results, expected, outputs)
    if not wrong or not alike(results, expected):
        return wrong, None
    own = of_itself(original, expected, lambda found: not disagreement(results, expected, outputs, found))
    return disagreement(results, expected, outputs, own), max(own)


def of_itself(form: Form, expected: Sequence[Tensor], enough: Callable[[Sequence[float]], bool]) -> list[float]:
    """How far each result of a model, and its gradients behind them, differ from those expected by rounding alone.

    It is run again and again until that is `enough`: by how its inputs lie, then with their last places changed.
    """
    found = [0.0] * len(expected)
    for tensors, change in _changes(form):
        try:
            results = form.results(_changed(tensors, change))
        except Exception:  # of any class: a forward method may want its input to lie in one way
            continue
        found = [max(f, difference([r], [e])) for f, r, e in zip(found, results, expected, strict=True)]
        if enough(found):
            break
    return found


def _changes(form: Form) -> Iterator[tuple[Sequence[Tensor], Change]]:
    given = form.run.example.args, form.run.example.kwargs
    inputs = [leaf for leaf in tree_leaves(given) if _is_movable(leaf)]
    parameters = [parameter for parameter in form.run.model.parameters() if _is_movable(parameter)]
    if any(t.dim() in _LAST for t in inputs):
        yield inputs, _channels_last
    for seed in range(DRAWS):
        # Parameters stand for the inputs of a model that is given words; and reach what inputs do not.
        yield inputs if inputs and seed % 2 == 0 else parameters, _by_last_place(seed)


def _is_movable(leaf: Any) -> bool:
    plain = type(leaf) in (Tensor, torch.nn.Parameter) and leaf.layout is torch.strided and not leaf.is_inference()
    return plain and leaf.is_floating_point() and not leaf.is_meta


@contextmanager
def _changed(tensors: Sequence[Tensor], change: Change) -> Iterator[None]:
    """Tensors hold other values, or lie otherwise; they stay the objects that they are, and are put back."""
    before = [t.data for t in tensors]
    try:
        for t in tensors:
            t.data = change(t.data)
        yield
    finally:
        for t, data in zip(tensors, before, strict=True):
            t.data = data


def _by_last_place(seed: int) -> Change:
    source = torch.Generator().manual_seed(seed)

    def change(t: Tensor) -> Tensor:
        signs = torch.randint(0, 2, t.shape, generator=source).to(t.device) * 2 - 1
        return t * (1 + signs * torch.finfo(t.dtype).eps).to(t.dtype)

    return change


def _channels_last(t: Tensor) -> Tensor:
    return t.contiguous(memory_format=_LAST[t.dim()]) if t.dim() in _LAST else t
