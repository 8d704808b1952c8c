// Coverage: how many taps reach each fine cell, beside the nearest geometry where that is even, or uneven.

import type { Axis } from "../../core/axis";
import type { Geometry } from "../../core/geometry";
import { floorDiv, mod, prod } from "../../core/integers";
import { range } from "../../core/range";
import {
  alone,
  type Board,
  grid,
  type Index,
  named,
  reach,
  runs,
  type Shown,
  scene,
  short,
  shown,
  stamp,
} from "../cells";
import { contrast, reasons } from "../evenness";
import { cell, type Grid, type Label, type Panel, plain, type Said, said, type Tie, words } from "../scene";
import { learn } from "../words";

// Fine cells that are drawn along the last axis and along the one before it, at most.
const COLUMNS = 15;
const ROWS = 6;

learn({
  "coverage uneven": ["Why {0} draws a checkerboard and {1} does not", "为什么{0} 会产生棋盘格，而{1} 不会"],
  "coverage even": ["Why {0} draws no checkerboard and {1} does", "为什么{0} 不会产生棋盘格，而{1} 会"],
  "coverage only uneven": [
    "Some fine cells are reached by more taps than others: a checkerboard",
    "有些细网格单元比其他单元被更多抽头触及：棋盘格",
  ],
  "coverage only even": [
    "All fine cells away from the border are reached by as many taps",
    "远离边界的细网格单元都被同样多的抽头触及",
  ],
  "coverage kernel": ["kernel {0}", "卷积核 {0}"],
  "coverage stride": ["stride {0}", "步幅 {0}"],
  "coverage dilation": ["dilation {0}", "膨胀率 {0}"],
  "coverage and": ["{0}, {1}", "{0}、{1}"],
  "coverage with": ["{0} with {1}", "{0}、{1}"],
  "coverage is even": ["{0}: even", "{0}：均匀"],
  "coverage is uneven": ["{0}: uneven", "{0}：不均匀"],
  "coverage this": ["this geometry", "本几何"],
  "coverage nearest kernel": ["the nearest kernel", "对比：最接近的卷积核"],
  "coverage nearest": ["no other kernel would do", "对比：仅换卷积核不够"],
  "coverage table": ["y: taps of the row × taps of the column", "y：行的抽头数 × 列的抽头数"],
  "coverage slice": [
    "slice {0}: all that times {1}, the taps of the axes before",
    "切片 {0}：再乘以前面各轴的抽头数 {1}",
  ],
  "coverage fans": [
    "A fan leads from a coarse cell in x down to the fine cells in y that its taps reach; y counts the taps.",
    "扇形从 x 的一个粗网格单元通向其抽头触及的 y 的细网格单元；y 中的数字即触及它的抽头数。",
  ],
  "coverage sum": [
    "All counts of this geometry together are its multiplications: {0}.",
    "本几何所有计数之和即其乘法次数：{0}。",
  ],
  "coverage cropped": ["cropped by the padding: not counted", "被填充裁去：不计"],
});

type Parameter = "kernel" | "stride" | "dilation";

// A geometry, and what of its fine grid is drawn.
class Block {
  readonly axis: Axis; // the one along which fans are drawn
  readonly columns: Shown; // positions along it: all, or those below the coarse cell in the middle
  readonly rows: Shown; // positions along the axis before it
  readonly before: Index; // the slice that is shown of more than two axes
  readonly times: number; // how many taps the axes before the last two give that slice
  readonly coarse = new Map<number, number>(); // the coarse cells that are drawn, by their column in the picture
  readonly allTaps: (number | null)[]; // of the columns; null beside the grid and of what is left out

  constructor(
    readonly geometry: Geometry,
    readonly name: string, // what the names of its panels begin with
  ) {
    const { axes } = geometry;
    const axis = axes.at(-1)!;
    this.axis = axis;
    this.columns = shown(reach(axis), alone(this.middle(Math.floor(axis.coarse / 2))), COLUMNS);
    const fine = axes.at(-2)?.fine ?? 1;
    this.rows = shown(range(fine), alone(Math.floor(fine / 2)), ROWS);
    this.before = axes.slice(0, -2).map((each) => Math.floor(each.fine / 2));
    this.times = prod(this.before.map((o, n) => axes[n]!.coverageAt(o)));
    this.allTaps = this.columns.map((o) => (o === null ? null : this.taps(o)));
    this.columns.forEach((column, number) => {
      if (column === null) return;
      const along = column - this.middle(0);
      const c = floorDiv(along, axis.stride);
      if (!mod(along, axis.stride) && range(axis.coarse).has(c)) this.coarse.set(number, c);
    });
  }

  /** What a cell along the last axis is: nothing where there are others, or in the contrast. */
  named(name: string, index: number): string {
    return this.geometry.ndim === 1 && !this.name ? named(name, [index]) : "";
  }

  /** The fine position below the middle of a coarse cell's fan, or the last one before it. */
  middle(c: number): number {
    const below = stamp(this.axis, c);
    return Math.floor((below.start + below.at(-1)) / 2);
  }

  /** How many taps reach a column; null beside the grid. */
  taps(column: number): number | null {
    return range(this.axis.fine).has(column) ? this.axis.coverageAt(column) : null;
  }
}

export const coverage = {
  /** One: nothing moves. */
  steps: () => 1,
  first: () => 0,

  /** The counts of the geometry, and those of its contrast. */
  scene(board: Board, step: number) {
    const g = board.geometry;
    const other = contrast(g);
    const blocks = [new Block(g, ""), ...(other ? [new Block(other, "contrast ")] : [])];
    const along = distinctOf(blocks.flatMap((block) => block.allTaps));
    const rows: Panel[][] = [
      blocks.map((block) => coarse(block, note(g, block.geometry))),
      blocks.map((block) => fine(block, along)),
    ];
    if (g.ndim > 1) {
      const counts = distinctOf(blocks.flatMap(products));
      rows.push(blocks.map((block) => table(block, counts)));
    }
    rows.push(blocks.map(why));
    const cropped = blocks.some((block) => block.columns.some((o) => o !== null && block.taps(o) === null));
    return scene("coverage", g, step, 1, title(g, other), rows, {
      ties: blocks.flatMap(ties),
      aligned: true,
      legend: cropped ? [{ kind: "cropped", text: said("coverage cropped") }] : [],
      facts: [said("coverage fans"), said("coverage sum", g.work().multiplications)],
    });
  },
};

function title(g: Geometry, other: Geometry | null): Said {
  const how = g.isEven ? "even" : "uneven";
  if (!other) return said(`coverage only ${how}`);
  const names = (["kernel", "stride", "dilation"] as const).filter((name) => String(g[name]) !== String(other[name]));
  return said(`coverage ${how}`, ...[g, other].map((each) => parameters(each, names, "coverage with")));
}

// Parameters of a geometry by their names.
const parameters = (g: Geometry, names: Parameter[], between = "coverage and") =>
  names.map((name) => said(`coverage ${name}`, short(g[name]))).reduce((whole, each) => said(between, whole, each));

function note(g: Geometry, shown: Geometry): Said {
  if (shown === g) return said("coverage this");
  const same = String([shown.stride, shown.dilation]) === String([g.stride, g.dilation]);
  return said(same ? "coverage nearest kernel" : "coverage nearest");
}

function coarse(block: Block, note: Said): Grid {
  const g = block.geometry;
  const names: Parameter[] = ["kernel"];
  if (g.ndim < 3) {
    // More axes have no room for more than the kernel.
    names.push("stride");
    if (g.dilation.some((d) => d > 1)) names.push("dilation");
  }
  const caption = said(g.isEven ? "coverage is even" : "coverage is uneven", parameters(g, names));
  const draw = (_: number, number: number) => {
    const c = block.coarse.get(number);
    return c === undefined ? cell("gap") : cell("coarse-on", "", block.named("x", c));
  };
  return grid(`${block.name}x`, "ink", caption, note, [0], [...block.columns.keys()], draw, {
    row_labels: [["x", "coarse"]],
    // Below an even number of cells the middle lies between two of them.
    shift: block.axis.effectiveKernel % 2 ? 0 : 0.5,
  });
}

// The counts that there are, each once; those that are 0 have no place among them.
const distinctOf = (counts: (number | null)[]) =>
  [...new Set(counts)].filter((each): each is number => !!each).sort((one, other) => one - other);

function fine(block: Block, among: number[]): Grid {
  const draw = (_: number, o: number) => {
    const taps = block.taps(o);
    return taps === null ? cell("cropped") : heat(taps, among, block.named("y", o));
  };
  return grid(`${block.name}taps`, "fine", plain(""), plain(""), [0], block.columns, draw, {
    row_labels: [["y", "fine"]],
  });
}

// From each coarse cell to the runs of fine cells that its taps reach.
function ties(block: Block): Tie[] {
  return [...block.coarse].flatMap(([column, c]) =>
    runs(block.columns, stamp(block.axis, c)).map(([first, columns]) => ({
      start: `${block.name}x`,
      column,
      end: `${block.name}taps`,
      first,
      columns,
      role: "coarse",
    })),
  );
}

// How many taps reach a cell of the slice; null beside the grid.
function countAt(block: Block, r: number, taps: number | null): number | null {
  return taps === null ? null : block.geometry.axes.at(-2)!.coverageAt(r) * taps * block.times;
}

// The counts of the cells that are drawn.
const products = (block: Block) =>
  block.rows.flatMap((r) => (r === null ? [] : block.allTaps.map((taps) => countAt(block, r, taps))));

function table(block: Block, among: number[]): Grid {
  const rows = block.geometry.axes.at(-2)!;
  const { before, columns, times } = block;
  const draw = (r: number | null, o: number | null) => {
    const taps = o === null ? null : block.taps(o);
    if (o !== null && taps === null) return cell("gap");
    if (r === null || o === null) return cell("more", "…");
    return heat(countAt(block, r, taps)!, among, block.name ? "" : named("y", [...before, r, o]));
  };
  const note = before.length ? said("coverage slice", String(before), times) : plain("");
  return grid(`${block.name}table`, "fine", said("coverage table"), note, block.rows, columns, draw, {
    cells: block.rows.flatMap((r) => columns.map((o) => draw(r, o))),
    row_labels: block.rows.map((r): Label => [r === null ? "" : String(rows.coverageAt(r)), "grey"]),
    column_labels: block.allTaps.map((taps): Label => [taps === null ? "" : String(taps), "grey"]),
  });
}

const why = (block: Block) =>
  words(
    reasons(block.geometry).map((each): [Said, string] => [each, "text"]),
    COLUMNS,
  );

// A count, in a colour for its place among all of them: 6 and 7 must look different too.
function heat(taps: number, among: number[], what: string) {
  const below = among.length - 1 - among.indexOf(taps); // so many are larger; it is the small ones that may share
  const level = taps ? 4 - Math.ceil((3 * below) / Math.max(1, among.length - 1)) : 0;
  return cell(`heat${level}`, String(taps), what);
}
