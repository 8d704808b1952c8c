// The colours of an animation brought down to the 256 that a GIF has: exact where there are no more of them.

/** Colours as 0xbbggrr, the way the bytes of a picture lie in memory. */
type Colour = number;
/** How many cells have each colour. */
type Counts = ReadonlyMap<Colour, number>;

/** From here on colours that differ in their last bits only are told apart no more: it would take seconds. */
const MANY = 2 ** 15;
const CHANNELS = [0, 1, 2];

export interface Palette {
  colours: Colour[];
  /** Which of them stands for a colour that was counted. */
  placeOf(colour: Colour): number;
}

/** All colours that were counted where they are no more than 256, else `most` that stand for them. */
export function palette(counts: Counts, most: number): Palette {
  const mask = counts.size > MANY ? 0xfcfcfc : 0xffffff;
  const alike = new Map<Colour, { colour: Colour; count: number; cells: number }>();
  for (const [colour, count] of counts) {
    const found = alike.get(colour & mask);
    if (!found) alike.set(colour & mask, { colour, count, cells: count });
    else {
      found.cells += count;
      // The one that most cells have stands for them: flat colours stay as they are beside many others.
      if (count > found.count) Object.assign(found, { colour, count });
    }
  }
  const wanted = new Map(Array.from(alike.values(), ({ colour, cells }) => [colour, cells]));
  const colours = wanted.size > 256 ? chosen(wanted, most) : [...wanted.keys()];
  const places = new Map<Colour, number>();
  for (const [key, { colour }] of alike) places.set(key, nearest(parts(colour), colours));
  return { colours, placeOf: (colour) => places.get(colour & mask)! };
}

/** How much red, green and blue is in a colour. */
export function parts(colour: Colour): number[] {
  return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
}

/** Median cut: the box whose colours stray most is cut at its mean until there are enough of them. */
function chosen(counts: Counts, most: number): Colour[] {
  const boxes = [boxOf([...counts.keys()], counts)];
  while (boxes.length < most) {
    const widest = boxes.reduce((one, other) => (other.spread > one.spread ? other : one));
    const { channel, mean, colours } = widest;
    const low = colours.filter((colour) => parts(colour)[channel]! <= mean[channel]!);
    const high = colours.filter((colour) => parts(colour)[channel]! > mean[channel]!);
    boxes.splice(boxes.indexOf(widest), 1, boxOf(low, counts), boxOf(high, counts));
  }
  // One of the box's own colours: where nearly all cells have the same one, it stays exactly as it is.
  return boxes.map(({ colours, mean }) => colours[nearest(mean, colours)]!);
}

/** Colours that one will stand for, their mean over all cells, and how far they stray from it along one channel. */
interface Box {
  colours: Colour[];
  mean: number[];
  channel: number;
  spread: number;
}

function boxOf(colours: Colour[], counts: Counts): Box {
  // The same sum along each channel, over all cells of these colours.
  const sums = (of: (value: number, channel: number) => number) =>
    CHANNELS.map((channel) =>
      colours.reduce((sum, colour) => sum + counts.get(colour)! * of(parts(colour)[channel]!, channel), 0),
    );
  const cells = sums(() => 1);
  const mean = sums((value) => value).map((sum, channel) => sum / cells[channel]!);
  const spreads = sums((value, channel) => (value - mean[channel]!) ** 2);
  const spread = Math.max(...spreads);
  return { colours, mean, channel: spreads.indexOf(spread), spread };
}

function nearest([red, green, blue]: readonly number[], colours: readonly Colour[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < colours.length; i++) {
    const [r, g, b] = parts(colours[i]!);
    const distance = (r! - red!) ** 2 + (g! - green!) ** 2 + (b! - blue!) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}
