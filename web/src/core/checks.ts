// Arguments in, normalised values out, or the sentence that says why they are wrong.
import { EXACT } from "./integers";
import type { Range } from "./range";

/** An argument is wrong: its message is the sentence that says why. */
export class Rejected extends Error {}

export function wrong(reason: string): never {
  throw new Rejected(reason);
}

export type Padding = [number, number];
/** One integer for all axes, or one for each. */
export type Ints = number | readonly number[];
/** A word, one integer for all axes, or for each axis an integer or a (low, high) pair. */
export type PaddingLike = string | number | readonly (number | Padding)[];

export function isSequence<T>(value: T | readonly unknown[]): value is readonly unknown[] {
  return Array.isArray(value);
}

/** A value as Python shows it; lists are its tuples. */
export function repr(value: unknown): string {
  if (isSequence(value)) return `(${value.map(repr).join(", ")}${value.length === 1 ? "," : ""})`;
  if (typeof value === "string") return quoted(value);
  return value === null || value === undefined ? "None" : String(value);
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return quote + Array.from(text, (sign) => (sign === quote ? `\\${sign}` : escaped(sign))).join("") + quote;
}

function escaped(sign: string): string {
  if ("\\\n\r\t".includes(sign)) return JSON.stringify(sign).slice(1, -1);
  if (sign === " " || !/[\p{C}\p{Z}]/u.test(sign)) return sign;
  const code = sign.codePointAt(0)!;
  const [letter, digits] = code < 256 ? ["x", 2] : code < 65536 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(Number(digits), "0")}`;
}

/** A value as a message shows it: cut in the middle where it is long. */
export function shorten(value: unknown, limit = 60): string {
  const text = Array.from(repr(value));
  if (text.length <= limit) return text.join("");
  const half = Math.floor((limit - 5) / 2);
  return `${text.slice(0, half).join("")} ... ${text.slice(-half).join("")}`;
}

/** One integer, of at least `least`. */
export function integer(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  return wrong(`${name} must be an integer of at least ${least}; got ${value}`);
}

/** One integer for every axis, or a list of `ndim` of them. */
export function perAxis(name: string, value: Ints, ndim: number, least: number): number[] {
  if (typeof value === "number") return Array(ndim).fill(integer(name, value, least));
  if (value.length === ndim) return value.map((entry, i) => integer(`${name}[${i}]`, entry, least));
  const integers = `an integer or a sequence of ${count(ndim, "integer")}, one an axis`;
  return wrong(`${name} must be ${integers}; got ${shorten(value)}`);
}

/** The padding of each axis: from "same" or "valid", one integer, or a list of integers and (low, high) pairs. */
export function paddingPerAxis(value: PaddingLike, ndim: number): (Padding | string)[] {
  if (typeof value === "string") return Array(ndim).fill(value);
  return paddingPairs(value, ndim, '"same", "valid", ');
}

/** As `paddingPerAxis`; `words` are those that were allowed too. */
export function paddingPairs(value: number | readonly (number | Padding)[], ndim: number, words = ""): Padding[] {
  const pair = (entry: number | Padding): Padding => (typeof entry === "number" ? [entry, entry] : entry);
  if (typeof value === "number") return Array(ndim).fill(pair(value));
  if (value.length === ndim) return value.map(pair);
  const hint = ndim === 1 && value.length === 2 ? `; write (${shorten(value)},) for a (low, high) pair` : "";
  const entries = `one integer, or a sequence of ${count(ndim, "entry", "entries")}, one an axis`;
  return wrong(
    `padding must be ${words}${entries}, each an integer or a (low, high) pair; got ${shorten(value)}${hint}`,
  );
}

/** One of the given words. */
export function choice(name: string, value: string, allowed: readonly string[]): string {
  if (allowed.includes(value)) return value;
  return wrong(`${name} must be one of ${words(allowed)}; got ${repr(value)}`);
}

/** Names as a message lists them: "a", "b", "c". */
export function words(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

/** 1 axis, 2 axes. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A range of sizes as a message lists it: each one while they are few, else first to last. */
export function someOf(sizes: Range): string {
  if (sizes.length <= 8) return [...sizes].join(", ");
  return `${sizes.at(0)} to ${sizes.at(-1)}${sizes.step === 1 ? "" : ` in steps of ${sizes.step}`}`;
}

/** The sizes to choose from: 5, or one of 5, 6. */
export function oneOf(sizes: Range): string {
  return sizes.length > 1 ? `one of ${someOf(sizes)}` : someOf(sizes);
}

/** The divisor leaves no remainder. */
export function divides(name: string, divisor: number, of: string, number: number): void {
  if (number % divisor) wrong(`${name} must divide ${of} = ${number}; got ${divisor}`);
}

/** A count or a sum of sizes, where doubles are exact; Python has no such bound. */
export function exact(number: number): number {
  if (number < EXACT) return number;
  return wrong("the page counts exactly up to 2**53; these numbers lead beyond it, the Python library goes on");
}
