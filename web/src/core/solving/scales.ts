// A scale that asks for fine = scale * coarse: whole, at every coarse size; or a fraction, at the size that is given.
import { count, exact, integer, isSequence, perAxis, wrong } from "../checks";
import { gcd } from "../integers";

/** A ratio of numbers that share no factor; the second is more than 1. */
export type Fraction = [above: number, below: number];
/** One number for all axes, or one for each. */
export type Scales = number | readonly (number | Fraction)[];

/** The scale of each axis. */
export function scalesOf(scale: Scales | undefined, ndim: number): (number | Fraction | null)[] {
  if (scale === undefined) return Array(ndim).fill(null);
  if (typeof scale === "number" || scale.every((entry) => !isSequence(entry))) {
    return perAxis("scale", scale as number | number[], ndim, 1);
  }
  if (scale.length !== ndim) {
    const got = scale.map((entry) => (isSequence(entry) ? entry.join("/") : entry)).join(", ");
    return wrong(`scale must be a number or a sequence of ${count(ndim, "number")}, one an axis; got ${got}`);
  }
  return scale.map((entry, i) => (isSequence(entry) ? entry : integer(`scale[${i}]`, entry, 1)));
}

/** Both sizes of an axis from one of them and a scale that holds there. */
export function byFraction(coarse: number | null, fine: number | null, [above, below]: Fraction) {
  const said = `${above}/${below}`;
  if (coarse !== null) {
    const size = wholeSize(exact(coarse * above), below, `scale * coarse = ${said} * ${coarse}`);
    if (fine !== null && fine !== size) {
      wrong(`fine must be scale * coarse = ${said} * ${coarse} = ${size} where all are given; got ${fine}`);
    }
    return { coarse, fine: size, scale: null };
  }
  if (fine === null) wrong(`scale must be an integer where no size is given: ${said} holds at some sizes only`);
  return {
    coarse: wholeSize(exact(fine! * below), above, `fine / scale = ${fine} / (${said})`),
    fine: fine!,
    scale: null,
  };
}

function wholeSize(above: number, below: number, said: string): number {
  const shared = gcd(above, below);
  if (shared < below) wrong(`scale must lead to a whole size; ${said} is ${above / shared}/${below / shared}`);
  return above / below;
}
