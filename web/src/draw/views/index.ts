// The views, a file each, in one registry: how many steps they have, and what they show.
import type { Geometry } from "../../core/geometry";
import type { Board, Channels } from "../cells";
import type { Scene } from "../scene";
import { both } from "./both";
import { channels } from "./channels";
import { coverage } from "./coverage";
import { gather } from "./gather";
import { matrix } from "./matrix";
import { phases } from "./phases";
import { scatter } from "./scatter";
import { sizes } from "./sizes";

/** One way to look at a geometry; `first` is the step that a single picture shows. */
export type View = {
  steps: (g: Geometry, channels?: Channels) => number;
  first: (g: Geometry, channels?: Channels) => number;
  scene: (board: Board, step: number) => Scene;
};

export const VIEWS: Record<string, View> = { scatter, gather, both, matrix, sizes, coverage, phases, channels };

/** The views that show several channels; others show one. */
export const OF_CHANNELS = ["channels"];
