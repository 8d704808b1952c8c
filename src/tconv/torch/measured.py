"""What was measured for `tconv.torch.accelerate`: of a layer, a run, another module, and the whole model."""

from __future__ import annotations

from dataclasses import dataclass

from tconv.torch.engine import Operation

#: Of x and of the result.
Shapes = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The convolutions of one module, and what came of them."""

    name: str  #: of the module in the model; "" for the model itself
    kind: str  #: the name of its class
    shapes: tuple[Shapes, ...]  #: call by call
    before: float | None = None  #: seconds in a run of the model; None where nothing was measured
    after: float | None = None  #: on tconv's engine; None where that was not measured
    kept: bool = False  #: whether it runs on the engine now
    reason: str = ""  #: why it was left alone without measuring, or in spite of it; "" where times decided
    operations: tuple[Operation, ...] = ("conv_transpose",)  #: that its forward method calls
    winograd: bool = False  #: by minimal filtering, which is not exact
    exactly: Measured | None = None  #: what came of it by the sums of the definition, where it is by minimal filtering

    @property
    def operation(self) -> str:
        """The operations in one word: "conv_transpose", "conv", or "conv_transpose, conv"."""
        return ", ".join(self.operations)

    @property
    def gain(self) -> float | None:
        """How many times as fast the engine is, kept or not; None where it was not measured."""
        return self.before / self.after if self.before is not None and self.after is not None else None

    @property
    def shape(self) -> str:
        """The shapes of the first call, and how many more calls there were."""
        if not self.shapes:
            return "-"
        x, y = ("x".join(map(str, shape)) for shape in self.shapes[0])
        return f"{x} -> {y}" + (f", {len(self.shapes)} calls" if len(self.shapes) > 1 else "")

    @property
    def outcome(self) -> str:
        """What came of measuring the module, in a few words."""
        if self.kept:
            by = ", by Winograd" if self.winograd else ""
            return "not measured" if self.gain is None else f"{self.gain:.2f} times as fast{by}"
        noise = "not faster by more than the noise" if self.gain is not None and self.gain > 1 else ""
        return f"left alone: {self.reason or noise}".removesuffix(": ")

    def facts(self) -> list[str]:
        """The cells of the table but for the name."""
        times = ("-" if seconds is None else f"{seconds * 1e3:.3g}" for seconds in (self.before, self.after))
        return [self.shape, *times, self.outcome]


@dataclass(frozen=True, slots=True)
class MeasuredRun(Measured):
    """A convolution with what stands behind it in a sequence, and what came of computing all of it in one call.

    `name` is that of the convolution; `before` is with the convolution on whichever is faster.
    """

    sequence: str = ""  #: the name of the `nn.Sequential` in the model
    members: tuple[str, ...] = ()  #: the names of the modules in it
    kinds: tuple[str, ...] = ()  #: of their classes
    in_store: bool = True  #: the engine computes the convolution too; else that is done as it is without a run

    def facts(self) -> list[str]:
        """The cells of the table but for the name."""
        return [", ".join(self.kinds), *Measured.facts(self)[1:]]


@dataclass(frozen=True, slots=True)
class MeasuredModule(Measured):
    """A normalization or an activation without a convolution, and what came of computing it by a kernel."""

    pads: bool = False  #: it is neither, but pads with copies, row by row, and only padding was measured
    apart: bool = False  #: by lengths in tensors, so that a graph of `torch.compile` would end in it

    def facts(self) -> list[str]:
        """The cells of the table but for the name."""
        return [self.kind, *Measured.facts(self)]


@dataclass(frozen=True, slots=True)
class Whole:
    """A contest of the whole model, as it was and with the layers that won on their own."""

    layers: int  #: that ran on the engine in it
    before: float | None = None  #: seconds of a run; None where nothing was measured
    after: float | None = None  #: seconds of a run at the pace of `before`, which is `before / ratio`
    ratio: float | None = None  #: how many times as fast it is: the median of the rounds, which drift less than seconds
    difference: float | None = None  #: of results and gradients, at their largest; None where two runs of it differ
    rounding: float | None = None  #: of those of two runs as it was that differ by rounding; None where not asked for
    failure: str = ""  #: why the layers were not kept, whatever it takes
    unmeasured: str = ""  #: why the model as it was could not be measured

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"the whole model was not measured: {self.unmeasured or self.failure}"
        took = f"{self.before * 1e3:.3g} ms before, {self.after * 1e3:.3g} ms after"
        return f"the whole model: {took}, {self.ratio:.2f} times as fast"

    @property
    def agreement(self) -> str:
        """How closely results agree, where rounding alone moves them by more than the usual limits; else ""."""
        if self.rounding is None or self.difference is None:
            return ""
        apart = f"results and gradients differ by {self.difference:.1e} of the largest value"
        return f"{apart}, PyTorch's own by {self.rounding:.1e} where inputs differ by rounding"
