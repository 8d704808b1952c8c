// A geometry as the options of the command line say it, and back: 4, 32x32, 32,32, 1:2, same.
import { exact, type Ints, isSequence, type Padding, type PaddingLike, Rejected, shorten } from "./checks";
import { Geometry, joined, type WindowOptions } from "./geometry";

/** What was typed, by the names of the options without their dashes; an option that is left out is not there. */
export type Options = Record<string, string>;

/** An option is wrong: its message is what the command prints. */
export class UsageError extends Rejected {}

function refuse(reason: string): never {
  throw new UsageError(reason);
}

const NUMBER = /^\s*[+-]?[0-9]{1,99}\s*$/;
const SEPARATOR = /[x,×]/;

function numberOf(text: string): number | null {
  return NUMBER.test(text) ? Number(text) : null;
}

/** Numbers that are exact as doubles; the text was refused before where it holds none. */
function numbers(entries: (number | null)[]): number[] {
  return entries.map((entry) => {
    exact(Math.abs(entry!));
    return entry!;
  });
}

/** Integers, one for all axes or one for each: "4", "32x48", "32,48". */
export function sizesOf(option: string, text: string): number[] {
  const entries = text.split(SEPARATOR).map(numberOf);
  if (!entries.includes(null)) return numbers(entries);
  refuse(`${option} must be an integer or one for each axis, such as 4 or 4x3; got ${shorten(text)}`);
}

/** One integer, of at least `least`. */
export function integerOf(option: string, text: string, least = 1): number {
  const number = numberOf(text);
  if (number !== null && number >= least) return numbers([number])[0]!;
  return refuse(`${option} must be an integer of at least ${least}; got ${number ?? shorten(text)}`);
}

/** A word, or for all axes or each an integer or a pair: "same", "1", "1x0", "1:2", "1:2x0:1". */
export function paddingOf(text: string): (number | Padding)[] | string {
  const word = text.trim().toLowerCase();
  if (word === "same" || word === "valid") return word;
  return text.split(SEPARATOR).map((entry) => {
    const ends = entry.split(":").map(numberOf);
    if (ends.includes(null) || ends.length > 2) {
      const allowed = 'an integer or a low:high pair, such as 1, 1x0 or 1:2, or "same" or "valid"';
      refuse(`--padding must be ${allowed}; got ${shorten(text)}`);
    }
    const [low, high] = numbers(ends);
    return high === undefined ? low! : [low!, high];
  });
}

type Given = Record<string, (number | Padding)[] | string>;
/** As the library takes them: an integer where there is only one, which stands for every axis. */
type Taken = Record<string, PaddingLike>;

/** The geometry that the options name, from the side that is given. */
export function geometryOf(options: Options): Geometry {
  const { coarse, fine, kernel, stride = "1", padding = "0", dilation = "1" } = options;
  if (kernel === undefined) refuse("Missing option '--kernel'.");
  if ((coarse === undefined) === (fine === undefined)) {
    const hint = "; --output-size names the other one, and `tconv solve` finds what ties two sizes";
    refuse(`one of --coarse and --fine must be given; got ${coarse === undefined ? "neither" : `both${hint}`}`);
  }
  return inOptions(() => {
    const given: Given = {
      kernel: sizesOf("--kernel", kernel!),
      stride: sizesOf("--stride", stride),
      padding: paddingOf(padding),
      dilation: sizesOf("--dilation", dilation),
      ...sizesGiven(options, ["output-padding", "output-size"]),
    };
    const size = coarse === undefined ? sizesOf("--fine", fine!) : sizesOf("--coarse", coarse);
    const taken = onAxes({ size, ...given });
    const geometry = coarse === undefined ? called(Geometry.conv, taken) : fromCoarse(taken);
    geometry.work(); // refuses what cannot be counted
    return geometry;
  });
}

/** Those of the options that are there, as the arguments of the library that they are. */
export function sizesGiven(options: Options, names: readonly string[]): Record<string, number[]> {
  const given = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name.replace("-", "_"), sizesOf(`--${name}`, options[name]!)]));
}

function called(make: typeof Geometry.conv, { size, kernel, ...given }: Taken): Geometry {
  return make(size as Ints, kernel as Ints, given as WindowOptions);
}

function fromCoarse(taken: Taken): Geometry {
  try {
    return called(Geometry.convTranspose, taken);
  } catch (error) {
    if (!(error instanceof Rejected && error.message.startsWith("padding must leave at least 1 cell"))) throw error;
    throw new Rejected(error.message + otherPadding(taken));
  }
}

/** A hint where the padding of the zero-inserted picture was meant: that of the layer leaves a result then. */
function otherPadding(taken: Taken): string {
  const ndim = Math.max(...Object.values(taken).map((value) => (isSequence(value) ? value.length : 1)));
  const [kernel, dilation, padding] = ["kernel", "dilation", "padding"].map((name) => {
    const value = taken[name]!;
    return isSequence(value) ? value : Array<number>(ndim).fill(value as number);
  });
  const meant = padding!.map((p, i) => (dilation![i] as number) * ((kernel![i] as number) - 1) - (p as number));
  if (!meant.every((p) => p >= 0)) return ""; // a pair makes it no number
  try {
    called(Geometry.convTranspose, { ...taken, padding: meant });
  } catch {
    return "";
  }
  const picture = "the picture with zeros inserted, where p' = dilation * (kernel - 1) - padding";
  return `; if that is the padding p' of ${picture}, the layer's is --padding ${joined(meant)}`;
}

/** The first value, the size that is known, and a single low:high pair are repeated for every axis. */
export function onAxes(given: Given): Taken {
  const ndim = Math.max(...Object.values(given).map((value) => (typeof value === "string" ? 0 : value.length)));
  const taken = Object.entries(given).map(([name, value], i) => {
    if (typeof value === "string" || value.length > 1) return [name, value];
    if (typeof value[0] === "number" && (i > 0 || ndim === 1)) return [name, value[0]];
    return [name, Array(ndim).fill(value[0])];
  });
  return Object.fromEntries(taken);
}

/** Arguments of the library that are options of the same name. */
const SIZES = "coarse fine kernel stride padding output_padding output_size dilation scale max_kernel";
const OPTIONS = `${SIZES} groups in_channels out_channels`.split(" ");
/** Those that are no words of a sentence; in quotes, or before a value, they are names of parameters and stay. */
const ANYWHERE = new RegExp(
  `(?<![-\\w"'])(${OPTIONS.filter((name) => name.includes("_")).join("|")})(?![\\w"'=])`,
  "g",
);
/** An entry of a sequence, and in a pair of paddings the end. */
const ENTRY = new RegExp(`^(${OPTIONS.join("|")})\\[(\\d+)\\](?:\\[([01])\\])?`);

/** What the library refuses, said with its arguments written as the options they are. */
export function inOptions<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Rejected) || error instanceof UsageError) throw error;
    const sentence = error.message
      .replace(ENTRY, (_, name, axis, end) => `${name} of axis ${axis}${end ? ` (${["low", "high"][end]} end)` : ""}`)
      .replace(ANYWHERE, (name) => `--${name.replace("_", "-")}`);
    const word = sentence.match(/^[a-z_]+/);
    return refuse((word && OPTIONS.includes(word[0]) ? "--" : "") + sentence);
  }
}

/** The options that give a geometry back, as few and as short as they can be, from one side or the other.
 *
 *  The size that is given has an entry for each axis, so that a reader sees how many there are.
 */
export function optionsOf(geometry: Geometry, side: "coarse" | "fine" = "coarse"): Options {
  const { kernel, stride, padding, output_padding, dilation } = geometry;
  const derived = side === "fine" && Geometry.conv(geometry.fine, kernel, { stride, padding, dilation });
  const options: Options = { [side]: geometry[side].join("x"), kernel: joined(kernel) };
  if (stride.some((s) => s > 1)) options.stride = joined(stride);
  if (padding.flat().some(Boolean)) options.padding = joined(padding.map(([l, h]) => (l === h ? `${l}` : `${l}:${h}`)));
  if (derived ? !derived.equals(geometry) : output_padding.some(Boolean)) {
    options["output-padding"] = joined(output_padding);
  }
  if (dilation.some((d) => d > 1)) options.dilation = joined(dilation);
  return options;
}
