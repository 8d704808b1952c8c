// tconv itself: the keywords of `tconv.conv_transpose`, which say every geometry.
import { type Dialect, endsOf, type Layer } from "./base";
import { call, joined } from "./code";

const DEFAULTS = { stride: 1, padding: 0, output_padding: 0, groups: 1, dilation: 1, layout: "channels_first" };

export const native: Dialect = {
  name: "tconv",
  title: "tconv",
  write(layer) {
    const { kernel, stride, padding, output_padding, dilation } = layer.geometry;
    const keywords = { stride, padding, output_padding, dilation };
    const parameters = { kernel, ...keywords, groups: layer.groups, layout: "channels_first" };
    return { ...endsOf(layer), parameters, kernel, code: lines(layer) };
  },
};

function lines({ geometry, groups, bias }: Layer): string {
  const { stride, padding, output_padding, dilation } = geometry;
  const oneEach = padding.every(([low, high]) => low === high);
  const keywords = {
    stride,
    padding: oneEach ? padding.map(([low]) => low) : padding,
    output_padding,
    groups,
    dilation,
  };
  const transposed = call("tconv.conv_transpose", bias ? ["x", "w", "b"] : ["x", "w"], keywords, DEFAULTS);
  const about = "# x and y: (N, channels, *size); w: (Cin, Cout/groups, *kernel)";
  return joined("import tconv", "", about, `y = ${transposed}`);
}
