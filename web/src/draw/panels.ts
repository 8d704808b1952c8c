// Places one panel: a grid of cells with its caption, labels and frames; sentences; a sign; some below each other.
import { sum } from "../core/integers";
import { plate } from "./plates";
import {
  type Bracket,
  type Cell,
  type Grid,
  isGrid,
  isStack,
  isWords,
  type Panel,
  type Sign,
  type Words,
} from "./scene";
import { type Command, type Item, isRect, path, rect, type Text, text } from "./sheet";
import { fitting, width, wrapped } from "./text";
import { type Language, say } from "./words";

const CAPTION = 24;
const NOTE = 18;
// Width that notes, sentences and long lines are broken at, at least, and that of a sign.
const NARROW = 210;
const SENTENCE = 300;
const LONG = 440;
const SIGN = 44;
// Width that captions are broken at, and the distance of their lines.
const TITLE = 540;
const TITLE_LINE = 30;
// The height of rows with labels, at least.
const ROW = 16;
// Between panels that stand one below the other.
const BELOW = 26;
// Of a cell: how much of it text may fill, and sizes of its text, a second line, and a corner.
const FILLED = 0.86;
const MAIN = 0.37;
const SMALL = 0.23;
const CORNER = 0.23;
// Text in a cell, at most; a second line that would be smaller than this is left out.
const MOST = 30;
const LEAST = 11;
// What text of a cell and the letter in its corner are enlarged to where there is room: smaller ones are hard to read.
const READ = 16;
const MAIN_MOST = 0.54;
const CORNER_MOST = 0.36;
// Of brackets: the distance of levels, and the size of their text.
const LEVEL = 27;
const NUMBER = 18;

/** A panel on the sheet, and where arrows meet it. */
export type Placed = {
  left: number;
  right: number;
  top: number;
  bottom: number;
  cell: number; // the size of its cells
  looked_at: number; // the height of the middle of what is framed, or of all
  items: Item[];
};

// What can be placed by itself.
type Single = Grid | Words | Sign;

// Size of sentences by their style, and of their lines.
const sizeOfStyle = (style: string) => (style === "bold" ? 26 : 20);
const lineOf = (style: string) => sizeOfStyle(style) * 1.5;

/** Width and height, without what stands above; `before` is the room for labels, as roomBefore says. */
export function sizeOf(panel: Panel, cell: number, language: Language, before: number): [number, number] {
  if (isStack(panel)) {
    const placed = stacked(panel, cell, 0, language);
    const sizes = placed.map(([each]) => sizeOf(each, cell, language, before));
    return [Math.max(...sizes.map(([wide]) => wide)), placed.at(-1)![1] + sizes.at(-1)![1]];
  }
  if (isWords(panel)) {
    const lines = sentences(panel, cell, language);
    const widths = lines.map(([line, s]) => width(line, sizeOfStyle(s), s === "bold", s === "mono"));
    return [before + Math.max(0, ...widths), sum(lines.map(([, style]) => lineOf(style)))];
  }
  if (!isGrid(panel)) return [Math.max(SIGN, width(panel.text, 44)), 0];
  const wide = Math.max(
    (panel.columns + panel.shift) * panel.scale * cell,
    ...captions(panel, language).map(captionWidth),
    ...notes(panel, cell, language).map((line) => width(line, NOTE)),
  );
  return [before + wide, panel.rows * high(panel, cell * panel.scale) + below(panel)];
}

/** What stands above a panel: its caption, its note, the labels of its columns. */
export function captionHeight(panel: Panel, cell: number, language: Language): number {
  if (isStack(panel)) return captionHeight(panel.panels[0]!, cell, language);
  if (!isGrid(panel)) return 0;
  const labels = panel.column_labels.length ? 34 : 0;
  if (!say(panel.caption, language)) return labels;
  const further = TITLE_LINE * (captions(panel, language).length - 1);
  return 44 + further + NOTE * 1.3 * notes(panel, cell, language).length + labels;
}

/** The panels in the place of one, each with the height at which its upper edge lies. */
export function stacked(panel: Panel, cell: number, top: number, language: Language): [Single, number][] {
  if (!isStack(panel)) return [[panel, top]];
  let y = top;
  return panel.panels.map((each, number) => {
    if (number) y += BELOW + captionHeight(each, cell, language);
    const at = y;
    y += sizeOf(each, cell, language, 0)[1];
    return [each, at];
  });
}

/** A panel with its upper left corner there, room for labels before its cells; of a sign y is its middle. */
export function placePanel(
  panel: Single,
  cell: number,
  x: number,
  y: number,
  language: Language,
  before: number,
): Placed {
  if (isGrid(panel)) return placedGrid(panel, cell, x + before, y, language);
  if (isWords(panel)) return placedWords(panel, cell, x + before, y, language);
  const sign = text(x + SIGN / 2, y + 15, panel.text, 44, "text", "middle");
  return { left: x, right: x, top: y, bottom: y, cell, looked_at: y, items: [sign] };
}

function placedWords(panel: Words, cell: number, x: number, top: number, language: Language): Placed {
  let y = top;
  const items = sentences(panel, cell, language).flatMap(([line, style]) => {
    y += lineOf(style);
    if (!line) return []; // an empty sentence is a gap
    return [text(x, y - 8, line, sizeOfStyle(style), style, "start", style === "bold", style === "mono")];
  });
  return { left: x, right: x, top, bottom: y, cell, looked_at: y, items };
}

// The lines, broken where they are too long, each with its style.
function sentences(panel: Words, cell: number, language: Language): [string, string][] {
  const room = panel.long ? LONG : Math.max(SENTENCE, panel.columns * cell);
  return panel.lines.flatMap(([said, style]) =>
    wrapped(say(said, language), sizeOfStyle(style), room, style === "bold").map((line): [string, string] => [
      line,
      style,
    ]),
  );
}

/** Room for the labels of rows. */
export function roomBefore(panel: Panel): number {
  if (isStack(panel)) return Math.max(...panel.panels.map(roomBefore));
  return isGrid(panel) ? Math.max(0, ...panel.row_labels.map(([label]) => width(label, 20, true) + 18)) : 0;
}

// Room for the brackets.
const below = (grid: Grid) => Math.max(0, ...grid.brackets.map(({ level }) => LEVEL * (level + 1) + 8));

// The height of its cells: labels before the rows need room.
const high = (grid: Grid, c: number) => Math.max(c * grid.height, grid.row_labels.length ? ROW : 0);

const captions = (grid: Grid, language: Language) => wrapped(say(grid.caption, language), CAPTION, TITLE, true);

const captionWidth = (line: string) => width(line, CAPTION, true);

function notes(grid: Grid, cell: number, language: Language): string[] {
  const note = say(grid.note, language);
  const room = Math.max(NARROW, grid.columns * grid.scale * cell, ...captions(grid, language).map(captionWidth));
  return note ? wrapped(note, NOTE, room) : [];
}

function placedGrid(grid: Grid, cell: number, x: number, y: number, language: Language): Placed {
  const c = cell * grid.scale;
  const h = high(grid, c);
  const left = x + grid.shift * c;
  const bottom = y + grid.rows * h;
  const texts: Text[] = [];
  let above = y - captionHeight(grid, cell, language) - TITLE_LINE;
  for (const line of captions(grid, language)) {
    above += TITLE_LINE;
    texts.push(text(x, above + 24, line, CAPTION, grid.role, "start", true));
  }
  notes(grid, cell, language).forEach((line, number) => {
    texts.push(text(x, above + 24 + NOTE * 1.3 * (number + 1) + 3, line, NOTE, "grey"));
  });
  grid.column_labels.forEach(([label, role], column) => {
    const size = fitting(label, Math.max(Math.min(20, c * MAIN * 1.1), Math.min(READ, c * MAIN_MOST)), FILLED * c);
    texts.push(text(left + (column + 0.5) * c, y - 12, label, size, role, "middle"));
  });
  grid.row_labels.forEach(([label, role], row) => {
    texts.push(text(x - 14, y + (row + 0.5) * h + 7, label, 20, role, "end", role !== "faint"));
  });
  const parts = grid.cells.flatMap((each, number) =>
    placedCell(each, left + (number % grid.columns) * c, y + Math.floor(number / grid.columns) * h, c, h),
  );
  const frames = grid.frames.map((f) =>
    rect(left + f.column * c - 3, y + f.row * h - 3, f.columns * c + 6, f.rows * h + 6, `frame-${f.role}`, 10),
  );
  const first = grid.frames[0];
  return {
    left,
    right: left + grid.columns * c,
    top: y,
    bottom: bottom + below(grid),
    cell: c,
    looked_at: first ? y + (first.row + first.rows / 2) * h : y + (grid.rows * h) / 2,
    items: [
      ...texts.filter((each) => each.text),
      ...parts.filter(isRect),
      ...frames,
      // Frames lie below the text of the cells beside them.
      ...parts.filter((part) => !isRect(part)),
      ...grid.brackets.flatMap((bracket) => placedBracket(bracket, left, bottom, c)),
    ],
  };
}

// A line with a tooth below each column that it touches, open in its midst for the text.
function placedBracket(bracket: Bracket, left: number, bottom: number, c: number): Item[] {
  const y = bottom + LEVEL * (bracket.level + 0.5) + 6;
  const x0 = left + bracket.column * c + 5;
  const x1 = left + (bracket.column + bracket.columns) * c - 5;
  const middle = (x0 + x1) / 2;
  const gap = width(bracket.text, NUMBER, true) / 2 + 5;
  const lines: Command[] = [
    ["M", x0, y],
    ["L", middle - gap, y],
    ["M", middle + gap, y],
    ["L", x1, y],
  ];
  for (const column of bracket.teeth) {
    const x = left + (column + 0.5) * c;
    // Above the text it is shorter.
    lines.push(["M", x, y - 14], ["L", x, Math.abs(x - middle) > gap ? y : y - 9]);
  }
  return [
    path(lines, `bracket-${bracket.role}`),
    text(middle, y + NUMBER * 0.36, bracket.text, NUMBER, bracket.role, "middle", true),
  ];
}

function placedCell(cell: Cell, x: number, y: number, c: number, h: number): Item[] {
  if (cell.grid[0]) return plate(cell, x, y, c, h);
  const items: Item[] = ["gap", "more"].includes(cell.kind) ? [] : [rect(x, y, c, h, cell.kind, 4, cell.of)];
  const role = `on:${cell.kind}`;
  const bold = cell.kind.endsWith("-on");
  const small = fitting(cell.small, c * SMALL, FILLED * c);
  const below = cell.small && small >= LEAST;
  const lifted = below ? 0.1 * h : cell.corner ? -0.1 * h : 0;
  if (cell.text) {
    const wanted = Math.min(Math.max(Math.min(MOST, c * MAIN), Math.min(READ, c * MAIN_MOST)), h * 0.6);
    const size = fitting(cell.text, wanted, FILLED * c, bold);
    items.push(text(x + c / 2, y + h / 2 + size * 0.36 - lifted, cell.text, size, role, "middle", bold));
  }
  if (below) items.push(text(x + c / 2, y + h * 0.84, cell.small, small, bold ? role : "kernel", "middle"));
  if (cell.corner) {
    const size = Math.max(c * CORNER, Math.min(READ, c * CORNER_MOST));
    items.push(text(x + c * 0.12, y + c * 0.04 + size, cell.corner, size, role));
  }
  return items;
}
