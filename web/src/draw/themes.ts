// How roles look: the colours of a theme, and what each kind of cell is filled and drawn with.
// Colour is the grid, never the direction: the coarse grid is orange, the fine one blue, the kernel green.

const PHASES = ["#d0eaf9", "#56b4e9", "#f2e85e", "#d18fb5"];
const HEAT = ["#d6e4ee", "#a9c6dc", "#7aa7c9", "#5a8fb5", "#2f6690"];
const DARK = "#1d2126";
const PAPER = "#fcfbf8";
const SHARED = { phases: PHASES, on_phase: DARK, heat: HEAT, on_heat: [DARK, DARK, DARK, DARK, PAPER] };

export const THEMES = {
  light: {
    ...SHARED,
    paper: PAPER,
    ink: DARK,
    grey: "#5f6771",
    faint: "#6b6862",
    rule: "#d9d6cf",
    zero: "#efede7",
    coarse: "#bb4c17",
    coarse_soft: "#f7d9c7",
    fine: "#2f6690",
    fine_soft: "#d6e4ee",
    kernel: "#1b7f67",
    kernel_soft: "#cdf2e1",
    kernel_text: "#146a55",
  },
  dark: {
    ...SHARED,
    paper: "#15181c",
    ink: "#eceae5",
    grey: "#a3abb5",
    faint: "#8d96a1",
    rule: "#3a4048",
    zero: "#22262c",
    coarse: "#ff9a66",
    coarse_soft: "#5a2f1a",
    fine: "#7fb8e6",
    fine_soft: "#1e3c55",
    kernel: "#5fd0b3",
    kernel_soft: "#1b4d33",
    kernel_text: "#8fe3cd",
  },
};

export type ThemeName = keyof typeof THEMES;
export type Theme = (typeof THEMES)[ThemeName];

/** How a rectangle or a path is drawn; "" for what is not. */
export type Look = { fill: string; line: string; width: number; dashed: boolean; hatched: boolean; opacity: number };

const how = (fill = "", line = "", width = 1.5, more: Partial<Look> = {}): Look => ({
  fill,
  line,
  width,
  dashed: false,
  hatched: false,
  opacity: 1,
  ...more,
});

const tables = new Map<Theme, Record<string, Look>>();

/** Of a cell of a kind, of a frame, an arrow, a tick of the progress, or the sheet. */
export function look(role: string, theme: Theme): Look {
  if (!tables.has(theme)) tables.set(theme, looks(theme));
  return tables.get(theme)![role]!;
}

function looks(t: Theme): Record<string, Look> {
  const table: Record<string, Look> = {
    sheet: how(t.paper),
    empty: how(t.paper, t.rule),
    more: how(),
    gap: how(),
    zero: how(t.zero, t.rule),
    padding: how(t.paper, t.grey, 1.5, { dashed: true }),
    cropped: how(t.paper, t.grey, 1.5, { dashed: true, hatched: true }),
    left: how(t.paper, t.grey, 1.5, { hatched: true }),
    "padding-left": how(t.paper, t.grey, 1.5, { dashed: true, hatched: true }),
    tick: how(t.rule),
    "tick-on": how(t.coarse),
    rule: how("", t.rule),
    link: how("", t.grey),
    mesh: how("", t.paper, 1.5),
    "frame-ink": how("", t.ink, 4),
  };
  for (const grid of ["coarse", "fine", "kernel"] as const) {
    const strong = t[grid];
    table[grid] = how(t[`${grid}_soft`], strong);
    table[`${grid}-on`] = how(strong, strong);
    table[`lines-${grid}`] = how("", strong, 1);
    table[`lines-${grid}-on`] = how("", t.paper, 1);
    table[`frame-${grid}`] = how("", strong, 5);
    table[`arrow-${grid}`] = how("", strong, 4);
    table[`bracket-${grid}`] = how("", strong, 2.5);
    table[`fan-${grid}`] = how(strong, strong, 1, { opacity: 0.3 });
  }
  t.phases.forEach((color, n) => {
    table[`phase${n}`] = how(color, t.paper);
  });
  t.heat.forEach((color, n) => {
    table[`heat${n}`] = how(color, t.paper);
  });
  return table;
}

/** The colour of text: of a style, or on a kind of cell ("on:KIND"). */
export function ink(role: string, t: Theme): string {
  if (role.startsWith("on:")) {
    const kind = role.slice(3);
    if (kind.startsWith("phase")) return t.on_phase;
    if (kind.startsWith("heat")) return t.on_heat[+kind.slice(4)]!;
    if (kind.endsWith("-on")) return t.paper;
    return ["coarse", "fine", "kernel", "empty"].includes(kind) ? t.ink : t.faint;
  }
  const colors: Record<string, string> = {
    coarse: t.coarse,
    fine: t.fine,
    kernel: t.kernel_text,
    grey: t.grey,
    faint: t.faint,
  };
  return colors[role] ?? t.ink;
}
