// What every dialect shares: the neutral layer, what a framework says of it, and the interface of a dialect.
import { divides, integer, wrong } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { anyCells, literal, type Pair, value } from "./code";
import { cuts, difference, lookAlike } from "./ends";

/** A transposed convolution that belongs to no framework; channels are null where they were not said. */
export interface Layer {
  geometry: Geometry;
  in_channels: number | null;
  out_channels: number | null;
  groups: number;
  bias: boolean;
}

/** What has to be done to a framework's result to get ours. */
export interface Ends {
  /** Cells to cut off at the (low, high) end of each axis. */
  crop: Pair[];
  /** Zeros to put there first. */
  pad: Pair[];
  /** Whether the framework's layer adds the bias; where zeros are put around its result, it has to come after them. */
  biasInside: boolean;
  /** Sentences: what differs, what was worked around, which runtimes disagree. */
  notes: string[];
}

/** A layer as one framework says it. */
export interface Written extends Ends {
  parameters: Record<string, unknown>;
  /** Taps of its weights; more than ours where a dilation had to be written out as zeros. */
  kernel: number[];
  /** Lines to paste; they take x, w and b (if there is a bias) and leave y. */
  code: string;
}

export interface Dialect {
  name: string;
  /** As a sentence names it. */
  title: string;
  /** Refuses, by `Rejected`, where no layer of the framework comes near. */
  write(layer: Layer): Written;
}

/** A layer whose groups divide its channels. */
export function layerOf(geometry: Geometry, said: Partial<Omit<Layer, "geometry">> = {}): Layer {
  const { in_channels = null, out_channels = null, groups = 1, bias = false } = said;
  integer("groups", groups, 1);
  for (const [name, channels] of Object.entries({ in_channels, out_channels })) {
    if (channels !== null) divides("groups", groups, name, integer(name, channels, 1));
  }
  return { geometry, in_channels, out_channels, groups, bias };
}

export function atMost3(title: string, { ndim }: Geometry): void {
  if (ndim > 3)
    wrong(`geometry must have at most 3 axes, all that ${title}'s transposed convolutions have; got ${ndim}`);
}

/** What is to be done where a framework's layer cuts `said`, and the reason why it cannot cut what ours does. */
export function endsOf({ geometry, bias }: Layer, said = cuts(geometry), title = "", reason = ""): Ends {
  const [crop, pad] = difference(said, cuts(geometry));
  const padded = anyCells(pad);
  const notes = [];
  if (anyCells(crop))
    notes.push(`${title} cannot say this geometry (${reason}): the layer is larger, and ${shown(crop)} is cropped.`);
  if (padded) {
    const after = bias ? "; the bias is added after it, since cells that no tap reaches hold the bias" : "";
    notes.push(`${title} cannot make the result this long (${reason}): zeros are put at ${shown(pad)}${after}.`);
  }
  return { crop, pad, biasInside: bias && !padded, notes };
}

/** A warning of the parameters that give the right size and another result. */
export function shiftNote(geometry: Geometry, most: readonly number[], names: readonly string[]): string[] {
  const pairs = lookAlike(geometry, most);
  if (!pairs) return [];
  const said = [0, 1].map((entry) => `${names[entry]}=${value(pairs.map((pair) => pair[entry]!))}`);
  const added = pairs.some(([, a]) => a);
  const theirs = pairs.map(([p, a]): Pair => [p, p - a]);
  return [
    `${said.slice(0, added ? 2 : 1).join(" with ")} gives the same size but a shifted result: ` +
      `it cuts ${shown(theirs)}, not ${shown(cuts(geometry))}.`,
  ];
}

/** (low, high) of each axis, as a note shows it. */
function shown(pairs: Pair[]): string {
  return pairs.map(literal).join(" x ");
}

/** A parameter that is left out where the layer does not say it. */
export function given(name: string, count: number | null): Record<string, number> {
  return count === null ? {} : { [name]: count };
}

/** The same entry for each axis. */
export function times<T>(entry: T, ndim: number): T[] {
  return Array<T>(ndim).fill(entry);
}
