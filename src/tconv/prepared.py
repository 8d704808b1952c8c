"""`ConvTranspose` and `Conv`: an operation with its weights packed once, for calls that repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

import numpy as np

from tconv import arguments, arrays, checks, numpy_ops, resolve
from tconv.activations import Activation
from tconv.arguments import Layout
from tconv.finishing import Finishing, checked
from tconv.forks import uninterrupted
from tconv.jit.machine.address import address
from tconv.plan import Plan, check_words, make_plan
from tconv.problem import OPERANDS, Array, Operation, Problem
from tconv.resolve import Ints, PaddingLike

if TYPE_CHECKING:
    from tconv.jit.call import Packed
    from tconv.jit.engine import Engine

#: Shapes of what is read that an operator remembers how to compute.
REMEMBERED = 64
#: What is found of a shape that has not been met.
UNSEEN: Any = object()


class _Prepared:
    """What both have in common: one operation, and what it reads; shapes and names follow from these."""

    _operation: ClassVar[Operation]

    def __init__(
        self,
        w: Array,
        bias: Array | None = None,
        *,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        output_padding: Ints | None = None,
        output_size: Ints | None = None,
        groups: int = 1,
        dilation: Ints = 1,
        layout: Layout = "channels_first",
        method: str = "auto",
        activation: str | Activation | None = None,
    ) -> None:
        with checks.explained(type(self).__name__):
            check_words(layout, method)
            arrays.array("w", w)
            self.dtype = np.dtype(arrays.dtype_name("the dtype of w", w.dtype))
            self._window = arguments.window(stride, padding, output_padding, output_size, groups, dilation)
            cin, cout, kernel = arguments.prepared_weights(w.shape, checks.integer("groups", groups, 1))
            checks.divides("groups", groups, "the channels of x, Cin", cin)
            resolve.window((1,) * len(kernel), kernel, stride, padding, dilation, "w")
            channels = cout if self._operation == "conv_transpose" else cin
            if bias is not None:
                arrays.same_dtype("bias", bias, "w", self.dtype.name)
                arrays.exact_shape("bias", bias, (channels,))
            found = checked(activation, None, "w", self.dtype.name, (), channels)
        self.layout, self.method = layout, method
        self._w = np.array(w, self.dtype, order="C")
        self._bias = None if bias is None else np.array(bias, self.dtype)
        self.activation = None if found is None else found.activation
        #: By the shape of what is read, and whether a residual is given; None where it is not the engine that computes,
        #: or a weight is not finite.
        self._ready: dict[Any, Packed | None] = {}
        self._packed: dict[Any, tuple[Array, bool]] = {}
        self._alike = WeakSet[_Prepared]([self])  # all operators that share packed weights

    def __call__(self, grid: Array, /, out: Array | None = None, *, residual: Array | None = None) -> Array:
        """Compute from a grid of shape (N, C, *size), or (N, *size, C) where channels are last; the batch is optional.

        `out` is an array for the result, with any strides, that shares no memory with the grid. `residual`, of the
        shape and dtype of the result, is added before the activation.
        """
        if self.activation is not None or residual is not None:
            return self._finished(grid, out, residual)
        ready = self._ready.get(grid.shape) if type(grid) is np.ndarray else None
        if ready is None or not ready.serves(grid) or not (out is None or ready.writes(out, grid)):
            return self._call(grid, out)
        result = ready.empty(ready.shape, ready.dtype) if out is None else out
        right = ready.run(address(grid), ready.weights, address(result))
        return result if right else self._otherwise(grid, result)

    def _finished(self, grid: Array, out: Array | None, residual: Array | None) -> Array:
        """A call with an activation or a residual."""
        ready = self._ready.get(_key(grid.shape, residual)) if type(grid) is np.ndarray else None
        writes = ready is not None and (out is None or ready.writes(out, grid, residual))
        if ready is None or not writes or not ready.serves(grid) or not (residual is None or ready.adds(residual)):
            return self._call(grid, out, residual)
        result = ready.empty(ready.shape, ready.dtype) if out is None else out
        return result if ready.finish(grid, result, residual) else self._otherwise(grid, result, residual)

    def _otherwise(self, grid: Array, result: Array, residual: Array | None = None) -> Array:
        """The result where kernels that are not exact met what is not finite: the method of the plan knows what to do.

        Nothing that is read shares memory with `result`, which holds anything now.
        """
        given = None if self.activation is None and residual is None else Finishing(self.activation, residual)
        numpy_ops.run(self._plan(grid.shape), grid, self._w, self._bias, result, given)
        return result

    def plan(self, shape: Any, /) -> Plan:
        """How a call with a grid of this shape would run; see `tconv.plan`."""
        with checks.explained(f"{type(self).__name__}.plan"):
            shape = checks.shape(f"{self._read}_shape", getattr(shape, "shape", shape))
            epilogue = None if self.activation is None else Finishing(self.activation, None).epilogue
            candidates = self._plan(shape, packed=False).candidates
            return replace(self._plan(shape), candidates=candidates, epilogue=epilogue)

    def __repr__(self) -> str:
        default = arguments.Window()._asdict()
        given = {name: value for name, value in self._window._asdict().items() if value != default[name]}
        shown = "".join(f", {name}={value!r}" for name, value in given.items())
        bias = "" if self._bias is None else ", bias"
        method = "" if self.method == "auto" else f', method="{self.method}"'
        method += "" if self.activation is None else f", activation={self.activation!r}"
        layout = "" if self.layout == "channels_first" else f', layout="{self.layout}"'
        return f"{type(self).__name__}(w {self.dtype} {self._w.shape}{bias}{shown}{layout}{method})"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        return {**state, "_ready": {}, "_packed": {}, "_alike": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _alike=WeakSet([self]))

    @property
    def _read(self) -> str:
        """The name of the grid that is read."""
        return OPERANDS[self._operation][0]

    def _plan(self, shape: tuple[int, ...], *, packed: bool = True) -> Plan:
        dtype, w = self.dtype.name, self._w.shape
        return make_plan(self._operation, shape, w, None, dtype, self._window, self.layout, self.method, packed)

    def _check_out(self, plan: Plan, grid: Array, out: Any, residual: Any) -> None:
        shown = f"{self._read}={arrays.summary(grid)}, out={arrays.summary(out)}"
        with checks.explained(type(self).__name__, lambda: shown):
            shared = {self._read: grid, "w": self._w, "bias": self._bias, "residual": residual}
            arrays.output(out, plan.result_shape, self.dtype.name, shared)

    def _call(self, grid: Any, out: Any, residual: Any = None) -> Array:
        """The way for what is new or unusual: everything is checked, and remembered for the next call."""
        with checks.explained(type(self).__name__, lambda: f"{self._read}={arrays.summary(grid)}, {self!r}"):
            arrays.array(self._read, grid)
            arrays.same_dtype(self._read, grid, "w", self.dtype.name)
            plan = self._plan(grid.shape)
            channels = plan.problem.out_channels if plan.problem.written == "y" else plan.problem.in_channels
            shape = plan.result_shape
            finishing = checked(self.activation, residual, self._read, self.dtype.name, shape, channels)
        if out is not None:
            self._check_out(plan, grid, out, residual)
        ready = self._prepare(plan, _key(grid.shape, residual), finishing)
        if ready is None or not (out is None or out.flags.carray):
            result = np.empty(plan.result_shape, self.dtype) if out is None else out
            numpy_ops.run(plan, grid, self._w, self._bias, result, finishing)
            return result
        grid = np.ascontiguousarray(grid, self.dtype)
        result = ready.empty(ready.shape, ready.dtype) if out is None else out
        if finishing is None:
            right = ready.run(address(grid), ready.weights, address(result))
        else:
            residual = None if residual is None else np.ascontiguousarray(residual, self.dtype)
            right = ready.finish(grid, result, residual)
        return result if right else self._otherwise(grid, result, residual)

    def _prepare(self, plan: Plan, shape: Any, finishing: Finishing | None) -> Packed | None:
        """Everything a call with this plan needs, kept for the next; None: it is for `numpy_ops.run`."""
        known: Packed | None = self._ready.get(shape, UNSEEN)  # in one step: another thread may forget it
        if known is None or (known is not UNSEEN and known.is_current()):
            return known
        with uninterrupted:  # what is packed is in use from the beginning
            ready = self._made(plan, plan.problem, finishing) if plan.is_for_kernels else None
            self._remember(shape, ready)
        return ready

    def _made(self, plan: Plan, problem: Problem, finishing: Finishing | None) -> Packed | None:
        """A call of the engine with packed weights; None where one is not finite. The caller holds `uninterrupted`."""
        from tconv.jit.call import Packed

        last, shape = plan.layout == "channels_last", plan.result_shape
        made = Packed(problem, last, shape, plan.dtype, self._pack, finishing, plan.is_filtered)
        # Kernels would multiply the zeros around a grid by a NaN or an Inf: numpy_ops.run knows what to do.
        return made if made.finite else None

    def _remember(self, key: Any, ready: Packed | None) -> None:
        """Keep what a call needs for the next one, and `REMEMBERED` at most. The caller holds `uninterrupted`."""
        if key not in self._ready and len(self._ready) >= REMEMBERED:
            del self._ready[next(iter(self._ready))]  # the shape that was seen first
        self._ready[key] = ready
        self._forget_unused()

    def _forget_unused(self) -> None:
        """Drop packed weights that no shape uses any more."""
        used = {id(ready.packed) for one in self._alike for ready in one._ready.values() if ready is not None}
        for key in [key for key, kept in self._packed.items() if id(kept[0]) not in used]:
            del self._packed[key]

    def _pack(self, made: Engine) -> tuple[Array, bool]:
        """The weights in the order of an engine, and whether all are finite; packed once for all that agree on it."""
        from tconv.jit import engine

        with uninterrupted:
            key = made.program.packing
            if key not in self._packed:
                packed = engine.aligned(made.program.packed)
                self._packed[key] = packed, made.pack(self._w, self._bias, packed)
            return self._packed[key]


def _key(shape: tuple[int, ...], residual: Any) -> Any:
    """By what a call with an activation or a residual is remembered."""
    return shape if residual is None else (shape, "residual")


class ConvTranspose(_Prepared):
    """A transposed convolution prepared for many calls: weights are packed once, plans and code are kept by shape.

        op(x)[n, o, c * stride - low + t * dilation] = bias[o] + sum of x[n, i, c] * w[i, o, t]

    Args:
        w: (Cin, Cout / groups, *kernel); copied, so that later changes of the array do not matter.
        bias: (Cout,), or None; copied likewise.
        stride, padding, output_padding, output_size, groups, dilation, layout, method, activation: as in
            `tconv.conv_transpose`.

    `op(x, out, residual=residual)` computes y from x of shape (N, Cin, *coarse), or (N, *coarse, Cin) where channels
    are last. A batch is optional, and so are `out`, an array for the result that shares no memory with the others, and
    the residual. Many threads may call an operator at once. Results are those of `tconv.conv_transpose` by the method
    that `plan` names, bit for bit: "auto" prefers the engine here, because its weights are packed already.

    >>> import numpy as np, tconv
    >>> op = tconv.ConvTranspose(np.ones((8, 4, 2, 2), np.float32), stride=2)
    >>> op(np.ones((1, 8, 16, 16), np.float32)).shape
    (1, 4, 32, 32)
    """

    _operation = "conv_transpose"


class Conv(_Prepared):
    """A convolution prepared for many calls, the transpose of a `ConvTranspose` with the same arguments but the bias.

        op(y)[n, i, c] = bias[i] + sum of y[n, o, c * stride - low + t * dilation] * w[i, o, t]

    Args:
        w: (Cin, Cout / groups, *kernel), of which y has Cout channels and the result Cin, as in `tconv.conv`: a Conv
            layer of PyTorch from Cout to Cin channels holds its weights in this order. Copied.
        bias: (Cin,), or None; copied likewise.
        stride, padding, output_padding, output_size, groups, dilation, layout, method, activation: as in `tconv.conv`.

    `op(y, out, residual=residual)` computes x from y of shape (N, Cout, *fine), or (N, *fine, Cout) where channels are
    last. The rest is as in `ConvTranspose`: the batch, `out` and the residual are optional, results are those of
    `tconv.conv`, bit for bit.

    >>> import numpy as np, tconv
    >>> op = tconv.Conv(np.ones((8, 4, 3, 3), np.float32), stride=2, padding=1)
    >>> op(np.ones((1, 4, 32, 32), np.float32)).shape
    (1, 8, 16, 16)
    """

    _operation = "conv"
