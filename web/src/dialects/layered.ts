// Dialects of one form: a layer built from channels, a kernel and keywords, given its weights, and called.
import type { Geometry } from "../core/geometry";
import { atMost3, type Dialect, type Ends, endsOf, type Layer, shiftNote } from "./base";
import { anyCells, call, cropped, joined, List, type Pair } from "./code";
import { cuts, symmetricPadding } from "./ends";
import { fromTconvLines, numpy, OWN, type WeightLayout } from "./weights";

type Word =
  | "in_channels"
  | "out_channels"
  | "kernel"
  | "stride"
  | "padding"
  | "output_padding"
  | "groups"
  | "bias"
  | "dilation";

/** The order in which parameters are written. */
const ORDER: readonly Word[] = [
  "in_channels",
  "out_channels",
  "kernel",
  "stride",
  "padding",
  "output_padding",
  "groups",
  "bias",
  "dilation",
];
const DEFAULTS: Partial<Record<Word, unknown>> = {
  stride: 1,
  padding: 0,
  output_padding: 0,
  groups: 1,
  bias: true,
  dilation: 1,
};

/** (low, high, output padding) of one axis. */
export type Said = [low: number, high: number, added: number];

/** What a padding can say. */
export interface Padding {
  /** What it cannot, for the note on a crop. */
  ends: string;
  said(g: Geometry, most: number[], limit: number[] | null): Said[];
  parameter(g: Geometry, ends: Pair[]): unknown;
  warns?: boolean;
}

/** What tells one framework apart. */
export interface Form {
  name: string;
  title: string;
  last?: boolean;
  words: Partial<Record<Word, string>>;
  layout?: WeightLayout;
  /** What else is to be known. */
  notes?(g: Geometry, crop: Pair[]): string[];
  imports: string[];
  layer(ndim: number): string;
  positional?: Word[];
  whole?: Word[];
  extra?: string;
  padding: Padding;
  /** The largest output padding; below the stride where it is not said. */
  most?(g: Geometry): number[];
  limit?(g: Geometry): number[];
  anyAxes?: boolean;
  fromDocumentation?: boolean;
  load(call: string, bias: boolean, ones: string): string[];
  /** What is imported to put zeros around y, and the line that does it. */
  pad?(pad: Pair[]): [string[], string];
  late?(ones: string): string;
  cropped?(g: Geometry, crop: Pair[]): string[];
}

/** One padding for both ends, none of them negative, and an output padding. */
export const SYMMETRIC: Padding = {
  ends: "one padding for both ends, none of them negative",
  said: (g, most, limit) => symmetricPadding(g, most, limit).map(([p, a]) => [p, p, a]),
  parameter: (_, ends) => ends.map(([p]) => p),
  warns: true,
};

/** Any pair of cuts. */
export const PAIRS: Padding = {
  ends: "",
  said: (g) => cuts(g).map(([low, high]) => [low, high, 0]),
  parameter: (_, ends) => (alike(ends) ? ends.map(([low]) => low) : ends),
};

/** The padding of lax's zero-inserted input. */
export const OF_LAX: Padding = {
  ...PAIRS,
  parameter: (g, ends) =>
    ends.map(([low, high], i): Pair => [g.receptiveField[i]! - 1 - low, g.receptiveField[i]! - 1 - high]),
};

export function alike(ends: readonly Pair[]): boolean {
  return ends.every(([low, high]) => low === high);
}

/** Both ends of each axis in one list. */
export function flat(ends: readonly Pair[]): List {
  return new List(ends.flat());
}

export function layered(form: Form): Dialect {
  const { name, title, words, layout = OWN } = form;
  return {
    name,
    title,
    write(layer) {
      const { geometry: g, groups } = layer;
      if (!form.anyAxes) atMost3(title, g);
      const spread = !words.dilation && Math.max(...g.dilation) > 1;
      const most = form.most?.(g) ?? g.stride.map((s) => s - 1);
      const said = form.padding.said(g, most, form.limit?.(g) ?? null);
      const cut = said.map(([low, high, a]): Pair => [low, high - a]);
      const ends = endsOf(layer, cut, title, form.padding.ends);
      const values: Record<Word, unknown> = {
        in_channels: layer.in_channels,
        out_channels: layer.out_channels,
        kernel: spread ? g.receptiveField : g.kernel,
        stride: g.stride,
        padding: form.padding.parameter(
          g,
          said.map(([low, high]) => [low, high]),
        ),
        output_padding: said.map(([, , a]) => a),
        groups,
        bias: ends.biasInside,
        dilation: g.dilation,
      };
      const { notes } = ends;
      if (form.padding.warns) notes.push(...shiftNote(g, most, [words.padding!, words.output_padding!]));
      notes.push(...(form.notes?.(g, ends.crop) ?? []));
      if (spread) notes.push(`${title} has no dilation: the kernel is written out with zeros.`);
      if (groups > 1 && layout.grouping === "dense")
        notes.push(
          `${title} has no groups: the kernel is dense, with zeros between the ${groups} groups, ${groups} times the multiplications.`,
        );
      if (form.fromDocumentation) notes.push(`What is said of ${title} is from its documentation: none of it was run.`);
      const parameters: Record<string, unknown> = {};
      for (const word of ORDER) {
        const entry = values[word];
        if (words[word] && entry !== null) parameters[words[word]] = entry instanceof List ? entry.entries : entry;
      }
      const code = lines(form, layer, values, ends, spread ? g.dilation : null);
      return { ...ends, parameters, kernel: values.kernel as number[], code };
    },
  };
}

function lines(
  form: Form,
  { geometry: g, groups, bias }: Layer,
  values: Record<Word, unknown>,
  { crop, pad, biasInside }: Ends,
  spread: readonly number[] | null,
): string {
  const ones = ", 1".repeat(g.ndim);
  const weights = fromTconvLines(form.layout ?? OWN, groups, spread, g.ndim);
  const padded = anyCells(pad);
  const [more, zeros] = padded ? form.pad!(pad) : [[], ""];
  return joined(
    form.imports,
    more,
    numpy(weights),
    "",
    `# x and y: ${form.last ? "(N, *size, channels)" : "(N, channels, *size)"}`,
    weights,
    form.load(built(form, g.ndim, values), biasInside, ones),
    padded ? [zeros] : [],
    form.cropped?.(g, crop) ?? cropped(crop, !form.last),
    bias && !biasInside && padded ? [form.late!(ones)] : [],
  );
}

/** The call that builds the layer. */
function built(form: Form, ndim: number, values: Record<Word, unknown>): string {
  const { words, positional = ["in_channels", "out_channels"], whole = [] } = form;
  const channels = positional.map((word) => values[word] ?? words[word]);
  const keywords: Record<string, unknown> = {};
  const defaults: Record<string, unknown> = {};
  for (const word of ORDER) {
    const name = words[word];
    if (!name || positional.includes(word) || (word.endsWith("channels") && values[word] === null)) continue;
    keywords[name] = values[word];
    if (word in DEFAULTS) defaults[name] = DEFAULTS[word];
  }
  const text = call(
    form.layer(ndim),
    channels,
    keywords,
    defaults,
    whole.map((word) => words[word]!),
  );
  return form.extra ? `${text.slice(0, -1)}, ${form.extra})` : text;
}
