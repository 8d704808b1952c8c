// Places a scene on a sheet: title, panels row below row, arrows, legend, facts, and how far the steps have come.
// One rule for all views: panels of a row stand side by side, and cells are as large as the narrowest row allows. On a
// narrow sheet, for a phone, rows that do not fit are broken.
import { sum } from "../core/integers";
import { range } from "../core/range";
import { most } from "./cells";
import { captionHeight, type Placed, placePanel, roomBefore, sizeOf, stacked } from "./panels";
import { rounded } from "./rounding";
import { type Arrow, isGrid, isSign, type Panel, type Scene, type Tie } from "./scene";
import { type Command, type Item, path, rect, type Sheet, text } from "./sheet";
import { width, wrapped } from "./text";
import { type Language, say } from "./words";

// Between panels, between rows, and between rows that are tied.
const GAP = 54;
const ROW_GAP = 44;
const TIE_GAP = 90;
const NOTE = 22;
const FACT = 18;
// Ticks of the progress, at most: more steps share them.
const TICKS = 60;

// Of a sheet: its width, its margins, the height of the first line, the size of the title, and that of cells; the
// height of all rows together that cells are made smaller for; and the cells with which panels have to stand side by
// side, else their rows are broken, each row of its own size: 0 where none is.
const FORMS = {
  wide: { width: 1600, margin: 70, first: 78, title: 38, smallest: 30, largest: 84, high: 760, broken: 0 },
  narrow: { width: 640, margin: 24, first: 46, title: 30, smallest: 16, largest: 56, high: Infinity, broken: 44 },
};
export type FormName = keyof typeof FORMS;
type Form = (typeof FORMS)[FormName];

// From margin to margin.
const roomOf = (form: Form) => form.width - 2 * form.margin;

/** The sheet of a scene, its sentences in a language. */
export function place(whole: Scene, language: Language, name: FormName = "wide"): Sheet {
  const form = FORMS[name];
  const scene = form.broken ? { ...whole, rows: broken(whole, language, form) } : whole;
  const cells = cellSizes(scene, language, form);
  const items: Item[] = [];
  let y = head(scene, language, form, items);
  const found: Record<string, Placed> = {};
  for (const [number, row] of scene.rows.entries()) {
    const cell = cells[number]!;
    const top = y + above(row, cell, language);
    y = top + placedRow(scene, row, cell, form.margin, top, language, items, found) + below(scene, row);
  }
  for (const tie of scene.ties) items.push(ribbon(tie, found));
  for (const arrow of scene.arrows) {
    // Between panels of rows that were broken there is no side that faces the other.
    if (!form.broken || beside(scene, arrow)) items.push(...curve(arrow, found, language));
  }
  y = legend(scene, language, form, y, items);
  y = facts(scene, language, form, y, items);
  y = ticks(scene, form, y, items);
  const height = rounded(y + 40);
  const paper = rect(0, 0, form.width, height, "sheet", 0);
  const [title, note] = [say(scene.title, language), say(scene.note, language)];
  return { width: form.width, height, title, text: note, items: [paper, ...items] };
}

// The rows with as many panels in each as have room; of aligned panels those of a place below each other.
function broken(scene: Scene, language: Language, form: Form): Panel[][] {
  if (scene.aligned) {
    const places = Math.max(...scene.rows.map((row) => row.length));
    return [...range(places)].flatMap((place) => scene.rows.flatMap((row) => (row[place] ? [[row[place]]] : [])));
  }
  return scene.rows.flatMap((row) => {
    const lines: Panel[][] = [[]];
    row.forEach((panel, number) => {
      if (isSign(panel)) return;
      const before = row[number - 1];
      // A panel has the sign before it.
      const part = before && isSign(before) ? [before, panel] : [panel];
      const line = lines.at(-1)!;
      if (line.length && wide([...line, ...part], form.broken, language) > roomOf(form)) lines.push(part);
      else line.push(...part);
    });
    return lines;
  });
}

// Of panels side by side.
const wide = (row: Panel[], cell: number, language: Language) =>
  GAP * (row.length - 1) + sum(row.map((panel) => sizeOf(panel, cell, language, roomBefore(panel))[0]));

// Whether the panels of an arrow stand in one row.
const beside = (scene: Scene, arrow: Arrow) =>
  scene.rows.some((row) => [arrow.start, arrow.end].every((name) => row.some((panel) => isNamed(panel, name))));

const isNamed = (panel: Panel, name: string) => isGrid(panel) && panel.name === name;

// The size of cells in each row; the same in all where rows are not broken.
function cellSizes(scene: Scene, language: Language, form: Form): number[] {
  if (form.broken && !scene.aligned) {
    return scene.rows.map((row) => cellSize({ ...scene, rows: [row] }, language, form));
  }
  return Array(scene.rows.length).fill(cellSize(scene, language, form));
}

// The size of cells: as large as all rows allow, in width and together in height.
function cellSize(scene: Scene, language: Language, form: Form): number {
  let [low, high] = [form.smallest, form.largest];
  while (low < high) {
    const middle = Math.floor((low + high + 1) / 2);
    if (fits(scene, middle, language, form)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function fits(scene: Scene, cell: number, language: Language, form: Form): boolean {
  const across = (row: Panel[]) => GAP * (row.length - 1) + sum(widths(scene, row, cell, language));
  const down = (row: Panel[]) =>
    above(row, cell, language) + Math.max(...heights(row, cell, language)) + below(scene, row);
  // Rows that are aligned are as wide as the longest of them.
  const rows = scene.aligned ? [most(scene.rows, (row) => row.length)] : scene.rows;
  return rows.every((row) => across(row) <= roomOf(form)) && sum(scene.rows.map(down)) <= form.high;
}

// For each panel of a row those that share its place from left to right: where rows are aligned, one of each.
function columns(scene: Scene, row: Panel[]): Panel[][] {
  if (!scene.aligned) return row.map((panel) => [panel]);
  return row.map((_, number) => scene.rows.flatMap((each) => each[number] ?? []));
}

// Room for labels before the panels of a row.
const befores = (scene: Scene, row: Panel[]) =>
  columns(scene, row).map((column) => Math.max(...column.map(roomBefore)));

function widths(scene: Scene, row: Panel[], cell: number, language: Language): number[] {
  const rooms = befores(scene, row);
  return columns(scene, row).map((column, number) =>
    Math.max(...column.map((panel) => sizeOf(panel, cell, language, rooms[number]!)[0])),
  );
}

const above = (row: Panel[], cell: number, language: Language) =>
  Math.max(...row.map((panel) => captionHeight(panel, cell, language)));

const heights = (row: Panel[], cell: number, language: Language) =>
  row.map((panel) => sizeOf(panel, cell, language, 0)[1]);

// The gap below a row: ties need a larger one.
function below(scene: Scene, row: Panel[]): number {
  const tied = scene.ties.some((tie) => row.some((panel) => isNamed(panel, tie.start)));
  return tied ? TIE_GAP : ROW_GAP;
}

function head(scene: Scene, language: Language, form: Form, items: Item[]): number {
  const room = roomOf(form);
  let y = form.first;
  for (const line of wrapped(say(scene.title, language), form.title, room, true)) {
    items.push(text(form.margin, y, line, form.title, "text", "start", true));
    y += form.title + 8;
  }
  y -= 6;
  for (const line of wrapped(say(scene.note, language), NOTE, room)) {
    items.push(text(form.margin, y, line, NOTE, "grey"));
    y += 30;
  }
  return y + 14;
}

// Place a row of panels from an upper left corner on; its height.
function placedRow(
  scene: Scene,
  row: Panel[],
  cell: number,
  left: number,
  top: number,
  language: Language,
  items: Item[],
  found: Record<string, Placed>,
): number {
  const high = heights(row, cell, language);
  const grids = high.filter((_, number) => isGrid(row[number]!));
  const middle = (grids.length ? Math.min(...grids) : 60) / 2;
  const [wide, rooms] = [widths(scene, row, cell, language), befores(scene, row)];
  let x = left;
  row.forEach((panel, number) => {
    for (const [each, at] of stacked(panel, cell, isSign(panel) ? top + middle : top, language)) {
      const placed = placePanel(each, cell, x, at, language, rooms[number]!);
      items.push(...placed.items);
      if (isGrid(each)) found[each.name] = placed;
    }
    x += wide[number]! + GAP;
  });
  return Math.max(...high);
}

// A ribbon from the lower side of a cell to the upper sides of those below.
function ribbon(tie: Tie, found: Record<string, Placed>): Item {
  const start = found[tie.start]!;
  const end = found[tie.end]!;
  const x0 = start.left + tie.column * start.cell;
  const x1 = end.left + tie.first * end.cell;
  const [y0, y1] = [start.bottom + 4, end.top - 4];
  const lines: Command[] = [
    ["M", x0, y0],
    ["L", x1, y1],
    ["L", x1 + tie.columns * end.cell, y1],
    ["L", x0 + start.cell, y0],
    ["Z"],
  ];
  return path(lines, `fan-${tie.role}`);
}

// A curve from one panel to another between the sides that face each other, at the height of what they look at.
function curve(arrow: Arrow, found: Record<string, Placed>, language: Language): Item[] {
  const start = found[arrow.start]!;
  const end = found[arrow.end]!;
  const ahead = start.right <= end.left ? 1 : -1; // to the right, or back to the left
  const x0 = (ahead > 0 ? start.right : start.left) + ahead * 10;
  const x1 = (ahead > 0 ? end.left : end.right) - ahead * 12;
  const [y0, y1] = [start.looked_at, end.looked_at];
  const bend = ahead * Math.max(30, Math.min(110, Math.abs(x1 - x0) / 2));
  const lines: Command[] = [
    ["M", x0, y0],
    ["C", x0 + bend, y0, x1 - bend, y1, x1, y1],
    ["M", x1 - ahead * 15, y1 - 11],
    ["L", x1, y1],
    ["L", x1 - ahead * 15, y1 + 11],
  ];
  const drawn = path(lines, `arrow-${arrow.role}`);
  if (!arrow.note) return [drawn];
  return [drawn, text(start.left, start.bottom + 32, say(arrow.note, language), FACT, arrow.role)];
}

function legend(scene: Scene, language: Language, form: Form, top: number, items: Item[]): number {
  if (!scene.legend.length) return top;
  let [x, y] = [form.margin, top];
  for (const entry of scene.legend) {
    const lines = wrapped(say(entry.text, language), FACT, roomOf(form) - 32);
    const wide = 32 + Math.max(...lines.map((line) => width(line, FACT)));
    if (x > form.margin && x + wide > form.width - form.margin) {
      x = form.margin;
      y += 32;
    }
    items.push(rect(x, y - 17, 22, 22, entry.kind, 3));
    for (const [number, line] of lines.entries()) items.push(text(x + 32, y + 24 * number, line, FACT, "grey"));
    y += 24 * (lines.length - 1);
    x += wide + 36;
  }
  return y + 40;
}

function facts(scene: Scene, language: Language, form: Form, top: number, items: Item[]): number {
  let y = top;
  for (const fact of scene.facts) {
    const mono = !fact.key;
    for (const line of wrapped(say(fact, language), FACT, roomOf(form), false, mono)) {
      items.push(text(form.margin, y, line, FACT, mono ? "text" : "grey", "start", false, mono));
      y += 28;
    }
  }
  return y;
}

function ticks(scene: Scene, form: Form, y: number, items: Item[]): number {
  if (scene.steps < 2) return y;
  const count = Math.min(scene.steps, TICKS);
  const wide = roomOf(form) / count;
  const done = Math.floor(((scene.step + 1) * count) / scene.steps);
  for (let tick = 0; tick < count; tick++) {
    items.push(rect(form.margin + tick * wide + 2, y + 4, wide - 4, 8, tick < done ? "tick-on" : "tick"));
  }
  return y + 12;
}
