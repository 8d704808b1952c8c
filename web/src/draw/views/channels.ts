// Channels: a step for each output channel, with the input channels that it adds up and the kernels between them.
import type { Geometry } from "../../core/geometry";
import { counted, prod } from "../../core/integers";
import { type Range, range } from "../../core/range";
import {
  alone,
  type Board,
  by,
  CHANNELS,
  type Channels,
  grid,
  inStep,
  named,
  place,
  read,
  type Shown,
  scene,
  shown,
  told,
  written,
} from "../cells";
import { arrow, type Bracket, cell, type Frame, frame, type Grid, plain, type Said, said, words } from "../scene";
import { learn } from "../words";

// By the letters of the longest text below a kernel or a channel, so that all can be read: rows and columns, at most.
const ROOM = [
  [4, 8, 12],
  [5, 7, 11],
  [6, 6, 10],
  [7, 6, 9],
  [8, 5, 8],
  [99, 4, 7],
] as const;
// The height of a cell against its width: room for the text below.
const HEIGHT = 1.2;
// Products of a sum that are written out, at most.
const PRODUCTS = 4;

learn({
  "channels dense": ["Each output channel adds up all {0} input channels", "每个输出通道累加全部 {0} 个输入通道"],
  "channels single": ["Each output channel is made of the one input channel", "每个输出通道都由唯一的输入通道得到"],
  "channels groups": [
    "{0} groups: an output channel adds up {1} input channels",
    "分 {0} 组：一个输出通道累加 {1} 个输入通道",
  ],
  "channels multiplied": [
    "{0} groups: an input channel makes {1} output channels",
    "分 {0} 组：一个输入通道得到 {1} 个输出通道",
  ],
  "channels depthwise": [
    "Depthwise: one kernel a channel, no channels are mixed",
    "逐通道（depthwise）：每个通道一个卷积核，通道互不混合",
  ],
  "channels told": ["{0}; channels {1} → {2}, groups {3}", "{0}；通道 {1} → {2}，组数 {3}"],
  "channels size": ["{0} channels of {1}", "{0} 个通道，各 {1}"],
  "channels size one": ["1 channel of {0}", "1 个通道，{0}"],
  "channels w one": ["1 kernel of {0}", "1 个卷积核，{0}"],
  "channels w": ["{0} × {1} kernels of {2}", "{0} × {1} 个卷积核，各 {2}"],
  "channels y": ["{0}: {1}", "{0}：{1}"],
  "channels products": [
    "A product is the transposed convolution of one channel with one kernel.",
    "每个乘积都是一个通道与一个卷积核的转置卷积。",
  ],
  "channels index": [
    "m,j: the kernel w[m, j] of input channel m and of output channel j, counted within their group.",
    "m,j：输入通道 m 与组内第 j 个输出通道之间的卷积核 w[m, j]。",
  ],
  "channels index dense": [
    "m,n: the kernel w[m, n] of input channel m and of output channel n.",
    "m,n：输入通道 m 与输出通道 n 之间的卷积核 w[m, n]。",
  ],
  "channels gap": ["0: no kernel, the channels are of different groups.", "0：没有卷积核，两个通道不在同一组。"],
  "channels brackets": ["Brackets: the groups of output channels.", "括号：输出通道的组。"],
  "channels weights": [
    "Weights: {0:,} · {1:,} · {2:,} = {3:,}, input channels · output channels of a group · taps",
    "权重：{0:,} · {1:,} · {2:,} = {3:,}，输入通道 · 一组的输出通道 · 抽头",
  ],
  "channels work": [
    "Multiplications: {0:,} · {1:,} · {2:,} = {3:,}, the last factor those of one channel with one kernel",
    "乘法：{0:,} · {1:,} · {2:,} = {3:,}，末项为一个通道与一个卷积核的乘法数",
  ],
  "channels saved": ["{0}; without groups {1:,} times as many, {2:,}", "{0}；若不分组则为其 {1:,} 倍，即 {2:,}"],
});

export const channels = {
  /** A step for each output channel. */
  steps: (_: Geometry, channels: Channels = CHANNELS) => channels.out_channels,

  /** The first of the group in the middle, where the second index of w begins anew; of one group that in its midst. */
  first: (_: Geometry, channels: Channels = CHANNELS) =>
    channels.groups > 1 ? Math.floor(channels.groups / 2) * written(channels) : Math.floor(channels.out_channels / 2),

  /** The column of kernels that makes an output channel. */
  scene(board: Board, step: number) {
    const { geometry: g, channels } = board;
    const { in_channels, out_channels, groups } = channels;
    const group = Math.floor(step / written(channels));
    const reads = range(group * read(channels), (group + 1) * read(channels));
    const writes = range(group * written(channels), (group + 1) * written(channels));
    const [mostRows, mostColumns] = room(channels);
    const rows = shown(range(in_channels), part(reads, reads.start, mostRows), mostRows);
    const columns = shown(range(out_channels), part(writes, step, mostColumns), mostColumns);
    const w = kernels(board, rows, columns, reads, step);
    const panels = [
      inputs(board, rows, reads),
      { panels: [w, outputs(board, columns, step)] },
      explained(board, w, step),
    ];
    const note = said("channels told", told(g), in_channels, out_channels, groups);
    return scene("channels", g, step, out_channels, title(channels), [panels], {
      note: inStep(note, step, out_channels),
      arrows: [arrow("x", "w", null, "coarse")],
      facts: facts(g, channels),
    });
  },
};

function room(channels: Channels): readonly [number, number] {
  const [m, n] = [channels.in_channels - 1, channels.out_channels - 1];
  const longest = Math.max(
    ...[kernelName(channels, m, n), named("x", [m]), named("y", [n])].map((name) => name.length),
  );
  const [, rows, columns] = ROOM.find(([letters]) => longest <= letters)!;
  return [rows, columns];
}

// What must be seen: the channels of a group, or of a group that is too large the one at hand.
const part = (group: Range, at: number, most: number) => (group.length <= most - 2 ? group : alone(at));

function title(channels: Channels): Said {
  const { in_channels, groups } = channels;
  if (groups === 1) return in_channels > 1 ? said("channels dense", in_channels) : said("channels single");
  if (read(channels) > 1) return said("channels groups", groups, read(channels));
  return written(channels) > 1 ? said("channels multiplied", groups, written(channels)) : said("channels depthwise");
}

const size = (number: number, sizes: number[]): Said =>
  number > 1 ? said("channels size", number, by(sizes)) : said("channels size one", by(sizes));

// Rows and columns of a grid: its last two axes.
const plane = (sizes: number[]): [number, number] => [sizes.at(-2) ?? 1, sizes.at(-1)!];

// Around rows of a column.
function framed(rows: Shown, wanted: Range, column: number, role: string): Frame {
  const [top, high] = place(rows, wanted);
  return frame(top, column, high, 1, role);
}

function inputs({ geometry: g, channels }: Board, rows: Shown, reads: Range): Grid {
  const draw = (m: number) => cell(reads.has(m) ? "coarse-on" : "coarse", named("x", [m]), "", "", "", plane(g.coarse));
  const frames = [framed(rows, reads, 0, "coarse")];
  const note = size(channels.in_channels, g.coarse);
  return grid("x", "coarse", said("x"), note, rows, [0], draw, { frames, height: HEIGHT });
}

const kernelName = (channels: Channels, m: number, n: number) => `${m},${n % written(channels)}`;

function kernels({ geometry: g, channels }: Board, rows: Shown, columns: Shown, reads: Range, step: number): Grid {
  const draw = (m: number, n: number) => {
    if (Math.floor(m / read(channels)) !== Math.floor(n / written(channels))) return cell("gap", "0");
    return cell(n === step ? "kernel-on" : "kernel", kernelName(channels, m, n), "", "", "", plane(g.kernel));
  };
  const sizes = [channels.in_channels, written(channels)];
  const several = sizes.some((n) => n > 1);
  const note = several ? said("channels w", ...sizes, by(g.kernel)) : said("channels w one", by(g.kernel));
  const frames = [framed(rows, reads, columns.indexOf(step), "kernel")];
  return grid("w", "kernel", said("w"), note, rows, columns, draw, { frames, height: HEIGHT });
}

function outputs({ geometry: g, channels }: Board, columns: Shown, step: number): Grid {
  const draw = (_: number, n: number) =>
    cell(n === step ? "fine-on" : "fine", named("y", [n]), "", "", "", plane(g.fine));
  return grid("y", "fine", plain(""), plain(""), [0], columns, draw, {
    frames: [frame(0, columns.indexOf(step), 1, 1, "fine")],
    row_labels: [["y", "fine"]],
    height: HEIGHT,
    brackets: brackets(channels, columns),
  });
}

// The groups of the outputs that are drawn.
function brackets(channels: Channels, columns: Shown): Bracket[] {
  const each = written(channels);
  if (channels.groups === 1 || each === 1) return [];
  const groups = new Set(columns.flatMap((n) => (n === null ? [] : Math.floor(n / each))));
  return [...groups].map((group) => {
    const [column, wide] = place(columns, range(group * each, (group + 1) * each));
    const teeth = [...range(column, column + wide)];
    return { column, columns: wide, teeth, level: 0, text: `${group}`, role: "fine" };
  });
}

// The sum of the step, and what the pictures beside it mean.
function explained({ geometry: g, channels }: Board, kernels: Grid, step: number) {
  const { out_channels, groups } = channels;
  const lines: [Said, string][] = [
    [said("channels y", said("y"), size(out_channels, g.fine)), "fine"],
    [plain(""), "text"],
    ...sum(channels, step).map((line): [Said, string] => [plain(line), "mono"]),
    [said("channels products"), "text"],
    [plain(""), "text"],
    [said(groups > 1 ? "channels index" : "channels index dense"), "grey"],
  ];
  if (kernels.cells.some(({ kind }) => kind === "gap")) lines.push([said("channels gap"), "grey"]);
  if (groups > 1 && groups < out_channels) lines.push([said("channels brackets"), "grey"]);
  return words(lines, 0, true);
}

/** How the output channel of a step comes about, a product a line: y[2] = x[2] · w[2,0], + x[3] · w[3,0]. */
export function sum(channels: Channels, step: number): string[] {
  const many = read(channels);
  const start = Math.floor(step / written(channels)) * many;
  const which: (number | null)[] = [...range(start, start + Math.min(many, PRODUCTS))];
  if (many > PRODUCTS) which.splice(-2, 2, null, start + many - 1);
  const j = step % written(channels);
  const [first, ...others] = which.map((m) => (m === null ? "…" : `${named("x", [m])} · ${named("w", [m, j])}`));
  const name = named("y", [step]);
  return [`${name} = ${first}`, ...others.map((product) => `${"+".padStart(name.length + 2)} ${product}`)];
}

// The shape of w, and what the layer costs.
function facts(g: Geometry, channels: Channels): Said[] {
  const { groups } = channels;
  const pairs = [channels.in_channels, written(channels)];
  const line = (key: string, each: number) => {
    const factors = [...pairs, each];
    const all = said(key, ...factors, counted(...factors));
    return groups === 1 ? all : said("channels saved", all, groups, counted(...factors, groups));
  };
  return [
    plain(`w.shape = (in_channels, out_channels / groups, *kernel) = (${[...pairs, ...g.kernel].join(", ")})`),
    line("channels weights", prod(g.kernel)),
    line("channels work", g.work().multiplications),
  ];
}
