// What views share: two axes of a geometry and a slice of the others, small numbers, and the part of a grid that fits.
// A picture has rows and columns: the last two axes. One axis is a row; of more than two the picture shows one slice,
// that of the coarse cell at hand, of the tap in the middle, and of the fine cell where that lands.
import { Axis } from "../core/axis";
import type { Geometry } from "../core/geometry";
import { floorDiv, mod, prod, product, sum } from "../core/integers";
import { type Range, range } from "../core/range";
import { threeDigits } from "./rounding";
import { type Cell, cell, type Frame, frame, type Grid, plain, type Said, type Scene, said } from "./scene";

export type Index = number[];
/** Positions along an axis in the order in which they are drawn; null is where some are left out. */
export type Shown = (number | null)[];
/** What stands in a grid. Python writes floats with three digits, and all of an array is floats if one of it is. */
export type Values = { at: (index: Index) => number; whole: boolean };

/** How many channels the coarse grid and the fine one have, and the groups that they form. */
export type Channels = { in_channels: number; out_channels: number; groups: number };

/** What is drawn where nothing is said: the fewest with groups of several. */
export const CHANNELS: Channels = { in_channels: 4, out_channels: 4, groups: 2 };

/** Input channels of a group: what an output channel adds up. */
export const read = ({ in_channels, groups }: Channels) => in_channels / groups;

/** Output channels of a group: kernels of an input channel. */
export const written = ({ out_channels, groups }: Channels) => out_channels / groups;

/** The first of those for which a number is largest. */
export const most = <T>(all: Iterable<T>, key: (each: T) => number): T =>
  [...all].reduce((best, each) => (key(each) > key(best) ? each : best));

/** A geometry, what stands in x and w, and what comes of them. Values default to small whole numbers, never 0. */
export class Board {
  readonly rows: Axis; // the axis that goes down; of one axis one of a single cell
  readonly columns: Axis; // the axis that goes to the right
  readonly outer: readonly Axis[]; // the axes that are not in the picture
  private readonly xs: Values;
  private readonly ws: Values;

  constructor(
    readonly geometry: Geometry,
    x?: Values,
    w?: Values,
    readonly channels = CHANNELS, // of a view that shows them; others show one
  ) {
    const { axes, kernel } = geometry;
    this.rows = axes.at(-2) ?? new Axis(1, 1);
    this.columns = axes.at(-1)!;
    this.outer = axes.slice(0, -2);
    this.xs = x ?? { at: (index) => 1 + (sum(index.map((i, n) => (n + 1) * i)) % 3), whole: true };
    // 1, 2, 3, ... in the order of the taps, up to 9 and again from 1.
    this.ws = w ?? { at: (tap) => 1 + (flat(tap, kernel) % 9), whole: true };
  }

  /** The text of values of x, of w, and of their products and sums. */
  x = (value: number) => number(value, this.xs.whole);
  w = (value: number) => number(value, this.ws.whole);
  y = (value: number) => number(value, this.xs.whole && this.ws.whole);

  value(coarse: Index): number {
    return this.xs.at(coarse);
  }

  weight(tap: Index): number {
    return this.ws.at(tap);
  }

  /** Something of the axis that goes down, and of the one that goes to the right. */
  sides<T>(of: (axis: Axis, side: 0 | 1) => T): [T, T] {
    return [of(this.rows, 0), of(this.columns, 1)];
  }

  /** An index of all axes, of those before the last two and the place in the picture. */
  whole(before: Index, row: number, column: number): Index {
    return this.geometry.ndim > 1 ? [...before, row, column] : [column];
  }

  /** The coarse cell of a number, the last axis fastest. */
  coarse(step: number): Index {
    return unflat(step, this.geometry.coarse);
  }

  /** Along each axis the [coarse cell, tap] that are tied to a fine position, which may lie beside the grid. */
  along(fine: Index): [number, number][][] {
    return this.geometry.axes.map((axis, n) => {
      const found: [number, number][] = [];
      for (let t = 0; t < axis.kernel; t++) {
        const reached = fine[n]! + axis.padding[0] - t * axis.dilation;
        const c = floorDiv(reached, axis.stride);
        if (c * axis.stride === reached && c >= 0 && c < axis.coarse) found.push([c, t]);
      }
      return found;
    });
  }

  /** The [coarse cell, tap] that are tied to it. */
  ties(fine: Index): [Index, Index][] {
    return product(this.along(fine)).map((each) => [each.map(([c]) => c), each.map(([, t]) => t)]);
  }

  /** Whether any are. */
  isTied(fine: Index): boolean {
    return this.along(fine).every((ties) => ties.length);
  }

  /** The tap through which a coarse cell and a fine position are tied, if any. */
  tap(coarse: Index, fine: Index): Index | undefined {
    const taps = this.geometry.axes.map(
      (axis, n) => (fine[n]! + axis.padding[0] - coarse[n]! * axis.stride) / axis.dilation,
    );
    return this.geometry.axes.every((axis, n) => range(axis.kernel).has(taps[n]!)) ? taps : undefined;
  }

  /** What the coarse cells up to a number add up to at a fine position; of all of them, what stands in y. */
  sum(fine: Index, until = Infinity): number {
    return this.sumOf(this.ties(fine).filter(([c]) => flat(c, this.geometry.coarse) <= until));
  }

  sumOf(ties: [Index, Index][]): number {
    return sum(ties.map(([c, t]) => this.value(c) * this.weight(t)));
  }
}

/** Fine positions that the picture of an axis has: those of the grid, and those beside it that a stamp reaches. */
export function reach(axis: Axis): Range {
  const low = axis.padding[0];
  const end = (axis.coarse - 1) * axis.stride - low + axis.effectiveKernel;
  return range(Math.min(0, -low), Math.max(axis.fine, end));
}

/** Fine positions below the taps of a coarse cell, those beside the grid too. */
export function stamp(axis: Axis, c: number): Range {
  const start = c * axis.stride - axis.padding[0];
  return range(start, start + axis.effectiveKernel, axis.dilation);
}

export const alone = (position: number) => range(position, position + 1);

/** All positions from the first to the last of some. */
export const spanned = (positions: Range) => range(positions.start, positions.at(-1) + 1);

/** The part of a window that is drawn among so many cells: one that has no room from its first tap on. */
export const fitting = (window: Range, most: number) =>
  range(window.start, Math.max(window.start + 1, Math.min(window.at(-1) + 1, window.start + most - 2)));

/** The positions that are drawn, at most so many: those around what is looked at, null where others are left out. */
export function shown(total: Range, around: Range, most: number): Shown {
  if (total.stop - total.start <= most) return [...total];
  const room = most - 2; // for null at both ends
  const wanted = around.start - Math.floor((room - around.length) / 2);
  const start = Math.max(total.start, Math.min(wanted, total.stop - room));
  if (start === total.start) return [...range(start, start + room + 1), null];
  if (start + room >= total.stop) return [null, ...range(total.stop - room - 1, total.stop)];
  return [null, ...range(start, start + room), null];
}

/** A panel of cells: each is drawn by its row and its column. */
export function grid(
  name: string,
  role: string,
  caption: Said,
  note: Said,
  rows: Shown,
  columns: Shown,
  draw: (row: number, column: number) => Cell,
  more: Partial<Grid> = {},
): Grid {
  return {
    name,
    role,
    caption,
    note,
    rows: rows.length,
    columns: columns.length,
    cells: rows.flatMap((row) =>
      columns.map((column) => (row === null || column === null ? cell("more", "…") : draw(row, column))),
    ),
    frames: [],
    row_labels: [],
    column_labels: [],
    scale: 1,
    height: 1,
    shift: 0,
    brackets: [],
    ...more,
  };
}

/** A step of a view, with the geometry in its note. */
export function scene(
  view: string,
  g: Geometry,
  step: number,
  steps: number,
  title: Said,
  rows: Scene["rows"],
  more: Partial<Scene>,
): Scene {
  const note = inStep(told(g), step, steps);
  const rest = { arrows: [], ties: [], aligned: false, legend: [], facts: [] };
  return { view, geometry: String(g), step, steps, title, note, rows, ...rest, ...more };
}

// Numbers of the positions that are wanted.
const inside = (positions: Shown, wanted: Range) =>
  [...positions.keys()].filter((n) => positions[n] !== null && wanted.has(positions[n]!));

/** Where the visible part of a range begins among the positions, and how many of them it has. */
export function place(positions: Shown, wanted: Range): [number, number] {
  const found = inside(positions, wanted);
  return found.length ? [found[0]!, found.at(-1)! - found[0]! + 1] : [0, 0];
}

/** Where those that are wanted follow each other: the first, and how many. */
export function runs(positions: Shown, wanted: Range): [number, number][] {
  const found: [number, number][] = [];
  for (const n of inside(positions, wanted)) {
    const last = found.at(-1);
    if (last && last[0] + last[1] === n) last[1]++;
    else found.push([n, 1]);
  }
  return found;
}

/** A frame around what is visible of two ranges. */
export function framed(rows: Shown, columns: Shown, spans: [Range, Range], role: string): Frame {
  const [[top, high], [left, wide]] = [place(rows, spans[0]), place(columns, spans[1])];
  return frame(top, left, high, wide, role);
}

/** The row and the column of a cell in the picture; a single axis is row 0. */
export const spot = (at: Index): [number, number] => [at.at(-2) ?? 0, at.at(-1)!];

/** What stands before them. */
export const outerOf = (at: Index): Index => at.slice(0, -2);

/** The number of a cell, the last axis fastest. */
export const flat = (index: Index, shape: readonly number[]) =>
  index.reduce((number, i, n) => number * shape[n]! + i, 0);

/** The cell of a number. */
export function unflat(number: number, shape: readonly number[]): Index {
  let rest = number;
  return shape
    .toReversed()
    .map((n) => {
      const i = rest % n;
      rest = (rest - i) / n;
      return i;
    })
    .reverse();
}

/** Whether a position lies in a grid. */
export const isIn = (index: Index, shape: readonly number[]) => index.every((i, n) => i >= 0 && i < shape[n]!);

/** The phase of a fine cell: o mod stride along each axis. */
export const residue = (g: Geometry, fine: Index): Index => fine.map((o, n) => mod(o, g.stride[n]!));

/** Sizes along the axes: 3 × 3. */
export const by = (sizes: readonly (number | string)[]) => sizes.join(" × ");

/** A value as it stands in a cell: whole numbers as they are, others with three digits. */
export const number = (value: number, whole: boolean) => (whole ? String(value) : threeDigits(value));

/** A cell by its index: x[1,2]. */
export const named = (name: string, index: Index) => `${name}[${index}]`;

/** What the geometry is, as the note below a title. */
export const told = (g: Geometry) =>
  further(g, said("up", by(g.coarse), by(g.fine), short(g.kernel), short(g.stride), ends(g)));

/** With the parameters that are seldom there. */
export function further(g: Geometry, note: Said): Said {
  const dilated = g.dilation.some((d) => d > 1) ? said("dilation", note, short(g.dilation)) : note;
  return g.output_padding.some((a) => a) ? said("output padding", dilated, short(g.output_padding)) : dilated;
}

/** The padding of all axes: one number where both ends are alike. */
export const ends = (g: Geometry) => short(g.padding.map(([low, high]) => (low === high ? low : `${low}:${high}`)));

/** Values along the axes, one where all are alike. */
export const short = (values: readonly (number | string)[]) =>
  values.every((each) => each === values[0]) ? String(values[0]) : by(values);

/** The note with the number of the step. */
export const inStep = (note: Said, step: number, steps: number) =>
  steps > 1 ? said("step", note, step + 1, steps) : note;

/** The note, and of more than two axes which slice is shown. */
export const sliced = (note: Said, before: Index) => (before.length ? said("slice", note, String(before)) : note);

/** The size of a grid, and which slice of it is shown. */
export const sizeNote = (sizes: readonly number[], before: Index) =>
  before.length ? said("slice", by(sizes), String(before)) : plain(by(sizes));

/** Coarse cells: the steps of who goes from one to the next. */
export const count = (g: Geometry) => prod(g.coarse);

/** Each axis once. */
export const distinct = (axes: readonly Axis[]) =>
  axes.filter((axis, n) => axes.findIndex((other) => other.equals(axis)) === n);
