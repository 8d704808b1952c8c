// Sizes: the fine sizes that share one coarse size, one that does not, and the remainder that tells them apart.

import { Axis } from "../../core/axis";
import { convFormula, remainder } from "../../core/explain";
import { Geometry } from "../../core/geometry";
import { range } from "../../core/range";
import { Board, distinct, grid, type Shown, scene, told } from "../cells";
import { type Bracket, cell, type Grid, legend, plain, type Said, said, words } from "../scene";
import { learn } from "../words";

// Cells of a row, at most, and digits in them; where that is too little, cells are left out before the end of a row.
const CELLS = 18;
const DIGITS = 72;
// Fine sizes that share the coarse size, at most, and levels of windows that so many rows have room for.
const SHARED = 3;
const LEVELS = 4;
// Of a cell of a row, against its width.
const HEIGHT = 0.72;

learn({
  "sizes none": ["Fine {0} gives coarse {1} by output padding {2} alone", "只凭输出填充 {2}，细 {0} 才得到粗 {1}"],
  "sizes one": ["Only fine {0} gives coarse {1}", "只有细网格大小 {0} 得到粗网格大小 {1}"],
  "sizes two": [
    "Fine {0} and fine {1} both give coarse {2}: output padding says which",
    "细 {0} 与细 {1} 都得到粗 {2}：由输出填充区分",
  ],
  "sizes many": [
    "Fine {0} to fine {1} all give coarse {2}: output padding says which",
    "细 {0} 到细 {1} 都得到粗 {2}：由输出填充区分",
  ],
  "sizes alike": ["{0}   ·   each axis", "{0}   ·   每个轴"],
  "sizes last": ["{0}   ·   the last axis", "{0}   ·   最后一个轴"],
  "sizes coarse": ["coarse {0}", "粗网格大小 {0}"],
  "sizes this": ["coarse {0}: this geometry", "粗网格大小 {0}：即此几何"],
  "sizes next": ["coarse {0}: one window more", "粗网格大小 {0}：多一个窗口"],
  "sizes back": ["output padding {0} brings {1} back", "输出填充 {0} 还原出 {1}"],
  "sizes beyond": [
    "output padding {0} is no less than the stride {1}: it brings {2} back from fewer windows",
    "输出填充 {0} 不小于步幅 {1}：从更少的窗口还原出 {2}",
  ],
  "sizes read": ["read by a window", "被某个窗口读取"],
  "sizes padding": ["padding, zeros around it", "填充（四周的零）"],
  "sizes left": ["read by no window", "不被任何窗口读取"],
  "sizes padding left": ["padding that no window reads", "不被任何窗口读取的填充"],
  "sizes window": [
    "with a number: a window, one coarse cell; its teeth are the cells that it reads",
    "带编号者：一个窗口，对应一个粗网格单元；其齿指向它读取的单元",
  ],
  "sizes rule": [
    "n is the fine size. The division by the stride drops a remainder, and output padding brings it back.",
    "n 为细网格大小。除以步幅时舍去余数，输出填充将其还原。",
  ],
  "sizes few": ["Windows of n = {0} that are drawn: {1} of {2}.", "n = {0} 画出的窗口：{2} 个中的 {1} 个。"],
  "sizes omitted": [
    "Of the {0} sizes that give coarse {1} only {2} are shown.",
    "{0} 个得到粗 {1} 的大小只画 {2} 个。",
  ],
});

export const sizes = {
  /** One picture. */
  steps: () => 1,
  first: () => 0,

  /** A row for each size of the last axis. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const axis = board.columns;
    const axes = rowsOf(axis);
    const levels = axes.length > SHARED ? LEVELS - 2 : LEVELS;
    const drawn = positions(axes);
    const wide = Math.max(...drawn.map((row) => row.length));
    const digits = Math.max(...axes.map((each) => String(each.fine).length));
    const grids = axes.map((each, n) => rowOf(each, drawn[n]!, wide, levels, digits));
    const rows = grids.map((row, n) => [row, sentences(axes[n]!, axis)]);
    const alike = distinct(g.axes).length === 1;
    return scene("sizes", g, step, 1, title(axis), rows, {
      note: g.ndim === 1 ? told(g) : said(alike ? "sizes alike" : "sizes last", told(g)),
      legend: [
        ...legend(grids, [
          ["fine", "sizes read"],
          ["padding", "sizes padding"],
          ["left", "sizes left"],
          ["padding-left", "sizes padding left"],
        ]),
        { kind: "bracket-coarse", text: said("sizes window") },
      ],
      facts: facts(axis, axes, grids),
    });
  },
};

// The axes of the rows: of fine sizes that share the coarse size, of the geometry, and of the next coarse size.
function rowsOf(axis: Axis): Axis[] {
  const shared = axis.fineSizes;
  const of = (fine: number) =>
    Axis.conv({ fine, kernel: axis.kernel, stride: axis.stride, padding: axis.padding, dilation: axis.dilation });
  let picked = [...shared.slice(0, SHARED)];
  if (shared.length > SHARED) {
    const own = shared.slice(1, -1).has(axis.fine) ? axis.fine : shared.at(1);
    picked = [shared.at(0), own, shared.at(-1)];
  }
  // An output padding of a stride or more makes a size that the division would give to another coarse size.
  const beyond = shared.has(axis.fine) ? [] : [axis];
  const all = [...picked.map(of), ...beyond, of(shared.stop)];
  return all.sort((one, other) => one.fine - other.fine || one.coarse - other.coarse);
}

function title(axis: Axis): Said {
  const shared = axis.fineSizes;
  if (!shared.length) return said("sizes none", axis.fine, axis.coarse, axis.output_padding);
  if (shared.length === 1) return said("sizes one", shared.at(0), axis.coarse);
  return said(shared.length === 2 ? "sizes two" : "sizes many", shared.at(0), shared.at(-1), axis.coarse);
}

// The fine positions of each row: all rows begin with the same one, and end with their own.
function positions(axes: Axis[]): Shown[] {
  const most = Math.max(6, Math.min(CELLS, Math.floor(DIGITS / String(axes.at(-1)!.fine).length)));
  const atStart = Math.floor((2 * most) / 3);
  const atEnd = most - atStart - 2;
  const begin = Math.min(0, -axes[0]!.padding[0]);
  const ends = axes.map((axis) => axis.fine + Math.max(0, axis.padding[1]));
  const start = Math.max(begin, Math.min(Math.max(...ends) - most, Math.min(...ends) - atStart));
  return ends.map((end) => {
    const all = range(start, end);
    const cells: Shown =
      all.length > most ? [...all.slice(0, atStart), null, ...all.slice(all.length - atEnd)] : [...all];
    return start > begin ? [null, ...cells] : cells;
  });
}

// Fine cells and the padding around them, windows below; as wide as the others, so that all stand in line.
function rowOf(axis: Axis, positions: Shown, wide: number, levels: number, digits: number): Grid {
  const ties = new Board(new Geometry([axis]));
  const read = positions.map((p) => (p === null ? [] : ties.along([p])[0]!));
  const draw = (_: number, n: number) => {
    const p = positions[n];
    if (p === undefined) return cell("gap");
    if (p === null) return cell("more", "…");
    const by = read[n]!.length;
    if (range(axis.fine).has(p)) return cell(by ? "fine" : "left", String(p));
    return cell(by ? "padding" : "padding-left");
  };
  // Two blanks are as wide as a digit.
  const label = `${"  ".repeat(digits - String(axis.fine).length)}n = ${axis.fine}`;
  const name = `fine${axis.fine}-coarse${axis.coarse}`;
  return grid(name, "fine", plain(""), plain(""), [0], [...range(wide)], draw, {
    row_labels: [[label, "fine"]],
    height: HEIGHT,
    brackets: brackets(axis, positions, read, levels),
  });
}

// A window, its taps by the columns that they read, and the first and the last column that it goes along.
type Window = { number: number; teeth: Map<number, number>; start: number; end: number };

// The windows that read a cell which is drawn, as far as there is room for those that overlap.
function brackets(axis: Axis, positions: Shown, read: [number, number][][], most: number): Bracket[] {
  const found = new Map<number, Map<number, number>>();
  read.forEach((ties, column) => {
    for (const [window, tap] of ties) {
      if (!found.has(window)) found.set(window, new Map());
      found.get(window)!.set(column, tap);
    }
  });
  let windows = [...found]
    .sort(([one], [other]) => one - other)
    .map(([number, teeth]): Window => ({ number, teeth, ...span(axis, positions, teeth) }));
  let levels = levelsOf(windows);
  if (Math.max(0, ...levels) >= most) {
    windows = windows.slice(-most);
    levels = levelsOf(windows);
  }
  return windows.map(({ number, teeth, start, end }, n) => ({
    column: start,
    columns: end - start + 1,
    teeth: [...teeth.keys()],
    level: levels[n]!,
    text: String(number),
    role: "coarse",
  }));
}

// The first and the last column of a window: where cells are left out, if some of its taps are among them.
function span(axis: Axis, positions: Shown, taps: Map<number, number>): { start: number; end: number } {
  const columns = [...taps.keys()];
  const [first, last] = [columns[0]!, columns.at(-1)!];
  const before = positions.lastIndexOf(null, first);
  const behind = positions.indexOf(null, last);
  return {
    start: before >= 0 && taps.get(first)! > 0 ? before : first,
    end: behind >= 0 && taps.get(last)! < axis.kernel - 1 ? behind : last,
  };
}

// For each window the first level on which it meets none of those before.
function levelsOf(windows: Window[]): number[] {
  const ends: number[] = [];
  return windows.map(({ start, end }) => {
    const free = ends.findIndex((before) => before < start);
    const level = free < 0 ? ends.length : free;
    ends[level] = end;
    return level;
  });
}

function sentences(axis: Axis, own: Axis) {
  const { coarse, output_padding: a, stride: s, fine } = axis;
  const key = axis.equals(own) ? "sizes this" : coarse - own.coarse === 1 ? "sizes next" : "sizes coarse";
  const beyond = a >= s;
  const back = beyond ? said("sizes beyond", a, s, fine) : said("sizes back", a, fine);
  const numbers = plain((beyond ? convFormula : remainder)(axis)[1]);
  return words(
    [
      [said(key, coarse), "coarse"],
      [numbers, "text"],
      [back, "grey"],
    ],
    0,
    true,
  );
}

function facts(axis: Axis, axes: Axis[], grids: Grid[]): Said[] {
  const found = [plain(remainder(axis)[0]), said("sizes rule")];
  const shared = axis.fineSizes;
  const drawn = axes.filter((each) => each.coarse === axis.coarse && shared.has(each.fine)).length;
  if (drawn < shared.length) found.push(said("sizes omitted", shared.length, axis.coarse, drawn));
  const windows = grids[axes.findIndex((each) => each.equals(axis))]!.brackets.length;
  if (windows < axis.coarse) found.push(said("sizes few", axis.fine, windows, axis.coarse));
  return found;
}
