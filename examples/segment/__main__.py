"""`python -m examples.segment`: train the network, judge it on what it has never seen, draw what it does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from examples import options, pictures, turns
from examples.segment import figures
from examples.segment.network import FullyConvolutional, departure
from examples.segment.scenes import BACKGROUND, CLASSES, SIZE, Scenes
from examples.segment.training import Segmenting, intersection_over_union, predict
from tconv.cli import output

ABOUT = "Label every pixel of photographs with handwritten digits in them, by a fully convolutional network."

#: Of scenes for training in an epoch, in batches of 16, and of held-out scenes.
BATCHES, QUICK_BATCHES = 20, 8
JUDGED, QUICK_JUDGED = 400, 32
#: The held-out scenes are the same whatever the seed.
HELD_OUT_SEED = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the example."""
    given = options.read(arguments, "examples.segment", ABOUT, epochs=60, quick_epochs=10)
    start, out = perf_counter(), output.console()
    scenes, held_out = Scenes.for_training(), Scenes.held_out()
    batches = QUICK_BATCHES if given.quick else BATCHES

    def training(layers: str, epochs: int) -> Segmenting:
        layer = options.LAYERS[layers]
        return Segmenting(layer, scenes, epochs=epochs, batches=batches, seed=given.seed)

    if given.compared:
        both = {layers: training(layers, given.compared) for layers in options.LAYERS}
        turns.show("The same training with both layers, in turns", turns.in_turns(both, given.compared), out)
    trained = training(given.layers, given.epochs)
    losses = turns.train(trained, given.epochs, "segment")
    pictured, truth = held_out.draw(np.random.default_rng(HELD_OUT_SEED), QUICK_JUDGED if given.quick else JUDGED)
    predicted = predict(trained.network, pictured)
    scores = intersection_over_union(predicted, truth)
    anything = any_digit(predicted, truth)
    report(out, losses, scores, anything, trained.network)
    out.print()
    for name, page in (
        ("segment.jpg", figures.scenes(pictured, truth, predicted, scores)),
        ("segment-kernels.png", figures.kernels(trained.network)),
    ):
        pictures.save(page, given.out / name)
        output.code(f"{given.out / name} written", out)
    output.code(f"{perf_counter() - start:.0f} s in all", out)


def any_digit(predicted: Tensor, truth: Tensor) -> float:
    """Intersection over union of all digits as one class: how well they are found, whatever they are read as."""
    one = [torch.where(classes == BACKGROUND, BACKGROUND, 0) for classes in (predicted, truth)]
    return float(intersection_over_union(*one)[0])


def report(out: Console, losses: Sequence[float], scores: Tensor, anything: float, network: FullyConvolutional) -> None:
    """What was learnt, as numbers."""
    output.heading(f"{len(losses)} epochs: loss {losses[0]:.3f} in the first, {losses[-1]:.3f} in the last", out)
    output.heading("Intersection over union on held-out digits and photographs", out)
    rows = [(name, f"{score:.3f}") for name, score in zip(CLASSES, scores.tolist(), strict=True)]
    rows += [("mean", f"{scores.mean():.3f}"), ("any digit", f"{anything:.3f}")]
    output.table(("class", "IoU"), rows, out, right=["IoU"])
    output.heading("How far kernels went from bilinear, |w - w0| / |w0|", out)
    cells = [SIZE >> number for number in range(len(network.up), 0, -1)]
    far = [departure(weights) for weights in network.kernels]
    moved = [
        (f"{n} to {2 * n} cells", f"{own:.2f}", f"{across:.2f}") for n, (own, across) in zip(cells, far, strict=True)
    ]
    output.table(("level", "within classes", "across"), moved, out, right=["within classes", "across"])


if __name__ == "__main__":
    main(sys.argv[1:])
