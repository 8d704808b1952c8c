// Gather: a step for each fine cell, which a plain convolution at stride 1 computes from x with zeros put in.

import type { Axis } from "../../core/axis";
import type { Geometry } from "../../core/geometry";
import { prod } from "../../core/integers";
import { range } from "../../core/range";
import {
  alone,
  type Board,
  by,
  distinct,
  fitting,
  flat,
  framed,
  grid,
  type Index,
  most,
  named,
  outerOf,
  reach,
  residue,
  scene,
  shown,
  sizeNote,
  sliced,
  spot,
  unflat,
} from "../cells";
import { letter, numberOf, phaseKind, taps } from "../lettered";
import { rounded } from "../rounding";
import { cell, frame, type Grid, legend, type Panel, plain, type Said, said, type Words, words } from "../scene";
import { flippedTap, meeting, padded, plainAxis, sliceThrough, standing, window } from "../stretched";
import { learn } from "../words";

// Cells of each grid that are drawn, at most, down and across: the stretched x, w, y. A single axis has room for more.
type Room = readonly [number, number];
const STRETCHED: Room = [8, 9];
const KERNEL: Room = [5, 5];
const FINE: Room = [8, 6];
const LINE: Room = [1, 15];
const LINE_KERNEL: Room = [1, 9];
// Products of a sum that are written out, and phases in the legend.
const TERMS = 4;
const PHASES = 9;

learn({
  gather: ["Put zeros in, and a plain convolution gives the same y", "插入零之后，普通卷积给出同样的 y"],
  "gather dense": [
    "With a flipped kernel, a plain convolution gives the same y",
    "翻转卷积核之后，普通卷积给出同样的 y",
  ],
  "gather x": ["x, stretched and padded", "x（插零并填充）"],
  "gather x dense": ["x, padded", "x（填充）"],
  "gather x note": ["{0} in a grid of {1}", "{0}，置于 {1} 的网格中"],
  "gather w": ["w, flipped", "w（翻转）"],
  "gather y": ["{0}; letters are phases", "{0}；字母表示相位"],
  "gather meets": [
    "{0} of {1} products meet a value of x, the others a zero",
    "{1} 个乘积中 {0} 个遇到 x 的值，其余遇到零",
  ],
  "gather meets all": ["every product meets a value of x", "每个乘积都遇到 x 的值"],
  "gather work": [
    "products in all: {0} this way; {1} of use; {2} ({3} %) wasted on zeros and beyond the border",
    "乘积总数：这样做需 {0} 个；有用 {1} 个；浪费在零上或边界之外 {2} 个（{3} %）",
  ],
  "gather recipe": [
    "along axis {0}: {1} → stretched {3} (zeros in each gap: {2}) → padded {6} ({4} before, {5} after) " +
      "→ convolved {8} (the flipped kernel spans {7})",
    "沿轴 {0}：{1} 个 → 插零后 {3} 个（每个间隔 {2} 个零）→ 填充后 {6} 个（前 {4}，后 {5}）" +
      "→ 卷积后 {8} 个（翻转的卷积核跨度 {7}）",
  ],
  "gather on": ["value of x under a tap", "抽头下的 x 值"],
  "gather zero": ["zero put between", "插入的零"],
  "gather padding": ["zero around", "周围填充的零"],
  "gather left": ["cropped, in no window", "被裁去，不在任何窗口中"],
  "gather phase": ["{0}: {1} of {2} taps", "{0}：{2} 个抽头中的 {1} 个"],
});

export const gather = {
  /** A step for each fine cell. */
  steps: (g: Geometry) => prod(g.fine),

  /** A cell near the middle: on the last axis one that most taps reach, on the others one that some tap does. */
  first(g: Geometry): number {
    const at = g.axes.map((axis, n) => {
      if (n === g.ndim - 1) return most(near(axis), (o) => axis.coverageAt(o));
      return near(axis).find((o) => axis.coverageAt(o)) ?? Math.floor(axis.fine / 2);
    });
    return flat(at, g.fine);
  },

  /** The window of the fine cell of a step, its sum, and y as far as it is computed. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const at = unflat(step, g.fine);
    const [x, w, sum, y] = [stretched(board, at), flipped(board, at), written(board, at), fine(board, at, step)];
    const rows: Panel[][] = g.ndim > 1 ? [[x, { panels: [w, sum] }, y]] : [[x], [w, sum], [y]];
    const title = said(inserted(g) ? "gather" : "gather dense");
    return scene("gather", g, step, prod(g.fine), title, rows, {
      legend: [
        ...legend(
          [x],
          [
            ["coarse-on", "gather on"],
            ["zero", "gather zero"],
            ["padding", "gather padding"],
            ["left", "gather left"],
          ],
        ),
        ...phases(board, at).map((which) => ({
          kind: phaseKind(g, which),
          text: said("gather phase", letterOf(g, which), taps(g, which), prod(g.kernel)),
        })),
      ],
      facts: [work(g), ...recipes(g)],
    });
  },
};

// The letter of a phase.
const letterOf = (g: Geometry, which: Index) => letter(numberOf(g, which));

// The middle of the fine grid and cells before it, one of each phase; not of thousands.
function near(axis: Axis): number[] {
  const middle = Math.floor(axis.fine / 2);
  return [...range(middle, Math.max(-1, middle - Math.min(axis.stride, 100)), -1)];
}

// Whether zeros are put between the cells of x.
const inserted = (g: Geometry) => g.stride.some((s) => s > 1);

function work(g: Geometry): Said {
  const { multiplications, zero_insertion_multiplications: all } = g.work();
  const wasted = all - multiplications;
  return said("gather work", all, multiplications, wasted, rounded((100 * wasted) / all));
}

// What is done along each axis, once where axes are alike.
function recipes(g: Geometry): Said[] {
  return distinct(g.axes).map((axis) => {
    const [z, a] = [axis.zeroInserted, plainAxis(axis)];
    const which = [...g.axes.keys()].filter((n) => g.axes[n]!.equals(axis)).join(", ");
    const sizes = [axis.coarse, z.inserted_zeros, z.stretched, ...a.padding, padded(axis).length];
    return said("gather recipe", which, ...sizes, a.effectiveKernel, axis.fine);
  });
}

const room = (board: Board, most: Room, line: Room = LINE) => (board.geometry.ndim > 1 ? most : line);

// x with its zeros, and the window of a fine cell with the taps that lie there.
function stretched(board: Board, at: Index): Grid {
  const g = board.geometry;
  const [before, through] = sliceThrough(board, at);
  const most = room(board, STRETCHED);
  const [down, across] = board.sides((axis, side) => window(axis, spot(at)[side]));
  const spans = board.sides((_, side) => fitting([down, across][side]!, most[side]));
  const [rows, columns] = board.sides((axis, side) => shown(reach(plainAxis(axis)), spans[side], most[side]));
  const note = said("gather x note", by(g.coarse), by(g.axes.map((axis) => padded(axis).length)));
  const draw = (r: number, c: number) => {
    const [kind, text, what] = standing(board, before, r, c);
    if (!down.has(r) || !across.has(c)) return cell(kind, text, what);
    const weight = board.weight(flippedTap(board, through, down.indexOf(r), across.indexOf(c)));
    return cell(kind === "coarse" ? "coarse-on" : kind, text, what, `× ${board.w(weight)}`);
  };
  const caption = said(inserted(g) ? "gather x" : "gather x dense");
  const frames = [framed(rows, columns, spans, "kernel")];
  return grid("x", "coarse", caption, sliced(note, before), rows, columns, draw, { frames });
}

// The flipped kernel; lit is what meets a value of x.
function flipped(board: Board, at: Index): Grid {
  const [, through] = sliceThrough(board, at);
  const most = room(board, KERNEL, LINE_KERNEL);
  const [rows, columns] = board.sides((axis, side) => shown(range(axis.kernel), alone(0), most[side]));
  const [down, across] = board.sides((axis, side) => meeting(axis, spot(at)[side]));
  const note = sizeNote(board.geometry.kernel, through);
  return grid("w", "kernel", said("gather w"), note, rows, columns, (r, c) => {
    const tap = flippedTap(board, through, r, c);
    const kind = down.includes(r) && across.includes(c) ? "kernel-on" : "kernel";
    return cell(kind, board.w(board.weight(tap)), named("w", tap));
  });
}

// The sum at a fine cell, written out in the order of the window.
function written(board: Board, at: Index): Words {
  const g = board.geometry;
  const ties = board.ties(at).toSorted(([one], [other]) => flat(one, g.coarse) - flat(other, g.coarse));
  const terms = ties.map(([c, t]) => {
    const [x, w] = [board.x(board.value(c)), board.w(board.weight(t))];
    return `${factor(x)}·${factor(w)}`;
  });
  if (terms.length > TERMS) terms.splice(TERMS - 2, terms.length - TERMS + 1, "…");
  const met = prod(g.axes.map((axis, n) => axis.coverageAt(at[n]!)));
  const products = prod(g.kernel);
  return words([
    [plain(named("y", at)), "bold"],
    ...(terms.length ? ([[plain(`= ${terms.join(" + ")}`), "text"]] as [Said, string][]) : []),
    [plain(`= ${board.y(board.sum(at))}`), "bold"],
    [met === products ? said("gather meets all") : said("gather meets", met, products), "grey"],
  ]);
}

const factor = (text: string) => (Number(text) < 0 ? `(${text})` : text);

// y in the colours of its phases, with values up to a step.
function fine(board: Board, at: Index, step: number): Grid {
  const g = board.geometry;
  const before = outerOf(at);
  const [rows, columns] = drawn(board, at);
  const [row, column] = spot(at);
  const draw = (r: number, c: number) => {
    const index = board.whole(before, r, c);
    const value = flat(index, g.fine) <= step ? board.y(board.sum(index)) : "";
    const phase = residue(g, index);
    return cell(phaseKind(g, phase), value, named("y", index), "", letterOf(g, phase));
  };
  return grid("y", "fine", said("y"), said("gather y", sizeNote(g.fine, before)), rows, columns, draw, {
    frames: [frame(rows.indexOf(row), columns.indexOf(column), 1, 1, "ink")],
  });
}

// The rows and columns of y in the picture.
const drawn = (board: Board, at: Index) =>
  board.sides((axis, side) => shown(range(axis.fine), alone(spot(at)[side]), room(board, FINE)[side]));

// The phases that are in the picture; where these are many, those in the row of the fine cell.
function phases(board: Board, at: Index): Index[] {
  const g = board.geometry;
  const [rows, columns] = drawn(board, at);
  const there = (rows: (number | null)[]) => {
    const found = new Map<number, Index>();
    for (const r of rows) {
      for (const c of columns) {
        if (r === null || c === null) continue;
        const which = residue(g, board.whole(outerOf(at), r, c));
        found.set(numberOf(g, which), which);
      }
    }
    return [...found].sort(([one], [other]) => one - other).map(([, which]) => which);
  };
  const all = there(rows);
  return (all.length > PHASES ? there([spot(at)[0]]) : all).slice(0, PHASES);
}
