// Phases: the fine grid is woven of dense convolutions with stride 1; a step lights one of them.

import { phaseCount } from "../../core/explain";
import type { Geometry } from "../../core/geometry";
import type { AxisPhase } from "../../core/phases";
import { type Range, range } from "../../core/range";
import {
  alone,
  type Board,
  grid,
  type Index,
  most,
  named,
  outerOf,
  runs,
  type Shown,
  scene,
  shown,
  sizeNote,
  spot,
} from "../cells";
import { letter } from "../lettered";
import { Piece, phaseAt } from "../pieces";
import { cell, type Frame, frame, type Grid, type Label, legend, plain, type Said, said } from "../scene";
import { learn } from "../words";

// Cells that are drawn along an axis, at most: of the coarse grid, the kernel, and the fine grid.
const COARSE = 6;
const KERNEL = 5;
const FINE = [7, 11] as const;
// The same of a small kernel.
const SMALL_ROWS = 3;
const SMALL_COLUMNS = 5;
// Small kernels that are drawn, colours that there are, and products that are written out.
const PIECES = 4;
const COLOURS = 4;
const PRODUCTS = 8;

learn({
  phases: ["The fine grid interleaves {0} convolutions with stride 1", "细网格由 {0} 个步幅为 1 的卷积交错而成"],
  "phases one": ["One phase: this is a convolution with stride 1 already", "只有一个相位：本身就是步幅为 1 的卷积"],
  "phases w": ["{0}; letters: phases", "{0}；字母：相位"],
  "phases x": ["{0}; lit: for {1}", "{0}；高亮：用于 {1}"],
  "phases y": ["{0}; phase {1} in numbers", "{0}；相位 {1} 显示数值"],
  "phases piece": ["phase {0}", "相位 {0}"],
  "phases needs": ["residue {0}; taps: {1}, products: {2}", "余数 {0}；抽头：{1}，乘法：{2}"],
  "phases none": ["residue {0}; no tap, its cells stay 0", "余数 {0}；无抽头，其单元保持为 0"],
  "phases labels": [
    "Beside a small kernel stands which coarse cells it reads for the fine cell o = m · stride + residue.",
    "小卷积核旁标注：对细网格单元 o = m · 步幅 + 余数，它读取哪些粗网格单元。",
  ],
  "phases work": [
    "Multiplications: {0} = {1}, together just those that are of use; with inserted zeros it would take {2}.",
    "乘法次数：{0} = {1}，合起来恰为全部有效乘法；若插零计算则需 {2} 次。",
  ],
  "phases beside": ["a tap of no phase: it lands beside the fine grid", "不属于任何相位的抽头：落在细网格之外"],
});

export const phases = {
  /** A step for each phase. */
  steps: phaseCount,

  /** Of those with a colour of their own the one with the most taps. */
  first: (g: Geometry) => most(range(Math.min(phaseCount(g), COLOURS)), (n) => new Piece(g, n).phase.taps),

  /** The phase of a step among the others. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const lit = new Piece(g, step);
    const total = phaseCount(g);
    const numbers = [...range(Math.min(PIECES - 1, total))];
    // The last small kernel: the next one, or the one that is lit where that comes later.
    if (total >= PIECES) numbers.push(Math.max(step, PIECES - 1));
    const pieces = numbers.map((n) => new Piece(g, n));
    const w = kernel(board, lit);
    const rows = [[coarse(board, lit), w, fine(board, lit)], pieces.map((each) => small(board, each, lit))];
    return scene("phases", g, step, total, total > 1 ? said("phases", total) : said("phases one"), rows, {
      legend: legend([w], [["left", "phases beside"]]),
      facts: [plain(sum(board, lit)), work(g, pieces), said("phases labels")],
    });
  },
};

const color = (phase: number) => `phase${phase % COLOURS}`;

// The cell that is looked at, as a sum of products.
function sum(board: Board, lit: Piece): string {
  const o = lit.lookedAt;
  const products = board.ties(o).map(([c, t]) => `${board.x(board.value(c))}·${board.w(board.weight(t))}`);
  if (products.length > PRODUCTS) products.splice(PRODUCTS - 1, products.length, "…");
  const terms = products.length ? ` = ${products.join(" + ")}` : "";
  return `${named("y", o)}${terms} = ${board.y(board.sum(o))}`;
}

// What each phase takes, and all together.
function work(g: Geometry, pieces: Piece[]): Said {
  const work = g.work();
  const parts = pieces.map((piece) => `${letter(piece.number)} ${piece.multiplications}`);
  const last = pieces.at(-1)!.number;
  if (last >= pieces.length) parts.splice(-1, 0, "…");
  if (last < phaseCount(g) - 1) parts.push("…");
  return said("phases work", parts.join(" + "), work.multiplications, work.zero_insertion_multiplications);
}

// Positions around those that are wanted, where these lie in the grid.
function around(size: number, wanted: number[], most: number): Shown {
  const found = wanted.filter((position) => range(size).has(position));
  const inside = found.length ? found : [0];
  const start = Math.min(...inside);
  return shown(range(size), range(start, Math.min(Math.max(...inside) + 1, start + most - 2)), most);
}

// The coarse grid, with the cells lit that the fine cell looked at reads.
function coarse(board: Board, lit: Piece): Grid {
  const g = board.geometry;
  const along = board.along(lit.lookedAt);
  const tied = board.isTied(lit.lookedAt);
  const outer = outerTaps(lit);
  // The slice of the taps that are shown, or of the first ones where those land beside the grid.
  const shownThere = outer.every((tap, n) => along[n]!.some(([, t]) => t === tap));
  const before = outer.map((tap, n) => {
    if (!tied) return Math.floor(g.coarse[n]! / 2);
    return (shownThere ? along[n]!.find(([, t]) => t === tap)! : along[n]![0]!)[0];
  });
  const [rows, columns] = board.sides((axis, side) => {
    const ties = (tied && along.at(side - 2)) || [];
    return around(
      axis.coarse,
      ties.map(([c]) => c),
      COARSE,
    );
  });
  const note = said("phases x", sizeNote(g.coarse, before), named("y", lit.lookedAt));
  return grid("x", "coarse", said("x"), note, rows, columns, (r, c) => {
    const index = board.whole(before, r, c);
    const kind = board.tap(index, lit.lookedAt) ? "coarse-on" : "coarse";
    return cell(kind, board.x(board.value(index)), named("x", index));
  });
}

// The taps of the axes before the last two that are shown: those in the middle of the phase.
const outerTaps = (piece: Piece): Index =>
  piece.phase.axes.slice(0, -2).map(({ taps }) => (taps.length ? taps.at(Math.floor(taps.length / 2)) : 0));

// The kernel in the colours of its phases.
function kernel(board: Board, lit: Piece): Grid {
  const g = board.geometry;
  const before = outerTaps(lit);
  const [ofRows, ofColumns] = lit.lastTwo;
  const mine: [Range, Range] = [ofRows?.taps ?? range(1), ofColumns.taps];
  const [rows, columns] = board.sides((axis, side) => around(axis.kernel, [...mine[side].slice(0, KERNEL)], KERNEL));
  const draw = (r: number, c: number) => {
    const tap = board.whole(before, r, c);
    const text = board.w(board.weight(tap));
    const what = named("w", tap);
    const phase = phaseAt(
      g,
      g.axes.map((a, n) => tap[n]! * a.dilation - a.padding[0]),
    );
    return phase === null ? cell("left", text, what) : cell(color(phase), text, what, "", letter(phase));
  };
  const note = said("phases w", sizeNote(g.kernel, before));
  return grid("w", "kernel", said("w"), note, rows, columns, draw, { frames: frames(rows, columns, mine) });
}

// The fine grid: values of the phase that is lit, letters of the others.
function fine(board: Board, lit: Piece): Grid {
  const g = board.geometry;
  const at = lit.lookedAt;
  const before = outerOf(at);
  const here = spot(at);
  const [rows, columns] = board.sides((axis, side) => around(axis.fine, [here[side]], FINE[side]));
  const draw = (r: number, c: number) => {
    const index = board.whole(before, r, c);
    const phase = phaseAt(g, index)!;
    const what = named("y", index);
    if (phase !== lit.number) return cell(color(phase), letter(phase), what);
    return cell(color(phase), board.y(board.sum(index)), what, "", letter(phase));
  };
  const mine = board.sides((axis, side) => range(here[side] % axis.stride, axis.fine, axis.stride));
  const now = frame(rows.indexOf(here[0]), columns.indexOf(here[1]), 1, 1, "fine");
  const note = said("phases y", sizeNote(g.fine, before), letter(lit.number));
  return grid("y", "fine", said("y"), note, rows, columns, draw, { frames: [...frames(rows, columns, mine), now] });
}

// Frames around the cells of the phase, one around neighbours.
const frames = (rows: Shown, columns: Shown, of: [Range, Range]): Frame[] =>
  runs(rows, of[0]).flatMap(([row, high]) =>
    runs(columns, of[1]).map(([column, wide]) => frame(row, column, high, wide, "ink")),
  );

// The taps of a phase as the dense kernel that lies on the coarse grid, so the last tap first.
function small(board: Board, piece: Piece, lit: Piece): Grid {
  const before = outerTaps(piece);
  const name = letter(piece.number);
  const residue = piece.phase.residue.join();
  const caption = said("phases piece", name);
  const kind = color(piece.number);
  const [ofRows, ofColumns] = piece.lastTwo;
  const [rows, columns] = piece.phase.taps
    ? [placed(ofRows, SMALL_ROWS), placed(ofColumns, SMALL_COLUMNS)]
    : [[0], [0]];
  const frames = piece.number === lit.number ? [frame(0, 0, rows.length, columns.length, "ink")] : [];
  if (!piece.phase.taps) {
    const draw = () => cell(kind, "0", "", "", name);
    const none = said("phases none", residue);
    return grid(name, "ink", caption, none, rows, columns, draw, { frames, column_labels: [["", "ink"]] });
  }
  const draw = (r: number, c: number) => {
    const tap = board.whole(before, ofRows?.taps.at(r) ?? 0, ofColumns.taps.at(c));
    return cell(kind, board.w(board.weight(tap)), named("w", tap), "", name);
  };
  const note = said("phases needs", residue, piece.phase.taps, piece.multiplications);
  return grid(name, "ink", caption, note, rows, columns, draw, {
    frames,
    row_labels: ofRows ? labels(ofRows, rows) : [],
    column_labels: labels(ofColumns, columns),
  });
}

// Numbers of taps in the order of the coarse cells that they read.
const placed = (phase: AxisPhase | undefined, most: number): Shown =>
  phase ? shown(range(phase.taps.length), alone(0), most).reverse() : [0];

// Which coarse cell each tap reads, from m on.
const labels = (phase: AxisPhase, numbers: Shown): Label[] =>
  numbers.map((n) => {
    if (n === null) return ["", "coarse"];
    const shift = phase.shifts.at(n);
    return [shift ? `m${shift > 0 ? "+" : "−"}${Math.abs(shift)}` : "m", "coarse"];
  });
