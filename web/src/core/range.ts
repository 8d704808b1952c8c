// Evenly spaced integers without a list of them: Python's range.
import { ceilDiv } from "./integers";

export class Range {
  readonly length: number;

  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step = 1,
  ) {
    this.length = Math.max(0, ceilDiv(stop - start, step));
  }

  /** An entry by its place, from the end where that is negative. */
  at(i: number): number {
    const place = i < 0 ? i + this.length : i;
    if (!(0 <= place && place < this.length)) throw new RangeError("range index out of range");
    return this.start + place * this.step;
  }

  /** -1 where the number is none of them. */
  indexOf(n: number): number {
    const place = (n - this.start) / this.step;
    return Number.isInteger(place) && 0 <= place && place < this.length ? place : -1;
  }

  has(n: number): boolean {
    return this.indexOf(n) >= 0;
  }

  slice(from = 0, to = this.length): Range {
    const [first, last] = [from, to].map((i) => Math.min(this.length, Math.max(0, i < 0 ? i + this.length : i)));
    return new Range(this.start + first! * this.step, this.start + Math.max(first!, last!) * this.step, this.step);
  }

  map<T>(each: (n: number, i: number) => T): T[] {
    return Array.from(this, each);
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.length; i++) yield this.start + i * this.step;
  }
}

/** range(stop), range(start, stop) or range(start, stop, step). */
export function range(first: number, stop?: number, step = 1): Range {
  return stop === undefined ? new Range(0, first) : new Range(first, stop, step);
}
