// Which of the geometries that have the wanted sizes comes first, and the search for the first few of them.
//
// N axes have the product of the parameter sets of each, which is never built. Nearly everything in the order adds up
// over the axes (kernels multiply), so that of all pairs from two sorted lists, pair (i, j) has (i + 1) * (j + 1) - 1
// others before it: few pairs can be among the first `limit`. What does not add up is on how many axes the parameters
// are the same; so every way of letting axes share them is searched by itself, and the results are merged.
import type { Axis } from "../axis";
import { exact } from "../checks";
import { ceilDiv, gcd, prod, sum } from "../integers";
import { range } from "../range";
import { axesOf, gaplessFrom, kernels, type Question, strides } from "./reach";

type Axes = Axis[];

/** How many fine positions lie before the first tap that any coarse cell writes, and after the last. */
export function beyondTaps({ padding: [low, high], output_padding }: Axis): [number, number] {
  return [Math.max(0, -low), Math.max(0, output_padding - high)];
}

/** Whether fine positions are left without a tap, far from the border or beyond the first or the last tap. */
function hasGaps(axis: Axis): boolean {
  return axis.kernel < axis.stride || gcd(axis.stride, axis.dilation) > 1 || beyondTaps(axis).some(Boolean);
}

function distinct(texts: string[]): number {
  return new Set(texts).size;
}

/** Solutions are sorted by this, the smallest first (see `solve`); parameters at the end, so that no two are equal. */
function order(axes: Axes): number[] {
  const [uneven, gaps, ...rest] = sums(axes);
  const windows = distinct(axes.map((axis) => `${axis.kernel} ${axis.stride}`));
  return [uneven!, gaps!, windows, ...rest];
}

/** `order` without what does not add up over groups of axes that share no window. */
function sums(axes: Axes): number[] {
  const total = (each: (axis: Axis) => number | boolean) => sum(axes.map((axis) => Number(each(axis))));
  return [
    total((axis) => !axis.isEven),
    total(hasGaps),
    distinct(axes.map((axis) => [axis.kernel, axis.stride, axis.padding, axis.output_padding].join())),
    exact(prod(axes.map((axis) => axis.kernel))),
    total(({ padding: [low, high] }) => low !== high),
    total((axis) => axis.output_padding),
    total(({ padding: [low, high] }) => Math.abs(high - low)),
    total((axis) => Math.abs(axis.stride * axis.coarse - axis.fine)),
    total((axis) => axis.stride),
    ...axes.flatMap((axis) => [axis.kernel, axis.stride, ...axis.padding]),
  ];
}

/** The first `limit` solutions, in order. */
export function ranked(questions: Question[], limit: number): Axes[] {
  const together = new Map<string, Axes[]>();
  const found: Axes[] = [];
  for (const parts of partitions([...questions.keys()])) {
    for (const part of parts) {
      if (!together.has(`${part}`))
        together.set(
          `${part}`,
          sharingAWindow(
            part.map((i) => questions[i]!),
            limit,
          ),
        );
    }
    const lists = parts.map((part) => together.get(`${part}`)!);
    found.push(...combined(lists, limit).map((axes) => inPlace(parts.flat(), axes)));
  }
  return first(limit, found, order);
}

/** The first few of what was found, each once. */
function first(limit: number, found: Axes[], key: (axes: Axes) => number[]): Axes[] {
  const each = new Map(found.map((axes) => [axes.map((axis) => axis.key).join(" "), axes]));
  const keyed = [...each.values()].map((axes) => ({ axes, key: key(axes) }));
  keyed.sort((a, b) => compared(a.key, b.key));
  return keyed.slice(0, limit).map(({ axes }) => axes);
}

function compared(a: number[], b: number[]): number {
  const i = a.findIndex((value, i) => value !== b[i]);
  return i < 0 ? 0 : a[i]! - b[i]!;
}

/** Every way to put items into groups. */
function partitions(items: number[]): number[][][] {
  if (!items.length) return [[]];
  const [head, ...rest] = items as [number, ...number[]];
  return partitions(rest).flatMap((groups) => [
    [[head], ...groups],
    ...groups.map((group, i) => [...groups.slice(0, i), [head, ...group], ...groups.slice(i + 1)]),
  ]);
}

/** The first `limit` solutions of axes that all have the same kernel and the same stride. */
function sharingAWindow(questions: Question[], limit: number): Axes[] {
  const [tried, ...others] = questions.map(strides);
  const shared = tried!.filter((stride) => others.every((strides) => strides.includes(stride)));
  const found = shared.flatMap((stride) =>
    kernelsOf(questions, stride, limit).flatMap((kernel) =>
      withTheWindow(
        questions.map((question) => axesOf(question, kernel, stride, limit)),
        limit,
      ),
    ),
  );
  return first(limit, found, sums);
}

/** The first `limit` combinations of axes whose kernel and stride are settled, and some more. */
function withTheWindow(each: Axes[], limit: number): Axes[] {
  return partitions([...each.keys()]).flatMap((parts) => {
    const lists = parts.map((part) => first(limit, equal(part.map((i) => each[i]!)), sums));
    return combined(lists, limit).map((axes) => inPlace(parts.flat(), axes));
  });
}

/** The combinations of axes that have the same padding and the same output padding. */
function equal(each: Axes[]): Axes[] {
  const ends = (axis: Axis) => `${axis.padding} ${axis.output_padding}`;
  const [head, ...rest] = each.map((axes) => new Map(axes.map((axis) => [ends(axis), axis])));
  const shared = [...head!.keys()].filter((key) => rest.every((axes) => axes.has(key)));
  return shared.map((key) => [head!, ...rest].map((axes) => axes.get(key)!));
}

function inPlace(places: number[], axes: Axes): Axes {
  return [...axes.keys()].map((i) => axes[places.indexOf(i)]!);
}

/** The kernels that all axes share at this stride and that can be among the first `limit`.
 *
 * At each of the thresholds from which one more axis can be without gaps, the next few below the stride, of its
 * multiples, and of the rest.
 */
function kernelsOf(questions: Question[], stride: number, limit: number): number[] {
  const each = questions.map((question) => kernels(question, stride));
  const start = Math.max(...each.map((kernels) => kernels.start));
  const stop = Math.min(...each.map((kernels) => kernels.stop));
  const picked = new Set<number>();
  for (const threshold of [start, ...questions.map((question) => gaplessFrom(question, stride))]) {
    const least = Math.max(start, threshold);
    const multiples = range(ceilDiv(least, stride) * stride, stop, stride);
    for (const kernels of [range(least, Math.min(stop, stride)), multiples]) {
      for (const kernel of kernels.slice(0, limit)) picked.add(kernel);
    }
    let left = limit;
    for (let kernel = Math.max(least, stride + 1); stride > 1 && kernel < stop && left; kernel++) {
      if (kernel % stride && left--) picked.add(kernel);
    }
  }
  return [...picked];
}

/** The first `limit` of all combinations of one entry from each list, the lists being in order. */
function combined(lists: Axes[][], limit: number): Axes[] {
  return lists.reduce<Axes[]>(
    (best, entries) =>
      first(
        limit,
        best.flatMap((left, i) => entries.slice(0, Math.floor(limit / (i + 1))).map((right) => [...left, ...right])),
        sums,
      ),
    [[]],
  );
}
