// What tests ask of this folder: JSON in, JSON out.
import { Geometry, type GeometryRecord } from "../core/geometry";
import type { Layer } from "./base";
import { pasted, says } from "./index";

export const port = {
  dialects: (geometry: GeometryRecord, layer: Partial<Omit<Layer, "geometry">> = {}) =>
    says(Geometry.of(geometry), layer).map((said) => ("refusal" in said ? said : { ...said, pasted: pasted(said) })),
};
