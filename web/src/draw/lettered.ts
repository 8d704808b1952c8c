// Phases by letters and colours: fine cells that share o mod stride have the same ones.
import type { Geometry } from "../core/geometry";
import { prod } from "../core/integers";
import { flat, type Index } from "./cells";

// Kinds of cells that are phases.
const COLORS = 4;

/** a, b, ..., z, aa, ab, ...: phases by their number. */
export function letter(number: number): string {
  let name = "";
  for (let rest = number + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    name = String.fromCharCode(97 + ((rest - 1) % 26)) + name;
  }
  return name;
}

/** The kind of its cells; where there are more phases than colours, letters tell them apart. */
export function phaseKind(g: Geometry, which: Index): string {
  const number = numberOf(g, which);
  const last = counts(g).at(-1)!;
  // Strides of 4, 8, ... would give stripes: each row of phases begins one color further.
  return `phase${(number + (last % COLORS ? 0 : Math.floor(number / last))) % COLORS}`;
}

/** How many taps reach the cells of a phase, the border apart. */
export const taps = (g: Geometry, which: Index) => prod(g.axes.map((axis, n) => axis.tapsOfPhase(which[n]!).length));

// Phases along each axis; those beyond the fine size are left out.
const counts = (g: Geometry) => g.axes.map((axis) => Math.min(axis.stride, axis.fine));

/** The number of a phase, the last axis fastest. */
export const numberOf = (g: Geometry, which: Index) => flat(which, counts(g));
