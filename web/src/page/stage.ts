// The picture: its views, its steps, and what the cell that is touched is tied to.
import { place } from "../draw/layout";
import { svg } from "../draw/svg";
import { THEMES } from "../draw/themes";
import { VIEWS } from "../draw/views";
import { button, h } from "./dom";
import type { Change, Model, Part } from "./model";
import { spoken } from "./spoken";
import { isTied, sentence } from "./ties";
import type { Word } from "./words";

/** Milliseconds of a step while they are played. */
const STEP = 900;
/** Pixels across from which a sheet is wide. */
const WIDE_FROM = 700;

export function stage(t: Model["t"], current: () => Model, change: Change): Part & { stop(): void } {
  const sheet = h("div", {
    class: "sheet",
    tabindex: 0,
    role: "application",
    "aria-label": t("picture"),
    onpointerover: (event: PointerEvent) => touch(cellAt(event.target)),
    onpointerleave: () => touch(null),
    onclick: (event: MouseEvent) => hold(cellAt(event.target)),
    onkeydown: (event: KeyboardEvent) => walk(event),
  });
  const tie = h("p", { class: "tie", "aria-live": "polite" });
  const live = h("p", { class: "spoken", "aria-live": "polite" });
  const scrub = h("input", {
    id: "step",
    type: "range",
    min: 0,
    "aria-label": t("step"),
    oninput: () => to(Number(scrub.value)),
  });
  // The slider says the same to those who hear it.
  const count = h("output", { for: "step", "aria-live": "off" });
  const play = button(t("play"), () => (timer ? stop() : start()), { class: "play" });
  const bar = h(
    "div",
    { class: "steps", role: "group", "aria-label": t("steps") },
    button("|◀", () => to(0), { "aria-label": t("first") }),
    button("◀", () => by(-1), { "aria-label": t("previous") }),
    play,
    button("▶", () => by(1), { "aria-label": t("next") }),
    button("▶|", () => to(current().steps - 1), { "aria-label": t("last") }),
    scrub,
    count,
  );
  const views = h(
    "fieldset",
    { class: "views" },
    h("legend", {}, t("view")),
    ...Object.keys(VIEWS).map((name) => {
      const id = `view-${name}`;
      const radio = h("input", {
        type: "radio",
        name: "view",
        id,
        value: name,
        onchange: () => change({ view: name, step: null }),
      });
      return h("span", {}, radio, h("label", { for: id }, t(name as Word)));
    }),
  );

  let timer = 0;
  // Cells by what they are: a picture that is drawn anew has others, of the same names.
  let held = "";
  let cursor = "";
  let drawn: unknown[] = [];

  function to(step: number): void {
    change({ step });
  }

  function by(more: number): void {
    const { step, steps } = current();
    to((step + more + steps) % steps);
  }

  function start(): void {
    timer = window.setInterval(() => by(1), STEP);
    play.textContent = t("pause");
    live.setAttribute("aria-live", "off"); // who hears the page could not follow
  }

  function stop(): void {
    window.clearInterval(timer);
    timer = 0;
    play.textContent = t("play");
    live.setAttribute("aria-live", "polite");
  }

  const cells = () => [...sheet.querySelectorAll<SVGElement>("[data-of]")];
  const cellOf = (of: string) => cells().find((cell) => cell.dataset.of === of) ?? null;

  /** Light what a cell is tied to, or what is held where there is none. */
  function touch(cell: SVGElement | null): void {
    const of = cell?.dataset.of ?? held;
    const { board, language } = current();
    for (const other of cells()) other.classList.toggle("tied", !!of && isTied(board, other.dataset.of!, of));
    tie.textContent = of ? sentence(board, of, language) : "";
  }

  function hold(cell: SVGElement | null): void {
    held = cell?.dataset.of ?? "";
    touch(cell);
  }

  /** The arrows go to the nearest cell that way. */
  function walk(event: KeyboardEvent): void {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") hold(mark(null));
    else if (event.key === "Enter") hold(cellOf(cursor));
    else if (way) touch(mark(nearest(cells(), marked(), way[0]!, way[1]!)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const marked = () => sheet.querySelector<SVGElement>(".cursor") ?? cellOf(cursor);

  function mark(cell: SVGElement | null): SVGElement | null {
    sheet.querySelector(".cursor")?.classList.remove("cursor");
    cell?.classList.add("cursor");
    cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
    cursor = cell?.dataset.of ?? "";
    return cell;
  }

  function show(model: Model): void {
    const { board, step, steps, view, language, theme, state } = model;
    const form = sheet.clientWidth && sheet.clientWidth < WIDE_FROM ? "narrow" : "wide";
    sheet.dataset.form = form;
    sheet.innerHTML = svg(place(view.scene(board, step), language, form), THEMES[theme], true);
    for (const radio of views.querySelectorAll("input")) radio.checked = radio.value === state.view;
    bar.hidden = steps < 2;
    if (steps < 2 && timer) stop();
    scrub.max = `${steps - 1}`;
    scrub.value = `${step}`;
    scrub.setAttribute("aria-valuetext", t("step of", step + 1, steps));
    count.textContent = t("step of", step + 1, steps);
    live.textContent = spoken(model);
    // What is held stays so from step to step, not in another picture.
    if (model.view !== drawn[0] || model.geometry !== drawn[1]) held = cursor = "";
    drawn = [model.view, model.geometry];
    if (cursor) cellOf(cursor)?.classList.add("cursor");
    touch(null);
  }

  const element = h(
    "section",
    { class: "stage", "aria-label": t("view") },
    views,
    sheet,
    h("div", { class: "dock" }, bar, tie),
    live,
    h("p", { class: "note keys" }, t("keys")),
  );
  return { element, show, stop, steps: true };
}

function cellAt(target: EventTarget | null): SVGElement | null {
  return target instanceof SVGElement && target.dataset.of ? target : null;
}

/** Among cells the nearest one to the left, right, above or below; the first one where there is none to start from. */
function nearest(cells: SVGElement[], from: SVGElement | null, right: number, down: number): SVGElement | null {
  if (!from) return cells[0] ?? null;
  const middle = (cell: SVGElement) => {
    const { x, y, width, height } = cell.getBoundingClientRect();
    return [x + width / 2, y + height / 2] as const;
  };
  const [x, y] = middle(from);
  let best = from;
  let least = Number.POSITIVE_INFINITY;
  for (const cell of cells) {
    const [u, v] = middle(cell);
    const ahead = (u - x) * right + (v - y) * down;
    const beside = Math.abs((u - x) * down) + Math.abs((v - y) * right);
    const far = ahead + 3 * beside;
    if (ahead > 1 && far < least) [best, least] = [cell, far];
  }
  return best;
}
