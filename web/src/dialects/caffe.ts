// Caffe: the Deconvolution layer, one pad for both ends and no output padding.
import { type Dialect, type Ends, endsOf, given, type Layer, times } from "./base";
import { anyCells, chain, joined, type Pair } from "./code";
import { symmetricPadding } from "./ends";

const DILATED = "OpenCV reads Caffe's files, but leaves the dilation of a Deconvolution aside.";

export const caffe: Dialect = {
  name: "caffe",
  title: "Caffe",
  write(layer) {
    const g = layer.geometry;
    const pads = symmetricPadding(g, times(0, g.ndim)).map(([p]) => p);
    const ends = endsOf(
      layer,
      pads.map((p) => [p, p]),
      "Caffe",
      "one pad for both ends, and no output padding",
    );
    const fields = {
      kernel_size: g.kernel,
      stride: g.stride,
      pad: pads,
      dilation: g.dilation,
      group: layer.groups,
      bias_term: ends.biasInside,
    };
    const { crop, pad, notes } = ends;
    if (anyCells([...crop, ...pad]))
      notes.push(`The slice points hold for coarse size ${g.coarse.join("x")}; they move with it.`);
    if (Math.max(...g.dilation) > 1) notes.push(DILATED);
    const parameters = { ...given("num_output", layer.out_channels), ...fields };
    return { ...ends, parameters, kernel: g.kernel, code: lines(layer, fields, ends) };
  },
};

type Fields = Record<string, number[] | number | boolean>;

/** A layer of the prototxt from one blob to the next. */
type Step = (bottom: string, top: string) => string;

function head(name: string, type: string, bottom: string, tops: string[]): string {
  const blobs = tops.map((top) => `top: "${top}"`).join(" ");
  return `layer { name: "${name}" type: "${type}" bottom: "${bottom}" ${blobs}`;
}

/** The prototxt of the layer, and of those that pad, crop and add the bias; blobs y0, y1, ... lead from x to y. */
function lines({ geometry, out_channels, bias }: Layer, fields: Fields, { crop, pad, biasInside }: Ends): string {
  const count = `${out_channels ?? "num_output"}`;
  const steps = [deconvolution(count, fields)];
  const margin = Math.max(...pad.flat());
  if (margin) steps.push(zeroPad(margin, count));
  for (const [axis, { fine }] of geometry.axes.entries()) {
    const [low, high] = crop[axis]!.map((cells, end) => cells + (margin && margin - pad[axis]![end]!)) as Pair;
    if (low || high) steps.push(slice(axis, low, high, fine));
  }
  const late = bias && !biasInside;
  // A Scale layer, whose scale is 1 unless it is told otherwise.
  if (late) steps.push((bottom, top) => `${head("up_bias", "Scale", bottom, [top])} scale_param { bias_term: true } }`);
  const names = chain(steps.length);
  return joined(
    "# x and y: (N, channels, *size); the weights are tconv's w as it is, (Cin, Cout/group, *kernel)",
    '# net.params["up"][0].data[...] = w',
    bias ? [`# net.params["${late ? "up_bias" : "up"}"][1].data[...] = b`] : [],
    steps.map((step, i) => step(names[i]!, names[i + 1]!)),
  );
}

function deconvolution(count: string, fields: Fields): Step {
  const said = Object.entries(fields).flatMap(([name, entry]) => {
    const entries = [entry].flat();
    return (new Set(entries).size > 1 ? entries : entries.slice(0, 1)).map((one) => `${name}: ${one}`);
  });
  return (bottom, top) =>
    `${head("up", "Deconvolution", bottom, [top])}\n` +
    `  convolution_param { num_output: ${count} ${said.join(" ")} } }`;
}

/** Caffe has no layer that pads with zeros, but a convolution with one tap of 1 for each channel does. */
function zeroPad(margin: number, count: string): Step {
  return (bottom, top) =>
    `${head("zeros", "Convolution", bottom, [top])}\n` +
    `  convolution_param { num_output: ${count} kernel_size: 1 pad: ${margin} group: ${count} bias_term: false ` +
    'weight_filler { type: "constant" value: 1 } } }';
}

function slice(axis: number, low: number, high: number, kept: number): Step {
  const points = [...(low ? [low] : []), ...(high ? [low + kept] : [])].map((point) => `slice_point: ${point}`);
  return (bottom, top) => {
    const tops = [...(low ? [`low${axis}`] : []), top, ...(high ? [`high${axis}`] : [])];
    return `${head(`crop${axis}`, "Slice", bottom, tops)} slice_param { axis: ${axis + 2} ${points.join(" ")} } }`;
  };
}
