// Weight layouts: the lines of NumPy that bring tconv's weights, (Cin, Cout/groups, *kernel), into a framework's order.
import { literal } from "./code";

export interface WeightLayout {
  /** A letter an axis: I for input channels, O for output channels, * for the taps. */
  axes: string;
  /** Whether tap t is kept at kernel - 1 - t. */
  flipped?: boolean;
  /** Where groups are: on the I axis as in PyTorch, on the O axis, or nowhere, so that zeros stand between them. */
  grouping?: "outputs" | "dense";
}

/** tconv's own layout, which is PyTorch's. */
export const OWN: WeightLayout = { axes: "IO*" };

function text({ axes, flipped, grouping }: WeightLayout): string {
  const cin = grouping === "outputs" ? "Cin/groups" : "Cin";
  const letters: Record<string, string> = { I: cin, O: grouping ? "Cout" : "Cout/groups", "*": "*kernel" };
  return `(${[...axes].map((letter) => letters[letter]).join(", ")})${flipped ? ", taps flipped" : ""}`;
}

/** The lines that turn `w` into `kernel`, in this layout; with `dilation`, zeros are written out between the taps. */
export function fromTconvLines(
  layout: WeightLayout,
  groups: number,
  dilation: readonly number[] | null,
  ndim: number,
): string[] {
  const lines: string[] = [];
  let source = "w";
  if (dilation) {
    const sizes = dilation.map((d, i) => `${d} * (w.shape[${i + 2}] - 1) + 1`).join(", ");
    lines.push(
      `spread = np.zeros((*w.shape[:2], ${sizes}), w.dtype)  # the dilation, written out as zeros`,
      `spread[:, :, ${dilation.map((d) => `::${d}`).join(", ")}] = w`,
    );
    source = "spread";
  }
  if (groups > 1 && layout.grouping === "outputs") {
    lines.push(
      `grouped = ${source}.reshape(${groups}, -1, *${source}.shape[1:]).swapaxes(0, 1)`,
      `grouped = grouped.reshape(-1, ${groups} * w.shape[1], *grouped.shape[3:])`,
    );
    source = "grouped";
  }
  if (groups > 1 && layout.grouping === "dense") {
    const block = "[g * rows : (g + 1) * rows";
    lines.push(
      `rows, columns = ${source}.shape[0] // ${groups}, ${source}.shape[1]`,
      `dense = np.zeros((${source}.shape[0], ${groups} * columns, *${source}.shape[2:]), w.dtype)`,
      `for g in range(${groups}):  # zeros between the groups`,
      `    dense${block}, g * columns : (g + 1) * columns] = ${source}${block}]`,
    );
    source = "dense";
  }
  source += reordered(layout, ndim);
  return source === "w" ? [`# w: ${text(layout)}`] : [...lines, `kernel = ${source}  # ${text(layout)}`];
}

/** What these lines have to import. */
export function numpy(lines: readonly string[]): string[] {
  return lines.some((line) => line.includes("np.")) ? ["import numpy as np"] : [];
}

function reordered({ axes, flipped }: WeightLayout, ndim: number): string {
  const taps = Array.from({ length: ndim }, (_, i) => i + 2);
  const order = [...axes].flatMap((letter) => (letter === "*" ? taps : [letter === "I" ? 0 : 1]));
  const flip = flipped ? `[:, :, ${taps.map(() => "::-1").join(", ")}]` : "";
  return flip + (axes === OWN.axes ? "" : `.transpose${literal(order)}`);
}
