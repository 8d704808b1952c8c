// What tests ask of this folder: JSON in, JSON out.
import { Geometry, type GeometryRecord } from "../core/geometry";
import { figure, type Options } from "./figure";
import { width, wrapped } from "./text";
import { VIEWS } from "./views";
import { learnt } from "./words";

export const port = {
  figure: (g: GeometryRecord, view: string, options: Options) => figure(Geometry.of(g), view, options),
  views: () => Object.keys(VIEWS),
  steps: (g: GeometryRecord, view: string) => VIEWS[view]!.steps(Geometry.of(g)),
  first: (g: GeometryRecord, view: string) => VIEWS[view]!.first(Geometry.of(g)),
  width,
  wrapped,
  sentences: learnt,
};
