// Whole numbers with Python's rules: division and remainder round down, whatever the signs.

/** Numbers up to here are exact, and so is all that is counted here. */
export const EXACT = 2 ** 53;

export function mod(a: number, b: number): number {
  return ((a % b) + b) % b;
}

/** Without rounding: a / b alone would round where both are large. */
export function floorDiv(a: number, b: number): number {
  return (a - mod(a, b)) / b;
}

export function ceilDiv(a: number, b: number): number {
  return -floorDiv(-a, b);
}

export function gcd(a: number, b: number): number {
  return b ? gcd(b, a % b) : a;
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

export function prod(values: Iterable<number>): number {
  let total = 1;
  for (const value of values) total *= value;
  return total;
}

/** The product of whole numbers; its digits where a double does not hold it. */
export function counted(...factors: number[]): number | string {
  const exact = factors.reduce((all, factor) => all * BigInt(factor), 1n);
  return exact < EXACT ? Number(exact) : String(exact);
}

/** a * b mod m for 0 <= a, b < m, where the product may be beyond what is exact. */
export function mulMod(a: number, b: number, m: number): number {
  return a * b < EXACT ? (a * b) % m : Number((BigInt(a) * BigInt(b)) % BigInt(m));
}

/** The number below m that times a leaves 1; a and m share no factor. */
export function inverse(a: number, m: number): number {
  let [r, next, x, following] = [m, a % m, 0, 1];
  while (next) {
    const quotient = floorDiv(r, next);
    [r, next, x, following] = [next, r % next, following, x - quotient * following];
  }
  return mod(x, m);
}

/** Every way to take one entry from each list, the last list fastest. */
export function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((found, list) => found.flatMap((each) => list.map((entry) => [...each, entry])), [[]]);
}
