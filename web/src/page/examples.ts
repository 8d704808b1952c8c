// Geometries to begin with: the pictures of the guide to convolution arithmetic, and what it does not show.
import type { Options } from "../core/options";
import type { Word } from "./words";

interface Example {
  word: Word;
  view: string;
  options: Options;
}

export const EXAMPLES: readonly Example[] = [
  { word: "example padding", view: "both", options: { fine: "5x5", kernel: "3", stride: "2", padding: "1" } },
  { word: "example matrix", view: "matrix", options: { fine: "4x4", kernel: "3" } },
  { word: "example transpose", view: "gather", options: { coarse: "2x2", kernel: "3" } },
  { word: "example zeros", view: "gather", options: { coarse: "2x2", kernel: "3", stride: "2" } },
  { word: "example remainder", view: "sizes", options: { fine: "6", kernel: "3", stride: "2", padding: "1" } },
  { word: "example uneven", view: "coverage", options: { coarse: "4x4", kernel: "3", stride: "2" } },
  { word: "example dilation", view: "scatter", options: { coarse: "3x3", kernel: "3", stride: "2", dilation: "2" } },
  {
    word: "example depthwise",
    view: "channels",
    options: {
      coarse: "4x4",
      kernel: "4",
      stride: "2",
      padding: "1",
      "in-channels": "6",
      "out-channels": "6",
      groups: "6",
    },
  },
  { word: "example vocoder", view: "phases", options: { coarse: "32", kernel: "16", stride: "8", padding: "4" } },
];
