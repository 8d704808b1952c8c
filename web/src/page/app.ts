// The page: its parts, and the one state that all of them show.

import type { ThemeName } from "../draw/themes";
import { code } from "./code";
import { button, h, labelled, select } from "./dom";
import { form } from "./form";
import { type Model, modelOf, type Part } from "./model";
import { numbers } from "./numbers";
import { own } from "./own";
import { share } from "./share";
import { stage } from "./stage";
import { BEGIN, preferred, read, SHADES, type State, written } from "./state";
import { wanted } from "./wanted";

/** Fill the page, from its address or from what it was written with. */
export function start(): void {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let model: Model;
  let parts: Part[] = [];
  let stop = () => {};
  // What outlives a change of the language.
  const framework = { name: "torch" };
  const picture = { source: null };

  function change(said: Partial<State>, told = true, redrawn = false): void {
    const before = model;
    model = modelOf({ ...model.state, ...said }, system.matches, model);
    document.documentElement.dataset.theme = model.theme;
    const alike = before.state.options === model.state.options && before.view === model.view;
    for (const part of parts) if (part.steps || !alike || redrawn) part.show(model);
    address(written(model.state));
    if (told) tell(model);
  }

  function build(): void {
    stop();
    const recall = remembered();
    const { t } = model;
    const current = () => model;
    const picked = stage(t, current, change);
    stop = picked.stop;
    const parameters = form(t, current, change);
    const told = [numbers(t), wanted(t, current, change)];
    const taken = [code(t, framework), own(t, current, picture), share(t, current)];
    parts = [picked, parameters, ...told, ...taken];
    document.documentElement.lang = model.language === "zh" ? "zh-Hans" : "en";
    document.title = t("title");
    for (const old of document.querySelectorAll("body > header, body > main")) old.remove();
    document.body.append(header(), h("main", {}, picked.element, parameters.element, column(told), column(taken)));
    change({}, false, true);
    recall();
  }

  function header(): HTMLElement {
    const { t, state } = model;
    const other = state.language === "en" ? "zh" : "en";
    const shade = select(
      { id: "theme", onchange: () => change({ shade: shade.value as State["shade"] }) },
      SHADES.map((each) => [each, t(each)] as const),
      state.shade,
    );
    const language = button(t("language"), () => to(other), {
      id: "language",
      lang: other === "zh" ? "zh-Hans" : "en",
    });
    return h(
      "header",
      {},
      h("div", {}, h("h1", {}, t("title")), h("p", {}, t("lead"))),
      h("div", { class: "row" }, labelled(t("theme"), shade), language),
    );
  }

  function to(language: State["language"]): void {
    model = modelOf({ ...model.state, language }, system.matches, model);
    build();
    document.getElementById("language")?.focus();
  }

  /** Take over a state from elsewhere: an address, or a notebook. */
  function take(text: string): void {
    const state = read(text, model.state);
    if (state.language === model.language) change(state, true, true);
    else {
      model = modelOf(state, system.matches, model);
      build();
      tell(model);
    }
  }

  // In a frame the page around it says what this is.
  document.documentElement.classList.toggle("framed", window.parent !== window);
  const begin: State = { options: BEGIN, view: "scatter", step: null, language: preferred(), shade: "auto" };
  const said = location.hash.slice(1) || document.documentElement.dataset.start || "";
  model = modelOf(said ? read(said, begin) : begin, system.matches);
  build();

  system.addEventListener("change", () => change({}));
  window.addEventListener(
    "hashchange",
    () => location.hash.slice(1) !== written(model.state) && take(location.hash.slice(1)),
  );
  window.addEventListener(
    "resize",
    resized(() => change({}, false, true)),
  );
  onPrint(
    (theme) => {
      model = { ...model, theme };
      document.documentElement.dataset.theme = theme;
      for (const part of parts) part.show(model);
    },
    () => model,
  );
  window.addEventListener("keydown", (event) => stepped(event, model, (step) => change({ step })));
  window.addEventListener("message", ({ data, source }) => {
    if (source === window.parent && typeof data?.tconv === "string" && data.tconv !== written(model.state))
      take(data.tconv);
  });
}

/** Folded parts and what was typed beside the form, put back once the page has been built anew. */
function remembered(): () => void {
  const open = [...document.querySelectorAll("details")].map((part) => part.open);
  const fields = [...document.querySelectorAll<HTMLInputElement | HTMLSelectElement>(".more :is(input, select)[id]")];
  const typed = fields.filter((field) => field.type !== "file" && field.id !== "framework");
  return () => {
    for (const [i, part] of [...document.querySelectorAll("details")].entries()) part.open = open[i] ?? part.open;
    for (const { id, value } of typed) {
      const field = document.getElementById(id) as HTMLInputElement | HTMLSelectElement;
      if (!field.hasAttribute("readonly")) field.value = value;
    }
  };
}

/** On paper everything is light. */
function onPrint(show: (theme: ThemeName) => void, current: () => Model): void {
  let before: ThemeName = "light";
  window.addEventListener("beforeprint", () => {
    before = current().theme;
    show("light");
  });
  window.addEventListener("afterprint", () => show(before));
}

const column = (parts: Part[]) => h("div", { class: "more" }, ...parts.map((part) => part.element));

/** The state in the address; a page inside of another one, from no address of its own, has none. */
function address(text: string): void {
  try {
    history.replaceState(null, "", `#${text}`);
  } catch {
    // It is shown all the same.
  }
}

/** Who embeds the page is told what it shows; nobody else listens. */
function tell({ state, geometry }: Model): void {
  if (window.parent === window) return;
  const axes = geometry.axes.map(({ fine: _, ...axis }) => axis);
  window.parent.postMessage({ tconv: written(state), axes }, "*");
}

/** Call at most once a frame, and only when the width has changed: on phones the height changes while one scrolls. */
function resized(call: () => void): () => void {
  let width = window.innerWidth;
  return () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    requestAnimationFrame(call);
  };
}

/** Keys that step wherever the focus is, except where they mean something of their own. */
function stepped(event: KeyboardEvent, { step, steps }: Model, to: (step: number) => void): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (target.closest("input, select, textarea, pre, .scrolled")) return;
  const inStage = target.closest(".stage") !== null;
  const { key } = event;
  if (key === " " && (target === document.body || target.closest(".sheet"))) {
    if (!event.repeat) document.querySelector<HTMLButtonElement>(".play")?.click();
  } else if (key === "ArrowRight") to((step + 1) % steps);
  else if (key === "ArrowLeft") to((step - 1 + steps) % steps);
  else if (key === "Home" && inStage) to(0);
  else if (key === "End" && inStage) to(steps - 1);
  else return;
  event.preventDefault();
}
