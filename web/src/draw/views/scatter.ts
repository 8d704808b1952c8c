// Scatter: a step for each coarse cell, which stamps its value times the kernel onto the fine grid.

import type { Axis } from "../../core/axis";
import { convTransposeFormula } from "../../core/explain";
import type { Geometry } from "../../core/geometry";
import { type Range, range } from "../../core/range";
import {
  alone,
  type Board,
  by,
  count,
  distinct,
  flat,
  framed,
  grid,
  type Index,
  isIn,
  named,
  outerOf,
  reach,
  scene,
  shown,
  sizeNote,
  sliced,
  spanned,
  spot,
  stamp,
} from "../cells";
import { arrow, cell, frame, type Grid, legend, type Panel, plain, said } from "../scene";
import { learn } from "../words";

// Cells that are drawn across, at most: of the coarse grid, the kernel and the fine grid, for one axis, and for more;
// and down, of the fine grid.
const LINE = [9, 6, 17] as const;
const SQUARE = [5, 5, 11] as const;
const DOWN = 8;
// Columns that fit side by side; more of them take two rows of panels.
const BESIDE = 26;

learn({
  scatter: ["Each coarse cell stamps the kernel onto the fine grid", "每个粗网格单元都把卷积核盖印到细网格上"],
  stamp: ["{0} times the kernel", "卷积核乘以 {0}"],
  kept: ["all {0} are kept", "{0} 全部保留"],
  cropped: ["{0} remain of {1}: the padding crops the rest", "{1} 中保留 {0}：其余被填充裁去"],
  added: ["added in place", "就地相加"],
  "legend cropped": ["cropped by the padding", "被填充裁去"],
  "legend empty": ["no stamp has reached it yet", "尚未被盖到"],
});

export const scatter = {
  /** A step for each coarse cell. */
  steps: count,

  /** The cell in the middle: its stamp meets those before. */
  first: (g: Geometry) => Math.floor(count(g) / 2),

  /** What the coarse cell of a step adds, and what is there by then. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const at = board.coarse(step);
    const [x, w, stamped, y] = [coarse(board, at), kernel(board), kernel(board, at), fine(board, at, step)];
    const left: Panel[] = [x, { text: "×" }, w, { text: "=" }, stamped];
    const narrow = x.columns + w.columns + stamped.columns + y.columns <= BESIDE;
    return scene("scatter", g, step, count(g), said("scatter"), narrow ? [[...left, y]] : [left, [y]], {
      arrows: narrow ? [arrow("stamp", "y", said("added"))] : [],
      legend: legend(
        [y],
        [
          ["cropped", "legend cropped"],
          ["empty", "legend empty"],
        ],
      ),
      facts: distinct(g.axes).map((axis) => plain(convTransposeFormula(axis)[1])),
    });
  },
};

const most = (g: Geometry) => (g.ndim === 1 ? LINE : SQUARE);

function coarse(board: Board, at: Index): Grid {
  const g = board.geometry;
  const before = outerOf(at);
  const here = spot(at);
  const [rows, columns] = board.sides((axis, side) => shown(range(axis.coarse), alone(here[side]), most(g)[0]));
  return grid("x", "coarse", said("x"), sizeNote(g.coarse, before), rows, columns, (r, c) => {
    const index = board.whole(before, r, c);
    const kind = r === here[0] && c === here[1] ? "coarse-on" : "coarse";
    return cell(kind, board.x(board.value(index)), named("x", index));
  });
}

// The kernel, or the stamp of a cell.
function kernel(board: Board, at?: Index): Grid {
  const g = board.geometry;
  const middle = board.outer.map((axis) => Math.floor(axis.kernel / 2));
  const [rows, columns] = board.sides((axis) => shown(range(axis.kernel), alone(0), most(g)[1]));
  if (!at) {
    return grid("w", "kernel", said("w"), sizeNote(g.kernel, middle), rows, columns, (r, c) => {
      const tap = board.whole(middle, r, c);
      return cell("kernel", board.w(board.weight(tap)), named("w", tap));
    });
  }
  const times = board.value(at);
  const note = said("stamp", board.x(times));
  const draw = (r: number, c: number) => {
    const tap = board.whole(middle, r, c);
    return cell("kernel", board.y(board.weight(tap) * times), named("w", tap));
  };
  const frames = [frame(0, 0, rows.length, columns.length, "kernel")];
  return grid("stamp", "kernel", plain(`${named("x", at)} · w`), note, rows, columns, draw, { frames });
}

function fine(board: Board, at: Index, step: number): Grid {
  const g = board.geometry;
  const before = board.outer.map((a, n) => stamp(a, at[n]!).start + Math.floor(a.kernel / 2) * a.dilation);
  const here = spot(at);
  const under = board.sides((axis, side) => stamp(axis, here[side]));
  const spans = board.sides((_, side) => spanned(under[side]));
  const [rows, columns] = board.sides((axis, side) => shownPart(axis, spans[side], side ? most(g)[2] : DOWN));
  const around = framed(rows, columns, spans, "kernel");
  const draw = (r: number, c: number) =>
    fineCell(board, board.whole(before, r, c), step, under[0].has(r) && under[1].has(c));
  return grid("y", "fine", said("y"), kept(g, before), rows, columns, draw, {
    frames: around.rows && around.columns ? [around] : [],
  });
}

const shownPart = (axis: Axis, span: Range, most: number) => shown(reach(axis), span.slice(0, most - 2), most);

function fineCell(board: Board, fine: Index, step: number, under: boolean) {
  const g = board.geometry;
  const done = board.ties(fine).filter(([c]) => flat(c, g.coarse) <= step);
  const inside = isIn(fine, g.fine);
  const what = named("y", fine);
  if (!done.length) return cell(inside ? "empty" : "cropped", "", what);
  const total = board.y(board.sumOf(done));
  if (!inside) return cell("cropped", total, what);
  const isNew = (tie: [Index, Index]) => flat(tie[0], g.coarse) === step;
  const fresh = done.filter(isNew);
  const both = under && fresh.length && done.length > 1;
  const old = done.filter((tie) => !isNew(tie));
  const small = both ? `${board.y(board.sumOf(old))} + ${board.y(board.sumOf(fresh))}` : "";
  return cell("fine", total, what, small);
}

// What of the stamps remains, and which slice of it is shown.
function kept(g: Geometry, before: Index) {
  const whole = g.axes.map((axis) => reach(axis).length);
  const all = String(whole) === String(g.fine);
  return sliced(all ? said("kept", by(g.fine)) : said("cropped", by(g.fine), by(whole)), before);
}
