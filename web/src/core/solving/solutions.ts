// Which parameters give the sizes I want: the question as it is asked, and the answers, ranked and explained.
import type { Axis } from "../axis";
import {
  count,
  divides,
  type Ints,
  isSequence,
  type Padding,
  type PaddingLike,
  paddingPairs,
  perAxis,
  repr,
  wrong,
} from "../checks";
import { Geometry, joined } from "../geometry";
import { floorDiv, prod } from "../integers";
import { reason } from "./blocked";
import { beyondTaps, ranked } from "./rank";
import { checkExact, type Question } from "./reach";
import { byFraction, type Fraction, type Scales, scalesOf } from "./scales";

/** One geometry that has the wanted sizes. */
export interface Solution {
  geometry: Geometry;
  /** Whether it is even, or why not, and how many fine positions at the ends no tap can reach. */
  coverage: string;
}

function solution(axes: Axis[]): Solution {
  const geometry = new Geometry(axes);
  const taps = prod(axes.map((axis) => floorDiv(axis.kernel, axis.stride)));
  const reasons = new Set(axes.map((axis) => axis.unevenness));
  const uneven = reasons.size === 1 ? axes[0]!.unevenness : geometry.unevenness;
  const coverage = [uneven || `even, ${count(taps, "tap")} a position`, ...unreached(axes)].join("; ");
  return { geometry, coverage };
}

/** What `solve` found, best first; `reason` says why where that is nothing. */
export interface Solutions {
  /** What was asked, for the heading. */
  question: string;
  found: Solution[];
  /** False where the limit cut the list. */
  are_all: boolean;
  reason: string;
}

/** The arguments of `solve`; those left out are searched. */
export interface Asked {
  coarse?: Ints;
  fine?: Ints;
  scale?: Scales;
  kernel?: Ints;
  stride?: Ints;
  output_padding?: Ints;
  dilation?: Ints;
  padding?: PaddingLike;
}

/** The parameter sets with which a transposed convolution maps `coarse` to `fine`, and a convolution back.
 *
 * The order: even coverage; no fine position without a tap; the same kernel and stride on as many axes as can be, and
 * the same padding; a smaller kernel (fewer taps); symmetric padding; less output padding; ends of the padding that
 * differ less; a stride nearer to fine / coarse, and a smaller one. The first `limit` are returned.
 */
export function solve(asked: Asked, max_kernel: number | null, limit: number): Solutions {
  const questions = questionsOf(asked, max_kernel);
  questions.forEach(checkExact);
  const found = ranked(questions, limit + 1);
  return {
    question: heading(questions, asked.coarse !== undefined || asked.fine !== undefined),
    found: found.slice(0, limit).map(solution),
    are_all: found.length <= limit,
    reason: found.length ? "" : reasonOf(questions),
  };
}

const SEARCHED = ["coarse", "fine", "kernel", "stride", "output_padding", "dilation"] as const;

/** The arguments checked, one question an axis. */
function questionsOf(asked: Asked, max_kernel: number | null): Question[] {
  const given = [asked.coarse, asked.fine, asked.scale, ...SEARCHED.slice(2).map((name) => asked[name])];
  const ndim = given.find((value) => isSequence(value))?.length ?? 1;
  const scale = scalesOf(asked.scale, ndim);
  const [coarse, fine, kernel, stride, output_padding, dilation] = SEARCHED.map((name) => {
    const value = asked[name];
    const least = name === "output_padding" ? 0 : 1;
    return value === undefined ? Array<null>(ndim).fill(null) : perAxis(name, value, ndim, least);
  });
  if (max_kernel !== null) {
    const given = Math.max(...kernel!.map((k) => k ?? 1));
    if (max_kernel < given) wrong(`max_kernel must be at least kernel = ${given}; got ${max_kernel}`);
  }
  const sized = coarse!.map((n, i) => sizesOf(n, fine![i]!, scale[i]!));
  const padding = paddingsOf(asked.padding, ndim);
  return sized.map((sizes, i) => ({
    ...sizes,
    kernel: kernel![i]!,
    stride: stride![i]!,
    padding: padding[i]!,
    output_padding: output_padding![i]!,
    dilation: dilation![i] ?? 1,
    max_kernel,
  }));
}

/** Both sizes of an axis, from two of the three or from the scale alone. */
function sizesOf(coarse: number | null, fine: number | null, scale: number | Fraction | null) {
  if (isSequence(scale)) return byFraction(coarse, fine, scale as Fraction);
  if (scale === null) {
    if (coarse !== null && fine !== null) return { coarse, fine, scale };
    return wrong(`coarse and fine must both be given, or scale; got coarse=${repr(coarse)} and fine=${repr(fine)}`);
  }
  if (fine !== null) divides("scale", scale, "fine", fine);
  const n = coarse ?? (fine === null ? 1 : fine / scale);
  if (fine !== null && fine !== scale * n) {
    wrong(`fine must be scale * coarse = ${scale} * ${n} = ${scale * n} where all are given; got ${fine}`);
  }
  return { coarse: n, fine: scale * n, scale };
}

function paddingsOf(padding: PaddingLike | undefined, ndim: number): (Padding | null)[] {
  if (padding === undefined) return Array(ndim).fill(null);
  if (typeof padding !== "string") return paddingPairs(padding, ndim);
  return wrong(`padding must be integers or (low, high) pairs of them, or left out to be found; got ${repr(padding)}`);
}

/** What was asked. */
function heading(questions: Question[], sized: boolean): string {
  const size = (name: "coarse" | "fine") => `${name} ${questions.map((q) => q[name]).join("x")}`;
  return sized ? `${size("coarse")} -> ${size("fine")}` : `fine = ${joined(questions.map((q) => q.scale!))} * coarse`;
}

/** Why there is no solution: that of the first axis that has none. */
function reasonOf(questions: Question[]): string {
  const i = questions.findIndex((question) => !ranked([question], 1).length);
  return (questions.length === 1 ? "" : `axis ${i}: `) + reason(questions[i]!);
}

/** The fine positions beyond the first and the last tap, unless there are gaps between taps anyway. */
function unreached(axes: Axis[]): string[] {
  return axes.flatMap((axis, i) => {
    const place = axes.length > 1 ? ` of axis ${i}` : "";
    return beyondTaps(axis).flatMap((number, end) => {
      if (!number || axis.kernel < axis.stride) return [];
      const name = end ? "last" : "first";
      const positions = number === 1 ? `${name} position${place} is` : `${name} ${number} positions${place} are`;
      return [`the ${positions} beyond every tap`];
    });
  });
}
