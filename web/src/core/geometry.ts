// Any number of axes: the sizes, the matrix and the cost of a (transposed) convolution.
import { Axis, type AxisRecord, type ZeroInserted } from "./axis";
import { divides, exact, type Ints, type Padding, type PaddingLike, repr } from "./checks";
import { prod } from "./integers";
import { type Range, range } from "./range";
import { conv, convTranspose, window } from "./resolve";

/** A geometry as JSON holds it. */
export interface GeometryRecord {
  axes: AxisRecord[];
}

export interface WindowOptions {
  stride?: Ints;
  padding?: PaddingLike;
  output_padding?: Ints | null;
  output_size?: Ints | null;
  dilation?: Ints;
}

/** A convolution from a fine grid to a coarse one, and with it the transposed convolution from coarse to fine. */
export class Geometry {
  readonly axes: Axis[];
  readonly fine: number[];
  readonly coarse: number[];
  readonly kernel: number[];
  readonly stride: number[];
  readonly padding: Padding[];
  readonly output_padding: number[];
  readonly dilation: number[];

  constructor(axes: Axis[]) {
    const each = <Name extends keyof Axis>(name: Name) => axes.map((axis) => axis[name]);
    this.axes = axes;
    this.fine = each("fine");
    this.coarse = each("coarse");
    this.kernel = each("kernel");
    this.stride = each("stride");
    this.padding = each("padding");
    this.output_padding = each("output_padding");
    this.dilation = each("dilation");
  }

  static of({ axes }: GeometryRecord): Geometry {
    return new Geometry(axes.map(Axis.of));
  }

  /** The geometry of a convolution of a grid of size `fine`. */
  static conv(fine: Ints, kernel: Ints, given: WindowOptions = {}): Geometry {
    const { stride = 1, padding = 0, output_padding = null, output_size = null, dilation = 1 } = given;
    return new Geometry(conv(window(fine, kernel, stride, padding, dilation, "fine"), output_padding, output_size));
  }

  /** The geometry of a transposed convolution of a grid of size `coarse`. */
  static convTranspose(coarse: Ints, kernel: Ints, given: WindowOptions = {}): Geometry {
    const { stride = 1, padding = 0, output_padding, output_size = null, dilation = 1 } = given;
    const settled = window(coarse, kernel, stride, padding, dilation, "coarse");
    return new Geometry(convTranspose(settled, output_padding ?? 0, output_size));
  }

  get ndim(): number {
    return this.axes.length;
  }

  /** For each axis, the fine sizes that conv maps to this coarse size. */
  get fineSizes(): Range[] {
    return this.axes.map((axis) => axis.fineSizes);
  }

  /** The equivalent stride-1 convolution of the zero-stretched input, axis by axis. */
  get zeroInserted(): ZeroInserted[] {
    return this.axes.map((axis) => axis.zeroInserted);
  }

  /** Fine cells, from first to last, that one coarse cell sees in conv. */
  get receptiveField(): number[] {
    return this.axes.map((axis) => axis.effectiveKernel);
  }

  /** How many taps reach each fine position, the last axis fastest: the outer product of the axes' coverages. */
  coverage(): number[] {
    const along = this.axes.map((axis) => range(axis.fine).map((o) => axis.coverageAt(o)));
    return along.reduce((full, one) => full.flatMap((taps) => one.map((more) => taps * more)));
  }

  /** Why the coverage makes a checkerboard, axis by axis; "" where it is even far from the border. */
  get unevenness(): string {
    const place = (i: number) => (this.ndim > 1 ? `axis ${i}: ` : "");
    return this.axes.flatMap((axis, i) => (axis.isEven ? [] : place(i) + axis.unevenness)).join("; ");
  }

  get isEven(): boolean {
    return this.axes.every((axis) => axis.isEven);
  }

  /** The cost of conv_transpose at batch 1 in float32; `in_channels` live on the coarse grid. Counts stay exact. */
  work(in_channels = 1, out_channels = 1, groups = 1) {
    divides("groups", groups, "in_channels", in_channels);
    divides("groups", groups, "out_channels", out_channels);
    const pairs = (in_channels * out_channels) / groups;
    const weights = pairs * prod(this.kernel);
    const zero_insertion_multiplications = weights * prod(this.fine);
    const bytes = 4 * (in_channels * prod(this.coarse) + out_channels * prod(this.fine) + weights);
    exact(2 * zero_insertion_multiplications + bytes);
    const multiplications = pairs * prod(this.axes.map((axis) => axis.pairs));
    return {
      /** Of a coarse value and a weight whose tap lands inside the fine grid. */
      multiplications,
      /** What the equivalent stride-1 convolution of the stretched input performs. */
      zero_insertion_multiplications,
      /** Both grids and the weights, each moved once. */
      bytes,
      /** A multiplication and an addition for each tap that lands. */
      flops: 2 * multiplications,
      /** Multiplications by an inserted or padded zero, or of a tap beyond the border, in zero insertion. */
      wasted: zero_insertion_multiplications - multiplications,
    };
  }

  equals(other: Geometry): boolean {
    return this.key === other.key;
  }

  /** The same text for equal geometries, and for no others. */
  get key(): string {
    return this.axes.map((axis) => axis.key).join(" ");
  }

  toString(): string {
    const parts = [
      `kernel ${joined(this.kernel)}`,
      `stride ${joined(this.stride)}`,
      `padding ${paddingText(this.padding)}`,
    ];
    if (this.output_padding.some(Boolean)) parts.push(`output padding ${joined(this.output_padding)}`);
    if (this.dilation.some((d) => d > 1)) parts.push(`dilation ${joined(this.dilation)}`);
    return `fine ${this.fine.join("x")} <-> coarse ${this.coarse.join("x")}: ${parts.join(", ")}`;
  }
}

/** 4 where all axes agree, else 4x3. */
export function joined(values: readonly (number | string)[]): string {
  return String(new Set(values).size === 1 ? values[0] : values.join("x"));
}

/** 1 where both ends of all axes agree, else a pair, or a pair an axis. */
export function paddingText(pairs: readonly Padding[]): string {
  if (pairs.every(([low, high]) => low === high)) return joined(pairs.map(([low]) => low));
  const texts = pairs.map(repr);
  return new Set(texts).size === 1 ? texts[0]! : texts.join(" x ");
}
