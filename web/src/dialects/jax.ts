// JAX: lax.conv_transpose, and lax.conv_general_dilated, its groups-taking form. Their padding is eff - 1 less the cut.
import { atMost3, type Dialect, endsOf, type Layer, times } from "./base";
import { call, joined, List, type Pair } from "./code";
import { cuts } from "./ends";
import { fromTconvLines } from "./weights";

const GROUPS = "lax.conv_transpose has no groups: lax.conv_general_dilated, which it calls, has feature_group_count.";

export const jax: Dialect = {
  name: "jax",
  title: "JAX",
  write(layer) {
    const { geometry: g, groups } = layer;
    atMost3("JAX", g);
    const padding = cuts(g).map(([low, high], i): Pair => {
      const reach = g.receptiveField[i]! - 1;
      return [reach - low, reach - high];
    });
    const parameters = {
      strides: g.stride,
      padding,
      rhs_dilation: g.dilation,
      ...(groups > 1 ? { feature_group_count: groups } : { transpose_kernel: false }),
    };
    const notes = groups > 1 ? [GROUPS] : [];
    return { ...endsOf(layer), notes, parameters, kernel: g.kernel, code: lines(layer, padding) };
  },
};

function lines({ geometry: g, groups, bias }: Layer, padding: Pair[]): string {
  const letters = "HWD".slice(0, g.ndim);
  const grid = `N${letters}C`;
  const strides = new List(g.stride);
  const rhs_dilation = new List(g.dilation);
  const [name, keywords] =
    groups > 1
      ? [
          "general_dilated",
          {
            window_strides: new List(times(1, g.ndim)),
            padding,
            lhs_dilation: strides,
            rhs_dilation,
            dimension_numbers: [grid, `${letters}IO`, grid],
            feature_group_count: groups,
          },
        ]
      : ["transpose", { strides, padding, ...(Math.max(...g.dilation) > 1 ? { rhs_dilation } : {}) }];
  return joined(
    "from jax import lax",
    "",
    "# x and y: (N, *size, channels)",
    fromTconvLines({ axes: "*IO", flipped: true, grouping: "outputs" }, groups, null, g.ndim),
    `y = ${call(`lax.conv_${name}`, ["x", "kernel"], keywords)}`,
    bias ? ["y = y + b"] : [],
  );
}
