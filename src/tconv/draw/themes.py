"""How roles look: the colours of a theme, and what each kind of cell is filled and drawn with.

Colour is the grid, never the direction: the coarse grid is orange, the fine one blue, the kernel green. It never stands
alone: captions, letters, dashes, hatching and places say the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a theme; of text and what lies below it they differ by 4.5 : 1 at least."""

    paper: str
    ink: str
    grey: str
    faint: str  #: text of what is of no use
    rule: str
    zero: str  #: below inserted zeros
    coarse: str
    coarse_soft: str
    fine: str
    fine_soft: str
    kernel: str
    kernel_soft: str
    kernel_text: str
    phases: tuple[str, str, str, str]
    on_phase: str
    heat: tuple[str, str, str, str, str]
    on_heat: tuple[str, str, str, str, str]


_PHASES = ("#d0eaf9", "#56b4e9", "#f2e85e", "#d18fb5")
_HEAT = ("#d6e4ee", "#a9c6dc", "#7aa7c9", "#5a8fb5", "#2f6690")

THEMES: dict[str, Theme] = {
    "light": Theme(
        paper="#fcfbf8", ink="#1d2126", grey="#5f6771", faint="#6b6862", rule="#d9d6cf", zero="#efede7",
        coarse="#bb4c17", coarse_soft="#f7d9c7", fine="#2f6690", fine_soft="#d6e4ee", kernel="#1b7f67",
        kernel_soft="#cdf2e1", kernel_text="#146a55", phases=_PHASES, on_phase="#1d2126", heat=_HEAT,
        on_heat=("#1d2126", "#1d2126", "#1d2126", "#1d2126", "#fcfbf8"),
    ),
    "dark": Theme(
        paper="#15181c", ink="#eceae5", grey="#a3abb5", faint="#8d96a1", rule="#3a4048", zero="#22262c",
        coarse="#ff9a66", coarse_soft="#5a2f1a", fine="#7fb8e6", fine_soft="#1e3c55", kernel="#5fd0b3",
        kernel_soft="#1b4d33", kernel_text="#8fe3cd", phases=_PHASES, on_phase="#1d2126", heat=_HEAT,
        on_heat=("#1d2126", "#1d2126", "#1d2126", "#1d2126", "#fcfbf8"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """How a rectangle or a path is drawn; "" for what is not."""

    fill: str = ""
    line: str = ""
    width: float = 1.5
    dashed: bool = False
    hatched: bool = False  #: with the rule's colour, over the fill
    opacity: float = 1  #: of the fill: what lies below shows through


def look(role: str, theme: Theme) -> Look:
    """Of a cell of a kind, of a frame, an arrow, a tick of the progress, or the sheet."""
    t = theme
    table = {
        "sheet": Look(t.paper),
        "empty": Look(t.paper, t.rule),
        "more": Look(),
        "gap": Look(),
        "zero": Look(t.zero, t.rule),
        "padding": Look(t.paper, t.grey, dashed=True),
        "cropped": Look(t.paper, t.grey, dashed=True, hatched=True),
        "left": Look(t.paper, t.grey, hatched=True),
        "padding-left": Look(t.paper, t.grey, dashed=True, hatched=True),
        "tick": Look(t.rule),
        "tick-on": Look(t.coarse),
        "rule": Look("", t.rule),
        "link": Look("", t.grey),
        "mesh": Look("", t.paper, 1.5),
        "frame-ink": Look("", t.ink, 4),
    }
    for grid, strong, soft in (
        ("coarse", t.coarse, t.coarse_soft),
        ("fine", t.fine, t.fine_soft),
        ("kernel", t.kernel, t.kernel_soft),
    ):
        table[grid] = Look(soft, strong)
        table[f"{grid}-on"] = Look(strong, strong)
        table[f"lines-{grid}"] = Look("", strong, 1)
        table[f"lines-{grid}-on"] = Look("", t.paper, 1)
        table[f"frame-{grid}"] = Look("", strong, 5)
        table[f"arrow-{grid}"] = Look("", strong, 4)
        table[f"bracket-{grid}"] = Look("", strong, 2.5)
        table[f"fan-{grid}"] = Look(strong, strong, 1, opacity=0.3)
    table.update({f"phase{n}": Look(color, t.paper) for n, color in enumerate(t.phases)})
    table.update({f"heat{n}": Look(color, t.paper) for n, color in enumerate(t.heat)})
    return table[role]


def ink(role: str, theme: Theme) -> str:
    """The colour of text: of a style, or on a kind of cell ("on:KIND")."""
    t = theme
    if role.startswith("on:"):
        kind = role.removeprefix("on:")
        if kind.startswith("phase"):
            return t.on_phase
        if kind.startswith("heat"):
            return t.on_heat[int(kind.removeprefix("heat"))]
        if kind.endswith("-on"):
            return t.paper
        return t.ink if kind in ("coarse", "fine", "kernel", "empty") else t.faint
    return {"coarse": t.coarse, "fine": t.fine, "kernel": t.kernel_text, "grey": t.grey, "faint": t.faint}.get(
        role, t.ink
    )
