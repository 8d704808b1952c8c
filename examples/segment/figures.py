"""The figures: scenes with truth and prediction, and the kernels on their way from bilinear upsampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from examples.page import GREY, Page
from examples.pictures import MARGIN, WIDTH, headed, show, signed, titled
from examples.segment.network import FullyConvolutional, bilinear_weights, departure
from examples.segment.scenes import BACKGROUND, CLASSES, SIZE

#: Of the classes, in their order.
COLOURS = (
    "#2f6690", "#d9622b", "#4a9d5b", "#c0392b", "#7d5ba6",
    "#8c6d46", "#d77fb3", "#6b7280", "#b8a72e", "#3aa6b9", "#ece9e1",
)  # fmt: skip

SHOWN = 6
#: Two screen pixels for one of a scene.
TILE = 0.02 * SIZE
GAP = (WIDTH - 2 * MARGIN - SHOWN * TILE) / (SHOWN - 1)


def scenes(pictures: Tensor, truth: Tensor, predicted: Tensor, scores: Tensor) -> Page:
    """Held-out scenes in columns, and below them how well each class is found, which says its colour too."""
    subtitle = "Held-out digits on held-out photographs (Chelsea by Stéfan van der Walt, CC0; a rocket by SpaceX, CC0)."
    page = titled(10.75, "What is written where: every pixel is given a class", subtitle)
    rows = (("Scene", np.moveaxis(pictures.numpy(), 1, -1)), ("Truth", colours(truth)), ("Found", colours(predicted)))
    for row, (name, tiles) in enumerate(rows):
        top = 1.35 + row * (TILE + 0.4)
        page.text(MARGIN, top, name, 10.5, weight="bold")
        for column in range(SHOWN):
            show(page, MARGIN + column * (TILE + GAP), top + 0.1, TILE, TILE, tiles[column])
    _draw_scores(page, scores, 1.35 + 3 * (TILE + 0.4) + 0.12)
    return page


def colours(classes: Tensor) -> NDArray[Any]:
    """The class of each pixel as its colour, a new last axis."""
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(colour) for colour in COLOURS])[classes.numpy()]


def _draw_scores(page: Page, scores: Tensor, top: float) -> None:
    mean = scores.mean()
    headed(page, MARGIN, top, "Intersection over union", f"of each class; {mean:.3f} on average")
    room, full = (WIDTH - 2 * MARGIN) / len(CLASSES), 1.2
    for number, (name, score) in enumerate(zip(CLASSES, scores.tolist(), strict=True)):
        left, height = MARGIN + number * room, full * score
        page.bar(left, top + 0.62 + full - height, room - 0.14, height, COLOURS[number])
        page.text(left, top + 0.56 + full - height, f"{score:.2f}", 10)
        page.text(left, top + 0.85 + full, name, 10.5 if number != BACKGROUND else 9)


def kernels(network: FullyConvolutional) -> Page:
    """All kernels of the last transposed convolution before and after training, and how far every level moved."""
    subtitle = "A transposed convolution of kernel 4, stride 2 has a kernel from each class to each class."
    page = titled(6.9, "Kernels that began as bilinear upsampling", subtitle)
    side = 4.6
    before, after = bilinear_weights(len(CLASSES)), network.kernels[-1]
    most = float(after.abs().max())
    panels = (("Before training", "each class on its own", before), ("After", "classes inform each other", after))
    for number, (title, note, weights) in enumerate(panels):
        left = MARGIN + number * (side + 0.35)
        headed(page, left, 1.35, title, f"last level, 48 to 96 cells; {note}")
        show(page, left, 1.7, side, side, tiled(weights), cmap=signed(), vmin=-most, vmax=most)
        for index, name in enumerate((*CLASSES[:-1], "–")):
            page.text(left + (index + 0.5) * side / len(CLASSES), 6.48, name, 8, color=GREY, ha="center")
    page.text(MARGIN, 6.68, "columns: to this class (– is background); rows: from it, in the same order", 8, color=GREY)
    _draw_levels(page, network, MARGIN + 2 * (side + 0.35))
    return page


def tiled(weights: Tensor) -> NDArray[Any]:
    """Kernels (classes, classes, rows, columns) side by side, with an empty cell between them."""
    padded = nn.functional.pad(weights, (0, 1, 0, 1), value=float("nan")).numpy()
    classes, _, rows, columns = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(classes * rows, classes * columns)[:-1, :-1]


def _draw_levels(page: Page, network: FullyConvolutional, left: float) -> None:
    """For each level the mean kernel from a class to itself, and how far the weights are from where they began."""
    headed(page, left, 1.35, "How far", "|w − w₀| / |w₀|, level by level")
    side, most = 0.86, 0.75
    for row, weights in enumerate(network.kernels):
        top, cells = 1.7 + row * 1.17, SIZE >> (len(network.up) - row)
        own, across = departure(weights)
        mean = weights.diagonal().mean(-1)
        show(page, left, top, side, side, mean, cmap=signed(), vmin=-most, vmax=most)
        page.text(left + side + 0.12, top + 0.2, f"{cells} to {2 * cells} cells", 9)
        page.text(left + side + 0.12, top + 0.44, f"{own:.2f} within", 9)
        page.text(left + side + 0.12, top + 0.68, f"{across:.2f} across", 9)
    page.text(left, 1.7 + 4 * 1.17 - 0.08, "mean kernel from a class to itself", 8, color=GREY)
