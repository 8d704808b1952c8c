"""From the arguments of an operation to the problem they pose: shapes split, channels and groups checked, axes settled.

No arrays, only their shapes and dtypes. Raises `checks.Rejected`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from tconv import checks, resolve
from tconv.arrays import DTYPES, summary
from tconv.geometry import Geometry
from tconv.hints import shapes as hints
from tconv.problem import OPERANDS, Operation, Problem

Layout: TypeAlias = Literal["channels_first", "channels_last"]
LAYOUTS: tuple[Layout, ...] = ("channels_first", "channels_last")


class Window(NamedTuple):
    """The geometry arguments as given, but hashable: every sequence a tuple, every number an int."""

    stride: Any = 1
    padding: Any = 0
    output_padding: Any = None
    output_size: Any = None
    groups: Any = 1
    dilation: Any = 1


def freeze(name: str, value: Any) -> Any:
    """An argument as part of the key of a plan.

    2.0 and True are refused already here: as keys they equal 2 and 1, and would find the plan of those.
    """
    if type(value) is int or value is None or isinstance(value, str):
        return value
    if checks.is_sequence(value):
        return tuple([freeze(f"{name}[{i}]", entry) for i, entry in enumerate(value)])
    return checks.integer(name, value)


def window(*values: Any) -> Window:
    """The geometry arguments, in the order of `Window`, as part of a key."""
    return Window(*[freeze(name, value) for name, value in zip(Window._fields, values, strict=True)])


def called_with(
    operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...], layout: Any, method: Any, out: Any,
    activation: Any = None, residual: Any = None,
) -> str:  # fmt: skip
    """The line below an error: arrays by dtype and shape, and every other argument that is not the default."""
    shown = [f"{name}={summary(value)}" for name, value in operands.items()]
    others = ("bias", bias), ("out", out), ("activation", activation), ("residual", residual)
    shown += [f"{name}={summary(value)}" for name, value in others if value is not None]
    names = ("kernel_size", *Window._fields, "layout", "method")
    defaults = (None, *Window(output_padding=0), "channels_first", "auto")
    for name, value, default in zip(names, (kernel_size, *window, layout, method), defaults, strict=True):
        if value is not None and not (type(value) is type(default) and value == default):
            shown.append(f"{name}={checks.shorten(value)}")
    return ", ".join(shown)


class Grid(NamedTuple):
    """The shape of x or y, split."""

    batch: int | None  #: None without a batch axis
    channels: int
    size: tuple[int, ...]


def grid(name: str, shape: tuple[int, ...], ndim: int, layout: Layout) -> Grid:
    """The batch, channels and size of x or y, with `ndim` axes of size."""
    if len(shape) not in (ndim + 1, ndim + 2):
        order = "C, *size" if layout == "channels_first" else "*size, C"
        axes = checks.count(ndim, "axis", "axes")
        checks.wrong(f"{name} must have shape (N, {order}) or ({order}) with {axes} of size; got {shape}")
    batch, inner = (None, shape) if len(shape) == ndim + 1 else (shape[0], shape[1:])
    if 0 in inner:
        checks.wrong(f"{name} must have no empty axis but the batch; got shape {shape}")
    if layout == "channels_first":
        return Grid(batch, inner[0], inner[1:])
    return Grid(batch, inner[-1], inner[:-1])


def problem(
    operation: Operation,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_size: Any,
    dtype: str,
    window: Window,
    layout: Layout,
) -> tuple[Problem, bool]:
    """What the shapes of the two operands pose, and whether they have a batch axis."""
    try:
        return _problem(operation, first, second, kernel_size, dtype, window, layout)
    except checks.Rejected as rejected:
        hint = _hint(operation, first, second, kernel_size, window, layout)
        raise checks.Rejected(rejected.kind, f"{rejected}{hint}") from None


def _problem(
    operation: Operation,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_size: Any,
    dtype: str,
    window: Window,
    layout: Layout,
) -> tuple[Problem, bool]:
    groups = checks.integer("groups", window.groups, 1)
    if operation == "weight_gradient":
        batch, cin, cout, geometry = _of_both_grids(first, second, kernel_size, window, layout)
        checks.divides("groups", groups, "the channels of y, Cout", cout)
    elif operation == "conv_transpose":
        batch, cin, cout, geometry = _of_coarse(first, second, groups, window, layout)
    else:
        batch, cin, cout, geometry = _of_fine(first, second, groups, window, layout)
    checks.divides("groups", groups, "the channels of x, Cin", cin)
    images = 1 if batch is None else batch
    return Problem(operation, geometry, images, cin, cout, groups, DTYPES[dtype]), batch is not None


def _hint(
    operation: Operation,
    first: tuple[int, ...],
    second: tuple[int, ...],
    kernel_size: Any,
    window: Window,
    layout: Layout,
) -> str:
    """The slip without which the shapes would pose a problem."""

    def fits(call: hints.Call, kernel: Any = kernel_size) -> bool:
        changed = window if call.groups == window.groups else window._replace(groups=call.groups)
        try:
            _problem(operation, call.grid, call.w, kernel, "float32", changed, LAYOUTS[call.last])
        except checks.Rejected:
            return False
        return True

    call = hints.Call(first, second, window.groups, layout == "channels_last")
    if operation != "weight_gradient":
        return hints.of_call(OPERANDS[operation][0], call, fits)
    ndim = len(kernel_size) if checks.is_sequence(kernel_size) else max(1, len(first) - 2)
    if fits(call._replace(last=not call.last)):
        return f"; {hints.other_end('x', first[len(first) - 1 - ndim if call.last else -1], call.last)}?"
    if type(kernel_size) is int and fits(call, kernel := (kernel_size,) * (len(first) - 1)):
        return f"; without a batch, kernel_size={kernel} says how many axes there are"
    return ""


Posed: TypeAlias = tuple[int | None, int, int, Geometry]


def _of_coarse(x: tuple[int, ...], w: tuple[int, ...], groups: int, window: Window, layout: Layout) -> Posed:
    cin, cout, kernel = weights(w, groups)
    coarse = grid("x", x, len(kernel), layout)
    if coarse.channels != cin:
        checks.wrong(f"x must have {checks.count(cin, 'channel')}, the first size of w; got {coarse.channels}")
    settled = resolve.window(coarse.size, kernel, window.stride, window.padding, window.dilation, "x")
    a = 0 if window.output_padding is None else window.output_padding
    axes = resolve.conv_transpose(settled, a, window.output_size)
    return coarse.batch, cin, cout, Geometry(axes)


def _of_fine(y: tuple[int, ...], w: tuple[int, ...], groups: int, window: Window, layout: Layout) -> Posed:
    cin, cout, kernel = weights(w, groups)
    fine = grid("y", y, len(kernel), layout)
    if fine.channels != cout:
        times = "the second size of w" + ("" if groups == 1 else f" times groups={groups}")
        checks.wrong(f"y must have {checks.count(cout, 'channel')}, {times}; got {fine.channels}")
    settled = resolve.window(fine.size, kernel, window.stride, window.padding, window.dilation, "y")
    return fine.batch, cin, cout, Geometry(resolve.conv(settled, window.output_padding, window.output_size))


def _of_both_grids(x: tuple[int, ...], y: tuple[int, ...], kernel_size: Any, window: Window, layout: Layout) -> Posed:
    ndim = len(kernel_size) if checks.is_sequence(kernel_size) else max(1, len(x) - 2)
    kernel = checks.per_axis("kernel_size", kernel_size, ndim, 1)
    if ndim > checks.MOST_AXES:
        checks.wrong(f"x and y must have at most {checks.MOST_AXES} axes of size; got {ndim}")
    coarse, fine = grid("x", x, ndim, layout), grid("y", y, ndim, layout)
    if coarse.batch != fine.batch:
        batches = ["no batch axis" if b is None else f"batch {b}" for b in (coarse.batch, fine.batch)]
        checks.wrong(f"y must have the batch of x, {batches[0]}; got {batches[1]}")
    settled = resolve.window(coarse.size, kernel, window.stride, window.padding, window.dilation, "x")
    geometry = Geometry(resolve.between(settled, fine.size))
    for name, value, implied in (
        ("output_padding", window.output_padding, geometry.output_padding),
        ("output_size", window.output_size, geometry.fine),
    ):
        if value is not None and checks.per_axis(name, value, ndim, 0) != implied:
            checks.wrong(f"{name} must be {implied}, as the sizes of x and y imply, or be left out; got {value}")
    return coarse.batch, coarse.channels, fine.channels, geometry


def prepared_weights(w: tuple[int, ...], groups: int) -> tuple[int, int, tuple[int, ...]]:
    """As `weights`, where there is no x that could say what was meant."""
    try:
        return weights(w, groups)
    except checks.Rejected as rejected:
        hint = hints.kernel_alone(w)
        raise checks.Rejected(rejected.kind, f"{rejected}{hint}") from None


def weights(w: tuple[int, ...], groups: int) -> tuple[int, int, tuple[int, ...]]:
    """Cin, Cout and the kernel of weights of this shape."""
    if len(w) < 3:
        checks.wrong(f"w must have shape (Cin, Cout / groups, *kernel), so at least 3 axes; got {w}")
    if len(w) - 2 > checks.MOST_AXES:
        checks.wrong(f"w must have at most {checks.MOST_AXES} axes of size; got {len(w) - 2}")
    if 0 in w:
        checks.wrong(f"w must have no empty axis; got shape {w}")
    return w[0], w[1] * groups, w[2:]
