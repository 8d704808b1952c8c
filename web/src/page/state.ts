// What the page shows, as the part of an address behind "#": the options of the command line by their own names.
import type { Options } from "../core/options";
import { LANGUAGES, type Language } from "../draw/words";

/** The options that say what the geometry is, in the order of the command line; then those of the channels. */
export const GEOMETRY = ["coarse", "fine", "kernel", "stride", "padding", "output-padding", "output-size", "dilation"];
export const CHANNELS = ["in-channels", "out-channels", "groups"];
export const SHADES = ["auto", "light", "dark"] as const;

export interface State {
  /** By their names; those at their defaults are left out. */
  options: Options;
  view: string;
  /** From 0; null is the one that a view begins with. */
  step: number | null;
  language: Language;
  shade: (typeof SHADES)[number];
}

/** Where somebody begins who asks for nothing. */
export const BEGIN: Options = { coarse: "3x3", kernel: "3", stride: "2", padding: "1" };
const DEFAULTS: Options = { stride: "1", padding: "0", dilation: "1" };

/** The language of who reads: an address that says none is in it. */
export const preferred = (): Language => (navigator.language?.startsWith("zh") ? "zh" : "en");

/** The text of a state; what stands at its default is left out. */
export function written({ options, view, step, language, shade }: State): string {
  const said = Object.entries(shortest(options));
  if (step !== null) said.push(["step", `${step}`]);
  if (language !== preferred()) said.push(["lang", language]);
  if (shade !== SHADES[0]) said.push(["theme", shade]);
  return [["view", view], ...said].map(([name, text]) => `${name}=${encoded(text!)}`).join("&");
}

/** The state that a text says, over one that is there; what it does not know it leaves. */
export function read(text: string, before: State): State {
  const said = new Map(
    text.split("&").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at), decoded(part.slice(at + 1))];
    }),
  );
  const options = named(said, [...GEOMETRY, ...CHANNELS]);
  const step = said.get("step");
  return {
    options: named(said, GEOMETRY).kernel === undefined ? { ...before.options, ...options } : options,
    view: said.get("view") ?? before.view,
    step: step !== undefined && /^\d{1,15}$/.test(step) ? Number(step) : null,
    language: LANGUAGES.find((each) => each === said.get("lang")) ?? preferred(),
    shade: SHADES.find((each) => each === said.get("theme")) ?? SHADES[0],
  };
}

function named(said: Map<string, string>, names: readonly string[]): Options {
  return Object.fromEntries(names.flatMap((name) => (said.has(name) ? [[name, said.get(name)!]] : [])));
}

/** Options without those that say what would hold anyway, in the order of the command line. */
export function shortest(options: Options): Options {
  const names = [...GEOMETRY, ...CHANNELS].filter(
    (name) => options[name] !== undefined && options[name] !== DEFAULTS[name],
  );
  return Object.fromEntries(names.map((name) => [name, options[name]!]));
}

/** A command with these options, as a shell takes it. */
export function command(name: string, options: Options, more = ""): string {
  const words = Object.entries(shortest(options)).map(([option, text]) => ` --${option} ${quoted(text)}`);
  return `tconv ${name}${words.join("")}${more}`;
}

const quoted = (text: string) => (/^[\w:.×,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const encoded = (text: string) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%2C", ",");

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // what is no code stands for itself, and is refused as an option
  }
}
