// The stretched x of a transposed convolution done as a plain one: what stands where in it, and what a window meets.
// Along each axis it is the fine grid of the zero-inserted axis; the fine grid of the geometry is the coarse one there.
import type { Axis } from "../core/axis";
import { type Range, range } from "../core/range";
import { type Board, type Index, named } from "./cells";

/** The convolution at stride 1 that computes an axis. */
export const plainAxis = (axis: Axis) => axis.zeroInserted.asAxis;

/** Positions that windows read: the stretched cells, and zeros around them or less where the padding crops. */
export function padded(axis: Axis): Range {
  const a = plainAxis(axis);
  return range(-a.padding[0], a.fine + a.padding[1]);
}

/** Positions under the taps of a fine cell, from the first flipped tap to the last. */
export function window(axis: Axis, o: number): Range {
  const a = plainAxis(axis);
  const start = o - a.padding[0];
  return range(start, start + a.effectiveKernel, a.dilation);
}

/** The places in the flipped kernel that meet a value of x in the window of a fine cell. */
export const meeting = (axis: Axis, o: number) =>
  axis.receptiveField(o).map((c) => window(axis, o).indexOf(c * axis.stride));

/** The coarse cell and the tap that the slice goes through, along the axes that are not in the picture. */
export function sliceThrough(board: Board, at: Index): [Index, Index] {
  const cells: Index = [];
  const taps: Index = [];
  board.outer.forEach((axis, n) => {
    const read = axis.receptiveField(at[n]!);
    const c = read.length ? read.at(Math.floor(read.length / 2)) : Math.floor(axis.coarse / 2);
    cells.push(c);
    const flipped = read.length ? window(axis, at[n]!).indexOf(c * axis.stride) : Math.floor(axis.kernel / 2);
    taps.push(axis.kernel - 1 - flipped);
  });
  return [cells, taps];
}

/** The tap that lies in the flipped kernel at a place of the picture. */
export const flippedTap = (board: Board, through: Index, row: number, column: number) =>
  board.whole(through, board.rows.kernel - 1 - row, board.columns.kernel - 1 - column);

/** The kind of a position of the stretched x, what stands there, and which cell of x it is, if any. */
export function standing(board: Board, before: Index, ...at: [number, number]): [string, string, string] {
  const every = (is: (axis: Axis, position: number) => boolean) =>
    board.sides((axis, side) => is(axis, at[side])).every((each) => each);
  const read = every((axis, p) => padded(axis).has(p));
  const kind = (name: string) => (read ? name : "left");
  if (!every((axis, p) => p >= 0 && p < axis.zeroInserted.stretched)) return [kind("padding"), "0", ""];
  if (!every((axis, p) => p % axis.stride === 0)) return [kind("zero"), "0", ""];
  const index = board.whole(before, ...board.sides((axis, side) => at[side] / axis.stride));
  return [kind("coarse"), board.x(board.value(index)), named("x", index)];
}
