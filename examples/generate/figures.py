"""The figures: what two generators write as they learn, and the checkerboard of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from examples.generate.history import History
from examples.generate.measures import high_frequencies, spectrum
from examples.generate.network import SIZE, last_geometry
from examples.page import BLUE, GREY, INK, ORANGE, PAPER, RULE, Page
from examples.pictures import MARGIN, WIDTH, headed, show, titled

#: Two screen pixels for one of a digit: what is checkered shall not come from the drawing.
TILE = 0.64
STRIP = 10 * TILE
COLOURS = {3: ORANGE, 4: BLUE}


def over_time(histories: Sequence[History], real: Tensor) -> Page:
    """The same noise through both generators after more and more epochs; below, real digits."""
    moments = sorted(histories[0].written)
    rows = [(_after(moment), [h.written[moment][:10] for h in histories]) for moment in moments]
    last = [h.written[moments[-1]] for h in histories]
    rows += [("", [images[10 * n : 10 * n + 10] for images in last]) for n in (1, 2, 3)]
    rows.append(("real digits, held out", [real[:10], real[10:20]]))
    subtitle = "Ten samples of noise, one for each digit, through both generators as they learn."
    page = titled(1.95 + sum(_height(name) for name, _ in rows), "From noise to digits", subtitle, 2 * STRIP + 1.3)
    for side, history in enumerate(histories):
        headed(page, MARGIN + side * (STRIP + 0.4), 1.35, _name(history.kernel), _evenness(history.kernel))
    top = 1.75
    for name, strips in rows:
        top += _height(name)
        page.text(MARGIN, top - TILE - 0.06, name, 9, color=GREY)
        for side, images in enumerate(strips):
            show(page, MARGIN + side * (STRIP + 0.4), top - TILE, STRIP, TILE, in_a_row(images), **_ink())
    return page


def _height(name: str) -> float:
    """Of a row, with room for a name if it has one."""
    return TILE + (0.3 if name else 0.04)


def _after(epochs: int) -> str:
    return "untrained" if epochs == 0 else f"after {epochs} epochs"


def _name(kernel: int) -> str:
    return f"Kernel {kernel}, stride 2"


def _evenness(kernel: int) -> str:
    return "equally many taps reach all cells" if last_geometry(kernel).is_even else "1, 2 or 4 taps reach a cell"


def in_a_row(images: Tensor) -> NDArray[Any]:
    """Images (N, rows, columns) side by side."""
    return np.hstack(list(images.numpy()))


def _ink() -> dict[str, Any]:
    from matplotlib.colors import LinearSegmentedColormap

    return {"cmap": LinearSegmentedColormap.from_list("ink", [PAPER, INK]), "vmin": 0, "vmax": 1}


def checkerboard(histories: Sequence[History], real: Tensor) -> Page:
    """Coverage, samples and spectrum of both generators, and how much of the checkerboard is left over time."""
    subtitle = (
        "Stride 2 does not divide kernel 3, so some cells are reached by more taps than others: a pattern with a "
    )
    subtitle += "period of two cells, which training has to undo."
    page = titled(9.15, "The checkerboard of kernel 3, stride 2", subtitle)
    for row, history in enumerate(histories):
        _draw_kernel(page, history, 1.35 + row * 2.75)
    _draw_decline(page, histories, high_frequencies(real), 6.95)
    return page


def _draw_kernel(page: Page, history: History, top: float) -> None:
    """A row: coverage, the untrained generator, an early sample, a late one, and the spectrum of the early ones."""
    moments = sorted(history.written)
    early = moments[(len(moments) - 1) // 2]
    side, step = 1.92, (WIDTH - 2 * MARGIN - 1.92) / 4
    lefts = [MARGIN + number * step for number in range(5)]
    headed(page, lefts[0], top, _name(history.kernel), "taps that reach each cell")
    _draw_coverage(page, history.kernel, lefts[0], top + 0.35, side)
    for left, moment in zip(lefts[1:4], (0, early, moments[-1]), strict=True):
        images = history.written[moment]
        stretched = {"vmin": float(images[3].min()), "vmax": float(images[3].max())} if moment == 0 else {}
        headed(page, left, top, _after(moment).capitalize(), "contrast stretched" if moment == 0 else "")
        show(page, left, top + 0.35, side, side, images[3], **(_ink() | stretched))
    headed(page, lefts[4], top, "Spectrum", f"200 samples, {_after(early)}")
    energy = spectrum(history.written[early]).clamp(min=1e-12).log10()  # what is constant has been taken out
    show(page, lefts[4], top + 0.35, side, side, energy, cmap=_energy(), vmin=energy.max() - 6, vmax=energy.max())


def _draw_coverage(page: Page, kernel: int, left: float, top: float, side: float) -> None:
    coverage = last_geometry(kernel).coverage()[SIZE // 2 : SIZE // 2 + 6, SIZE // 2 : SIZE // 2 + 6]
    show(page, left, top, side, side, coverage, cmap=_energy(), vmin=0, vmax=6)
    for (row, column), taps in np.ndenumerate(coverage):
        place = (left + (column + 0.5) * side / 6, top + (row + 0.5) * side / 6)
        page.text(*place, str(taps), 10, ha="center", va="center", color="white" if taps > 2 else INK)


def _energy() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("energy", ["#eef3f6", BLUE])


def _draw_decline(page: Page, histories: Sequence[History], of_real: float, top: float) -> None:
    """The share of high frequencies over the epochs, on a logarithmic scale."""
    note = "share of the energy above 0.4 cycles a pixel, after each epoch of training"
    headed(page, MARGIN, top, "How much of it is left", note)
    axes = page.axes(MARGIN + 0.6, top + 0.4, WIDTH - 2 * MARGIN - 2.3, 1.3)
    axes.set_axis_on()
    axes.set_facecolor(PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=GREY, labelsize=8, which="both")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.1%}")
    for history in histories:
        axes.plot(history.checkered, color=COLOURS[history.kernel], linewidth=1.6)
    axes.axhline(of_real, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlim(0, len(histories[0].checkered) - 1)
    legend = [(f"kernel {h.kernel}: {h.checkered[-1]:.2%} at the end", COLOURS[h.kernel]) for h in histories]
    for line, (text, colour) in enumerate([*legend, (f"real digits: {of_real:.2%}", GREY)]):
        page.text(WIDTH - MARGIN - 2.2, top + 0.62 + 0.25 * line, text, 9, color=colour)
