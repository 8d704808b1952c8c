// What lies on a sheet: rectangles, texts and paths with a role and coordinates, from the upper left corner down.

/** A rectangle; corners are rounded by `round`; `of` is what it is, as with cells. */
export type Rect = { x: number; y: number; w: number; h: number; role: string; round: number; of: string };

/** A line of text: x is its start, middle or end, y its base line. */
export type Text = {
  x: number;
  y: number;
  text: string;
  size: number;
  role: string;
  anchor: string;
  bold: boolean;
  mono: boolean;
};

/** ("M", x, y), ("L", x, y), ("C", x, y, x, y, x, y) and ("Z",). */
export type Command = [string, ...number[]];

/** Lines and curves. */
export type Path = { commands: Command[]; role: string };

export type Item = Rect | Text | Path;

/** A scene placed: in the order in which it is drawn. */
export type Sheet = { width: number; height: number; title: string; text: string; items: Item[] };

export const isRect = (item: Item): item is Rect => "w" in item;
export const isPath = (item: Item): item is Path => "commands" in item;
export const isText = (item: Item): item is Text => "text" in item;

export const rect = (x: number, y: number, w: number, h: number, role: string, round = 4, of = ""): Rect => ({
  x,
  y,
  w,
  h,
  role,
  round,
  of,
});

export const text = (
  x: number,
  y: number,
  text: string,
  size: number,
  role = "text",
  anchor = "start",
  bold = false,
  mono = false,
): Text => ({ x, y, text, size, role, anchor, bold, mono });

export const path = (commands: Command[], role: string): Path => ({ commands, role });
