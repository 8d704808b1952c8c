"""What `tconv explain --plan` adds: how the CPU engine computes a layer on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tconv import arrays, checks
from tconv.arguments import LAYOUTS, Layout
from tconv.cli import options, output
from tconv.cli.errors import UsageError, in_options, usage_errors
from tconv.geometry import Geometry
from tconv.jit.machine import isa
from tconv.methods import METHODS, parts
from tconv.plan import Plan, plan

if TYPE_CHECKING:
    from tconv.jit.description.description import Ceiling, Description

#: The methods that are the engine's.
BY_ENGINE = [name for name, method in METHODS.items() if method.by_engine]


@dataclass(frozen=True, slots=True)
class Said:
    """The engine's plan of a layer, or why it has none."""

    given: dict[str, Any]
    description: Description | None
    refusal: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.description is None:
            return {**self.given, "refused": self.refusal}
        return {**self.given, **self.description.to_dict()}

    def print(self, out: Console) -> None:
        """A section of `tconv explain`."""
        output.heading("The engine's plan", out)
        if self.description is None:
            out.print(self.refusal, soft_wrap=True)
            return
        call = ", ".join(f"batch {v}" if name == "batch" else v for name, v in self.given.items())
        output.facts([("call", call), ("kernels", self.description.title()), *self.description.facts()], out)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the plan is asked for beside the geometry and the channels."""

    batch: int
    dtype: str
    layout: Layout
    threads: int | None
    measure: bool
    method: str = "jit"

    @classmethod
    def read(
        cls,
        plan: bool,
        batch: options.Text,
        dtype: options.Text,
        layout: options.Text,
        threads: options.Text,
        measure: bool,
        method: options.Text,
    ) -> Wanted | None:
        """From the options; None without --plan, which the others need."""
        if not plan:
            given = {
                "--batch": batch, "--dtype": dtype, "--layout": layout, "--threads": threads, "--method": method,
            }  # fmt: skip
            for option in (*(name for name, text in given.items() if text is not None), *["--measure"] * measure):
                raise UsageError(f"--plan must be given with {option}")
            return None
        with usage_errors():
            name = arrays.dtype_name("--dtype", dtype or "float32")
            checks.choice("--layout", layout or LAYOUTS[0], LAYOUTS)
            by = checks.choice("--method", method or BY_ENGINE[0], BY_ENGINE)
        number = None if threads is None else options.integer("--threads", threads, most=1024)
        where: Layout = "channels_last" if layout == "channels_last" else "channels_first"
        return cls(options.count("--batch", batch) or 1, name, where, number, measure, by)

    def plan(self, geometry: Geometry, in_channels: int, out_channels: int, groups: int) -> Said:
        """What the engine would do."""
        channels = {"in": in_channels, "out": out_channels, "groups": groups}
        with usage_errors():
            if isa.available():
                isa.current()  # a wrong TCONV_ISA is no property of the layer
            made = self._plan(geometry, channels)
        given = {"batch": self.batch, "dtype": self.dtype, "layout": self.layout}
        if isinstance(made, str):
            return Said(given, None, in_options(made))
        return Said(given, self._describe(made))

    def _plan(self, geometry: Geometry, channels: dict[str, int]) -> Plan | str:
        """The plan, or why the engine has none. Raises UsageError where nothing could compute the layer."""
        inner = (channels["in"], *geometry.coarse)
        x_shape = (self.batch, *(inner if self.layout == "channels_first" else (*inner[1:], inner[0])))
        w_shape = (channels["in"], channels["out"] // channels["groups"], *geometry.kernel)
        keywords: dict[str, Any] = {**geometry.keywords, "groups": channels["groups"], "layout": self.layout}
        try:
            return plan(x_shape, w_shape, dtype=self.dtype, method=self.method, **keywords)
        except ValueError as refusal:
            return str(refusal)

    def _describe(self, plan: Plan) -> Description:
        from tconv.jit import engine

        last, filtered = plan.layout == "channels_last", plan.is_filtered
        real = parts.real_problem(plan.problem)
        with usage_errors():
            found = engine.described(real, last, threads=self.threads, filtered=filtered)
            if not self.measure:
                return found
            ceiling = self._ceiling(found.threads, plan)
            return engine.described(real, last, threads=self.threads, ceiling=ceiling, filtered=filtered)

    def _ceiling(self, threads: int, plan: Plan) -> Ceiling:
        """The medians of a few measurements on so many cores, with copies of as many bytes as the layer moves."""
        from statistics import median

        from tconv.bench.machine import ceilings
        from tconv.jit.description.description import Ceiling

        found = [ceilings(threads, plan.problem.work.bytes) for _ in range(5)]
        return Ceiling(median(c.peak for c in found), median(c.bandwidth for c in found), measured=True)
