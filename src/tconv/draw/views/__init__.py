"""The views, a file each, in one registry: what they are called, how many steps they have, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tconv.draw.cells import Board
from tconv.draw.scene import Scene
from tconv.draw.views import both, coverage, gather, matrix, phases, scatter, sizes
from tconv.geometry import Geometry


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a geometry."""

    name: str
    summary: str
    steps: Callable[[Geometry], int]
    scene: Callable[[Board, int], Scene]
    first: Callable[[Geometry], int]  #: the step that a single picture shows


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "scatter",
            "each coarse cell stamps the kernel onto the fine grid",
            scatter.steps,
            scatter.scene,
            scatter.first,
        ),
        View(
            "gather",
            "a plain convolution at stride 1 gives the same, once zeros stand between the coarse cells",
            gather.steps,
            gather.scene,
            gather.first,
        ),
        View(
            "both",
            "a convolution and its transpose: the window that one reads, the other writes",
            both.steps,
            both.scene,
            both.first,
        ),
        View(
            "matrix",
            "C as a table: its rows are the convolution, its columns the transpose",
            matrix.steps,
            matrix.scene,
            matrix.first,
        ),
        View(
            "sizes",
            "the fine sizes that share one coarse size, and the remainder that tells them apart",
            sizes.steps,
            sizes.scene,
            sizes.first,
        ),
        View(
            "coverage",
            "how many taps reach each fine cell, and why some are reached by more",
            coverage.steps,
            coverage.scene,
            coverage.first,
        ),
        View(
            "phases",
            "the fine grid woven of small dense convolutions with stride 1",
            phases.steps,
            phases.scene,
            phases.first,
        ),
    )
}
