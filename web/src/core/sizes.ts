// The sizes of one axis as plain functions: from one side to the other, or from both sides to what ties them.
import { count, oneOf, type Padding, wrong } from "./checks";
import { ceilDiv, floorDiv } from "./integers";
import { type Range, range } from "./range";

/** What settles an axis beside kernel, stride and dilation: coarse, padding, output padding. */
export type Ends = [number, Padding, number];

/** Cells from the first tap to the last. */
export function effectiveKernel(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1;
}

/** The size of the transposed convolution's result; below 1 where the padding crops all of it. */
export function fineSize(n: number, k: number, s: number, pad: Padding, a: number, d: number): number {
  return (n - 1) * s - pad[0] - pad[1] + d * (k - 1) + 1 + a;
}

/** The fine sizes that some output padding makes of a coarse size; refused where the padding leaves none. */
export function fineSizes(coarse: number, k: number, s: number, pad: Padding | string, d: number): Range {
  if (pad === "same") return range((coarse - 1) * s + 1, coarse * s + 1);
  const smallest = fineSize(coarse, k, s, pairOf(pad), 0, d);
  const most = Math.max(s, d);
  checkSomethingLeft(coarse, smallest + most - 1, pairOf(pad));
  return range(Math.max(smallest, 1), smallest + most);
}

/** The coarse sizes of which some output padding makes a fine size; empty where the kernel does not fit into it. */
export function coarseSizes(fine: number, k: number, s: number, pad: Padding | string, d: number): Range {
  if (pad === "same") return range(ceilDiv(fine, s), ceilDiv(fine, s) + 1);
  const [low, high] = pairOf(pad);
  const room = fine + low + high - effectiveKernel(k, d);
  return range(Math.max(0, floorDiv(room - Math.max(s, d), s) + 1) + 1, floorDiv(room, s) + 2);
}

/** A convolution of `fine` cells: how many coarse cells it has, and the remainder that is the output padding. */
export function ofConv(
  fine: number,
  k: number,
  s: number,
  pad: Padding | string,
  a: number | null,
  size: number | null,
  d: number,
): Ends {
  checkOneOfTwo(a, size, pad);
  const fitting = coarseSizes(fine, k, s, pad, d);
  if (!fitting.length) kernelDoesNotFit(fine, k, pairOf(pad), d);
  if (size !== null) {
    if (!fitting.has(size)) wrong(`output_size must be ${oneOf(fitting)} for fine size ${fine}; got ${size}`);
    return tied(size, fine, k, s, pad, d);
  }
  const [coarse, pair, remainder] = tied(fitting.at(-1), fine, k, s, pad, d);
  if (a === null) return [coarse, pair, remainder];
  checkOutputPadding(a, s, d);
  const leftOver = range(remainder, remainder + fitting.length * s, s);
  if (!leftOver.has(a)) {
    const must = `output_padding must be ${oneOf(leftOver)}, what fine size ${fine} leaves over at stride ${s}`;
    wrong(`${must}; got ${a} (leave it out to have it derived)`);
  }
  return [coarse - floorDiv(a - remainder, s), pair, a];
}

/** A transposed convolution of `coarse` cells, whose fine size `a` or `size` decides. */
export function ofConvTranspose(
  coarse: number,
  k: number,
  s: number,
  pad: Padding | string,
  a: number,
  size: number | null,
  d: number,
): Ends {
  checkOneOfTwo(a || null, size, pad);
  let wanted = size;
  if (typeof pad === "string" && wanted === null) {
    wanted = coarse * s + (pad === "valid" ? Math.max(effectiveKernel(k, d) - s, 0) : 0);
  }
  if (wanted !== null) {
    const reached = fineSizes(coarse, k, s, pad, d);
    if (!reached.has(wanted)) wrong(`output_size must be ${oneOf(reached)} for coarse size ${coarse}; got ${wanted}`);
    return tied(coarse, wanted, k, s, pad, d);
  }
  checkOutputPadding(a, s, d);
  checkSomethingLeft(coarse, fineSize(coarse, k, s, pairOf(pad), a, d), pairOf(pad));
  return [coarse, pairOf(pad), a];
}

/** Both sizes are known to fit: the padding that a word stands for, and the output padding. */
function tied(coarse: number, fine: number, k: number, s: number, pad: Padding | string, d: number): Ends {
  let pair = pairOf(pad);
  if (pad === "same") {
    const total = Math.max(fineSize(coarse, k, s, [0, 0], 0, d) - fine, 0);
    pair = [floorDiv(total, 2), ceilDiv(total, 2)];
  }
  return [coarse, pair, fine - fineSize(coarse, k, s, pair, 0, d)];
}

/** The padding itself; nothing where a word stands for it. */
function pairOf(pad: Padding | string): Padding {
  return typeof pad === "string" ? [0, 0] : pad;
}

/** output_padding < max(stride, dilation), PyTorch's rule. */
export function checkOutputPadding(a: number, stride: number, dilation: number): void {
  const most = Math.max(stride, dilation);
  if (a < most) return;
  wrong(`output_padding must be less than max(stride, dilation) = max(${stride}, ${dilation}) = ${most}; got ${a}`);
}

/** Padding may crop, but not all of the result. */
export function checkSomethingLeft(coarse: number, fine: number, [low, high]: Padding): void {
  if (fine >= 1) return;
  wrong(`padding must leave at least 1 cell; (${low}, ${high}) crops coarse size ${coarse} to fine size ${fine}`);
}

function checkOneOfTwo(a: number | null, size: number | null, pad: Padding | string): void {
  if (a === null) return;
  if (size !== null) wrong(`output_padding and output_size must not both be given; got ${a} and ${size}`);
  if (typeof pad !== "string") return;
  const leftOut = `output_padding must be left out with padding="${pad}", where output_size names another size`;
  wrong(`${leftOut}; got ${a}`);
}

function kernelDoesNotFit(fine: number, k: number, [low, high]: Padding, d: number): never {
  const span = `kernel ${k} with dilation ${d} spans ${count(effectiveKernel(k, d), "cell")}`;
  const room = `size ${fine} with padding (${low}, ${high}) has ${fine + low + high}`;
  return wrong(`kernel must fit into the padded size: ${span}, ${room}`);
}
