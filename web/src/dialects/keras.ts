// Keras and TensorFlow: Conv1DTranspose to Conv3DTranspose, whose padding is a word.
import type { Geometry } from "../core/geometry";
import { atMost3, type Dialect, type Ends, endsOf, given, type Layer, times } from "./base";
import { call, cropped, joined, type Pair, padded } from "./code";
import { cuts } from "./ends";
import { fromTconvLines, numpy } from "./weights";

const DEFAULTS = { strides: 1, padding: "valid", output_padding: null, dilation_rate: 1, use_bias: true };
const SPREAD = "Keras refuses a stride above 1 together with a dilation above 1: the kernel is written out with zeros.";
const ONEDNN = "TensorFlow runs a dilation on a CPU only through oneDNN, in float32 and not in float64.";

export const keras: Dialect = {
  name: "keras",
  title: "Keras",
  write(layer) {
    const { geometry: g, groups } = layer;
    atMost3("Keras", g);
    const eff = g.receptiveField;
    const spread = Math.max(...g.stride) > 1 && Math.max(...g.dilation) > 1;
    const [word, added, said] = nearest(g, eff);
    const ends = endsOf(layer, said, "Keras", 'it knows "same" and "valid" only');
    const { notes } = ends;
    const keywords = {
      kernel_size: spread ? eff : g.kernel,
      strides: g.stride,
      padding: word,
      output_padding: added,
      dilation_rate: spread ? times(1, g.ndim) : g.dilation,
      use_bias: ends.biasInside,
    };
    if (spread) notes.push(SPREAD);
    if (groups > 1)
      notes.push(
        `Keras has no groups: the kernel is dense, with zeros between the ${groups} groups, ${groups} times the multiplications.`,
      );
    if (Math.max(...keywords.dilation_rate) > 1) notes.push(ONEDNN);
    const parameters = { ...given("filters", layer.out_channels), ...keywords };
    const code = lines(layer, keywords, ends, spread ? g.dilation : null);
    return { ...ends, parameters, kernel: keywords.kernel_size, code };
  },
};

type Word = "valid" | "same";

/** What one axis loses at its (low, high) end. */
function cutOfWord(word: Word, eff: number, stride: number, a: number | null): Pair {
  if (word === "valid") return [0, a === null ? Math.min(eff - stride, 0) : -a];
  const total = a === null ? eff - stride : eff - (eff % 2) - a;
  const low = Math.floor(Math.max(total, 0) / 2);
  return [low, total - low];
}

/** The word and the output padding that give these cuts; else the full result, of which the rest is cut. */
function nearest(g: Geometry, eff: number[]): [word: Word, added: number[] | null, said: Pair[]] {
  const wanted = cuts(g);
  const gives = (word: Word, added: number[] | null) =>
    wanted.every(([low, high], i) => {
      const [l, h] = cutOfWord(word, eff[i]!, g.stride[i]!, added && added[i]!);
      return low === l && high === h;
    });
  for (const word of ["valid", "same"] as const) if (gives(word, null)) return [word, null, wanted];
  for (const word of ["valid", "same"] as const) {
    const odd = (i: number) => (word === "same" ? eff[i]! % 2 : 1);
    const added = wanted.map(([low, high], i) => (word === "same" ? eff[i]! - odd(i) : 0) - low - high);
    const allowed = added.every((a, i) => 1 - odd(i) <= a && a < g.stride[i]!);
    if (allowed && gives(word, added)) return [word, added, wanted];
  }
  const full = eff.every((e, i) => e >= g.stride[i]!);
  return ["valid", full ? null : times(0, g.ndim), times<Pair>([0, 0], g.ndim)];
}

function lines(
  { geometry: { ndim }, out_channels, groups, bias }: Layer,
  keywords: Record<string, unknown>,
  { crop, pad, biasInside }: Ends,
  spread: readonly number[] | null,
): string {
  const weights = fromTconvLines({ axes: "*OI", grouping: "dense" }, groups, spread, ndim);
  return joined(
    "import keras",
    numpy(weights),
    "",
    "# x and y: (N, *size, channels)",
    weights,
    `layer = ${call(`keras.layers.Conv${ndim}DTranspose`, [out_channels ?? "filters"], keywords, DEFAULTS)}`,
    `layer.build((None, ${"None, ".repeat(ndim)}kernel.shape[-1]))`,
    `layer.set_weights([kernel${biasInside ? ", b" : ""}])`,
    "y = layer(x)",
    padded(pad, "keras.ops.pad"),
    cropped(crop, false),
    bias && !biasInside ? ["y = y + b"] : [],
  );
}
