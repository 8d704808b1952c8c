// A channel or a kernel as a whole: a small grid in the place of a cell, with its text below.
import type { Cell } from "./scene";
import { type Command, type Item, path, rect, text } from "./sheet";
import { fitting } from "./text";

// Cells of the small grid along an axis, at most: where there are more it has no lines, and "…" says so.
const MOST = 8;
// Of the cell, how much the small grid and its text may fill across and down, and of that the least that a side takes.
const WIDE = 0.76;
const HIGH = 0.72;
const LEAST = 0.3;
// Text below: of the cell's width, at least and at most; with the gap above it, in its own size; and the sign "…".
const TEXT = 0.27;
const SMALLEST = 15;
const LARGEST = 20;
const LINE = 1.2;
const SIGN = 16;

/** The small grid of a cell whose upper left corner is there, c wide and h high. */
export function plate(cell: Cell, x: number, y: number, c: number, h: number): Item[] {
  const bold = cell.kind.endsWith("-on");
  const size = fitting(cell.text, Math.min(LARGEST, Math.max(SMALLEST, c * TEXT)), WIDE * c, bold);
  const [wide, high] = [WIDE * c, HIGH * h - size * LINE];
  const [rows, columns] = cell.grid.map((n) => Math.min(n, MOST)) as [number, number];
  const edge = Math.min(wide / columns, high / rows);
  const [w, t] = [edge * columns, edge * rows].map((side) => Math.max(side, LEAST * wide)) as [number, number];
  const [left, top] = [x + (c - w) / 2, y + (h - t - size * LINE) / 2];
  const items: Item[] = [rect(left, top, w, t, cell.kind, 3, cell.of)];
  if (Math.max(...cell.grid) > MOST) {
    const sign = Math.min(SIGN, 0.9 * Math.min(w, t));
    items.push(text(left + w / 2, top + t / 2 + 0.12 * sign, "…", sign, `on:${cell.kind}`, "middle"));
  } else if (Math.max(...cell.grid) > 1) items.push(lines(cell, left, top, w, t));
  const role = cell.kind.replace(/-on$/, "");
  items.push(text(x + c / 2, top + t + size * (LINE - 0.1), cell.text, size, role, "middle", bold));
  return items;
}

// Between the cells of the small grid.
function lines(cell: Cell, left: number, top: number, w: number, h: number): Item {
  const [rows, columns] = cell.grid;
  const commands: Command[] = [];
  for (let n = 1; n < columns; n++) {
    const x = left + (w * n) / columns;
    commands.push(["M", x, top], ["L", x, top + h]);
  }
  for (let n = 1; n < rows; n++) {
    const y = top + (h * n) / rows;
    commands.push(["M", left, y], ["L", left + w, y]);
  }
  return path(commands, `lines-${cell.kind}`);
}
