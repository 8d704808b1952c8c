// What a picture shows, as data without coordinates: panels of cells, what is lit, what is tied, and sentences.
// A scene has the JSON of Python's: the same fields, those with a default too.

/** A sentence by its key in words.ts, and the numbers and names in it; "" is what stands there as it is. */
export type Said = { key: string; args: (string | number | Said)[] };

/** One cell of a panel: its kind, its text, a second line, a letter in its corner, and what it is, such as x[1,2]. */
export type Cell = {
  kind: string;
  text: string;
  small: string;
  corner: string;
  of: string;
  grid: [number, number]; // of the small grid that it is: a channel or a kernel as a whole, with its text below
};

/** A thick line around cells of a panel: what is looked at now. */
export type Frame = { row: number; column: number; rows: number; columns: number; role: string };

/** Below a panel: which columns belong together, though others that overlap share some of them. */
export type Bracket = {
  column: number;
  columns: number;
  teeth: number[];
  level: number; // from 0, downwards: those of a level do not overlap
  text: string;
  role: string;
};

/** A text, and the role that colours it. */
export type Label = [string, string];

export type Grid = {
  name: string;
  role: string; // coarse, fine, kernel or ink: the colour of its caption
  caption: Said;
  note: Said;
  rows: number;
  columns: number;
  cells: Cell[]; // row by row
  frames: Frame[];
  row_labels: Label[];
  column_labels: Label[];
  scale: number; // of its cells, against those of the other panels
  height: number; // of a cell, against its width
  shift: number; // how many cells further to the right its cells begin
  brackets: Bracket[];
};

/** Sentences, each in a style: bold, text, grey, mono, coarse, fine or kernel. */
export type Words = { lines: [Said, string][]; columns: number; long: boolean };

/** What stands between two panels: ×, =, →, +. */
export type Sign = { text: string };

/** Panels one below the other, in the place of one. */
export type Stack = { panels: (Grid | Words)[] };

export type Panel = Grid | Words | Sign | Stack;

export type Arrow = { start: string; end: string; role: string; note: Said | null };

/** A ribbon from a cell of a panel down to cells of a panel in the row below. */
export type Tie = { start: string; column: number; end: string; first: number; columns: number; role: string };

export type Legend = { kind: string; text: Said };

export type Scene = {
  view: string;
  geometry: string;
  step: number;
  steps: number;
  title: Said;
  note: Said;
  rows: Panel[][]; // panels side by side, row below row
  arrows: Arrow[];
  ties: Tie[];
  aligned: boolean; // panels of the same place in their rows begin below each other, cell below cell
  legend: Legend[];
  facts: Said[];
};

export const isGrid = (panel: Panel): panel is Grid => "cells" in panel;
export const isWords = (panel: Panel): panel is Words => "lines" in panel;
export const isStack = (panel: Panel): panel is Stack => "panels" in panel;

export const isSign = (panel: Panel): panel is Sign => "text" in panel;

export const said = (key: string, ...args: Said["args"]): Said => ({ key, args });

/** Numbers and names, the same in every language. */
export const plain = (text: string | number): Said => said("", text);

export const cell = (
  kind: string,
  text = "",
  of = "",
  small = "",
  corner = "",
  grid: [number, number] = [0, 0],
): Cell => ({ kind, text, small, corner, of, grid });

export const frame = (row: number, column: number, rows: number, columns: number, role: string): Frame => ({
  row,
  column,
  rows,
  columns,
  role,
});

export const words = (lines: [Said, string][], columns = 0, long = false): Words => ({ lines, columns, long });

export const arrow = (start: string, end: string, note: Said | null = null, role = "kernel"): Arrow => ({
  start,
  end,
  role,
  note,
});

/** What the kinds of cells that are there mean, in the order of the words. */
export function legend(grids: Grid[], words: [string, string][]): Legend[] {
  return words
    .filter(([kind]) => grids.some((grid) => grid.cells.some((each) => each.kind === kind)))
    .map(([kind, key]) => ({ kind, text: said(key) }));
}
