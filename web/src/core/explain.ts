// A geometry in sentences: its formulas with the numbers filled in, its matrix, its coverage.
import type { Axis } from "./axis";
import { count, type Padding } from "./checks";
import type { Geometry } from "./geometry";
import { ceilDiv, floorDiv, prod } from "./integers";
import { range } from "./range";

/** Axes with more phases than this are not looked at phase by phase. */
export const MANY_PHASES = 4096;

const FITTING = "fine + low + high - dilation * (kernel - 1) - 1";

/** The coarse size of a convolution, in words and in numbers. */
export function convFormula(axis: Axis): [string, string] {
  const { stride: s, output_padding: a, coarse } = axis;
  const numbers = dividend(axis);
  if (a < s) return [`coarse = floor((${FITTING}) / stride) + 1`, `${coarse} = floor((${numbers}) / ${s}) + 1`];
  // An output padding of a stride or more (dilation > stride allows it) gives fewer coarse cells than the floor would.
  return [`coarse = (${FITTING} - output padding) / stride + 1`, `${coarse} = (${numbers} - ${a}) / ${s} + 1`];
}

/** What the division of that formula leaves: the output padding, where it is below stride. */
export function remainder(axis: Axis): [string, string] {
  const { stride: s } = axis;
  return [`(${FITTING}) mod stride`, `(${dividend(axis)}) mod ${s} = ${axis.output_padding % s}`];
}

/** Fine cells from the start of the first window to where the last could start, in numbers. */
function dividend({ fine, padding: [low, high], dilation, kernel }: Axis): string {
  return `${fine} ${plus(low)} ${plus(high)} - ${dilation} * (${kernel} - 1) - 1`;
}

/** The fine size of a transposed convolution, in words and in numbers. */
export function convTransposeFormula(axis: Axis): [string, string] {
  const [low, high] = axis.padding;
  const before = `(${axis.coarse} - 1) * ${axis.stride} ${minus(low)} ${minus(high)}`;
  return [
    "fine = (coarse - 1) * stride - low - high + dilation * (kernel - 1) + 1 + output padding",
    `${axis.fine} = ${before} + ${axis.dilation} * (${axis.kernel} - 1) + 1 + ${axis.output_padding}`,
  ];
}

/** The three things that padding means: in the convolution, its transpose, and the picture with zeros inserted. */
export function paddings(axis: Axis): [string, string, string] {
  const stretched = atEnds(axis.zeroInserted.padding);
  return [
    `convolution: pads the fine grid by ${atEnds(axis.padding)}`,
    `transposed: crops the result by ${atEnds(axis.padding)}`,
    `zero insertion: pads the stretched coarse grid by p' = dilation * (kernel - 1) - padding = ${stretched}`,
  ];
}

function atEnds([low, high]: Padding): string {
  return low === high ? `${low} at each end` : `${low} at the low and ${high} at the high end`;
}

/** The equivalent stride-1 convolution, step by step. */
export function zeroInserted(axis: Axis): string {
  const view = axis.zeroInserted;
  const [low, high] = [view.padding[0], view.padding[1] + view.extra];
  const zeros = count(view.inserted_zeros, "zero");
  const insert = `insert ${zeros} between neighbours (${axis.coarse} -> ${view.stretched} cells), `;
  const pad = `${padOrCrop(low)} before, ${low < 0 === high < 0 ? Math.abs(high) : padOrCrop(high)} after`;
  const dilated = view.dilation > 1 ? ` with dilation ${view.dilation}` : "";
  const steps = `${pad}, flip the kernel, convolve at stride 1${dilated} -> ${axis.fine}`;
  return (view.inserted_zeros ? insert : "") + steps;
}

/** C as a matrix, counted and not built: conv multiplies by it, conv_transpose by its transpose.
 *
 * `stored` are the elements whose tap lands inside the fine grid, `fill` their share of all.
 */
export function matrix(geometry: Geometry, in_channels = 1, out_channels = 1, groups = 1) {
  const stored = geometry.work(in_channels, out_channels, groups).multiplications;
  const rows = in_channels * prod(geometry.coarse);
  const columns = out_channels * prod(geometry.fine);
  return { rows, columns, stored, fill: stored / (rows * columns) };
}

/** How many phases there are; known without listing them. */
export function phaseCount(geometry: Geometry): number {
  return prod(geometry.axes.map((axis) => Math.min(axis.stride, axis.fine)));
}

/** How many taps reach each fine position, the middle left out where there are more than `limit` positions. */
export function coverageAlong(axis: Axis, limit = 16): string {
  const { fine } = axis;
  const between = (start: number, stop: number) => range(start, stop).map((o) => axis.coverageAt(o));
  const end = floorDiv(limit, 4);
  const shown = fine <= limit ? between(0, fine) : [...between(0, limit - end), "...", ...between(fine - end, fine)];
  return shown.join(" ");
}

/** What a coarse cell and what a fine position is tied to, as one sentence each. */
export function reach(axis: Axis): [string, string] {
  const { kernel, stride, dilation } = axis;
  const cells = count(axis.effectiveKernel, "fine cell");
  const spread = dilation > 1 && kernel > 1 ? `${kernel} of ${cells}` : cells;
  let [most, least] = [ceilDiv(kernel, stride), floorDiv(kernel, stride)];
  if (dilation > 1 && stride > 1) {
    const taps = range(Math.min(stride, MANY_PHASES)).map((residue) => axis.tapsOfPhase(residue).length);
    [most, least] = [Math.max(...taps), Math.min(...taps)];
  }
  const reads = (most === least ? "" : `${least} to `) + count(most, "coarse cell");
  return [`sees ${spread} in conv and writes to them in the transposed one`, `reads ${reads} in the transposed one`];
}

function plus(number: number): string {
  return number < 0 ? `- ${-number}` : `+ ${number}`;
}

function minus(number: number): string {
  return number < 0 ? `+ ${-number}` : `- ${number}`;
}

function padOrCrop(cells: number): string {
  return cells < 0 ? `crop ${-cells}` : `pad ${cells}`;
}
