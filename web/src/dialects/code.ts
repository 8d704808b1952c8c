// The text of code lines: values, calls, slices and zero pads as the frameworks' users write them, in Python.

export type Pair = [number, number];

/** A list of Python; arrays stand for its tuples. */
export class List {
  constructor(readonly entries: readonly unknown[]) {}
}

/** 4 where all axes agree, else (4, 3). */
export function value(entries: readonly number[]): string {
  return new Set(entries).size === 1 ? `${entries[0]}` : literal(entries);
}

/** A value as Python shows it, text in double quotes; no text here holds a quote. */
export function literal(entry: unknown): string {
  if (entry instanceof List) return `[${entry.entries.map(literal).join(", ")}]`;
  if (Array.isArray(entry)) return `(${entry.map(literal).join(", ")}${entry.length === 1 ? "," : ""})`;
  if (typeof entry === "string") return `"${entry}"`;
  if (typeof entry === "boolean") return entry ? "True" : "False";
  return entry === null ? "None" : `${entry}`;
}

/**
 * A call with the keywords that differ from their defaults.
 *
 * Values that agree along all axes are written once, but for those of the keywords in `whole`.
 */
export function call(
  name: string,
  positional: readonly unknown[],
  keywords: Record<string, unknown>,
  defaults: Record<string, unknown> = {},
  whole: readonly string[] = [],
): string {
  const parts = positional.map(String);
  for (const [keyword, entry] of Object.entries(keywords)) {
    const short = Array.isArray(entry) && typeof entry[0] === "number" ? value(entry) : literal(entry);
    if (!(keyword in defaults) || short !== literal(defaults[keyword]))
      parts.push(`${keyword}=${whole.includes(keyword) ? literal(entry) : short}`);
  }
  return `${name}(${parts.join(", ")})`;
}

/** The line that cuts cells off y; none where there is nothing to cut. */
export function cropped(crop: readonly Pair[], channelsFirst: boolean): string[] {
  if (!anyCells(crop)) return [];
  const cells = crop.map(([low, high]) => `${low || ""}:${high ? -high : ""}`).join(", ");
  return [`y = y[${channelsFirst ? `..., ${cells}` : `:, ${cells}, :`}]`];
}

/** The line that puts zeros around y, its channels last, for functions that take a pair for every axis. */
export function padded(pad: readonly Pair[], name: string): string[] {
  return anyCells(pad) ? [`y = ${name}(y, ${literal(new List([[0, 0], ...pad, [0, 0]]))})`] : [];
}

/** Lines, and groups of them, as one text. */
export function joined(...lines: readonly (string | readonly string[])[]): string {
  return `${lines.flat().join("\n")}\n`;
}

/** The names of the arrays before, between and after so many steps: x, y0, y1, ..., y. */
export function chain(steps: number): string[] {
  return ["x", ...Array.from({ length: steps - 1 }, (_, i) => `y${i}`), "y"];
}

/** Whether anything is cut or padded. */
export function anyCells(pairs: readonly Pair[]): boolean {
  return pairs.some(([low, high]) => low || high);
}
