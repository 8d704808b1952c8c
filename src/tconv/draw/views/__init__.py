"""The views, a file each, in one registry: what they are called, how many steps they have, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tconv.draw.cells import Board, Channels
from tconv.draw.scene import Scene
from tconv.draw.views import both, channels, coverage, gather, matrix, phases, scatter, sizes


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a geometry."""

    name: str
    summary: str
    #: How many steps a geometry has; of a view of channels, with `cells.Channels`, or with the usual ones.
    steps: Callable[..., int]
    scene: Callable[[Board, int], Scene]
    first: Callable[..., int]  #: the step that a single picture shows, of what `steps` takes
    channels: bool = False  #: whether it shows several channels; others show one

    def count(self, board: Board) -> int:
        """How many steps it has for a board."""
        return self.steps(board.geometry, *self._more(board))

    def single(self, board: Board) -> int:
        """The step that a single picture of a board shows."""
        return self.first(board.geometry, *self._more(board))

    def _more(self, board: Board) -> tuple[Channels, ...]:
        return (board.channels,) if self.channels else ()


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
        View(
            "channels",
            "the kernels between input and output channels, and the groups that they fall into",
            channels.steps,
            channels.scene,
            channels.first,
            channels=True,
        ),
    )
}
