// One axis: the two sizes of a convolution, what decides between them, and which cells touch which.
//
// Cell c of the coarse grid and cell o of the fine grid are tied through tap t when
// o = c * stride - low + t * dilation.
import type { Padding } from "./checks";
import { pairsUpTo } from "./counting";
import { ceilDiv, floorDiv, gcd, inverse, mod, mulMod } from "./integers";
import { type Range, range } from "./range";
import { checkOutputPadding, checkSomethingLeft, effectiveKernel, fineSize, ofConv } from "./sizes";

/** An axis as JSON holds it. */
export interface AxisRecord {
  coarse: number;
  kernel: number;
  stride: number;
  padding: Padding;
  output_padding: number;
  dilation: number;
}

interface ConvGiven {
  fine: number;
  kernel: number;
  stride?: number;
  padding?: Padding | string;
  dilation?: number;
}

export type ZeroInserted = Axis["zeroInserted"];

/** One axis of a convolution (fine to coarse) and of its transpose (coarse to fine).
 *
 * Only what does not fit together is refused: every number was read as an integer of the right sign before.
 */
export class Axis implements AxisRecord {
  /** Cells of the fine grid. */
  readonly fine: number;

  constructor(
    readonly coarse: number,
    readonly kernel: number,
    readonly stride = 1,
    readonly padding: Padding = [0, 0],
    readonly output_padding = 0,
    readonly dilation = 1,
  ) {
    checkOutputPadding(output_padding, stride, dilation);
    this.fine = fineSize(coarse, kernel, stride, padding, output_padding, dilation);
    checkSomethingLeft(coarse, this.fine, padding);
  }

  static of(a: AxisRecord): Axis {
    return new Axis(a.coarse, a.kernel, a.stride, a.padding, a.output_padding, a.dilation);
  }

  /** The axis on which a convolution maps `fine` cells to the coarse ones. */
  static conv({ fine, kernel, stride = 1, padding = [0, 0], dilation = 1 }: ConvGiven): Axis {
    const [coarse, pair, a] = ofConv(fine, kernel, stride, padding, null, null, dilation);
    return new Axis(coarse, kernel, stride, pair, a, dilation);
  }

  // -- sizes

  /** Cells from the first tap to the last. */
  get effectiveKernel(): number {
    return effectiveKernel(this.kernel, this.dilation);
  }

  /** The fine sizes that conv maps to this coarse size: `stride` of them, less those below 1. */
  get fineSizes(): Range {
    const smallest = this.fine - this.output_padding;
    return range(Math.max(smallest, 1), Math.max(smallest, 1 - this.stride) + this.stride);
  }

  /** The plain stride-1 convolution that computes this axis of a transposed one. */
  get zeroInserted() {
    const { kernel, dilation, output_padding: extra } = this;
    const reach = this.effectiveKernel - 1;
    const padding = this.padding.map((p) => reach - p) as Padding;
    const stretched = (this.coarse - 1) * this.stride + 1;
    return {
      /** Cells after the zeros are put in. */
      stretched,
      /** Zeros between two neighbouring coarse cells. */
      inserted_zeros: this.stride - 1,
      /** p' = dilation * (kernel - 1) - p, for the low and the high end; negative crops. */
      padding,
      /** Further padding of the high end: the output padding. */
      extra,
      kernel,
      dilation,
      /** An axis of its own: the stretched input is its fine grid, the result its coarse one. */
      get asAxis(): Axis {
        const [low, high] = [padding[0], padding[1] + extra];
        return new Axis(stretched + low + high - reach, kernel, 1, [low, high], 0, dilation);
      },
    };
  }

  // -- which cells touch which

  /** The fine positions that a coarse cell writes to in the transposed convolution, and reads in conv. */
  projectiveField(coarse_index: number): Range {
    const { stride, dilation: d } = this;
    const start = coarse_index * stride - this.padding[0];
    const first = Math.max(0, ceilDiv(-start, d));
    const last = Math.min(this.kernel, ceilDiv(this.fine - start, d));
    return range(start + first * d, start + Math.max(first, last) * d, d);
  }

  /** The coarse cells that a fine position reads in the transposed convolution, and writes to in conv. */
  receptiveField(fine_index: number): Range {
    const { stride: s, dilation: d, coarse } = this;
    const taps = this.tapsOfPhase(fine_index % s);
    if (!taps.length) return range(0);
    const step = d / gcd(s, d);
    // Through the first tap it reads the nearest cell; each later tap reads `step` cells further down.
    let nearest = floorDiv(fine_index + this.padding[0] - taps.start * d, s);
    let farthest = nearest - (taps.length - 1) * step;
    if (farthest < 0) farthest += ceilDiv(-farthest, step) * step;
    if (nearest >= coarse) nearest -= ceilDiv(nearest - coarse + 1, step) * step;
    return range(farthest, nearest + 1, step);
  }

  /** The taps that reach the fine positions o with o mod stride == residue: every stride / gcd-th of them. */
  tapsOfPhase(residue: number): Range {
    const { stride, dilation } = this;
    const g = gcd(stride, dilation);
    const target = mod(residue + this.padding[0], stride);
    if (target % g) return range(0);
    const step = stride / g;
    return range(mulMod(target / g, inverse(dilation / g, step), step), this.kernel, step);
  }

  /** How many taps reach a fine position. */
  coverageAt(fine_index: number): number {
    return this.receptiveField(fine_index).length;
  }

  /** The coverage far from the border, for each o mod stride. */
  get tapsPerPhase(): number[] {
    return range(this.stride).map((residue) => this.tapsOfPhase(residue).length);
  }

  /** Why neighbouring fine positions far from the border differ in coverage (a checkerboard); "" if they agree. */
  get unevenness(): string {
    const { kernel: k, stride: s, dilation: d } = this;
    const g = gcd(s, d);
    if (g > 1) return `stride ${s} and dilation ${d} share the factor ${g}: only one in ${g} fine positions is reached`;
    const every = `in every ${s} fine positions`;
    if (k < s) return `kernel ${k} is smaller than stride ${s}: ${s - k} ${every} are reached by no tap`;
    const taps = floorDiv(k, s);
    const more = `${k % s} ${every} get ${taps + 1} taps, the rest ${taps}`;
    return k % s ? `kernel ${k} is no multiple of stride ${s}: ${more}` : "";
  }

  /** Whether every fine position far from the border is reached by equally many taps. */
  get isEven(): boolean {
    return gcd(this.stride, this.dilation) === 1 && this.kernel % this.stride === 0;
  }

  /** The coarse cells for which a tap lands inside the fine grid. */
  pairsOfTap(tap: number): Range {
    const offset = tap * this.dilation - this.padding[0];
    const first = Math.max(0, ceilDiv(-offset, this.stride));
    const last = Math.min(this.coarse, ceilDiv(this.fine - offset, this.stride));
    return range(first, Math.max(first, last));
  }

  /** How many (coarse cell, tap) pairs land inside the fine grid: the stored elements of the axis's matrix. */
  get pairs(): number {
    const upTo = (limit: number) => pairsUpTo(limit, this.coarse, this.stride, this.kernel, this.dilation);
    return Number(upTo(this.padding[0] + this.fine - 1) - upTo(this.padding[0] - 1));
  }

  /** The same text for equal axes, and for no others. */
  get key(): string {
    return [this.coarse, this.kernel, this.stride, this.padding, this.output_padding, this.dilation].join();
  }

  equals(other: Axis): boolean {
    return this.key === other.key;
  }

  toString(): string {
    const [low, high] = this.padding;
    const sizes = `fine ${this.fine} <-> coarse ${this.coarse}: kernel ${this.kernel}, stride ${this.stride}`;
    const a = this.output_padding ? `, output padding ${this.output_padding}` : "";
    const d = this.dilation > 1 ? `, dilation ${this.dilation}` : "";
    return `${sizes}, padding ${low === high ? low : `(${low}, ${high})`}${a}${d}`;
  }
}
