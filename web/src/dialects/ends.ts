// The two ends of each axis: what is cut off the full result, and how two layers differ in it.
import type { Geometry } from "../core/geometry";
import type { Pair } from "./code";

/** What each axis of the full result loses at its (low, high) end; negative where it gains cells. */
export function cuts(geometry: Geometry): Pair[] {
  return geometry.axes.map(({ padding: [low, high], output_padding }) => [low, high - output_padding]);
}

/** What to crop and what to pad where a layer that cuts `said` is to give what one that cuts `wanted` does. */
export function difference(said: readonly Pair[], wanted: readonly Pair[]): [crop: Pair[], pad: Pair[]] {
  const beyond = (of: readonly Pair[], others: readonly Pair[]) =>
    of.map(([low, high], i): Pair => [Math.max(low - others[i]![0], 0), Math.max(high - others[i]![1], 0)]);
  return [beyond(wanted, said), beyond(said, wanted)];
}

/**
 * For each axis the padding of both ends and the output padding with which a layer comes closest from above: the axis
 * itself where they can say it, else the largest symmetric cut that loses nothing we keep.
 */
export function symmetricPadding(
  geometry: Geometry,
  most: readonly number[],
  mostPadding: readonly number[] | null = null,
): Pair[] {
  return cuts(geometry).map(([low, high], i) => {
    const limit = mostPadding ? mostPadding[i]! : low;
    const exact = low >= 0 && low <= limit && 0 <= low - high && low - high <= most[i]!;
    return exact ? [low, low - high] : [Math.max(0, Math.min(low, high, limit)), 0];
  });
}

/**
 * For each axis the (low, high, output padding) closest to its cuts, for layers whose two ends may differ.
 *
 * Both ends are alike where an output padding makes them so. Unless paddings may be negative, the end grows by an
 * output padding; an axis that has to be padded even so is not cut at its other end before, as that could leave nothing
 * to pad.
 */
export function nearestEnds(
  geometry: Geometry,
  most: readonly number[],
  negative = false,
): [low: number, high: number, added: number][] {
  return cuts(geometry).map(([low, high], i) => {
    if (low >= 0 && 0 <= low - high && low - high <= most[i]!) return [low, low, low - high];
    if (negative || (low >= 0 && high >= 0)) return [low, high, 0];
    if (low >= 0 && -high <= most[i]!) return [low, 0, -high];
    return [0, 0, Math.min(Math.max(-high, 0), most[i]!)];
  });
}

/** For each axis the (padding, output padding) that has the right size and the wrong place; null where none is so. */
export function lookAlike(geometry: Geometry, most: readonly number[]): Pair[] | null {
  const wanted = cuts(geometry);
  const pairs = wanted.map(([low, high], i): Pair => {
    const exact = low >= 0 && 0 <= low - high && low - high <= most[i]!;
    const padding = exact ? low : Math.ceil((low + high) / 2);
    return [padding, 2 * padding - low - high];
  });
  const fits = pairs.every(([p, a], i) => {
    const [low, high] = wanted[i]!;
    return p >= 0 && a >= 0 && a <= most[i]! && ((p === low && a === low - high) || Math.min(low, high) >= 0);
  });
  return fits && pairs.some(([p], i) => p !== wanted[i]![0]) ? pairs : null;
}
