"""Machine code on paper: the instructions a product in the loops of kernels, and what processors could make of them.

    python -m benchmarks.machine_code [--layers dcgan.4 unet.up1] [--loops]

For every public layer, operation, layout and dtype the schedule that the model chooses is compiled to assembly, for
NEON and on any machine. Counted are the blocks of instructions that multiply, each kernel as often as the tables of the
schedule call it. A layer counts as much as another. `--loops` lists those that load vectors from the stack.

A processor needs at least as many cycles as the busiest of its parts: the pipes that multiply, which all other work on
vectors takes too, those that load, and the front, through which all instructions go. Caches, latencies, and what
surrounds the loops are left out: the share of the peak cannot be higher, and may well be lower.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from statistics import fmean
from typing import NamedTuple

from tconv.bench.layers import BenchLayer, public
from tconv.jit.choice.model import by_model
from tconv.jit.kernels import Kernel, linking
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.machine.ir import ELEMENTS
from tconv.jit.machine.isa import ISAS
from tconv.jit.programs.count import PRODUCTS, products
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.registry import KINDS, program_of
from tconv.problem import OPERATIONS, Problem

NEON = ISAS["neon"]


class Processor(NamedTuple):
    """What begins in a cycle at most."""

    vector: int  #: work on vectors, all of which may be multiply-adds
    load: int
    all: int


#: From Arm's software optimization guides; of Apple's from dougallj.github.io/applecpu/firestorm.html.
PROCESSORS = {"Apple M1": Processor(4, 3, 8), "Neoverse N1": Processor(2, 2, 4), "Neoverse V1": Processor(4, 3, 8)}


BRANCH, LABEL = r"^\t(?:b|b\.\w+|cbn?z|tbn?z)\t.*\n", r"^(\S+):.*\n"


class Counts(NamedTuple):
    """Instructions of some code: pairs that are loaded or stored are two, a load into lanes is work on vectors too."""

    products: float = 0
    vector: float = 0  #: other work on vectors
    load: float = 0  #: prefetches too
    other: float = 0
    stack: float = 0  #: of the loads, vectors that were put on the stack for want of registers

    def share(self, processor: Processor) -> float:
        """The share of the peak at best."""
        busy = (self.products + self.vector) / processor.vector, self.load / processor.load
        through = (self.products + self.vector + self.load + self.other) / processor.all
        return self.products / processor.vector / max(*busy, through)

    def of(self, share: float) -> Counts:
        """A share of them, a product."""
        return Counts(*(share * each / self.products for each in self))


def counted(line: str) -> Counts:
    """One instruction of AArch64."""
    name, _, operands = line.partition("\t")
    twice = 2 if name.endswith("p") else 1
    if re.match(r"fml[as]", name):
        return Counts(products=1)
    if name.startswith(("ld", "prfm")):
        stack = twice if re.match(r"[qd]\d+,.*\[sp", operands) else 0
        return Counts(vector=operands.startswith("{"), load=twice, stack=stack)  # ld1 and ld1r: braces, and lanes
    return Counts(vector=1) if re.match(r"v\d+\.", operands) else Counts(other=twice)


@cache
def of_kernel(kernel: Kernel) -> Counts:
    """The blocks of a kernel that multiply; of one whose sums begin before its loop only that loop."""
    total = [0.0] * len(Counts._fields)
    # A block ends behind a branch, too.
    text = re.sub(BRANCH, r"\g<0>behind:\n", linking.assembly(kernel, NEON), flags=re.MULTILINE)
    _, *parts = re.split(LABEL, text, flags=re.MULTILINE)
    for label, block in zip(parts[::2], parts[1::2], strict=True):
        lines = [line.strip() for line in block.splitlines() if re.match(r"\t[a-z]", line)]
        if isinstance(kernel, AtOnce) and not (lines and lines[-1].endswith(label)):
            continue
        if any(line.startswith(("fmla", "fmls")) for line in lines):
            total = [sum(column) for column in zip(total, *map(counted, lines), strict=True)]
    return Counts(*total)


def of_schedule(schedule: Schedule) -> Counts:
    """The kernels of a schedule, by how much each multiplies."""
    made = products(program_of(schedule, 1))
    parts = [of_kernel(kernel).of(number / made.total()) for kernel, number in made.items()]
    return Counts(*map(sum, zip(*parts, strict=True)))


def schedules(layer: BenchLayer) -> Iterator[Schedule]:
    """What the model chooses for a layer; taps in lanes too, which it never does here."""
    for operation in OPERATIONS:
        for dtype in ELEMENTS:
            sizes = layer.in_channels, layer.out_channels, layer.groups, dtype
            problem = Problem(operation, layer.geometry, layer.batch, *sizes)
            for last in (False, True):
                if chosen := by_model(problem, last, NEON):
                    yield chosen
                    taps, layout = KINDS["taps"], chosen.posed_layout
                    if not last and taps.share(problem, layout, NEON, 1):
                        yield taps.make(problem, layout, NEON, 1)


def table(found: dict[tuple[str, str], list[Counts]]) -> Iterator[str]:
    """A row for each kind and layout, in Markdown."""
    yield "| kind | channels | loads | other vector work | rest | stack | " + " | ".join(PROCESSORS) + " |"
    yield "| --- " * (6 + len(PROCESSORS)) + "|"
    for kind, layout in sorted(found, key=lambda key: (list(KINDS).index(key[0]), key[1])):
        alike = found[kind, layout]
        means = [fmean(column) for column in zip(*alike, strict=True)]
        shares = [[each.share(processor) for each in alike] for processor in PROCESSORS.values()]
        cells = [*(f"{n:.2f}" for n in means[2:3] + means[1:2] + means[3:])]
        yield " | ".join([f"| {kind}", layout, *cells, *(f"{fmean(s):.0%} ({min(s):.0%})" for s in shares)]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machine_code", description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=public(), default=list(public()), metavar="NAME")
    parser.add_argument("--loops", action="store_true", help="list the kernels whose loops load vectors from the stack")
    options = parser.parse_args()
    found, kernels = defaultdict(list), {}
    for name in options.layers:
        for schedule in schedules(public()[name]):
            found[schedule.kind, "last" if schedule.layout.channels_last else "first"].append(of_schedule(schedule))
            kernels |= dict.fromkeys(k for k in schedule.code.kernels if type(k) in PRODUCTS)
    print("\n".join(table(found)))
    spilling = [kernel for kernel in kernels if of_kernel(kernel).stack]
    print(f"\n{len(spilling)} of {len(kernels)} kernels load vectors from the stack in their loops")
    print("".join(f"{of_kernel(kernel).stack:4.0f}  {kernel}\n" for kernel in spilling if options.loops), end="")


if __name__ == "__main__":
    main()
