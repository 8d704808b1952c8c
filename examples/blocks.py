"""Blocks of a fine grid, and the coarse cells that each needs: the picture of docs/large.md.

python -m examples.blocks [--out docs/images/blocks.svg]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tconv
from tconv.draw.sheet import Item, Rect, Sheet, Text
from tconv.draw.svg import svg
from tconv.draw.themes import THEMES

AXIS = tconv.Axis.conv_transpose(12, 4, stride=2, padding=1)
#: Fine cells of a block.
BLOCK = 6
#: The edge of a fine cell, from row to row, where grids begin, and where what is said about a row does.
CELL, ROW, LEFT, SAID = 34, 62, 190, 24
TITLE = "Every block is a layer of its own"


def sheet() -> Sheet:
    """The fine grid, and below it a row for each block with what it needs of the coarse grid."""
    items: list[Item] = [Text(40, 62, TITLE, 30, bold=True)]
    top = 100.0
    items.append(Text(40, top + CELL * 0.7, "fine grid y", 20, "fine"))
    edge = CELL - 2
    kinds = ["fine-on" if o // BLOCK % 2 else "fine" for o in range(AXIS.fine)]
    items.extend(Rect(LEFT + o * CELL, top, edge, edge, kind) for o, kind in enumerate(kinds))
    said = []
    for number, start in enumerate(range(0, AXIS.fine, BLOCK)):
        top += ROW if number else 84
        said.append(_row(start, min(start + BLOCK, AXIS.fine), top, items))
    items.append(
        Text(LEFT, top + ROW, "full: cells below the block;  light: its halo, cells below a neighbour", 18, "grey")
    )
    width, height = LEFT + AXIS.fine * CELL + SAID + 330, round(top + ROW + 34)
    return Sheet(width, height, TITLE, "; ".join(said), (Rect(0, 0, width, height, "sheet", 0), *items))


def _row(start: int, stop: int, top: float, items: list[Item]) -> str:
    """One block: the coarse cells that it needs among all of them, and what makes them a layer; returns that too."""
    block = AXIS.coarse_range(start, stop)
    items.append(Text(40, top + CELL * 0.7, f"y[{start}:{stop}]", 20, "fine", mono=True))
    wide = CELL * AXIS.stride
    for c in range(AXIS.coarse):
        kind = "empty"
        if block.start <= c < block.stop:
            kind = "coarse-on" if start <= c * AXIS.stride < stop else "coarse"
        items.append(Rect(LEFT + c * wide, top, wide - 2, CELL - 2, kind))
    text = f"x[{block.start}:{block.stop}], padding {block.padding}"
    items.append(Text(LEFT + AXIS.fine * CELL + SAID, top + CELL * 0.7, text, 20, "coarse", mono=True))
    return f"y[{start}:{stop}] needs {text}"


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description="Blocks of a fine grid, and the coarse cells that each needs.")
    parser.add_argument("--out", type=Path, default=Path("blocks.svg"))
    out = parser.parse_args().out
    out.write_text(svg(sheet(), THEMES["light"]), "utf-8")


if __name__ == "__main__":
    main()
