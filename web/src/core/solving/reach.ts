// One axis: the parameter sets that tie a coarse size to a fine one.
//
// For one kernel and one stride the equation of the sizes fixes a single number, what is cropped on balance:
//
//     crop = low + high - output_padding = (coarse - 1) * stride + dilation * (kernel - 1) + 1 - fine
//
// so a solution is a choice of `low`. Of the ways to write one `low` the symmetric one is taken where there is one,
// else the one with the least output padding. All of it is intervals of integers; no size is ever scanned.
import { Axis } from "../axis";
import { exact, type Padding } from "../checks";
import { ceilDiv, floorDiv, sum } from "../integers";
import { type Range, range } from "../range";
import { effectiveKernel, fineSize } from "../sizes";

/** What is asked of one axis; null where a parameter is free. */
export interface Question {
  coarse: number;
  fine: number;
  /** Set where fine = scale * coarse is to hold for every coarse size, not just for this one. */
  scale: number | null;
  kernel: number | null;
  stride: number | null;
  padding: Padding | null;
  output_padding: number | null;
  dilation: number;
  max_kernel: number | null;
}

/** The strides to try, ascending, that leave room for the output padding. */
export function strides(q: Question): number[] {
  return triedStrides(q).filter((s) => (q.output_padding ?? 0) < Math.max(s, q.dilation));
}

/** `strides` before the output padding is looked at: the given one, else those that the ratio of the sizes suggests. */
export function triedStrides(q: Question): number[] {
  const { coarse, fine } = q;
  if (q.stride !== null) return q.scale === null || q.scale === q.stride ? [q.stride] : [];
  if (q.scale !== null) return [q.scale];
  // At one coarse cell no stride shows in the sizes: 1 and the fine size stand for all.
  const suggested = coarse === 1 ? [1, fine] : [floorDiv(fine, coarse), ceilDiv(fine, coarse), largestStride(q)];
  return [...new Set(suggested)].filter((s) => s >= 1).sort((a, b) => a - b);
}

/** The largest stride that the sizes leave room for, where they or the fixed parameters say so. */
function largestStride({ coarse, fine, kernel, padding, output_padding, dilation }: Question): number {
  if (kernel === null || padding === null) return fine % coarse ? floorDiv(fine - 1, coarse - 1) : 0;
  const room = fine + sum(padding) - effectiveKernel(kernel, dilation) - (output_padding ?? 0);
  return floorDiv(room, coarse - 1);
}

/** The least and the largest output padding. */
export function outputPaddings({ output_padding: a, dilation }: Question, stride: number): [number, number] {
  return a === null ? [0, Math.max(stride, dilation) - 1] : [a, a];
}

/** What low + high - output_padding has to be. */
function cropOf(q: Question, kernel: number, stride: number): number {
  return fineSize(q.coarse, kernel, stride, [0, 0], 0, q.dilation) - q.fine;
}

/** The kernels that reach the fine size at this stride: an interval, cut at the largest one to try. */
export function kernels(q: Question, stride: number): Range {
  const [least, most] = reaching(q, stride);
  const top = q.kernel ?? largestTried(q, stride);
  return range(Math.max(least, q.kernel ?? 1), Math.min(top, most) + 1);
}

/** max_kernel, or the default; where no kernel that small reaches at any stride, the smallest that does. */
function largestTried(q: Question, stride: number): number {
  if (q.max_kernel !== null) return q.max_kernel;
  const starts = new Map<number, number>();
  for (const s of strides(q)) {
    const [least, most] = reaching(q, s);
    if (least <= most) starts.set(s, least);
  }
  const beyond = [...starts].every(([s, start]) => start > defaultMaxKernel(s));
  return (beyond && starts.get(stride)) || defaultMaxKernel(stride);
}

/** The first and the last kernel that reach, of any size; there is no last one where padding is free. */
function reaching(q: Question, stride: number): [number, number] {
  const [least, most] = outputPaddings(q, stride);
  const beside = cropOf(q, 1, stride) - 1; // the crop without the cells that the kernel spans
  if (!q.padding) return [spanning(q, Math.max(-most - beside, beside + least + 2)), Infinity];
  const first = sum(q.padding) - most - beside;
  const last = sum(q.padding) - least - beside;
  return [spanning(q, first), floorDiv(last - 1, q.dilation) + 1];
}

/** The smallest kernel that spans this many cells. */
function spanning({ dilation }: Question, cells: number): number {
  return Math.max(ceilDiv(cells - 1, dilation), 0) + 1;
}

/** The smallest kernel whose last tap can reach to the end of the fine grid: high >= output_padding. */
export function gaplessFrom(q: Question, stride: number): number {
  const beside = cropOf(q, 1, stride) - 1;
  const [least] = outputPaddings(q, stride);
  return spanning(q, q.padding ? q.padding[0] - beside : Math.max(-beside, least + 1));
}

/** The solutions with this kernel and stride, in no order, but with the best `limit` among them. */
export function axesOf(q: Question, kernel: number, stride: number, limit: number): Axis[] {
  const crop = cropOf(q, kernel, stride);
  const [least, most] = outputPaddings(q, stride);
  let ends: Padding[];
  if (q.padding) {
    const a = sum(q.padding) - crop;
    ends = least <= a && a <= most ? [q.padding] : [];
  } else {
    const lows = lowsOf(crop, effectiveKernel(kernel, q.dilation) - 1, least, most, limit);
    ends = lows.map((low) => [low, Math.max(low, crop + least - low)]);
  }
  return ends.map((pair) => new Axis(q.coarse, kernel, stride, pair, sum(pair) - crop, q.dilation));
}

/** Where 0 <= low <= high <= end and the output padding is in its bounds, from the most even split outwards. */
function lowsOf(crop: number, end: number, least: number, most: number, limit: number): number[] {
  const first = Math.max(0, crop + least - end);
  const last = Math.min(end, floorDiv(crop + most, 2));
  const middle = Math.max(first, ceilDiv(crop + least, 2)); // from here on padding is symmetric (output padding free)
  const below = Math.min(middle - 1, last);
  const up = range(middle, last + 1);
  const down = range(below, first - 1, -1);
  const gapless = range(Math.min(below, crop), first - 1, -1); // high >= output_padding
  const lows = [up, down, gapless].flatMap((each) => [...each.slice(0, limit)]);
  return [...new Set(lows)].sort((a, b) => a - b);
}

/** The largest kernel that is tried unless told otherwise: 4 strides, and at least 7. */
export function defaultMaxKernel(stride: number): number {
  return Math.max(4 * stride, 7);
}

/** Nothing that the search for this axis comes by is beyond what doubles hold. */
export function checkExact(q: Question): void {
  const ends = sum((q.padding ?? []).map(Math.abs));
  const stride = Math.max(q.stride ?? 1, q.scale ?? 1, ceilDiv(q.fine + ends, Math.max(1, q.coarse - 1)));
  const kernel = Math.max(q.kernel ?? 1, q.max_kernel ?? 1, defaultMaxKernel(stride));
  exact(16 * (q.coarse * stride + q.fine + q.dilation * kernel + ends + (q.output_padding ?? 0)));
}
