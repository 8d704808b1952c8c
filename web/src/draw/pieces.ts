// Phases by their numbers, as pictures name them, each known without the others.
import type { Geometry } from "../core/geometry";
import { prod, sum } from "../core/integers";
import { type AxisPhase, axisPhase, Phase } from "../core/phases";
import { flat, type Index, isIn, residue, unflat } from "./cells";

/** A phase of a geometry by its number, and what of it is drawn. */
export class Piece {
  readonly phase: Phase; // what it is

  constructor(
    readonly geometry: Geometry,
    readonly number: number,
  ) {
    const residues = unflat(number, phaseShape(geometry));
    this.phase = new Phase(geometry.axes.map((axis, n) => axisPhase(axis, residues[n]!)));
  }

  /** The fine cell of the phase in the middle of the grid. */
  get lookedAt(): Index {
    return this.phase.axes.map((axis, n) => axis.residue + Math.floor((axis.count - 1) / 2) * this.geometry.stride[n]!);
  }

  /** Products of its taps that land inside the fine grid. */
  get multiplications(): number {
    return prod(
      this.geometry.axes.map((axis, n) => sum(this.phase.axes[n]!.taps.map((tap) => axis.pairsOfTap(tap).length))),
    );
  }

  /** Of the rows, undefined where there is one axis only, and of the columns. */
  get lastTwo(): [AxisPhase | undefined, AxisPhase] {
    return [this.phase.axes.at(-2), this.phase.axes.at(-1)!];
  }
}

// How many phases there are along each axis.
const phaseShape = (g: Geometry) => g.axes.map((axis) => Math.min(axis.stride, axis.fine));

/** The number of the phase of a fine position, which may lie beside the grid; null where the grid has none of it. */
export function phaseAt(g: Geometry, fine: Index): number | null {
  const residues = residue(g, fine);
  const shape = phaseShape(g);
  return isIn(residues, shape) ? flat(residues, shape) : null;
}
