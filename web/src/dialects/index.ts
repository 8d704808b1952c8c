// How frameworks say the same transposed convolution: exactly, or as the nearest larger layer with a crop or a pad.
import { Rejected } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { type Dialect, type Layer, layerOf, type Written } from "./base";
import { caffe } from "./caffe";
import { anyCells } from "./code";
import { OTHERS, torch } from "./forms";
import { jax } from "./jax";
import { keras } from "./keras";
import { native } from "./native";
import { onnx } from "./onnx";
import { tflite } from "./tflite";

export const DIALECTS: readonly Dialect[] = [native, torch, keras, onnx, jax, caffe, tflite, ...OTHERS];

export interface Saying extends Omit<Written, "biasInside"> {
  name: string;
  title: string;
  /** Whether the framework's layer alone gives our result, without a crop or a pad. */
  exact: boolean;
}

/** A framework that has no such layer, and why. */
export interface Refusal {
  name: string;
  title: string;
  refusal: string;
}

/** What each dialect says of a layer; `Rejected` where its groups do not divide its channels. */
export function says(geometry: Geometry, channels: Partial<Omit<Layer, "geometry">> = {}): (Saying | Refusal)[] {
  const layer = layerOf(geometry, channels);
  return DIALECTS.map(({ name, title, write }) => {
    try {
      const { parameters, kernel, crop, pad, notes, code } = write(layer);
      return { name, title, exact: !anyCells([...crop, ...pad]), parameters, kernel, crop, pad, notes, code };
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      return { name, title, refusal: error.message };
    }
  });
}

/** The lines to paste, and below them as comments what to know about them. */
export function pasted({ code, notes }: Saying): string {
  return [code.trimEnd(), ...notes.map((note) => `# Note: ${note}`)].join("\n");
}
