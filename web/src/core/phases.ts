// A geometry as dense, stride-1 pieces: fine positions that share o mod stride form a phase.
import type { Axis } from "./axis";
import type { Geometry } from "./geometry";
import { ceilDiv, floorDiv, gcd, prod, product } from "./integers";
import { type Range, range } from "./range";

/** One phase of one axis: fine positions residue, residue + stride, ..., `count` of them. */
export class AxisPhase {
  constructor(
    readonly residue: number,
    readonly count: number,
    /** The taps that reach it, ascending; empty where no tap does. */
    readonly taps: Range,
    /** For each tap, which coarse cell it reads, counted from the place in the phase; descending. */
    readonly shifts: Range,
  ) {}

  toString(): string {
    if (!this.taps.length) return `residue ${this.residue}: no tap`;
    return `residue ${this.residue}: taps ${listed(this.taps)} at shifts ${listed(this.shifts)}`;
  }
}

/** One phase of a geometry: an `AxisPhase` for each axis. */
export class Phase {
  constructor(readonly axes: AxisPhase[]) {}

  /** What o mod stride is for its fine positions, along each axis. */
  get residue(): number[] {
    return this.axes.map((axis) => axis.residue);
  }

  /** How many fine positions it has along each axis. */
  get count(): number[] {
    return this.axes.map((axis) => axis.count);
  }

  /** How many taps reach its positions, the border apart. */
  get taps(): number {
    return prod(this.axes.map((axis) => axis.taps.length));
  }

  toString(): string {
    return this.axes.length > 1 ? this.axes.map((axis) => `(${axis})`).join(" x ") : String(this.axes[0]);
  }
}

/** The phases of one axis in the order of their residues; those beyond the fine size are left out. */
export function axisPhases(axis: Axis): AxisPhase[] {
  return range(Math.min(axis.stride, axis.fine)).map((residue) => axisPhase(axis, residue));
}

/** The phase of one axis whose positions have that residue, known without the others. */
export function axisPhase(axis: Axis, residue: number): AxisPhase {
  const { stride: s, dilation: d } = axis;
  const taps = axis.tapsOfPhase(residue);
  const first = floorDiv(residue + axis.padding[0] - taps.start * d, s);
  const step = d / gcd(s, d);
  const shifts = range(first, first - taps.length * step, -step);
  return new AxisPhase(residue, ceilDiv(axis.fine - residue, s), taps, shifts);
}

/** The phases of a geometry, as many as the product of its strides (fewer where a fine size is below its stride). */
export function phases(geometry: Geometry): Phase[] {
  return product(geometry.axes.map(axisPhases)).map((axes) => new Phase(axes));
}

function listed(values: Range): string {
  return [...values].join(", ");
}
