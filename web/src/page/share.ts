// What can be taken away: the address, the command, and the picture as SVG, PNG or GIF.

import { place } from "../draw/layout";
import type { Sheet } from "../draw/sheet";
import { svg } from "../draw/svg";
import { THEMES } from "../draw/themes";
import { OF_CHANNELS } from "../draw/views";
import { made } from "../formats/gif";
import { copied } from "./copying";
import { button, folded, h } from "./dom";
import type { Model, Part } from "./model";
import { command, written } from "./state";

/** Pixels across of pictures, and of animations; steps of an animation at most; hundredths of a second for each. */
const [PICTURE, ANIMATION, FRAMES, DELAY] = [1600, 640, 60, 80];

export function share(t: Model["t"], current: () => Model): Part {
  const link = h("input", { id: "link", readonly: true });
  const line = h("input", { id: "command", readonly: true });
  const said = h("p", { class: "note", role: "status" });

  const copying = (name: "link" | "command", field: HTMLInputElement) =>
    h(
      "div",
      { class: "row" },
      h("label", { for: name }, t(name)),
      field,
      button(t("copy"), () => copied(field.value, field, said, t), { "aria-label": `${t("copy")}: ${t(name)}` }),
    );

  const sheet = (model: Model, step = model.step): Sheet =>
    place(model.view.scene(model.board, step), model.language, "wide");
  const text = (placed: Sheet, { theme }: Model) => svg(placed, THEMES[theme]);

  function save(blob: Blob, { state }: Model, ending: string): void {
    const name = `${state.view}.${ending}`;
    const anchor = h("a", { href: URL.createObjectURL(blob), download: name });
    anchor.click();
    window.setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
    said.textContent = t("made", name, Math.ceil(blob.size / 1000));
  }

  async function png(): Promise<void> {
    const model = current();
    const canvas = await painted(text(sheet(model), model), sheet(model), PICTURE);
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done));
    if (blob) save(blob, model, "png");
  }

  async function animation(): Promise<void> {
    const model = current();
    const steps = taken(model.steps);
    const sheets = steps.map((step) => sheet(model, step));
    // Frames are of one size: the highest of them, with paper below the others.
    const height = Math.max(...sheets.map((each) => each.height));
    const frames = [];
    for (const [i, each] of sheets.entries()) {
      await rest(t("making", i + 1, steps.length));
      const canvas = await painted(text(each, model), each, ANIMATION, height, THEMES[model.theme].paper);
      const { width } = canvas;
      const pixels = canvas.getContext("2d")!.getImageData(0, 0, width, canvas.height).data;
      frames.push({ pixels, width, height: canvas.height, delay: i < steps.length - 1 ? DELAY : 3 * DELAY });
    }
    const packing = made(frames);
    let part = packing.next();
    while (!part.done) {
      await rest(t("packing", part.value, steps.length));
      part = packing.next();
    }
    save(new Blob([part.value] as BlobPart[], { type: "image/gif" }), model, "gif");
  }

  /** Let the page answer, and say how far it is. */
  async function rest(text: string): Promise<void> {
    said.textContent = text;
    await new Promise((done) => window.setTimeout(done));
  }

  /** A button that makes a file, one at a time. */
  function maker(name: string, make: () => Promise<void>): HTMLButtonElement {
    const one = button(name, async () => {
      one.disabled = true;
      await make().catch((error: Error) => {
        said.textContent = t("not made", error.message);
      });
      one.disabled = false;
    });
    return one;
  }

  const element = folded(
    t("share"),
    true,
    // In the output of a notebook the page has no address that could be opened.
    ...(location.protocol === "about:" ? [] : [copying("link", link)]),
    copying("command", line),
    h(
      "div",
      { class: "row" },
      maker("SVG", async () => {
        const model = current();
        save(new Blob([text(sheet(model), model)], { type: "image/svg+xml" }), model, "svg");
      }),
      maker("PNG", png),
      maker("GIF", animation),
    ),
    said,
  );

  function show({ state, step, steps, view, geometry, channels, theme }: Model): void {
    link.value = `${location.href.split("#")[0]}#${written(state)}`;
    const own = steps > 1 && step !== view.first(geometry, channels) ? ` --step ${step}` : "";
    const { "in-channels": _in, "out-channels": _out, groups: _groups, ...window } = state.options;
    const options = OF_CHANNELS.includes(state.view) ? state.options : window;
    const language = state.language === "en" ? "" : ` --lang ${state.language}`;
    const shade = theme === "dark" ? " --theme dark" : "";
    line.value = command(`draw ${state.view}`, options, `${own}${language}${shade} -o ${state.view}.svg`);
  }

  return { element, show, steps: true };
}

/** Of many steps as many as an animation has, evenly, the first and the last among them. */
function taken(steps: number): number[] {
  const count = Math.min(steps, FRAMES);
  return Array.from({ length: count }, (_, i) => (count > 1 ? Math.floor((i * (steps - 1)) / (count - 1)) : 0));
}

async function painted(
  text: string,
  { width, height }: Sheet,
  across: number,
  full = height,
  paper = "",
): Promise<HTMLCanvasElement> {
  const scale = across / width;
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text.replace("<svg ", `<svg width="${across}" height="${height * scale}" `))}`;
  await image.decode();
  const canvas = h("canvas", { width: across, height: Math.round(full * scale) });
  const brush = canvas.getContext("2d", { willReadFrequently: true })!;
  if (paper) {
    brush.fillStyle = paper;
    brush.fillRect(0, 0, canvas.width, canvas.height);
  }
  brush.drawImage(image, 0, 0);
  return canvas;
}
