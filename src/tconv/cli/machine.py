"""`tconv machine`: the peak and the bandwidth of one core, measured and kept for what is expected."""

from __future__ import annotations

from tconv.cli import options, output
from tconv.jit.machine import cache, isa, rates


def machine(*, json: options.Json = False) -> None:
    """Measure what one core of this machine can do at most, and keep it beside the compiled kernels.

    Multiply-adds in registers, and a copy of 64 MB, half a second. From then on `method="auto"`, and
    `tconv.torch.accelerate` where it expects nothing of a layer, weigh the methods by this machine, and not by the one
    that tconv was written on. Results do not change, but for the rounding of another method. Let the machine be idle.
    `tconv cache clear` forgets what was measured; TCONV_ISA=avx2 measures another set of instructions.

        tconv machine
    """
    target = isa.current()
    found, kept = rates.measured(target)
    if json:
        output.as_json({"instructions": target.name, **found._asdict(), "kept": kept})
        return
    facts = [
        ("instructions", target.name),
        ("peak", f"{found.peak / 1e9:.0f} GFLOP/s, float32, one core"),
        ("bandwidth", f"{found.bandwidth / 1e9:.1f} GB/s, read and written"),
        ("kept", f"in {cache.place()}" if kept else f"no: {cache.info().reason}"),
    ]
    output.facts(facts, output.console())
