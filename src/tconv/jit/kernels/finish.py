"""The epilogue: what is done with results once they are in y, row by row, while they are still in the caches.

A residual is added, then an activation is applied. It is the last op of a chunk, called for each tile like the others,
and acts on whole channels: where tiles share a run of y, it is the last of them that finishes it (`FINISHES`).

Channels first, the elements of a row follow each other, and so do rows in steps; channels last, the channels of a pixel
do, pixels follow, then rows. Elements that lie side by side are one row, unless each channel has its own parameter.

Op: kernel, bytes, offset in y, elements of a row (pixels, channels last), rows, bytes from one to the next, bytes from
one element of a row to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import FINISHES, PARAMETERS, Context, Given, Tile
from tconv.jit.kernels.pack_rows import copy_few
from tconv.jit.machine.elementary import FUNCTIONS, Arithmetic
from tconv.jit.machine.ir import BYTES, Function, Module, Vector


@dataclass(frozen=True, slots=True)
class Finish:
    """The kernel of an epilogue."""

    element: str
    lanes: int
    innermost: bool  #: channels follow each other
    activation: str  #: its name, or none
    parameter: str  #: of it: "", "one", or "channels": one for each
    residual: bool


def emit(module: Module, name: str, kernel: Finish) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size, given = BYTES[v.element], f.pointer("%context", Context.GIVEN)
    channels, per_channel = f.word("%tile", FINISHES), f.word("%context", Context.Y_CHANNEL)
    begin = f.sub(f.word("%tile", Tile.Y), f.mul(f.word("%tile", Tile.FIRST), size))
    start = f.at(f.at(f.pointer("%context", Context.Y), begin), f.word("%op", 2))
    length, rows, row, pixel = (f.word("%op", word) for word in range(3, 7))
    # Outer, middle and inner: what follows each other is inner.
    outer, inner = (rows, channels) if kernel.innermost else (channels, length)
    middle = length if kernel.innermost else rows
    outer_step, middle_step = (row, pixel) if kernel.innermost else (per_channel, row)
    if kernel.parameter != "channels":
        whole = f.mul(inner, size)
        if kernel.innermost:
            dense = f.compare("eq", whole, middle_step)
            inner = f.let(f"select i1 {dense}, i64 {f.mul(inner, middle)}, i64 {inner}")
            middle = f.let(f"select i1 {dense}, i64 1, i64 {middle}")
        else:
            dense = f.both(f.compare("eq", whole, outer_step), f.compare("eq", middle, 1))
            inner = f.let(f"select i1 {dense}, i64 {f.mul(inner, outer)}, i64 {inner}")
            outer = f.let(f"select i1 {dense}, i64 1, i64 {outer}")
    # A tile that finishes nothing does nothing.
    outer = f.let(f"select i1 {f.compare('eq', channels, 0)}, i64 0, i64 {outer}")
    run = _Run(f, v, kernel, given, start, inner)
    with f.loop(outer, carried=[("ptr", start)]) as (number, [of_outer]):
        run.of_channel(number)
        with f.loop(middle, carried=[("ptr", of_outer)], once=True) as (_, [here]):
            run.finish(here)
            f.next(f.at(here, middle_step))
        f.next(f.at(of_outer, outer_step))
    f.ret()
    return f


class _Run:
    """Neighbouring elements: whole vectors, and the rest under a mask, or by way of the stack where masks are slow."""

    def __init__(self, f: Function, v: Vector, kernel: Finish, given: str, start: str, length: str) -> None:
        self.f, self.v, self.kernel, self.size = f, v, kernel, BYTES[v.element]
        self.whole = f.let(f"and i64 {length}, {-v.lanes}")
        self.rest = f.sub(length, self.whole)
        self.mask = f.lanes_between(v, None, self.rest) if f.module.isa.masks else ""
        self.buffers = [] if self.mask else [f.stack(v.bytes) for _ in range(3)]
        self.residual = f.word(given, Given.RESIDUAL) if kernel.residual else ""
        self.parameters = f.pointer(given, Given.PARAMETERS) if kernel.parameter else ""
        if kernel.parameter == "one":
            self.parameter = f.broadcast(v, self.parameters)
        elif kernel.parameter:
            self.parameters = self._of_channels(given, start)

    def _of_channels(self, given: str, start: str) -> str:
        """Where the parameters of the first channel lie: elements of y say by their place whose they are."""
        f = self.f
        further = f.sub(f.let(f"ptrtoint ptr {start} to i64"), f.word(given, Given.Y))
        planes = f.let(f"udiv i64 {further}, {f.word('%context', Context.Y_CHANNEL)}")
        channel = f.let(f"urem i64 {planes}, {f.word(given, Given.CHANNELS)}")
        return f.at(self.parameters, f.mul(channel, self.size))

    def of_channel(self, number: str) -> None:
        """Begin with a channel, where they are the outer loop."""
        if self.kernel.parameter == "channels" and not self.kernel.innermost:
            self.parameter = self.f.broadcast(self.v, self.parameters, self.f.mul(number, self.size))

    @property
    def _by_lane(self) -> bool:
        return self.kernel.parameter == "channels" and self.kernel.innermost

    def finish(self, here: str) -> None:
        """Finish the elements from a place on."""
        f, v = self.f, self.v
        other = f.at(here, self.residual) if self.residual else ""
        sources = [here, *([other] if other else []), *([self.parameters] if self._by_lane else [])]
        with f.loop(self.whole, step=v.lanes) as (i, _):
            at = f.mul(i, self.size)
            f.vstore(v, self._value([f.vload(v, source, at) for source in sources]), here, at)
        at = f.mul(self.whole, self.size)
        sources = [f.at(source, at) for source in sources]
        with f.when(f.compare("ne", self.rest, 0)):
            if self.mask:
                values = [f.masked_load(v, source, self.mask) for source in sources]
                f.masked_store(v, self._value(values), sources[0], self.mask)
            else:
                self._by_stack(sources)

    def _by_stack(self, sources: list[str]) -> None:
        f, v = self.f, self.v
        for source, buffer in zip(sources, self.buffers, strict=False):
            f.vstore(v, "zeroinitializer", buffer)
            copy_few(f, v, source, buffer, self.rest)
        values = [f.vload(v, buffer) for buffer in self.buffers[: len(sources)]]
        f.vstore(v, self._value(values), self.buffers[0])
        copy_few(f, v, self.buffers[0], sources[0], self.rest)

    def _value(self, values: list[str]) -> str:
        """What becomes of a vector of results."""
        kernel, arithmetic = self.kernel, Arithmetic(self.f, self.v)
        value = arithmetic.do("fadd", values[0], values[1]) if kernel.residual else values[0]
        if not kernel.activation:
            return value
        parameter = [values[-1] if self._by_lane else self.parameter] if kernel.parameter else []
        return FUNCTIONS[kernel.activation](arithmetic, value, *parameter)
