// Animated pictures as GIF89a: one palette for all frames, and of each frame only the rectangle that changed.
import { wrong } from "../core/checks";
import { palette, parts } from "./palette";

export interface Frame {
  /** Red, green, blue and opacity of each cell; the opacity is left aside, since pictures here have none to lose. */
  pixels: Uint8ClampedArray;
  width: number;
  height: number;
  /** How long it is shown, in hundredths of a second. */
  delay: number;
}

const MOST = 0xffff;

/** The bytes of the file; `Rejected` for frames that are not of one size, or larger than the format can say. */
export function gif(frames: readonly Frame[], loop = true): Uint8Array {
  const making = made(frames, loop);
  for (;;) {
    const { done, value } = making.next();
    if (done) return value;
  }
}

/** The same in parts, one after each frame: who calls has time for something else between them. */
export function* made(frames: readonly Frame[], loop = true): Generator<number, Uint8Array> {
  const { width, height } = frames[0] ?? wrong("frames must hold at least 1; got none");
  if (frames.some((frame) => frame.width !== width || frame.height !== height)) wrong("frames must be of one size");
  if (![width, height].every((size) => 1 <= size && size <= MOST))
    wrong(`frames must have 1 to ${MOST} cells along each axis; got ${width}x${height}`);

  const pictures = frames.map(({ pixels }) => new Uint32Array(pixels.slice().buffer).map((cell) => cell & 0xffffff));
  const several = frames.length > 1;
  const { colours, placeOf } = palette(counted(pictures), several ? 255 : 256);
  // A place beyond the colours, if there is one, for cells that stay as they were: they make long runs of it.
  const stays = several && colours.length < 256 ? colours.length : -1;
  const bits = Math.max(1, Math.ceil(Math.log2(Math.max(colours.length, stays + 1))));

  const bytes = [...letters("GIF89a"), ...pair(width), ...pair(height), 0xf0 | (bits - 1), 0, 0];
  for (let i = 0; i < 1 << bits; i++) bytes.push(...parts(colours[i] ?? 0));
  if (loop) bytes.push(0x21, 0xff, 11, ...letters("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  let before: Uint8Array | undefined;
  for (const [i, picture] of pictures.entries()) {
    const cells = new Uint8Array(picture.length);
    for (let k = 0; k < cells.length; k++)
      cells[k] = k && picture[k] === picture[k - 1] ? cells[k - 1]! : placeOf(picture[k]!);
    const [left, top, right, bottom] = before ? changed(before, cells, width) : [0, 0, width, height];
    const delay = Math.min(Math.round(frames[i]!.delay), MOST);
    // 4: what the next frame does not cover stays; 1: what has that place in the palette is not covered.
    bytes.push(0x21, 0xf9, 4, stays < 0 ? 4 : 5, ...pair(delay), Math.max(stays, 0), 0);
    bytes.push(0x2c, ...[left, top, right - left, bottom - top].flatMap(pair), 0);
    const covered = new Uint8Array((right - left) * (bottom - top));
    for (let row = top, to = 0; row < bottom; row++) {
      for (let from = row * width + left; from < row * width + right; from++, to++)
        covered[to] = stays >= 0 && cells[from] === before?.[from] ? stays : cells[from]!;
    }
    appendLzw(bytes, covered, Math.max(2, bits));
    before = cells;
    yield i + 1;
  }
  bytes.push(0x3b);
  return Uint8Array.from(bytes);
}

function letters(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}

/** How many cells have each colour; cells beside each other are mostly alike. */
function counted(pictures: readonly Uint32Array[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const picture of pictures) {
    for (let i = 0; i < picture.length; ) {
      const first = i;
      const colour = picture[i]!;
      while (picture[i] === colour) i++;
      counts.set(colour, (counts.get(colour) ?? 0) + i - first);
    }
  }
  return counts;
}

/** The rectangle outside which two frames agree; one cell where they agree everywhere, as a frame must have some. */
function changed(before: Uint8Array, now: Uint8Array, width: number): [number, number, number, number] {
  let [left, top, right, bottom] = [width, -1, 0, 0];
  for (let i = 0; i < now.length; i++) {
    if (now[i] === before[i]) continue;
    const column = i % width;
    const row = (i - column) / width;
    if (top < 0) top = row;
    left = Math.min(left, column);
    right = Math.max(right, column + 1);
    bottom = row + 1;
  }
  return top < 0 ? [0, 0, 1, 1] : [left, top, right, bottom];
}

/** Two bytes, the low one first. */
function pair(number: number): [number, number] {
  return [number & 255, number >> 8];
}

/** The cells, compressed by the method of Lempel, Ziv and Welch, in blocks of at most 255 bytes. */
function appendLzw(bytes: number[], cells: Uint8Array, bits: number): void {
  const clear = 1 << bits;
  // The code of a known run followed by a colour; 0 where there is none yet.
  const codes = new Uint16Array(4096 << bits);
  let [size, next, pending, filled] = [bits + 1, clear + 2, 0, 0];
  bytes.push(bits);
  let block = bytes.push(0) - 1;
  const byte = () => {
    if (bytes[block] === 255) block = bytes.push(0) - 1;
    bytes.push(pending & 255);
    bytes[block]!++;
    pending >>= 8;
    filled -= 8;
  };
  const put = (code: number) => {
    pending |= code << filled;
    filled += size;
    while (filled >= 8) byte();
    // A reader knows the run that ends with this code by now, and counts on codes that are longer by one bit.
    if (next === 1 << size && size < 12) size++;
  };
  put(clear);
  let run = cells[0]!;
  for (let i = 1; i < cells.length; i++) {
    const cell = cells[i]!;
    const longer = (run << bits) | cell;
    const code = codes[longer]!;
    if (code) {
      run = code;
      continue;
    }
    put(run);
    if (next < 4096) codes[longer] = next++;
    else {
      put(clear);
      codes.fill(0);
      [size, next] = [bits + 1, clear + 2];
    }
    run = cell;
  }
  put(run);
  put(clear + 1);
  if (filled) byte();
  bytes.push(0);
}
