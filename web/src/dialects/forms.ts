// The frameworks whose dialects share a form, a record each.
import type { Geometry } from "../core/geometry";
import { anyCells, literal, padded } from "./code";
import { nearestEnds } from "./ends";
import { alike, flat, layered, OF_LAX, PAIRS, type Padding, SYMMETRIC } from "./layered";
import type { WeightLayout } from "./weights";

const TORCHS = {
  in_channels: "in_channels",
  out_channels: "out_channels",
  kernel: "kernel_size",
  stride: "stride",
  padding: "padding",
  output_padding: "output_padding",
  groups: "groups",
  bias: "bias",
  dilation: "dilation",
};
const { groups: _, ...UNGROUPED } = TORCHS;
const LAX = {
  kernel: "kernel_size",
  stride: "strides",
  padding: "padding",
  dilation: "kernel_dilation",
  bias: "use_bias",
};
const FLAX: WeightLayout = { axes: "*IO", flipped: true, grouping: "dense" };
/** A number an axis, or both ends of each in one list; none negative. */
const FLAT: Padding = {
  ends: "no negative padding, and an output padding below the stride",
  said: (g, most) => nearestEnds(g, most),
  parameter: (_, ends) => (alike(ends) ? ends.map(([low]) => low) : flat(ends)),
};

function added({ output_padding }: Geometry): string {
  return output_padding.some(Boolean) ? `, output_padding=${literal(output_padding)}` : "";
}

export const torch = layered({
  name: "torch",
  title: "PyTorch",
  words: TORCHS,
  imports: ["import torch"],
  layer: (n) => `torch.nn.ConvTranspose${n}d`,
  padding: SYMMETRIC,
  most: (g) => g.axes.map(({ stride, dilation }) => Math.max(stride, dilation) - 1),
  load: (call, bias) => [
    `layer = ${call}`,
    "with torch.no_grad():",
    "    layer.weight.copy_(torch.as_tensor(w))",
    ...(bias ? ["    layer.bias.copy_(torch.as_tensor(b))"] : []),
    "y = layer(x)",
  ],
  // F.pad starts with the last axis.
  pad: (pad) => [["from torch.nn import functional as F"], `y = F.pad(y, (${pad.toReversed().flat().join(", ")}))`],
  late: (ones) => `y = y + torch.as_tensor(b).reshape(-1${ones})`,
  notes: (g, crop) =>
    anyCells(crop)
      ? [
          `tconv.torch.nn.ConvTranspose${g.ndim}d(..., padding=${literal(g.padding)}${added(g)}) says it as it is, ` +
            "also in nn.Sequential.",
        ]
      : [],
});

const flax = layered({
  name: "flax",
  title: "Flax",
  last: true,
  words: { ...LAX, out_channels: "features" },
  layout: FLAX,
  imports: ["from flax import linen as nn"],
  layer: () => "nn.ConvTranspose",
  positional: ["out_channels"],
  whole: ["kernel"],
  padding: OF_LAX,
  load: (call, bias) => [
    `layer = ${call}`,
    `y = layer.apply({"params": {"kernel": kernel${bias ? ', "bias": b' : ""}}}, x)`,
  ],
});

const nnx = layered({
  name: "nnx",
  title: "Flax NNX",
  last: true,
  words: { ...LAX, in_channels: "in_features", out_channels: "out_features" },
  layout: FLAX,
  imports: ["from flax import nnx"],
  layer: () => "nnx.ConvTranspose",
  whole: ["kernel"],
  extra: "rngs=nnx.Rngs(0)",
  padding: OF_LAX,
  load: (call, bias) => [
    `layer = ${call}`,
    "layer.kernel[...] = kernel",
    ...(bias ? ["layer.bias[...] = b"] : []),
    "y = layer(x)",
  ],
});

const equinox = layered({
  name: "equinox",
  title: "Equinox",
  words: { ...TORCHS, bias: "use_bias" },
  layout: { axes: "OI*", flipped: true, grouping: "outputs" },
  imports: ["import equinox as eqx", "import jax"],
  layer: (n) => `eqx.nn.ConvTranspose${n}d`,
  extra: "key=jax.random.key(0)",
  padding: PAIRS,
  load: (call, bias, ones) => {
    const load = (name: string, array: string) =>
      `layer = eqx.tree_at(lambda layer: layer.${name}, layer, jax.numpy.asarray(${array}))`;
    return [
      `layer = ${call}`,
      load("weight", "kernel"),
      ...(bias ? [load("bias", `b.reshape(-1${ones})`)] : []),
      "y = jax.vmap(layer)(x)",
    ];
  },
});

const haiku = layered({
  name: "haiku",
  title: "Haiku",
  last: true,
  words: {
    kernel: "kernel_shape",
    stride: "stride",
    padding: "padding",
    out_channels: "output_channels",
    bias: "with_bias",
  },
  layout: { ...FLAX, axes: "*OI" },
  imports: ["import haiku as hk"],
  layer: (n) => `hk.Conv${n}DTranspose`,
  positional: ["out_channels"],
  extra: 'name="up"',
  padding: OF_LAX,
  load: (call, bias) => [
    `layer = hk.without_apply_rng(hk.transform(lambda x: ${call}(x)))`,
    `y = layer.apply({"up": {"w": kernel${bias ? ', "b": b' : ""}}}, x)`,
  ],
});

const mlx = layered({
  name: "mlx",
  title: "MLX",
  last: true,
  words: UNGROUPED,
  layout: { axes: "O*I", grouping: "dense" },
  imports: ["import mlx.core as mx", "import mlx.nn as nn"],
  layer: (n) => `nn.ConvTranspose${n}d`,
  padding: { ...SYMMETRIC, ends: "one padding for both ends, from 0 to d (k - 1)" },
  limit: (g) => g.receptiveField.map((cells) => cells - 1),
  load: (call, bias) => [
    `layer = ${call}`,
    "layer.weight = mx.array(kernel)",
    ...(bias ? ["layer.bias = mx.array(b)"] : []),
    "y = layer(x)",
  ],
  pad: (pad) => [[], padded(pad, "mx.pad")[0]!],
  late: () => "y = y + mx.array(b)",
});

const paddle = layered({
  name: "paddle",
  title: "PaddlePaddle",
  words: { ...TORCHS, bias: "bias_attr" },
  imports: ["import paddle"],
  layer: (n) => `paddle.nn.Conv${n}DTranspose`,
  padding: FLAT,
  load: (call, bias) => [
    `layer = ${call}`,
    "layer.weight.set_value(w)",
    ...(bias ? ["layer.bias.set_value(b)"] : []),
    "y = layer(x)",
  ],
  pad: (pad) => [
    [],
    `y = paddle.nn.functional.pad(y, [0, 0, 0, 0, ${pad.flat().join(", ")}], pad_from_left_axis=True)`,
  ],
  late: (ones) => `y = y + paddle.to_tensor(b).reshape([-1${ones}])`,
});

const tinygrad = layered({
  name: "tinygrad",
  title: "tinygrad",
  words: TORCHS,
  imports: ["from tinygrad import Tensor, nn"],
  layer: () => "nn.ConvTranspose2d",
  whole: ["kernel"],
  anyAxes: true,
  padding: {
    ends: "",
    said: (g, most) => nearestEnds(g, most, true),
    parameter: (_, ends) => (alike(ends) ? ends.map(([low]) => low) : flat(ends.toReversed())),
  },
  load: (call, bias) => [
    `layer = ${call}`,
    "layer.weight = Tensor(w)",
    ...(bias ? ["layer.bias = Tensor(b)"] : []),
    "y = layer(x)",
  ],
});

const coreml = layered({
  name: "coreml",
  title: "Core ML",
  words: { stride: "strides", padding: "pad", groups: "groups", dilation: "dilations" },
  imports: ["from coremltools.converters.mil import Builder as mb"],
  layer: () => "mb.conv_transpose",
  positional: [],
  whole: ["stride", "padding", "dilation"],
  extra: 'pad_type="custom"',
  fromDocumentation: true,
  padding: { ...FLAT, ends: "no negative pad, and no output padding", parameter: (_, ends) => flat(ends) },
  most: (g) => g.stride.map(() => 0),
  load: (call, bias) => [`y = ${call.replace("(", `(x=x, weight=w, ${bias ? "bias=b, " : ""}`)}`],
  pad: (pad) => [[], `y = mb.pad(x=y, pad=[0, 0, 0, 0, ${pad.flat().join(", ")}], mode="constant", constant_val=0.0)`],
  late: (ones) => `y = mb.add(x=y, y=b.reshape(-1${ones}))`,
  cropped: ({ fine }, crop) => {
    const begin = [0, 0, ...crop.map(([low]) => low)].join(", ");
    const size = `size=[-1, -1, ${fine.join(", ")}]`;
    return anyCells(crop) ? [`y = mb.slice_by_size(x=y, begin=[${begin}], ${size})  # for this size of x`] : [];
  },
});

const mxnet = layered({
  name: "mxnet",
  title: "MXNet",
  words: { ...TORCHS, stride: "strides", out_channels: "channels", bias: "use_bias" },
  imports: ["import mxnet as mx"],
  layer: (n) => `mx.gluon.nn.Conv${n}DTranspose`,
  positional: ["out_channels"],
  fromDocumentation: true,
  padding: SYMMETRIC,
  load: (call, bias) => [
    `layer = ${call}`,
    "layer.initialize()",
    "layer.weight.set_data(mx.np.array(w))",
    ...(bias ? ["layer.bias.set_data(mx.np.array(b))"] : []),
    "y = layer(x)",
  ],
  pad: (pad) => {
    const around = pad.map(([low, high]) => `(${low}, ${high})`).join(", ");
    return [[], `y = mx.np.pad(y, [(0, 0), (0, 0), ${around}])`];
  },
  late: (ones) => `y = y + mx.np.array(b).reshape(-1${ones})`,
});

export const OTHERS = [flax, nnx, equinox, haiku, mlx, paddle, tinygrad, coreml, mxnet];
