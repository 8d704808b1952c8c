"""A first look at a model: whether PyTorch alone is faster at it with channels innermost in memory.

It is run a few times as it is and with weights that lie so (`whole_format.py`), before its layers are measured, which
takes many times as long, and says how they are worth measuring. It decides nothing for good: a model that was measured
channels last has to win against what it was, like anything else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from tconv import checks
from tconv.measuring.contest import MARGIN
from tconv.measuring.rounds import timed
from tconv.torch import watching
from tconv.torch.accelerated import EVERY, OPERATION
from tconv.torch.acceleration_report import Report
from tconv.torch.classes import may_get_a_forward
from tconv.torch.formats import suggests_last
from tconv.torch.undone import undone
from tconv.torch.watching import Watch, WatchedCall
from tconv.torch.whole_format import FORMATS, ChannelsLast, Laid, is_laid, is_size, order_of
from tconv.torch.whole_runs import Example, ModelRun

#: The part of the time that convolutions of two and three axes have at least, for the format to matter; and from which
#: it is mostly they. The engine may compute many of them, so what PyTorch alone gains may be as little as that then.
SHARE, MOSTLY, LEAST = 0.05, 0.5, 0.8
#: Both have turns until they took so many seconds, and at least and at most so many.
LASTING, FEWEST, MOST = 0.04, 2, 20
#: Where PyTorch alone gains so much, layers are not measured in the other format too, which seldom brings that back.
CLEAR = 1.5
#: What a result may hold beside tensors; in anything else there may be more of them.
_PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)


class Look(NamedTuple):
    """What came of a look."""

    before: float = 0.0  #: seconds of a run as weights lie; 0 where there was nothing to measure
    after: float = 0.0  #: and channels last, by PyTorch alone; 0 where that cannot be
    last: ChannelsLast | None = None  #: the model as it would be
    share: float = 0.0  #: of the convolutions, in the time as it is
    reason: str = ""  #: why it cannot be

    @property
    def gain(self) -> float:
        """How many times as fast PyTorch alone is channels last."""
        return self.before / self.after if self.after else 0.0

    @property
    def promises(self) -> bool:
        """Whether the model is worth measuring channels last."""
        return self.gain >= (MARGIN if self.share < MOSTLY else LEAST)


def looked(model: Module, example: Example) -> Look:
    """Look at a model, and leave it as it is; `example` need not say whether it trains."""
    if not may_get_a_forward(model) or not any(each.dim() in FORMATS for each in model.parameters()):
        return Look()
    with watching.eagerly(), undone(model, (example.args, example.kwargs)) as again:
        first = _Seen(model, example)
        names = _movable(model, first.weights)
        if names and first.share < SHARE:  # somebody else may have been at work
            again()
            first = _Seen(model, example)
        if not names or first.share < SHARE:
            return Look()
        last = ChannelsLast(model, Laid(names, tuple(order for _, order in first.results)))
        reason = _refused(first, again, last, example)
        if reason:
            return Look(reason=reason)
        run = ModelRun(model, example._replace(trains=first.trains))
        return Look(*_seconds(run, again, last), last, first.share)


class _Seen(TorchFunctionMode):
    """A run of a model: what its convolutions read, what they and all of it took, and its results."""

    def __init__(self, model: Module, example: Example) -> None:
        super().__init__()
        self.weights: set[Parameter] = set()
        self.trains = False
        self.scattered: list[bool] = []  #: of each call of `view`, whether its tensor was not contiguous
        self._took = self._convolving = 0.0  #: seconds of the last convolution, and of those with two or three axes
        start = time.perf_counter()
        with self:
            result = watching.run(model, example.args, example.kwargs, Watch(self._found, Counter(), EVERY))
        self.share = self._convolving / (time.perf_counter() - start)
        leaves = tree_leaves(result, is_leaf=is_size)
        #: Shapes, and the orders of their axes in memory.
        self.results = [(leaf.shape, order_of(leaf)) for leaf in leaves if is_laid(leaf)]
        self.opaque = next((leaf for leaf in leaves if not isinstance(leaf, (Tensor, *_PLAIN))), None)

    def _found(self, module: Module, call: WatchedCall) -> None:
        self.trains |= module.training and call.result.requires_grad
        if call.w.dim() in FORMATS:
            self.weights.update({call.w} if type(call.w) is Parameter else ())
            self._convolving += self._took

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.view:
            self.scattered.append(not args[0].is_contiguous())
        if func not in OPERATION:
            return func(*args, **(kwargs or {}))
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        self._took = time.perf_counter() - start
        return result


def _movable(model: Module, weights: Container[Parameter]) -> tuple[str, ...]:
    """The names of weights that may lie otherwise: parameters of the model with memory that is theirs alone."""
    places = Counter(each.data_ptr() for each in chain(model.parameters(), model.buffers()) if is_laid(each))
    return tuple(
        name
        for name, each in model.named_parameters()
        if each in weights
        and each.is_cpu
        and each.is_contiguous()
        and not (suggests_last(each) or each.is_inference())
        and not each.is_shared()  # type: ignore[no-untyped-call]  # other processes read it where it is
        and places[each.data_ptr()] == 1
        and each.untyped_storage().nbytes() == each.nbytes  # and it is no part of another tensor
    )


def _refused(first: _Seen, again: Callable[[], None], last: ChannelsLast, example: Example) -> str:
    """Why a model cannot be channels last; "" where it can."""
    if first.opaque is not None:
        return f"its result holds {type(first.opaque).__name__}, in which there may be tensors"
    again()
    with last.lying():
        try:
            seen = _Seen(last.model, example)
        except Exception as error:  # of any class: a forward method may want its tensors to lie in one way
            return f"it fails: {checks.first_line(error)}"
    if [shape for shape, _ in seen.results] != [shape for shape, _ in first.results]:
        return "its results have other shapes"
    # What `view` takes of one image it may not take of two.
    pairs = zip(seen.scattered, first.scattered, strict=False)
    return "it calls view on what is contiguous as it is" if any(now > then for now, then in pairs) else ""


def _seconds(run: ModelRun, again: Callable[[], None], last: ChannelsLast) -> tuple[float, float]:
    """Seconds of a run as weights lie, and channels last: the best of some turns."""
    before: list[float] = []
    after: list[float] = []
    while len(before) < FEWEST or (len(before) < MOST and sum(before + after) < LASTING):
        again()
        before.append(timed(run.results))
        again()
        with last.lying():
            after.append(timed(run.results))
    return min(before), min(after)


def better(look: Look, measured: Callable[[ChannelsLast | None], Report]) -> Report:
    """What came of a model in the format in which it is faster, by a function that measures it in one."""
    report = _better(look, measured)
    measured_so = (look.before, look.after) if look.after else None
    return replace(report, in_formats=measured_so, not_channels_last=look.reason)


def _better(look: Look, measured: Callable[[ChannelsLast | None], Report]) -> Report:
    if not look.promises:
        return measured(None)
    last = measured(look.last)
    if look.gain >= CLEAR and last.channels_last:
        return last
    first = measured(None)
    return last if last.channels_last and last.gain >= MARGIN * first.gain else first
