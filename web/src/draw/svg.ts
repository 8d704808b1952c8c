// A sheet as SVG: one string, without fonts, scripts, styles or anything from elsewhere.
import { rounded } from "./rounding";
import { type Item, isPath, isText, type Sheet, type Text } from "./sheet";
import { ink, look, type Theme } from "./themes";

export const FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', 'Noto Sans CJK SC', 'PingFang SC', sans-serif";
export const MONO = "'JetBrains Mono', 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace";

/** The text of a file; `live` tells of each rectangle that is a cell what it is. */
export function svg(sheet: Sheet, theme: Theme, live = false): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${sheet.width} ${sheet.height}" role="img" ` +
      `font-family="${FONT}">`,
    `<title>${escaped(sheet.title)}</title>`,
    `<desc>${escaped(sheet.text)}</desc>`,
    // Lines of hatching, in the colour of the rule.
    '<defs><pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
      `<rect width="9" height="9" fill="${theme.paper}"/><line x1="0" y1="0" x2="0" y2="9" stroke="${theme.rule}" ` +
      'stroke-width="2.5"/></pattern></defs>',
    ...sheet.items.map((item) => written(item, theme, live)),
    "</svg>",
    "",
  ].join("\n");
}

function written(item: Item, theme: Theme, live: boolean): string {
  if (isPath(item)) {
    const d = item.commands.map(([letter, ...numbers]) => [letter, ...numbers.map(number)].join(" ")).join(" ");
    return `<path d="${d}" ${drawn(item.role, theme)} stroke-linecap="round"/>`;
  }
  if (isText(item)) return line(item, theme);
  const at = `x="${number(item.x)}" y="${number(item.y)}" width="${number(item.w)}" height="${number(item.h)}"`;
  const of = live && item.of ? ` data-of="${item.of}"` : "";
  return `<rect ${at} rx="${number(item.round)}" ${drawn(item.role, theme)}${of}/>`;
}

function drawn(role: string, theme: Theme): string {
  const how = look(role, theme);
  return (
    `fill="${how.hatched ? "url(#hatch)" : how.fill || "none"}"` +
    (how.opacity < 1 ? ` fill-opacity="${number(how.opacity)}"` : "") +
    (how.line ? ` stroke="${how.line}" stroke-width="${number(how.width)}"` : "") +
    (how.dashed ? ' stroke-dasharray="5 5"' : "")
  );
}

function line(text: Text, theme: Theme): string {
  const more =
    (text.anchor === "start" ? "" : ` text-anchor="${text.anchor}"`) +
    (text.bold ? ' font-weight="700"' : "") +
    (text.mono ? ` font-family="${MONO}"` : "");
  const at = `x="${number(text.x)}" y="${number(text.y)}" font-size="${number(text.size)}"`;
  return `<text ${at} fill="${ink(text.role, theme)}"${more} xml:space="preserve">${escaped(text.text)}</text>`;
}

// With two decimals at most.
const number = (value: number) => rounded(value, 2);

const SIGNS: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => SIGNS[sign]!);
