// Decimals as Python rounds them: where a number lies in the midst of two, the one with an even last digit is taken.

/** A number with so many decimals, as f"{value:.2f}" writes it. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  // toFixed takes the larger one in the midst. Halves of decimals that a double can hold are odd multiples of 2**-n.
  return Math.abs(value * 2 ** (decimals + 1)) % 2 === 1 ? evenEnd(text) : text;
}

/** As round(value, 1) or round(value). */
export const rounded = (value: number, decimals = 0): number => +fixed(value, decimals);

/** With three digits, as f"{value:.3g}" writes it. */
export function threeDigits(value: number): string {
  if (!value) return Object.is(value, -0) ? "-0" : "0";
  let [digits, power] = value.toExponential(2).split("e") as [string, string];
  const decimals = 2 - +power;
  const size = Math.abs(value);
  const inMidst =
    decimals < 0 ? size % 10 ** -decimals === 10 ** -decimals / 2 : (size * 2 ** (decimals + 1)) % 2 === 1;
  if (inMidst) digits = evenEnd(digits);
  if (decimals >= 0 && decimals <= 6) return String(+`${digits}e${power}`);
  return `${+digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

const evenEnd = (text: string) => text.slice(0, -1) + (Number(text.at(-1)) & ~1);
