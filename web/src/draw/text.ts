// How wide text is, without a font: advances of DejaVu Sans, the widest of the fonts that pictures ask for.

import { rounded } from "./rounding";

// Thousandths of the size, from the blank to the tilde.
const PLAIN = [
  318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
  636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
  748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
  615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
  337, 636, 838,
];
// What bold letters take more, and a letter of the monospaced font.
const BOLD = 1.1;
const MONO = 602;
// Letters that are in no table: signs, and those of Chinese, which are squares.
const SIGN = 838;
const SQUARE = 1000;
const isSquare = (code: number) => code >= 0x2e80;

/** Of a line of text of a size. */
export function width(text: string, size: number, bold = false, mono = false): number {
  let thousandths = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    thousandths += isSquare(code) ? SQUARE : mono ? MONO : (PLAIN[code - 32] ?? SIGN);
  }
  return (thousandths * size * (bold && !mono ? BOLD : 1)) / 1000;
}

/** The size, or a smaller one with which a line of text is no wider than the room. */
export function fitting(text: string, size: number, room: number, bold = false): number {
  const wide = width(text, size, bold);
  return rounded(wide <= room ? size : (size * room) / wide, 1);
}

/** Lines that fit; broken at blanks, and between Chinese letters, and anywhere where nothing else helps. */
export function wrapped(text: string, size: number, room: number, bold = false, mono = false): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of pieces(text)) {
    if (line && width(line + piece.trimEnd(), size, bold, mono) > room) {
      lines.push(line.trimEnd());
      line = piece.trimStart();
    } else line += piece;
  }
  if (line.trim() || !lines.length) lines.push(line.trimEnd());
  return lines;
}

// Words with the blank behind them, and squares by themselves.
function pieces(text: string): string[] {
  const found: string[] = [];
  let word = "";
  for (const letter of text) {
    word += letter;
    if (letter === " " || isSquare(letter.codePointAt(0)!)) {
      found.push(word);
      word = "";
    }
  }
  if (word) found.push(word);
  return found;
}
