// Both: a step for each coarse cell, with the window that the convolution reads and its transpose writes.

import { convFormula, convTransposeFormula } from "../../core/explain";
import type { Geometry } from "../../core/geometry";
import { prod } from "../../core/integers";
import { range } from "../../core/range";
import {
  alone,
  type Board,
  by,
  count,
  distinct,
  ends,
  fitting,
  flat,
  framed,
  further,
  grid,
  type Index,
  inStep,
  isIn,
  named,
  outerOf,
  scene,
  short,
  shown,
  sizeNote,
  spot,
  stamp,
} from "../cells";
import { arrow, cell, frame, type Grid, legend, plain, said } from "../scene";
import { learn } from "../words";

// Cells of each grid that are drawn, at most, down and across. A single axis has room for more.
const FINE = [9, 8] as const;
const COARSE = [4, 4] as const;
const LINE_FINE = [1, 14] as const;
const LINE_COARSE = [1, 6] as const;

learn({
  both: ["The window that a convolution reads is the one its transpose writes", "卷积读取的窗口，正是其转置写入的窗口"],
  "both sizes": [
    "fine {0} ↔ coarse {1}, kernel {2}, stride {3}, padding {4}",
    "细 {0} ↔ 粗 {1}，卷积核 {2}，步幅 {3}，填充 {4}",
  ],
  "both conv": ["Convolution: fine → coarse", "卷积：细 → 粗"],
  "both transpose": ["Transpose: coarse → fine", "转置：粗 → 细"],
  "both coarse": ["coarse", "粗网格"],
  "both fine": ["fine {0}", "细网格 {0}"],
  "both reads": ["fine {0}, zeros around it", "细网格 {0}，周围是零"],
  "both writes": ["fine {0}, the rest is cropped", "细网格 {0}，其外被裁去"],
  "both window": ["in the window, with its tap", "窗口内，标有抽头"],
  "both padding": ["zero of the padding, which convolution reads", "卷积读取的填充零"],
  "both cropped": ["cropped by the padding in the transpose", "转置中被填充裁去"],
  "both left": ["in no window: not read, not written", "不在任何窗口内：不被读也不被写"],
  "both taps": [
    "taps of this window on the fine grid: {0} of {1}; there the convolution reads, and the transpose writes",
    "此窗口落在细网格上的抽头：{1} 个中的 {0} 个；卷积在此读取，转置在此写入",
  ],
});

export const both = {
  /** A step for each coarse cell. */
  steps: count,

  /** A cell at the end of the rows, in the middle of the others: its window reaches into the padding. */
  first(g: Geometry): number {
    const which = Math.max(0, g.ndim - 2);
    return flat(
      g.coarse.map((n, axis) => (axis === which ? n - 1 : Math.floor(n / 2))),
      g.coarse,
    );
  },

  /** The window of the coarse cell of a step, on the way down and on the way up. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const at = board.coarse(step);
    const down = [fine(board, at, "read"), coarse(board, at, "sum")] as const;
    const up = [fine(board, at, "written"), coarse(board, at, "stamp")] as const;
    const note = said("both sizes", by(g.fine), by(g.coarse), short(g.kernel), short(g.stride), ends(g));
    const inside = prod(g.axes.map((axis, n) => axis.projectiveField(at[n]!).length));
    const rows = g.ndim > 1 ? [[...down, ...up]] : [[...down], [...up]];
    return scene("both", g, step, count(g), said("both"), rows, {
      note: inStep(further(g, note), step, count(g)),
      arrows: [arrow("read", "sum"), arrow("stamp", "written")],
      legend: legend(
        [down[0], up[0]],
        [
          ["fine-on", "both window"],
          ["padding", "both padding"],
          ["cropped", "both cropped"],
          ["left", "both left"],
        ],
      ),
      facts: [
        said("both taps", inside, prod(g.kernel)),
        ...distinct(g.axes).flatMap((axis) => [
          plain(`conv            ${convFormula(axis)[1]}`),
          plain(`conv_transpose  ${convTransposeFormula(axis)[1]}`),
        ]),
      ],
    });
  },
};

// The fine grid with its padding, and the window of a coarse cell with its taps by name.
function fine(board: Board, at: Index, name: "read" | "written"): Grid {
  const g = board.geometry;
  const middle = board.outer.map((axis) => Math.floor(axis.kernel / 2));
  const before = board.outer.map((axis, n) => stamp(axis, at[n]!).at(middle[n]!));
  const most = g.ndim > 1 ? FINE : LINE_FINE;
  const [down, across] = board.sides((axis, side) => stamp(axis, spot(at)[side]));
  const spans = board.sides((_, side) => fitting([down, across][side]!, most[side]));
  // Fine positions with the padding around them.
  const [rows, columns] = board.sides(({ padding: [low, high], fine }, side) =>
    shown(range(Math.min(0, -low), fine + Math.max(0, high)), spans[side], most[side]),
  );
  const draw = (r: number, c: number) => {
    const index = board.whole(before, r, c);
    const kind = kindOf(board, index, name);
    const what = named("y", index);
    if (!down.has(r) || !across.has(c)) return cell(kind, kind === "padding" ? "0" : "", what);
    const tap = board.whole(middle, down.indexOf(r), across.indexOf(c));
    // w21, and w2,11 where digits alone could be read in two ways.
    const text = `w${tap.join(Math.max(...tap) > 9 ? "," : "")}`;
    return cell(["fine", "empty"].includes(kind) ? "fine-on" : kind, text, `${what} ${named("w", tap)}`);
  };
  const read = name === "read";
  const around = g.padding.some((pair) => Math.max(...pair) > 0);
  const key = around ? (read ? "both reads" : "both writes") : "both fine";
  const caption = said(read ? "both conv" : "both transpose");
  const frames = [framed(rows, columns, spans, "kernel")];
  return grid(name, "fine", caption, said(key, sizeNote(g.fine, before)), rows, columns, draw, { frames });
}

// What a position is to one who reads it, or writes there.
function kindOf(board: Board, fine: Index, name: "read" | "written"): string {
  const inside = isIn(fine, board.geometry.fine);
  if (!board.isTied(fine)) return "left";
  return name === "read" ? (inside ? "fine" : "padding") : inside ? "empty" : "cropped";
}

// The coarse grid, cells by their index, and the one of the step.
function coarse(board: Board, at: Index, name: string): Grid {
  const g = board.geometry;
  const most = g.ndim > 1 ? COARSE : LINE_COARSE;
  const [row, column] = spot(at);
  const before = outerOf(at);
  const [rows, columns] = board.sides((axis, side) => shown(range(axis.coarse), alone(spot(at)[side]), most[side]));
  const draw = (r: number, c: number) => {
    const kind = r === row && c === column ? "coarse-on" : "coarse";
    return cell(kind, g.ndim > 1 ? `${r},${c}` : `${c}`, named("x", board.whole(before, r, c)));
  };
  return grid(name, "coarse", said("both coarse"), sizeNote(g.coarse, before), rows, columns, draw, {
    frames: [frame(rows.indexOf(row), columns.indexOf(column), 1, 1, "kernel")],
  });
}
