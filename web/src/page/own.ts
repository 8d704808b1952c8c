// A picture of one's own, enlarged by the chosen kernel; and flat grey beside it, which shows the checkerboard alone.
import type { Geometry } from "../core/geometry";
import { checkerboard, MOST_CELLS, type Picture, upsample, type Weights } from "../formats/picture";
import { folded, h, labelled, select } from "./dom";
import { attempt, type Model, type Part } from "./model";

/** Pixels across that small pictures are enlarged to, about. */
const SEEN = 192;
/** Cells of the longer side that a picture is made smaller to. */
const LONGEST = 256;

export function own(t: Model["t"], current: () => Model, kept: { source: HTMLImageElement | null }): Part {
  const said = h("p", { class: "note", "aria-live": "polite" });
  const pictures = h("div", { class: "pictures" });
  const weights = select(
    { id: "weights", onchange: () => show(current()) },
    [
      ["ones", t("ones")],
      ["bilinear", t("bilinear")],
    ],
    "ones",
  );
  const file = h("input", { id: "file", type: "file", accept: "image/*", onchange: () => load() });

  async function load(): Promise<void> {
    const chosen = file.files?.[0];
    if (!chosen) return;
    try {
      kept.source = await decoded(chosen);
      show(current());
    } catch {
      said.textContent = t("own fails", chosen.name);
    }
  }

  function show({ geometry }: Model): void {
    if (!element.open) return;
    if (geometry.ndim !== 2) {
      said.textContent = t("own two", geometry.ndim);
      pictures.replaceChildren();
      return;
    }
    const picture = kept.source ? smaller(kept.source, geometry) : drawn();
    const how = weights.value as Weights;
    const [found, error] = attempt(
      () =>
        [upsample(picture.pixels, picture.width, picture.height, geometry, how), checkerboard(geometry, how)] as const,
    );
    said.textContent = error;
    if (!found) {
      pictures.replaceChildren();
      return;
    }
    const [enlarged, flat] = found;
    const { lowest, highest } = flat;
    said.textContent = t("own is", picture.height, picture.width, enlarged.height, enlarged.width);
    pictures.replaceChildren(
      shown(picture, t("file")),
      shown(enlarged, said.textContent),
      shown(flat, t("flat is", Math.round(lowest), Math.round(highest)), t("flat")),
    );
  }

  const element = folded(
    t("own"),
    false,
    h("p", { class: "note" }, t("own hint")),
    h("div", { class: "row" }, labelled(t("file"), file), labelled(t("weights"), weights)),
    said,
    pictures,
  );
  element.addEventListener("toggle", () => show(current()));
  return { element, show };
}

function shown(picture: Picture, text: string, more = ""): HTMLElement {
  const canvas = h("canvas", { width: picture.width, height: picture.height, role: "img", "aria-label": text });
  // Small ones are enlarged with sharp edges, so that cells can be seen.
  canvas.style.width = `${picture.width * Math.max(1, Math.round(SEEN / picture.width))}px`;
  const data = new ImageData(picture.width, picture.height);
  data.data.set(picture.pixels);
  canvas.getContext("2d")!.putImageData(data, 0, 0);
  return h("figure", {}, canvas, h("figcaption", {}, ...(more ? [`${more}: `] : []), text));
}

/** Any picture that the browser can show, SVG too. */
async function decoded(file: File): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(image.src); // what is decoded stays
  }
  return image;
}

/** As large as can be seen, and as a page can hold once it is enlarged. */
function smaller(source: HTMLImageElement, { stride }: Geometry): Picture {
  const [wide, high] = [source.naturalWidth || LONGEST, source.naturalHeight || LONGEST];
  const most = Math.min(LONGEST, Math.floor(Math.sqrt(MOST_CELLS / (2 * stride.reduce((all, s) => all * s, 1)))));
  const scale = Math.min(1, most / Math.max(wide, high));
  const sizes = [wide, high].map((size) => Math.max(1, Math.round(size * scale)));
  return painted(sizes[0]!, sizes[1]!, (brush, w, h) => brush.drawImage(source, 0, 0, w, h));
}

/** Where nobody has chosen a picture: rings, an edge and a slope, on which a checkerboard shows. */
function drawn(): Picture {
  return painted(96, 96, (brush, width, height) => {
    const slope = brush.createLinearGradient(0, 0, width, height);
    slope.addColorStop(0, "#f7d9c7");
    slope.addColorStop(1, "#2f6690");
    brush.fillStyle = slope;
    brush.fillRect(0, 0, width, height);
    brush.lineWidth = 5;
    for (const [radius, colour] of [
      [36, "#bb4c17"],
      [24, "#fcfbf8"],
      [12, "#1b7f67"],
    ] as const) {
      brush.strokeStyle = colour;
      brush.beginPath();
      brush.arc(width / 2, height / 2, radius, 0, 2 * Math.PI);
      brush.stroke();
    }
  });
}

type Brush = CanvasRenderingContext2D;

function painted(width: number, height: number, paint: (brush: Brush, width: number, height: number) => void): Picture {
  const canvas = h("canvas", { width, height });
  const brush = canvas.getContext("2d", { willReadFrequently: true })!;
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, width, height);
  paint(brush, width, height);
  return { pixels: brush.getImageData(0, 0, width, height).data, width, height };
}
