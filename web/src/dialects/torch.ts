// PyTorch: nn.ConvTranspose1d to 3d, with one padding for both ends and an output padding < max(stride, dilation).
import { atMost3, type Dialect, type Ends, endsOf, given, type Layer, shiftNote } from "./base";
import { anyCells, call, cropped, joined, literal } from "./code";
import { symmetricPadding } from "./ends";
import { fromTconvLines, OWN } from "./weights";

const DEFAULTS = { padding: 0, output_padding: 0, groups: 1, bias: true, dilation: 1, stride: 1 };

export const torch: Dialect = {
  name: "torch",
  title: "PyTorch",
  write(layer) {
    const g = layer.geometry;
    atMost3("PyTorch", g);
    const most = g.axes.map((axis) => Math.max(axis.stride, axis.dilation) - 1);
    const said = symmetricPadding(g, most);
    const ends = endsOf(
      layer,
      said.map(([p, a]) => [p, p - a]),
      "PyTorch",
      "one padding for both ends, none of them negative",
    );
    ends.notes.push(...shiftNote(g, most, ["padding", "output_padding"]));
    const keywords = {
      kernel_size: g.kernel,
      stride: g.stride,
      padding: said.map(([p]) => p),
      output_padding: said.map(([, a]) => a),
      groups: layer.groups,
      bias: ends.biasInside,
      dilation: g.dilation,
    };
    const channels = { ...given("in_channels", layer.in_channels), ...given("out_channels", layer.out_channels) };
    return { ...ends, parameters: { ...channels, ...keywords }, kernel: g.kernel, code: lines(layer, keywords, ends) };
  },
};

function lines(layer: Layer, keywords: Record<string, unknown>, { crop, pad, biasInside }: Ends): string {
  const { ndim } = layer.geometry;
  const channels = [layer.in_channels ?? "in_channels", layer.out_channels ?? "out_channels"];
  const padded = anyCells(pad);
  return joined(
    "import torch",
    padded ? ["from torch.nn import functional as F"] : [],
    "",
    "# x and y: (N, channels, *size)",
    fromTconvLines(OWN, layer.groups, null, ndim),
    `layer = ${call(`torch.nn.ConvTranspose${ndim}d`, channels, keywords, DEFAULTS)}`,
    "with torch.no_grad():",
    "    layer.weight.copy_(torch.as_tensor(w))",
    biasInside ? ["    layer.bias.copy_(torch.as_tensor(b))"] : [],
    "y = layer(x)",
    // F.pad starts with the last axis.
    padded ? [`y = F.pad(y, ${literal(pad.toReversed().flat())})`] : [],
    cropped(crop, true),
    layer.bias && !biasInside ? [`y = y + torch.as_tensor(b).reshape(-1${", 1".repeat(ndim)})`] : [],
  );
}
