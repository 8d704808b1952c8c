// A picture of a geometry: its scene, where everything lies, and the text of an SVG file.
import { choice, divides, integer, words, wrong } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { Board, CHANNELS, type Channels, type Values } from "./cells";
import { type FormName, place } from "./layout";
import type { Scene } from "./scene";
import type { Sheet } from "./sheet";
import { svg } from "./svg";
import { THEMES, type ThemeName } from "./themes";
import { OF_CHANNELS, VIEWS } from "./views";
import { LANGUAGES, type Language } from "./words";

/** Values of a grid, a list an axis. */
export type Nested = readonly (number | Nested)[];

export type Options = {
  step?: number | null; // one in the midst where it is left out
  lang?: Language;
  theme?: ThemeName;
  x?: Nested | null; // small whole numbers where they are left out
  w?: Nested | null; // 1, 2, 3, ... where they are left out
  in_channels?: number | null; // for the view of channels: one a group where they are left out
  out_channels?: number | null;
  groups?: number | null;
  form?: FormName; // wide or narrow
  live?: boolean; // rectangles say which cell they are
};

export type Figure = { scene: Scene; sheet: Sheet; svg: string };

export function figure(geometry: Geometry, view: string, options: Options = {}): Figure {
  const { lang = "en", theme = "light", form = "wide", live = false } = options;
  choice("lang", lang, LANGUAGES);
  choice("theme", theme, Object.keys(THEMES));
  const scene = sceneOf(geometry, view, options);
  const sheet = place(scene, lang, form);
  return { scene, sheet, svg: svg(sheet, THEMES[theme], live) };
}

export function sceneOf(geometry: Geometry, view: string, options: Options = {}): Scene {
  const { steps, first, scene } = VIEWS[choice("view", view, Object.keys(VIEWS))]!;
  const [x, w] = [reader("x", options.x, geometry.coarse), reader("w", options.w, geometry.kernel)];
  const channels = channelsOf(view, options);
  const number = integer("step", options.step ?? first(geometry, channels), 0);
  const most = steps(geometry, channels);
  if (number >= most) wrong(`step must be below ${most}, the steps of this view; got ${number}`);
  return scene(new Board(geometry, x, w, channels), number);
}

/** The channels of a view that shows them. What is said and would not be seen is refused. */
export function channelsOf(view: string, { in_channels, out_channels, groups }: Options): Channels {
  const said = Object.entries({ in_channels, out_channels, groups }).filter(([, value]) => value != null);
  if (!said.length) return CHANNELS;
  if (!OF_CHANNELS.includes(view)) {
    const [name, value] = said[0]!;
    const takes = `view ${words(OF_CHANNELS)} takes it`;
    wrong(`${name} must be left out for view ${words([view])}, which shows one channel: ${takes}; got ${value}`);
  }
  const number = integer("groups", groups ?? 1, 1);
  const found = {
    in_channels: integer("in_channels", in_channels ?? number, 1),
    out_channels: integer("out_channels", out_channels ?? number, 1),
    groups: number,
  };
  divides("groups", number, "in_channels", found.in_channels);
  divides("groups", number, "out_channels", found.out_channels);
  return found;
}

// From an index to a value.
function reader(name: string, values: Nested | null | undefined, shape: number[]): Values | undefined {
  if (!values) return undefined;
  if (!fits(values, shape)) wrong(`${name} must be an array of numbers of shape (${shape.join(", ")})`);
  return {
    at: (index) => index.reduce((inner: unknown, i) => (inner as Nested)[i], values) as number,
    whole: isWhole(values),
  };
}

function fits(values: unknown, [size, ...inner]: number[]): boolean {
  if (size === undefined) return Number.isFinite(values);
  return Array.isArray(values) && values.length === size && values.every((each) => fits(each, inner));
}

const isWhole = (values: Nested): boolean =>
  values.every((each) => (typeof each === "number" ? Number.isInteger(each) : isWhole(each)));
