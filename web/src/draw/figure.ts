// A picture of a geometry: its scene, where everything lies, and the text of an SVG file.
import { choice, integer, wrong } from "../core/checks";
import type { Geometry } from "../core/geometry";
import { Board, type Values } from "./cells";
import { type FormName, place } from "./layout";
import type { Scene } from "./scene";
import type { Sheet } from "./sheet";
import { svg } from "./svg";
import { THEMES, type ThemeName } from "./themes";
import { VIEWS } from "./views";
import { LANGUAGES, type Language } from "./words";

/** Values of a grid, a list an axis. */
export type Nested = readonly (number | Nested)[];

export type Options = {
  step?: number | null; // one in the midst where it is left out
  lang?: Language;
  theme?: ThemeName;
  x?: Nested | null; // small whole numbers where they are left out
  w?: Nested | null; // 1, 2, 3, ... where they are left out
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

export function sceneOf(geometry: Geometry, view: string, { step, x, w }: Options = {}): Scene {
  const { steps, first, scene } = VIEWS[choice("view", view, Object.keys(VIEWS))]!;
  const board = new Board(geometry, reader("x", x, geometry.coarse), reader("w", w, geometry.kernel));
  const number = integer("step", step ?? first(geometry), 0);
  if (number >= steps(geometry)) {
    wrong(`step must be below ${steps(geometry)}, the steps of this view; got ${number}`);
  }
  return scene(board, number);
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
