// The views, a file each, in one registry: how many steps they have, and what they show.
import type { Geometry } from "../../core/geometry";
import type { Board } from "../cells";
import type { Scene } from "../scene";
import { both } from "./both";
import { coverage } from "./coverage";
import { gather } from "./gather";
import { matrix } from "./matrix";
import { phases } from "./phases";
import { scatter } from "./scatter";
import { sizes } from "./sizes";

/** One way to look at a geometry; `first` is the step that a single picture shows. */
export type View = {
  steps: (g: Geometry) => number;
  first: (g: Geometry) => number;
  scene: (board: Board, step: number) => Scene;
};

export const VIEWS: Record<string, View> = { scatter, gather, both, matrix, sizes, coverage, phases };
