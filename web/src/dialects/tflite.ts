// TensorFlow Lite: TRANSPOSE_CONV, two axes, whose result is told its size.
import { wrong } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { type Dialect, type Ends, endsOf, type Layer, times } from "./base";
import { cropped, joined, literal, type Pair, padded } from "./code";
import { cuts } from "./ends";
import { fromTconvLines, numpy } from "./weights";

const SPREAD = "TRANSPOSE_CONV has no dilation: the kernel is written out with zeros.";

export const tflite: Dialect = {
  name: "tflite",
  title: "TFLite",
  write(layer) {
    const { geometry: g, groups } = layer;
    if (g.ndim !== 2) wrong(`geometry must have 2 axes, which TRANSPOSE_CONV has; got ${g.ndim}`);
    const kernel = g.receptiveField;
    const spread = kernel.some((k, i) => k !== g.kernel[i]) ? g.dilation : null;
    const [padding, output_shape, said] = nearest(g, kernel);
    const ends = endsOf(layer, said, "TFLite", 'it knows "SAME" and "VALID" only');
    const { notes } = ends;
    const [stride_h, stride_w] = g.stride;
    if (spread) notes.push(SPREAD);
    if (groups > 1)
      notes.push(`TRANSPOSE_CONV has no groups: the kernel is dense, with zeros between the ${groups} groups.`);
    notes.push(`output_shape is for coarse size ${g.coarse.join("x")}; in the code it follows x.`);
    const code = lines(layer, padding, output_shape, ends, spread);
    return { ...ends, parameters: { padding, stride_h, stride_w, output_shape }, kernel, code };
  },
};

/** The word and the size with which the layer comes closest: a size that a convolution so padded maps to `coarse`. */
function nearest(g: Geometry, kernel: number[]): [word: string, sizes: readonly number[], said: Pair[]] {
  const wanted = cuts(g);
  const full = g.axes.map(({ coarse, stride }, i) => (coarse - 1) * stride + kernel[i]!);
  for (const word of ["VALID", "SAME"]) {
    const says = g.axes.every(({ fine, stride }, i) => {
      const total = full[i]! - fine;
      const first = full[i]! - kernel[i]! + (word === "SAME" ? 1 : kernel[i]!);
      const low = word === "SAME" ? Math.floor(Math.max(total, 0) / 2) : 0;
      return first <= fine && fine < first + stride && wanted[i]![0] === low && wanted[i]![1] === total - low;
    });
    if (says) return [word, g.fine, wanted];
  }
  return ["VALID", full, times<Pair>([0, 0], 2)];
}

/** TensorFlow's own call: its converter writes it as TRANSPOSE_CONV, and moves the kernel's axes. */
function lines(
  { geometry: g, groups, bias }: Layer,
  word: string,
  sizes: readonly number[],
  { crop, pad }: Ends,
  spread: readonly number[] | null,
): string {
  const shape = g.axes.map(
    ({ coarse, stride }, i) => `(x.shape[${i + 1}] - 1) * ${stride} + ${sizes[i]! - (coarse - 1) * stride}`,
  );
  const weights = fromTconvLines({ axes: "O*I", grouping: "dense" }, groups, spread, 2);
  const after = [...padded(pad, "tf.pad"), ...cropped(crop, false), ...(bias ? ["y = y + b"] : [])];
  return joined(
    numpy(weights),
    "import tensorflow as tf",
    "",
    "# x and y: (N, height, width, channels); the converter writes the call as TRANSPOSE_CONV",
    weights,
    "def layer(x):",
    `    shape = (x.shape[0], ${shape.join(", ")}, kernel.shape[0])`,
    `    y = tf.nn.conv2d_transpose(x, kernel.transpose(1, 2, 0, 3), shape, ${literal(g.stride)}, "${word}")`,
    after.map((line) => `    ${line}`),
    "    return y",
    "y = layer(x)",
  );
}
