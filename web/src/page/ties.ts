// What a cell of a picture is tied to: cells name themselves x[1,2], y[3,4], w[0,1], or several of them.
import { mod } from "../core/integers";
import { range } from "../core/range";
import { type Board, flat, type Index, isIn, named } from "../draw/cells";
import type { Language } from "../draw/words";
import { say } from "./words";

export interface Name {
  letter: "x" | "w" | "y";
  at: Index;
}

/** Products of a sum that are written out, at most. */
const WRITTEN = 6;

/** The names of a cell, as its `of` lists them. */
export function namesOf(of: string): Name[] {
  return of.split(" ").map((name) => ({
    letter: name[0] as Name["letter"],
    at: name.slice(2, -1).split(",").map(Number),
  }));
}

/** Whether a cell is among what another one is tied to: itself, or one that it shares a product with. */
export function isTied(board: Board, cell: string, other: string): boolean {
  const [names, others] = [namesOf(cell), namesOf(other)];
  if (names.length > 1) return names.some((name) => same(name, others));
  // An element of C, or of a window, is one product: it belongs to a cell only if it has that very cell.
  if (others.length > 1) return same(names[0]!, others);
  return same(names[0]!, others) || tied(board, names[0]!, others[0]!);
}

const same = (name: Name, others: Name[]) =>
  others.some((other) => other.letter === name.letter && `${other.at}` === `${name.at}`);

/** Whether two cells of different grids have a product in common: along every axis o = c * stride - low + t * dilation. */
function tied(board: Board, a: Name, b: Name): boolean {
  const at = { [a.letter]: a.at, [b.letter]: b.at };
  if (a.letter === b.letter) return false;
  return board.geometry.axes.every(({ coarse, kernel, stride, dilation, padding: [low] }, n) => {
    const [c, t, o] = [at.x?.[n], at.w?.[n], at.y?.[n]];
    if (c === undefined) return isPlace(o! + low - t! * dilation, stride, coarse);
    if (t === undefined) return isPlace(o! + low - c * stride, dilation, kernel);
    return true; // any cell and any tap meet, if only beside the grid
  });
}

/** Whether a distance is a multiple of a step that is one of so many places. */
const isPlace = (distance: number, step: number, places: number) =>
  mod(distance, step) === 0 && range(places).has(distance / step);

/** A sentence about a cell: what it is, and the sum or the products that it takes part in. */
export function sentence(board: Board, of: string, language: Language): string {
  const names = namesOf(of);
  const parts = Object.fromEntries(names.map((name) => [name.letter, name])) as Partial<Record<Name["letter"], Name>>;
  const { x, w, y } = parts;
  if (y && w) {
    const c = x?.at ?? board.ties(y.at).find(([, tap]) => `${tap}` === `${w.at}`)?.[0];
    return c ? say(language, "tie product", named("w", w.at), named("x", c), named("y", y.at)) : named("y", y.at);
  }
  if (y) return sumAt(board, y.at, language);
  return x
    ? writes(board, x.at, language)
    : say(language, "tie weight", named("w", w!.at), board.w(board.weight(w!.at)));
}

/** y[2,1] = x[0,1]·w[2,0] + … = 16, or why there is no such sum. */
export function sumAt(board: Board, at: Index, language: Language): string {
  const name = named("y", at);
  const inside = isIn(at, board.geometry.fine);
  const count = inside ? board.geometry.axes.reduce((all, axis, n) => all * axis.coverageAt(at[n]!), 1) : 0;
  if (!inside) return say(language, "tie cropped", name);
  if (count === 0) return say(language, "tie nothing", name);
  if (count > 10_000) return say(language, "tie many", name, count);
  const { coarse } = board.geometry;
  const ties = board.ties(at).sort(([a], [b]) => flat(a, coarse) - flat(b, coarse));
  const terms = ties.map(([c, t]) => `${named("x", c)}·${named("w", t)}`);
  const products = ties.map(([c, t]) => `${factor(board.x(board.value(c)))}·${factor(board.w(board.weight(t)))}`);
  return `${name} = ${few(terms)} = ${few(products)} = ${board.y(board.sumOf(ties))}`;
}

/** A negative factor needs brackets. */
const factor = (text: string) => (text.startsWith("-") ? `(${text})` : text);

function few(terms: string[]): string {
  return (terms.length > WRITTEN ? [...terms.slice(0, WRITTEN - 2), "…", terms.at(-1)!] : terms).join(" + ");
}

/** What a coarse cell writes: how many products, and to which fine cells. */
export function writes(board: Board, at: Index, language: Language): string {
  const { axes, kernel } = board.geometry;
  const fields = axes.map((axis, n) => axis.projectiveField(at[n]!));
  const inside = fields.reduce((all, field) => all * field.length, 1);
  const products = kernel.reduce((all, taps) => all * taps, 1);
  const [name, value] = [named("x", at), board.x(board.value(at))];
  if (inside === 0) return say(language, "tie writes nothing", name, value);
  return say(language, "tie writes", name, value, spans(board, at), inside, products);
}

/** The fine cells that a coarse cell is tied to, along each axis: few of them one by one, 1…5, or 1…9:2 in steps. */
export function spans(board: Board, at: Index): string {
  const along = board.geometry.axes.map((axis, n) => {
    const field = axis.projectiveField(at[n]!);
    if (field.length <= 3) return [...field].join("/") || "–";
    return `${field.at(0)}…${field.at(-1)}${field.step > 1 ? `:${field.step}` : ""}`;
  });
  return `y[${along}]`;
}
