// The matrix C: a step for each coarse cell, whose row is a window, with the column of a fine cell in that window.

import type { Axis } from "../../core/axis";
import { matrix as shapeOf } from "../../core/explain";
import type { Geometry } from "../../core/geometry";
import { EXACT, prod } from "../../core/integers";
import { type Range, range } from "../../core/range";
import {
  alone,
  type Board,
  count,
  flat,
  grid,
  type Index,
  most,
  named,
  outerOf,
  place,
  type Shown,
  scene,
  shown,
  sizeNote,
  spanned,
  unflat,
} from "../cells";
import { cell, frame, type Grid, type Label, type Panel, plain, said } from "../scene";
import { learn } from "../words";

// By the letters of the longest label, so that all are legible: rows and columns of C, at most; rows and columns of a
// grid; and whether the cell that a sum goes to is drawn with its grid.
const ROOM: [number, number, number, number, number, boolean][] = [
  [3, 9, 25, 5, 5, true],
  [4, 7, 23, 5, 5, true],
  [5, 7, 20, 4, 6, false],
  [6, 6, 17, 4, 6, false],
  [99, 5, 15, 3, 4, false],
];
// Cells of a grid of one axis, which has a row of its own.
const LINE = 11;
// Cells of the grids against those of C, and of all of them the height against the width.
const SCALE = 0.94;
const HEIGHT = 0.62;
// Letters of a sum that is written out, at most; positions of a window that the column is chosen from.
const LETTERS = 90;
const CHOICE = 64;

learn({
  matrix: ["The rows of C are the convolution, its columns the transpose", "C 的行是卷积，C 的列是转置卷积"],
  "matrix C": ["C, the matrix", "矩阵 C"],
  "matrix size": [
    "{0} rows, one a coarse cell; {1} columns, one a fine cell; {2} of the {3} elements are weights, the rest 0",
    "{0} 行，每行一个粗网格单元；{1} 列，每列一个细网格单元；{3} 个元素中 {2} 个是权重，其余为 0",
  ],
  "matrix row": ["Row {0}", "{0} 的行"],
  "matrix gathers": ["convolution: gathers one window, {0} fine cells", "卷积：汇集一个窗口的 {0} 个细网格单元"],
  "matrix gathers one": ["convolution: gathers 1 fine cell", "卷积：汇集 1 个细网格单元"],
  "matrix column": ["Column {0}", "{0} 的列"],
  "matrix collects": [
    "transpose: collects from {0} coarse cells, one tap each",
    "转置：从 {0} 个粗网格单元汇集，各用一个抽头",
  ],
  "matrix collects one": ["transpose: collects from 1 coarse cell", "转置：从 1 个粗网格单元汇集"],
  "matrix coarse": ["coarse", "粗网格"],
  "matrix fine": ["fine", "细网格"],
  "matrix weight": ["w and the index of a tap: the weight of that tap", "w 加抽头下标：该抽头的权重"],
});

export const matrix = {
  /** A step for each coarse cell: its row. */
  steps: count,

  /** The cell in the middle of all axes. */
  first: (g: Geometry) =>
    flat(
      g.coarse.map((n) => Math.floor(n / 2)),
      g.coarse,
    ),

  /** C with a row and a column lit, and both on the grids. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const coarse = board.coarse(step);
    // The column is of a fine cell in the row that has most ties; of several the one nearest to the middle.
    const fine = g.axes.map((axis, n) => best(axis, coarse[n]!));
    const [, rows, columns, down, across, whole] = roomOf(g);
    const part = (name: string, at: Index, fields: Range[] | null, lit: (index: Index) => boolean, more = {}) =>
      partOf(board, name, at, fields, fields || whole ? [down, across] : null, lit, more);

    const fields = g.axes.map((axis, n) => axis.projectiveField(coarse[n]!));
    const gathered = prod(fields.map((field) => field.length));
    const row: Panel[] = [
      part("window", fine, fields, (index) => !!board.tap(coarse, index), {
        role: "coarse",
        caption: said("matrix row", label("c", coarse, g.coarse)),
        note: gathered === 1 ? said("matrix gathers one") : said("matrix gathers", gathered),
      }),
      { text: "→" },
      part("gathers", coarse, null, (index) => String(index) === String(coarse)),
    ];
    const read = g.axes.map((axis, n) => axis.receptiveField(fine[n]!));
    const collected = prod(read.map((field) => field.length));
    const column: Panel[] = [
      part("taps", coarse, read, (index) => !!board.tap(index, fine), {
        role: "fine",
        caption: said("matrix column", label("f", fine, g.fine)),
        note: collected === 1 ? said("matrix collects one") : said("matrix collects", collected),
      }),
      { text: "→" },
      part("collects", fine, null, (index) => String(index) === String(fine)),
    ];
    const C = table(board, coarse, fine, rows, columns);
    const below = g.ndim > 1 ? [[...row, ...column]] : [row, column];
    return scene("matrix", g, step, count(g), said("matrix"), [[C], ...below], {
      legend: [{ kind: "kernel", text: said("matrix weight") }],
      facts: [plain(gatheredFrom(board, coarse, fields)), plain(collectedFrom(board, read, fine))],
    });
  },
};

function best(axis: Axis, c: number): number {
  const field = axis.projectiveField(c);
  const half = Math.floor(field.length / 2);
  // Where the padding crops the whole row, the column is one nearby.
  if (!field.length) return Math.min(Math.max(0, c * axis.stride - axis.padding[0]), axis.fine - 1);
  const middle = field.at(half);
  const near = [...field.slice(Math.max(0, half - CHOICE), half + CHOICE)];
  const taps = Math.max(...near.map((o) => axis.coverageAt(o)));
  return most(
    near.filter((o) => axis.coverageAt(o) === taps),
    (o) => -Math.abs(o - middle),
  );
}

// A cell or a tap by its letter and index: c01; with commas where an index may have more than one digit.
const label = (letter: string, index: Index, sizes: readonly number[]) =>
  letter + index.join(Math.max(...sizes) <= 10 ? "" : ",");

function roomOf(g: Geometry) {
  const lengths = [g.coarse, g.fine, g.kernel].map(
    (sizes) =>
      label(
        "c",
        sizes.map((n) => n - 1),
        sizes,
      ).length,
  );
  const room = ROOM.find(([letters]) => Math.max(...lengths) <= letters)!;
  return g.ndim > 1 ? room : ([...room.slice(0, 3), 1, LINE, true] as typeof room);
}

// C, or the part of it around the row and the column.
function table(board: Board, coarse: Index, fine: Index, mostRows: number, mostColumns: number): Grid {
  const g = board.geometry;
  const shape = shapeOf(g);
  const [row, column] = [flat(coarse, g.coarse), flat(fine, g.fine)];
  const rows = shown(range(shape.rows), alone(row), mostRows);
  const columns = shown(range(shape.columns), alone(column), mostColumns);
  const all = shape.rows * shape.columns;
  // Of all that is counted only this may be beyond what is exact, and it is only said.
  const elements = all < EXACT ? all : String(BigInt(shape.rows) * BigInt(shape.columns));
  const note = said("matrix size", shape.rows, shape.columns, shape.stored, elements);
  const draw = (r: number, q: number) => {
    const [up, down] = [unflat(r, g.coarse), unflat(q, g.fine)];
    const tap = board.tap(up, down);
    if (!tap) return cell("gap", "0");
    const what = `${named("x", up)} ${named("w", tap)} ${named("y", down)}`;
    return cell(r === row || q === column ? "kernel-on" : "kernel", label("w", tap, g.kernel), what);
  };
  const labels = (positions: Shown, letter: string, sizes: number[], role: string, lit: (at: Index) => boolean) =>
    positions.map((n): Label => {
      if (n === null) return ["…", "faint"];
      const at = unflat(n, sizes);
      return [label(letter, at, sizes), lit(at) ? role : "faint"];
    });
  const ofRow = (at: Index) => !!board.tap(at, fine) || flat(at, g.coarse) === row;
  const ofColumn = (at: Index) => !!board.tap(coarse, at) || flat(at, g.fine) === column;
  return grid("C", "kernel", said("matrix C"), note, rows, columns, draw, {
    frames: [
      frame(place(rows, alone(row))[0], 0, 1, columns.length, "coarse"),
      frame(0, place(columns, alone(column))[0], rows.length, 1, "fine"),
    ],
    row_labels: labels(rows, "c", g.coarse, "coarse", ofRow),
    column_labels: labels(columns, "f", g.fine, "fine", ofColumn),
    height: HEIGHT,
  });
}

// The part of a grid that has a cell, and as much of what lies around it as there is room, with all of the fields
// where that can be; without `most` the cell alone.
function partOf(
  board: Board,
  name: string,
  at: Index,
  fields: Range[] | null,
  most: [number, number] | null,
  lit: (index: Index) => boolean,
  more: Partial<Grid>,
): Grid {
  const g = board.geometry;
  const role = name === "gathers" || name === "taps" ? "coarse" : "fine";
  const sizes = g[role];
  const lastTwo = <T>(all: T[], first: T) => [first, ...all].slice(-2) as [T, T];
  const along = lastTwo([...sizes.keys()], -1).map((n, side): Shown => {
    const here = at[n] ?? 0;
    if (!most) return [here];
    const field = n < 0 ? range(1) : (fields?.[n] ?? alone(here));
    const wide = field.length ? spanned(field) : alone(here);
    return shown(range(sizes[n] ?? 1), wide.length <= most[side]! - 2 ? wide : alone(here), most[side]!);
  });
  const draw = (r: number, q: number) => {
    const index = board.whole(outerOf(at), r, q);
    const what = named(role === "coarse" ? "x" : "y", index);
    return cell(lit(index) ? `${role}-on` : role, label(role[0]!, index, sizes), what);
  };
  const note = sizeNote(sizes, outerOf(at));
  return grid(name, role, said(`matrix ${role}`), note, along[0]!, along[1]!, draw, {
    scale: SCALE,
    height: HEIGHT,
    ...more,
  });
}

// The row written out: C · fine: c11 = w00·f11 + w01·f12 + ...
function gatheredFrom(board: Board, coarse: Index, fields: Range[]): string {
  const g = board.geometry;
  const sum = summed(g, fields, (fine) => [board.tap(coarse, fine)!, label("f", fine, g.fine)]);
  return `C · fine:     ${label("c", coarse, g.coarse)} = ${sum}`;
}

// The column written out: Cᵀ · coarse: f12 = w12·c00 + w10·c01 + ...
function collectedFrom(board: Board, fields: Range[], fine: Index): string {
  const g = board.geometry;
  const sum = summed(g, fields, (coarse) => [board.tap(coarse, fine)!, label("c", coarse, g.coarse)]);
  return `Cᵀ · coarse:  ${label("f", fine, g.fine)} = ${sum}`;
}

// The sum of a product of a tap and a cell for each cell of the fields, as far as there is room.
function summed(g: Geometry, fields: Range[], of: (cell: Index) => [Index, string]): string {
  const lengths = fields.map((field) => field.length);
  let found = "";
  for (let n = 0; n < prod(lengths); n++) {
    const [tap, cell] = of(unflat(n, lengths).map((i, axis) => fields[axis]!.at(i)));
    const term = `${label("w", tap, g.kernel)}·${cell}`;
    if (found.length + term.length > LETTERS) return `${found} + …`;
    found = found ? `${found} + ${term}` : term;
  }
  return found || "0";
}
