"""Hints on shapes that do not fit: the usual slips are undone, and the first that makes them fit is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

Shape = tuple[int, ...]


class Call(NamedTuple):
    """What of a call a slip may have changed."""

    grid: Shape  #: what is read: x of conv_transpose, y of conv
    w: Shape
    groups: int
    last: bool  #: whether channels are last


class _Change(NamedTuple):
    """A slip undone: what to say of it, and the call without it."""

    said: str
    call: Call


#: What others keep weights in: the order, whose it is, the axes of it that become ours, and the code for that.
_ORDERS: tuple[tuple[str, str, Callable[[int], Shape], str], ...] = (
    ("(Cout, Cin, *kernel)", "a convolution's", lambda n: (1, 0, *range(2, n)), "w.swapaxes(0, 1)"),
    ("(*kernel, Cout, Cin)", "Keras's", lambda n: (n - 1, n - 2, *range(n - 2)), "w.transpose{axes}"),
    ("(*kernel, Cin, Cout)", "JAX's", lambda n: (n - 2, n - 1, *range(n - 2)), 'tconv.weight_to_tconv(w, "jax")'),
    ("(Cout, *kernel, Cin)", "TFLite's", lambda n: (n - 1, 0, *range(1, n - 1)), "w.transpose{axes}"),
)


def of_call(name: str, call: Call, fits: Callable[[Call], bool]) -> str:
    """The slip that, undone, makes a grid, called `name`, and weights fit; or it and channels at the other end."""
    fitting = [change for change in _changes(name, call) if fits(change.call)]
    if fitting:
        return f"; {min(fitting, key=_oddness).said}?"
    for end in _other_ends(name, call):
        for change in _changes(name, end.call):
            if change.call != call and fits(change.call):
                return f"; {end.said}, and {change.said}?"
    return ""


def _oddness(change: _Change) -> int:
    """Of two slips that there may be, the one is likelier after which a grid is as long on every axis."""
    grid, w, _, last = change.call
    inner = grid[len(grid) - len(w) + 1 :]
    return len(set(inner[:-1] if last else inner[1:])) > 1


def other_end(name: str, channels: int, last: bool) -> str:
    """The layout that was not said, by the channels that lie where it has them."""
    end = "first" if last else "last"
    return f'{name} has {channels} {"channel" if channels == 1 else "channels"} {end}: layout="channels_{end}"'


def order_of(w: Shape, fits: Callable[[Shape], bool]) -> str:
    """Whose order of weights w has, where ours would fit."""
    found = (f"; {said}?" for said, shape in _orders(w) if fits(shape))
    return next(found, "")


def kernel_alone(w: Shape) -> str:
    """How a kernel without channels becomes weights."""
    return "; is w a kernel alone: w[None, None]?" if len(w) in (1, 2) else ""


def trailing(name: str, shape: Shape, expected: Shape) -> str:
    """How channels that are last come first, where the size before them is the expected one."""
    return f"; np.moveaxis({name}, -1, 0) puts channels first" if shape[-1 - len(expected) : -1] == expected else ""


def _changes(name: str, call: Call) -> Iterator[_Change]:
    """The slips undone, the likeliest first."""
    yield from _other_ends(name, call)
    for said, shape in _orders(call.w):
        yield _Change(said, call._replace(w=shape))
    yield from _with_channels(name, call)
    yield from _with_kernels(call)


def _other_ends(name: str, call: Call) -> Iterator[_Change]:
    batch = max(0, len(call.grid) - len(call.w) + 1)
    if len(call.grid) > batch:
        channels = call.grid[batch if call.last else -1]
        yield _Change(other_end(name, channels, call.last), call._replace(last=not call.last))


def _orders(w: Shape) -> Iterator[tuple[str, Shape]]:
    """What w is in the orders of others, the smallest kernel first, none that is larger than there are channels."""
    found = []
    for order, whose, axes, code in _ORDERS if len(w) > 2 else ():
        place = axes(len(w))
        shape = tuple(w[i] for i in place)
        kernel = shape[2:]
        if kernel == w[2:] or len(set(kernel)) == 1 or max(kernel) <= min(shape[:2]):
            found.append((f"is w in {whose} order {order}: {code.format(axes=place)}", shape))
    yield from sorted(found, key=lambda each: prod(each[1][2:]))


def _with_channels(name: str, call: Call) -> Iterator[_Change]:
    """The grid with an axis of one channel, of one image or of many."""
    grid, missing = call.grid, len(call.w) - len(call.grid)
    if missing == 0 and 0 < len(call.w) < 3:
        whole, index = ((*grid, 1), "..., None") if call.last else ((1, *grid), "None")
        said = f"have {name} and w no axes of channels: {name}[{index}] and w[None, None]"
        yield _Change(said, call._replace(grid=whole, w=(1, 1, *call.w)))
    if missing not in (1, 2) or not grid:
        return
    if call.last:
        index, whole = "..., None", (*grid, 1)
    elif missing == 2:
        index, whole = "None", (1, *grid)
    else:
        index, whole = ":, None", (grid[0], 1, *grid[1:])
    yield _Change(f"has {name} no axis of channels: {name}[{index}]", call._replace(grid=whole))


def _with_kernels(call: Call) -> Iterator[_Change]:
    """Weights with the axes of channels that they lack: one kernel for all channels, or one for each."""
    grid, w, _, last = call
    for batch in (1, 0):
        ndim = len(grid) - 1 - batch
        if ndim < 1:
            continue
        channels = grid[-1 if last else batch]
        if len(w) == ndim and channels == 1:
            yield _Change("is w a kernel alone: w[None, None]", call._replace(w=(1, 1, *w)))
        elif len(w) == ndim and channels:
            code = f"np.broadcast_to(w, {(channels, 1, *w)}) with groups={channels}"
            yield _Change(f"is w one kernel for all channels: {code}", Call(grid, (channels, 1, *w), channels, last))
        elif len(w) == ndim + 1 and w[0] == channels:
            code = "w[:, None]" + (f" with groups={channels}" if channels > 1 else "")
            yield _Change(f"is w a kernel a channel: {code}", Call(grid, (channels, 1, *w[1:]), channels, last))
