"""`python -m examples.generate`: train two generators, read what they write, measure their checkerboards."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from sklearn.svm import SVC
from torch import Tensor

from examples import options, pictures, turns
from examples.digits import Digits, digits
from examples.generate import figures, measures
from examples.generate.history import History, follow
from examples.generate.training import Imitating, samples
from tconv.cli import output

ABOUT = "Write digits from noise, by generators of transposed convolutions with kernel 4 and with kernel 3."
KERNELS = (4, 3)

#: Samples of each digit, among which the nearest to the real ones are found in each epoch.
POOL, QUICK_POOL = 1024, 128
#: Samples of each digit that are judged, and the seed of their noise.
JUDGED, JUDGED_SEED = 100, 11


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the example."""
    given = options.read(arguments, "examples.generate", ABOUT, epochs=60, quick_epochs=8)
    start, out = perf_counter(), output.console()
    real, held_out = digits(4), digits(4, held_out=True)
    pool = QUICK_POOL if given.quick else POOL

    def training(kernel: int, layers: str, epochs: int) -> Imitating:
        return Imitating(kernel, options.LAYERS[layers], real, epochs=epochs, pool=pool, seed=given.seed)

    if given.compared:
        all_of_them = {f"{k}, {name}": training(k, name, given.compared) for k in KERNELS for name in options.LAYERS}
        timed = turns.in_turns(all_of_them, given.compared)
        turns.show("The same training with both layers, in turns", timed, out, heads=("kernel", "layers"))
    histories = [follow(k, training(k, given.layers, given.epochs), given.epochs) for k in KERNELS]
    report(out, histories, real, held_out)
    unseen = torch.from_numpy(one_of_each(held_out))
    out.print()
    for name, page in (
        ("generate.png", figures.over_time(histories, unseen)),
        ("checkerboard.png", figures.checkerboard(histories[::-1], torch.from_numpy(real.images))),
    ):
        pictures.save(page, given.out / name)
        output.code(f"{given.out / name} written", out)
    output.code(f"{perf_counter() - start:.0f} s in all", out)


def one_of_each(real: Digits) -> np.ndarray:
    """The first two of each digit, 0 to 9 and again."""
    places = [np.flatnonzero(real.labels == digit)[turn] for turn in range(2) for digit in range(10)]
    return real.images[places]


def report(out: Console, histories: Sequence[History], real: Digits, held_out: Digits) -> None:
    """What was learnt, as numbers."""
    read, known, unseen = measures.reader(real), torch.from_numpy(real.images), torch.from_numpy(held_out.images)
    rows = []
    for history in histories:
        images, wanted = samples(history.network, JUDGED, JUDGED_SEED)
        losses = (f"{history.losses[0]:.4f}", f"{history.losses[-1]:.4f}")
        rows.append((f"kernel {history.kernel}", *losses, *judge(read, images, wanted, known)))
    rows.append(("real, held out", "", "", *judge(read, unseen, torch.from_numpy(held_out.labels), known)))
    columns = ("digits", "first loss", "last loss", "read right", "to nearest", "checkered")
    output.heading(f"After {len(histories[0].losses)} epochs: {10 * JUDGED} samples of each generator", out)
    output.table(columns, rows, out, right=columns[1:])
    output.heading("Random weights, last layer: mean square by phase, and coverage", out)
    output.table(("kernel", "mean square", "coverage"), [by_phase(h.kernel) for h in histories], out)


def judge(read: SVC, images: Tensor, wanted: Tensor, known: Tensor) -> tuple[str, str, str]:
    """Can they be read, are they copies of what was learnt from, are they checkered?"""
    share, far = measures.read_as_wanted(read, images, wanted), measures.nearest(images, known)
    return f"{share:.1%}", f"{far:.3f}", f"{measures.high_frequencies(images):.2%}"


def by_phase(kernel: int) -> tuple[str, str, str]:
    """A row of four phases."""
    squares, coverage = (
        "  ".join(f"{value:.2f}" for value in table.flatten().tolist()) for table in measures.untrained_by_phase(kernel)
    )
    return str(kernel), squares, coverage


if __name__ == "__main__":
    main(sys.argv[1:])
