// What all parts of the page show: the state, and the geometry and the words that follow from it.
import { Rejected } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { prod } from "../core/integers";
import { geometryOf, inOptions, integerOf, type Options, UsageError } from "../core/options";
import { type Refusal, type Saying, says } from "../dialects";
import { Board, type Channels } from "../draw/cells";
import { channelsOf } from "../draw/figure";
import type { ThemeName } from "../draw/themes";
import { VIEWS } from "../draw/views";
import type { Language } from "../draw/words";
import { BEGIN, type State, shortest } from "./state";
import { say, type Word } from "./words";

export interface Model {
  state: State;
  /** The last one that was possible, and its dialects. */
  geometry: Geometry;
  channels: Channels;
  board: Board;
  sayings: (Saying | Refusal)[];
  /** Why the options are no geometry, in the words of the command line; "" where they are one. */
  error: string;
  view: (typeof VIEWS)[string];
  step: number;
  steps: number;
  language: Language;
  theme: ThemeName;
  t: (word: Word, ...args: (string | number)[]) => string;
}

/** A part of the page, which shows a model after the other. */
export interface Part {
  element: HTMLElement;
  show(model: Model): void;
}

/** What changes a state, and with it all parts. */
export type Change = (change: Partial<State>) => void;

/** What follows from a state; where its options are impossible, the geometry before stays. */
export function modelOf(state: State, dark: boolean, before?: Model): Model {
  const [found, error] = attempt(() => derived(state.options));
  const { geometry, sayings, channels } = found ?? before ?? derived(BEGIN);
  const name = state.view in VIEWS ? state.view : "scatter";
  const view = VIEWS[name]!;
  const steps = view.steps(geometry, channels);
  return {
    state: { ...state, view: name },
    geometry,
    channels,
    board: new Board(geometry, undefined, undefined, channels),
    sayings,
    error,
    view,
    step: Math.min(state.step ?? view.first(geometry, channels), steps - 1),
    steps,
    language: state.language,
    theme: state.shade === "auto" ? (dark ? "dark" : "light") : state.shade,
    t: (word, ...args) => say(state.language, word, ...args),
  };
}

/** Taps of a kernel, at most: pictures add up as many products in every cell, and answer at once. */
const TAPS = 10_000;

function derived(options: Options) {
  const geometry = geometryOf(options);
  const taps = prod(geometry.kernel);
  if (taps > TAPS)
    throw new UsageError(`--kernel must have at most ${TAPS} taps to be drawn on this page; got ${taps}`);
  // A single group is the same as none said, here as in the address.
  const channels = inOptions(() => channelsOf("channels", layerOf(shortest(options))));
  return { geometry, channels, sayings: inOptions(() => says(geometry, layerOf(options))) };
}

/** The channels that were said, by the names that a layer has for them. */
function layerOf(options: Options): Record<string, number> {
  const said = ["in-channels", "out-channels", "groups"].filter((name) => options[name] !== undefined);
  return Object.fromEntries(said.map((name) => [name.replace("-", "_"), integerOf(`--${name}`, options[name]!)]));
}

/** What a call returns, or the reason why it is refused. */
export function attempt<T>(call: () => T): [T | null, string] {
  try {
    return [call(), ""];
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return [null, error.message];
  }
}
