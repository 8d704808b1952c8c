"""`accelerate`: a model whose convolutions run on whichever is faster, PyTorch or tconv; and `restore`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import torch
from torch.nn import Module

from tconv import checks
from tconv.measuring.rounds import Effort
from tconv.torch import nn
from tconv.torch.accelerated import EVERY, Operations
from tconv.torch.acceleration_report import Report
from tconv.torch.becoming import classes_after
from tconv.torch.candidates import operation_of, unserved
from tconv.torch.classes import class_before, is_accelerated
from tconv.torch.fusing.sequences import KEPT
from tconv.torch.looking import Look, better, looked
from tconv.torch.measured import Measured
from tconv.torch.measuring_model import MeasuringModel
from tconv.torch.undone import modules
from tconv.torch.whole_format import ChannelsLast, laid_in, lie, put_back
from tconv.torch.whole_runs import Example

M = TypeVar("M", bound=Module)

#: Why a layer is left alone where nothing is measured: most take about as long either way, some half, some twice.
NO_RULE = "no rule says who is faster at an ordinary convolution: give example inputs, to measure it"
#: Seconds of a turn; and of calls that bring their data into the caches as they do in the model.
TURN, LONG = 0.01, 0.02
#: What `layers` may say, and the operations that are looked for.
LOOKED_FOR: dict[str, Operations] = {"transposed": ("conv_transpose",), "all": EVERY}


def accelerate(
    model: M,
    example_inputs: Any = None,
    *,
    layers: Literal["transposed", "all"] = "all",
    rounds: int = 9,
    new_sizes: bool = False,
    winograd: bool = True,
    memory_format: Literal["keep", "measure"] = "keep",
) -> tuple[M, Report]:
    """Let every convolution of a model, transposed or not, run on whichever is faster, measured on example inputs.

    Returns the same model, changed in place, and a report that prints as a table. Each convolution that a run of the
    model comes to is computed by PyTorch and by tconv, the results are compared, and both are timed in turns, in the
    layout, dtype and number of threads at hand. tconv's is kept if it is 3 % or more faster in all rounds but one;
    everything else is left alone. At last the whole model is compared and timed, as it was and with the layers that
    won: those of them that had the least to win are left alone if it has become slower by them, beyond the noise.
    `tconv.torch.restore` undoes it.

    Layers of torch.nn are measured, with weight_norm, other parametrizations, tied weights and hooks; so are calls of
    `F.conv_transpose1d` to `3d` and `F.conv1d` to `3d` in forward methods, in the module whose method it is. Results
    that differ by more than 1e-4 of the largest value (1e-10 in float64) lose, whatever they take. Of the whole model
    that holds unless its own rounding, measured on inputs that differ in their last place or layout, moves its results
    by more.

    Where no derivative is recorded, a convolution, the normalization behind it (of batches, instances or groups), what
    is added to that and the activation behind all, in a `torch.nn.Sequential` or a forward method that calls one behind
    the other, are measured in one call, too, and computed so where that is faster. Normalizations and activations that
    stand alone are measured by kernels of their own, Snake among them, and forward methods that pad one axis by
    reflection or replication with that done row by row.

    With `memory_format="measure"` models with convolutions of two or three axes are looked at channels last, too, and
    measured and kept so where that is faster: weights lie in that order then, in the same parameters, and results lie
    as before.

    What is measured is what the model is about to do: forward; and backward with it if the model is in training mode
    and gradients are enabled. Nothing of the runs stays: buffers, attributes of modules, the example, and the
    generators of random numbers are put back, and no gradient is touched.

    Args:
        model: any `torch.nn.Module`; one that is compiled, or distributed, is accelerated inside.
        example_inputs: what the model is called with: a tuple or list of arguments, a dictionary of named ones, or one
            argument. Without it nothing is measured: transposed convolutions of torch.nn that the engine serves are all
            taken, and tconv goes by its rules, which leave to PyTorch what that is expected to do faster. Other
            convolutions are left alone: of these no rule says who is faster.
        layers: "all", or "transposed" for transposed convolutions alone and what stands behind them, which takes less
            time. The report has a table for each kind.
        rounds: turns that each way of computing has at most, where it is not decided before; at least 3. (The whole
            model has up to three times as many.)
        winograd: whether layers of torch.nn, and runs that begin with one, are measured in a second form too, where no
            derivative is recorded: by minimal filtering (Winograd), which takes half of the products of a 3x3 kernel,
            and rounds more: results differ by 1e-6 to 1e-5 of the largest value. It is kept where it is 3 % or more
            faster than both PyTorch and the engine by the definition. False: these alone.
        new_sizes: whether inputs mostly come in sizes that the model has not met, such as speech or scans of all
            lengths. Every run is measured with what the first one of a size takes longer, about 1.5 ms a layer.
        memory_format: "keep": weights stay as they lie. "measure": whether the model is faster with channels innermost
            in memory is measured, in PyTorch alone by a few runs, and where that promises something with layers on
            whichever is faster, too, which may take twice the time. A `view` in a branch that the example does not take
            may fail then.

    Raises:
        TypeError, ValueError: for other arguments; and whatever the model raises on the example inputs. Then it is as
            it was.

    >>> import torch, tconv.torch
    >>> model = torch.nn.Sequential(torch.nn.ConvTranspose1d(4, 2, 8, stride=4), torch.nn.Tanh())
    >>> model, report = tconv.torch.accelerate(model, torch.ones(1, 4, 100), rounds=3)
    >>> [(layer.name, layer.shape, layer.gain > 0) for layer in report.layers]
    [('0', '1x4x100 -> 1x2x404', True)]
    """
    said: dict[str, Any] = {"layers": layers, "rounds": rounds, "new_sizes": new_sizes, "winograd": winograd}
    said["memory_format"] = memory_format
    with checks.explained("accelerate", lambda: checks.echo(**said)):
        inner = _inner(model)
        checks.choice("layers", layers, tuple(LOOKED_FOR))
        effort = Effort(rounds=checks.integer("rounds", rounds, 3), turn=TURN, long=LONG)
        checks.truth("new_sizes", new_sizes)
        checks.truth("winograd", winograd)
        checks.choice("memory_format", memory_format, ("keep", "measure"))
        if example_inputs is None and memory_format == "measure":
            checks.wrong('memory_format must be "keep" without example_inputs, on which it would be measured')
        tensors = itertools.chain(inner.named_parameters(), inner.named_buffers())
        lazy = [name for name, tensor in tensors if torch.nn.parameter.is_lazy(tensor)]
        if lazy:
            checks.wrong(
                f"model must have all its parameters and buffers; run it once first, {lazy[0]!r} has no shape yet"
            )
    with _whole(inner):
        restore(inner)
        wanted = LOOKED_FOR[layers]
        if example_inputs is None:
            report = _by_rule(inner, wanted)
        else:
            example = Example(*_arguments(example_inputs), trains=False, new_sizes=new_sizes)
            look = looked(inner, example) if memory_format == "measure" else Look()

            def measured(last: ChannelsLast | None) -> Report:
                return MeasuringModel(inner, example, effort, wanted, winograd=winograd).measured(last)

            report = better(look, measured)
        kept = [found for found in report.found if found.kept]
        for module, kind in classes_after(inner, kept).items():
            module.__class__ = kind
        if report.channels_last and look.last is not None:
            look.last.take()
    return model, report


def restore(model: M) -> M:
    """Undo `accelerate`: modules have their classes again, and weights lie as before; returns the model.

    What was done to the model in between, such as training or loading weights, stays.

    >>> import torch, tconv.torch
    >>> model, _ = tconv.torch.accelerate(torch.nn.ConvTranspose2d(4, 2, 2))
    >>> type(tconv.torch.restore(model))
    <class 'torch.nn.modules.conv.ConvTranspose2d'>
    """
    with checks.explained("restore"):
        inner = _inner(model)
    before = {module: class_before(module) for module in modules(inner) if is_accelerated(module)}
    for module, kind in before.items():
        packed = "_kept" if isinstance(module, nn._Layer) else KEPT
        put_back(module)
        module.__class__ = kind
        module.__dict__.pop(packed, None)
    return model


def _inner(model: Any) -> Module:
    """The model inside of what compiles or distributes it."""
    if not isinstance(model, Module):
        checks.wrong_type(
            f"model must be a torch.nn.Module; got {checks.shorten(model)} of type {type(model).__name__}"
        )
    inside = getattr(model, "_orig_mod", None)
    if isinstance(model, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        inside = model.module
    return _inner(inside) if isinstance(inside, Module) else model


@contextmanager
def _whole(model: Module) -> Iterator[None]:
    """All modules keep their classes, and weights their memory, where the block raises."""
    before, weights = {module: type(module) for module in model.modules()}, laid_in(model)
    try:
        yield
    except BaseException:
        lie(weights)
        for module, kind in before.items():
            if type(module) is not kind:
                module.__class__ = kind
        raise


def _by_rule(model: Module, wanted: Operations) -> Report:
    """The report without a run: every layer that the engine serves, and is expected to be faster at, is taken."""
    layers = []
    for name, module in model.named_modules():
        operation = operation_of(module)
        if operation in wanted:
            reason = unserved(module) or (NO_RULE if operation == "conv" else "")
            kept = not reason
            kind = type(module).__name__
            layers.append(Measured(name, kind, (), kept=kept, reason=reason, operations=(operation,)))
    threads = torch.get_num_threads()
    return Report(tuple(layers), measured=False, trains=False, threads=threads, looked_for=wanted)


def _arguments(example_inputs: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(example_inputs, Mapping):
        return (), example_inputs
    return tuple(example_inputs) if isinstance(example_inputs, tuple | list) else (example_inputs,), {}
