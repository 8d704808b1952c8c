// Sentences of pictures in every language: a scene names them by keys, with numbers as arguments.
import type { Said } from "./scene";

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

/** By its key a sentence in each of LANGUAGES; "{0}" is the first argument, "{0:,}" has commas between thousands. */
export type Table = Record<string, [string, string]>;

const known: Table = {};

/** Sentences of a view. That keys are used once is checked in Python, whose tables are the same. */
export function learn(words: Table): void {
  Object.assign(known, words);
}

/** A sentence in a language; sentences in it are said in the same. */
export function say({ key, args }: Said, language: Language): string {
  const texts = args.map((arg) => (typeof arg === "object" ? say(arg, language) : String(arg)));
  if (!key) return texts.join(" ");
  return known[key]![LANGUAGES.indexOf(language)]!.replace(/\{(\d)(:,)?\}/g, (_, place, commas) =>
    commas ? texts[place]!.replace(/\B(?=(\d{3})+$)/g, ",") : texts[place]!,
  );
}

/** All that was learnt. */
export const learnt = (): Table => known;

learn({
  x: ["x, coarse", "x（粗网格）"],
  w: ["w, kernel", "w（卷积核）"],
  y: ["y, fine", "y（细网格）"],
  size: ["{0}", "{0}"],
  slice: ["{0}; slice {1}", "{0}；切片 {1}"],
  up: [
    "transposed convolution: coarse {0} → fine {1}, kernel {2}, stride {3}, padding {4}",
    "转置卷积：粗 {0} → 细 {1}，卷积核 {2}，步幅 {3}，填充 {4}",
  ],
  step: ["{0}   ·   step {1} of {2}", "{0}   ·   第 {1} 步，共 {2} 步"],
  dilation: ["{0}, dilation {1}", "{0}，空洞 {1}"],
  "output padding": ["{0}, output padding {1}", "{0}，输出填充 {1}"],
});
