// ONNX: the ConvTranspose operator with explicit pads, which are (low of every axis..., high of every axis...).
import { type Dialect, type Ends, endsOf, type Layer } from "./base";
import { anyCells, call, chain, joined, List, literal } from "./code";
import { nearestEnds } from "./ends";
import { fromTconvLines, OWN } from "./weights";

const GROUPS = "onnx.reference fails for groups of more than one input or output channel; ONNX Runtime is right.";

export const onnx: Dialect = {
  name: "onnx",
  title: "ONNX",
  write(layer) {
    const g = layer.geometry;
    const most = g.stride.map((s) => s - 1);
    const said = nearestEnds(g, most);
    const ends = endsOf(
      layer,
      said.map(([low, high, a]) => [low, high - a]),
      "ONNX",
      "no negative pads, and an output_padding below the stride",
    );
    const attributes = {
      dilations: g.dilation,
      group: layer.groups,
      kernel_shape: g.kernel,
      output_padding: said.map(([, , a]) => a),
      pads: [...said.map(([low]) => low), ...said.map(([, high]) => high)],
      strides: g.stride,
    };
    const depthwise = layer.in_channels === layer.groups && layer.out_channels === layer.groups;
    if (layer.groups > 1 && !depthwise) ends.notes.push(GROUPS);
    const parameters = { auto_pad: "NOTSET", ...attributes };
    return { ...ends, parameters, kernel: g.kernel, code: lines(layer, attributes, ends) };
  },
};

type Step = [operator: string, inputs: string[], attributes: Record<string, unknown>];

function lines(layer: Layer, values: Record<string, unknown>, { crop, pad, biasInside }: Ends): string {
  const { ndim } = layer.geometry;
  const attributes = Object.fromEntries(
    Object.entries(values).map(([name, entry]) => [name, Array.isArray(entry) ? new List(entry) : entry]),
  );
  const steps: Step[] = [["ConvTranspose", biasInside ? ["w", "b"] : ["w"], attributes]];
  const arrays: Record<string, string> = biasInside ? { w: "w", b: "b" } : { w: "w" };
  const array = (entries: number[]) => `np.array(${literal(new List(entries))})`;
  if (anyCells(pad)) {
    arrays.zeros = array([0, 0, ...pad.map(([low]) => low), 0, 0, ...pad.map(([, high]) => high)]);
    steps.push(["Pad", ["zeros"], {}]);
  }
  if (anyCells(crop)) {
    arrays.first = array(crop.map(([low]) => low));
    arrays.last = array(crop.map(([, high]) => -high || 2 ** 31));
    arrays.axes = array(crop.map((_, i) => i + 2));
    steps.push(["Slice", ["first", "last", "axes"], {}]);
  }
  if (layer.bias && !biasInside) {
    arrays.b = `b.reshape(-1${", 1".repeat(ndim)})`;
    steps.push(["Add", ["b"], {}]);
  }
  return joined(
    steps.length > 1 ? ["import numpy as np"] : [],
    "from onnx import helper, numpy_helper",
    "",
    "# the nodes and initializers (arrays) of a graph from x to y, both (N, channels, *size)",
    fromTconvLines(OWN, layer.groups, null, ndim),
    "arrays = [",
    Object.entries(arrays).map(([name, said]) => `    numpy_helper.from_array(${said}, "${name}"),`),
    "]",
    "nodes = [",
    nodes(steps),
    "]",
  );
}

/** A line for each node, chained from x to y. */
function nodes(steps: Step[]): string[] {
  const names = chain(steps.length);
  return steps.map(([operator, inputs, attributes], i) => {
    const positional = [operator, new List([names[i], ...inputs]), new List([names[i + 1]])].map(literal);
    return `    ${call("helper.make_node", positional, attributes)},`;
  });
}
