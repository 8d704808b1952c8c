// What tests ask of this folder: JSON in, JSON out; pixels and bytes are lists.
import { Axis, type AxisRecord } from "../core/axis";
import { Geometry, type GeometryRecord } from "../core/geometry";
import { type Frame, gif } from "./gif";
import { checkerboard, type Picture, tapsOf, upsample, type Weights } from "./picture";

type Listed<T> = Omit<T, "pixels"> & { pixels: number[] };

const listed = <T extends Picture>(picture: T): Listed<T> => ({ ...picture, pixels: [...picture.pixels] });

export const port = {
  gif: (frames: Listed<Frame>[], loop?: boolean) => [
    ...gif(
      frames.map((frame) => ({ ...frame, pixels: Uint8ClampedArray.from(frame.pixels) })),
      loop,
    ),
  ],
  tapsOf: (axis: AxisRecord, weights: Weights) => tapsOf(Axis.of(axis), weights),
  upsample: (pixels: number[], width: number, height: number, geometry: GeometryRecord, weights: Weights) =>
    listed(upsample(Uint8ClampedArray.from(pixels), width, height, Geometry.of(geometry), weights)),
  checkerboard: (geometry: GeometryRecord, weights: Weights, cells?: number) =>
    listed(checkerboard(Geometry.of(geometry), weights, cells)),
};
