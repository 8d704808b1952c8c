"""A convolution, transposed or not, computed both ways, by PyTorch and by tconv: results compared, then timed in turns.

It is measured as its module will have it: a layer as a layer, with the cost of calling one, and the call of a function
as the mode that replaces it leaves it. When the model trains, so is this: forward and backward, with weights that
change from one to the next, as an optimizer changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from tconv import checks
from tconv.jit import engine
from tconv.jit.choice import expected
from tconv.jit.machine import isa
from tconv.measuring.contest import ORIGINAL, Contest, in_turns
from tconv.measuring.rounds import Effort, Run, probe, timed
from tconv.torch import calls
from tconv.torch.accelerated import EVERY, FILTERED, LAYERS, CallsReplaced
from tconv.torch.comparing import disagreement
from tconv.torch.engine import DTYPES, Engines, threads
from tconv.torch.messages import name_of
from tconv.torch.watching import WatchedCall

T = TypeVar("T")

OURS = "tconv"
#: The engine by minimal filtering.
WINOGRAD = "winograd"
#: Channels that are read, and that are written, from which it is worth a contest: transforms are shared among them.
MANY = 16
#: A convolution of which the model of costs expects that the engine takes so many times as long as PyTorch did is not
#: measured: the model knows no processor by name, and is off by up to two.
UNLIKELY = 2.0


class Manner(NamedTuple):
    """How a module computes its convolution."""

    layer: type | None  #: of torch.nn; None where it calls a function
    stored: bool  #: the same tensor has the weights in every call
    trains: bool  #: forward is followed by backward
    new_sizes: bool  #: no call has the size of one before
    winograd: bool = False  #: it may be computed by minimal filtering


def refusal(call: WatchedCall) -> str:
    """Why a call cannot be computed by the engine; "" where it can."""
    if torch._C._are_functorch_transforms_active():
        return "it is called in a transform of torch.func"
    return unserved(call.x) or unserved(call.w)


def unserved(tensor: Tensor) -> str:
    """Why the engine cannot read a tensor; "" where it can."""
    if type(tensor) not in (Tensor, Parameter):
        return f"it has tensors of class {type(tensor).__name__}"
    if not tensor.is_cpu:
        return f"it is on {tensor.device}, and the engine computes on the CPU"
    if tensor.dtype not in DTYPES:
        return f"it computes in {name_of(tensor.dtype)}, and the engine in {', '.join(map(name_of, DTYPES))}"
    return ""


def key(call: WatchedCall, manner: Manner) -> Hashable:
    """Calls with the same key take the same time."""
    tensors = tuple(
        t if t is None else (t.dtype, t.shape, t.stride(), t.requires_grad) for t in (call.x, call.w, call.bias)
    )
    window = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in call.window.items())
    return call.function, tensors, window, manner, torch.is_autocast_enabled("cpu"), torch.is_grad_enabled()


def contest(call: WatchedCall, manner: Manner, effort: Effort) -> Contest:
    """Compare and time; what goes wrong with tconv's is its failure."""
    runs = _runs(call, manner)
    if call.operation == "conv" and not manner.trains:
        seconds, least = probe(runs[ORIGINAL], timed(runs[ORIGINAL]), long=effort.long), _expected(call)
        if least > UNLIKELY * seconds:  # no kernels are made for it
            return Contest({ORIGINAL: [seconds] * effort.rounds, OURS: [least]})
    return decided(runs, effort)


def decided(runs: Mapping[str, Run], effort: Effort) -> Contest:
    """Compare runs and time them: none where ours fails, and not those that fail else."""
    failures = _compared(runs)
    left = {name: run for name, run in runs.items() if name == ORIGINAL or not (OURS in failures or name in failures)}
    # Only now: kernels may have been compiled in the first calls.
    took = {name: timed(run) for name, run in left.items()}
    turns = {ORIGINAL: [took[ORIGINAL]]} if OURS in failures else in_turns(left, took, effort)
    return Contest(turns, {}, failures)


def _expected(call: WatchedCall) -> float:
    """Seconds that the engine is expected to take for a convolution, by the model of costs."""
    engines = _engines(call)
    return 0.0 if engines is None else expected.seconds(engines.problem, isa.current(), threads())


def can_filter(call: WatchedCall) -> bool:
    """Whether minimal filtering may win: where it can compute, and transforms serve many channels."""
    engines = _engines(call)
    return engines is not None and min(engines.problem.cin, engines.problem.cout) >= MANY and engines.can_filter


def _engines(call: WatchedCall) -> Engines | None:
    """The engines of a call; None where there are none."""
    ndim, given = call.w.dim() - 2, call.window
    x = call.x if call.x.dim() == ndim + 2 else call.x.unsqueeze(0)
    left = given["output_padding"] if call.operation == "conv_transpose" else None
    words = given["stride"], given["padding"], left, given["groups"], given["dilation"], None
    try:
        frozen = calls.frozen(call.operation, *words)
        return calls.prepared(call.operation, ndim, x, call.w, call.bias, frozen).engines
    except Exception:  # of any class: what is wrong is said where results are compared
        return None


def compared(call: WatchedCall, manner: Manner) -> dict[str, str]:
    """Why results of tconv's are not PyTorch's, for those that are not."""
    return _compared(_runs(call, manner))


def _compared(runs: Mapping[str, Run]) -> dict[str, str]:
    expected = runs[ORIGINAL]()
    found = {name: _wrong(run, expected, 1 + (name == WINOGRAD)) for name, run in runs.items() if name != ORIGINAL}
    return {name: wrong for name, wrong in found.items() if wrong}


def _wrong(run: Run, expected: Sequence[Tensor], times: int) -> str:
    """Why the last of some results of a run is not the expected one: filters are for weights that come again."""
    try:
        for _ in range(times):
            results = run()
    except Exception as error:  # of any class: the model does without
        return f"it fails: {checks.first_line(error)}"
    return disagreement(results, expected)


def seconds_an_operation() -> float:
    """How much longer an operation takes under the mode that replaces calls."""
    number = torch.zeros(())

    def several() -> None:
        for _ in range(100):
            torch.neg(number)

    without = min(timed(several) for _ in range(5))
    with CallsReplaced(EVERY):
        return max(0.0, min(timed(several) for _ in range(5)) - without) / 100


def _runs(call: WatchedCall, manner: Manner) -> dict[str, Run]:
    if manner.layer is None:
        forms = {ORIGINAL: _Form(call, manner), OURS: _Replaced(call, manner)}
    else:
        kinds = {ORIGINAL: manner.layer, OURS: LAYERS[manner.layer]}
        if manner.winograd:
            kinds[WINOGRAD] = FILTERED[manner.layer]
        forms = {name: _LayerForm(call, manner, kind) for name, kind in kinds.items()}
    runs = {name: form.trained if manner.trains else form.computed for name, form in forms.items()}
    return {name: anew(run) if manner.new_sizes and name != ORIGINAL else run for name, run in runs.items()}


def anew(run: Callable[[], T]) -> Callable[[], T]:
    """A run that finds nothing of what the engine keeps of sizes, as if it had not met them."""

    def after_forgetting() -> T:
        engine.forget()
        return run()

    return after_forgetting


class _Form:
    """A way to compute a call, on tensors of its own: the model's keep their versions, their graphs and no gradient."""

    def __init__(self, call: WatchedCall, manner: Manner) -> None:
        self.call, self.manner = call, manner
        self.x = call.x.detach().requires_grad_(call.x.requires_grad)
        self.w = Parameter(call.w.detach().clone(), call.w.requires_grad)
        self.bias = None if call.bias is None else Parameter(call.bias.detach().clone(), call.bias.requires_grad)
        self.wanted = [t for t in (self.x, self.w, self.bias) if t is not None and t.requires_grad]

    def compute(self) -> Tensor:
        """The result."""
        w = self.w if self.manner.stored else self.w.view_as(self.w)
        return self.call.function(self.x, w, self.bias, **self.call.window)

    def computed(self) -> list[Tensor]:
        """The result alone."""
        return [self.compute().detach()]

    def trained(self) -> list[Tensor]:
        """The result and the gradients, with weights that are others in every call."""
        with torch.no_grad():
            self.w[(0,) * self.w.dim()].neg_()
        y = self.compute()
        return [y.detach(), *torch.autograd.grad(y, self.wanted, self.call.result.detach())]


class _Replaced(_Form):
    def compute(self) -> Tensor:
        with CallsReplaced((self.call.operation,)):
            return super().compute()


class _LayerForm(_Form):
    def __init__(self, call: WatchedCall, manner: Manner, kind: type) -> None:
        super().__init__(call, manner)
        sizes = {"kernel_size": tuple(self.w.shape[2:]), "bias": call.bias is not None, "device": "meta"}
        channels = [self.w.shape[0], self.w.shape[1] * call.window["groups"]]
        if call.operation == "conv":
            channels.reverse()
        self.layer = kind(*channels, **sizes, **call.window)
        self.layer.weight, self.layer.bias = self.w, self.bias

    def compute(self) -> Tensor:
        return self.layer(self.x)  # type: ignore[no-any-return]
