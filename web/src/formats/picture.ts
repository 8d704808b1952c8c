// A picture of one's own, enlarged by a geometry of two axes: every channel by the same kernel, zeros beyond its border.
import type { Axis } from "../core/axis";
import { wrong } from "../core/checks";
import { Geometry } from "../core/geometry";
import { mod } from "../core/integers";

/** All taps alike, or those of linear interpolation. */
export type Weights = "ones" | "bilinear";

export interface Picture {
  /** Red, green, blue and opacity of each cell, row by row. */
  pixels: Uint8ClampedArray;
  width: number;
  height: number;
}

/** What a page can hold: four bytes a cell, and as many numbers while it is computed. */
export const MOST_CELLS = 2 ** 22;
const GREY = 128;

/** The weights along an axis; in the middle of a flat picture they keep its brightness, on the mean at least. */
export function tapsOf(axis: Axis, weights: Weights): number[] {
  const { kernel, stride, dilation } = axis;
  const taps = Array.from({ length: kernel }, (_, t) => t);
  if (weights === "ones") return taps.map(() => stride / kernel);
  if (dilation > 1 || kernel < stride)
    wrong(
      `bilinear weights take a dilation of 1 and at least stride = ${stride} taps; ` +
        `got dilation ${dilation} and kernel ${kernel}`,
    );
  const triangle = taps.map((t) => Math.max(1 - Math.abs(t - (kernel - 1) / 2) / stride, 0));
  const sums = phaseSums(axis, triangle);
  return triangle.map((weight, t) => weight / sums[t % stride]!);
}

/** The sum of the weights that reach each phase, in the order of (tap * dilation) mod stride. */
function phaseSums({ stride, dilation }: Axis, taps: readonly number[]): number[] {
  const sums = Array<number>(stride).fill(0);
  for (const [t, weight] of taps.entries()) sums[(t * dilation) % stride]! += weight;
  return sums;
}

/** The geometry with a picture in place of its coarse grid; `Rejected` where nothing or too much of it is left. */
export function onPicture(geometry: Geometry, width: number, height: number): Geometry {
  const { kernel, stride, padding, output_padding, dilation } = twoAxes(geometry);
  const found = Geometry.convTranspose([height, width], kernel, { stride, padding, output_padding, dilation });
  const [rows, columns] = found.fine;
  if (rows! * columns! > MOST_CELLS)
    wrong(`picture must become at most ${MOST_CELLS} cells; ${height}x${width} would become ${rows}x${columns}`);
  return found;
}

/** The transposed convolution of each channel of a picture; its opacity is left aside, and the result has none. */
export function upsample(
  pixels: Uint8ClampedArray,
  width: number,
  height: number,
  geometry: Geometry,
  weights: Weights,
): Picture {
  const [rows, columns] = onPicture(geometry, width, height).axes as [Axis, Axis];
  const wide = scattered(pixels, columns, tapsOf(columns, weights), height, 4);
  const fine = scattered(wide, rows, tapsOf(rows, weights), 1, columns.fine * 4);
  const result = new Uint8ClampedArray(fine); // rounds to the nearest level
  for (let i = 3; i < result.length; i += 4) result[i] = 255;
  return { pixels: result, width: columns.fine, height: rows.fine };
}

/** One axis of an array of `outer` times the axis times `inner` numbers: each coarse cell writes through each tap. */
function scattered(
  cells: ArrayLike<number>,
  axis: Axis,
  taps: readonly number[],
  outer: number,
  inner: number,
): Float32Array {
  const { coarse, fine, stride, dilation, padding } = axis;
  const result = new Float32Array(outer * fine * inner);
  for (const [t, weight] of taps.entries()) {
    for (const c of axis.pairsOfTap(t)) {
      const o = c * stride - padding[0] + t * dilation;
      for (let row = 0; row < outer; row++) {
        const from = (row * coarse + c) * inner;
        const to = (row * fine + o) * inner;
        for (let i = 0; i < inner; i++) result[to + i]! += weight * cells[from + i]!;
      }
    }
  }
  return result;
}

/** What becomes of flat grey far from the border, where it is 128 if the coverage is even. */
export interface Checkerboard extends Picture {
  /** The brightness of the darkest and the brightest cell, as it is before the picture is stretched from 0 to 255. */
  lowest: number;
  highest: number;
}

/** A flat picture in grey by these weights, as a square of so many cells, its lowest brightness black and its highest white. */
export function checkerboard(geometry: Geometry, weights: Weights, cells = 32): Checkerboard {
  const [rows, columns] = twoAxes(geometry).axes.map((axis) => {
    const sums = phaseSums(axis, tapsOf(axis, weights));
    return Array.from({ length: cells }, (_, o) => sums[mod(o + axis.padding[0], axis.stride)]!);
  });
  const levels = rows!.flatMap((row) => columns!.map((column) => GREY * row * column));
  const lowest = levels.reduce((one, other) => Math.min(one, other));
  const highest = levels.reduce((one, other) => Math.max(one, other));
  // What rounding makes of equal sums is no checkerboard.
  const even = highest - lowest < 1e-6;
  const pixels = new Uint8ClampedArray(4 * levels.length);
  for (const [i, level] of levels.entries()) {
    const shown = even ? GREY : (255 * (level - lowest)) / (highest - lowest);
    pixels.set([shown, shown, shown, 255], 4 * i);
  }
  return { pixels, width: cells, height: cells, lowest, highest };
}

function twoAxes(geometry: Geometry): Geometry {
  if (geometry.ndim !== 2) wrong(`geometry must have 2 axes, as a picture has; got ${geometry.ndim}`);
  return geometry;
}
