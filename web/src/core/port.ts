// What tests ask of this folder: JSON in, JSON out.
import { Axis, type AxisRecord } from "./axis";
import * as explain from "./explain";
import { Geometry, type GeometryRecord } from "./geometry";
import { geometryOf, optionsOf } from "./options";
import { axisPhases, phases } from "./phases";
import { range } from "./range";
import { solutionsOf } from "./solving/asked";

/** A field or a method by its name, with arguments; a number stands for every index below it. */
type Asked = [name: string, args?: unknown[] | number];

function told(it: object, asked: Asked[]): unknown[] {
  return asked.map(([name, args = []]) => {
    const said = (it as Record<string, unknown>)[name];
    if (typeof said !== "function") return said;
    return typeof args === "number" ? range(args).map((i) => said.call(it, i)) : said.apply(it, args);
  });
}

const { matrix, phaseCount, ...ofAxis } = explain;

export const port = {
  axis: (axis: AxisRecord, asked: Asked[]) => told(Axis.of(axis), asked),
  axisPhases: (axis: AxisRecord) => axisPhases(Axis.of(axis)),
  /** Sentences by the names of their functions. */
  explain: (axis: AxisRecord, names: string[]) =>
    told(
      ofAxis,
      names.map((name) => [name, [Axis.of(axis)]]),
    ),
  geometry: (geometry: GeometryRecord, asked: Asked[]) => told(Geometry.of(geometry), asked),
  matrix: (geometry: GeometryRecord, channels: number[]) => matrix(Geometry.of(geometry), ...channels),
  phaseCount: (geometry: GeometryRecord) => phaseCount(Geometry.of(geometry)),
  phases: (geometry: GeometryRecord) => phases(Geometry.of(geometry)).map(String),
  geometryOf,
  optionsOf: (geometry: GeometryRecord, side: "coarse" | "fine") => optionsOf(Geometry.of(geometry), side),
  solutionsOf,
};
