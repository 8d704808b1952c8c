// The parameters: each can be typed, or counted up and down; of the two sizes the one that was typed last is given.
import { joined } from "../core/geometry";
import { button, folded, h, select } from "./dom";
import { EXAMPLES } from "./examples";
import type { Change, Model, Part } from "./model";

const FIELDS = ["coarse", "fine", "kernel", "stride", "padding", "output-padding", "dilation"] as const;
const CHANNELS = ["in-channels", "out-channels", "groups"] as const;
type Name = (typeof FIELDS)[number] | (typeof CHANNELS)[number];

/** Where a message says what is wrong: it begins with the option. */
const BLAMED = /^--([a-z-]+)/;

/** The form; `current` is the model that is shown, `change` takes what was typed. */
export function form(t: Model["t"], current: () => Model, change: Change): Part {
  const error = h("p", { id: "error", role: "alert" });
  const inputs = new Map<Name, HTMLInputElement>();

  function typed(name: Name, text: string): void {
    change({ options: withField(current(), name, text), step: null });
  }

  function field(name: Name): HTMLElement {
    const id = `field-${name}`;
    const input = h("input", {
      id,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: false,
      "aria-describedby": `${id}-state`,
      oninput: () => typed(name, input.value),
      onblur: () => show(current()),
    });
    inputs.set(name, input);
    const by = (more: number) => () => {
      typed(name, counted(input.value || standing(current(), name), more, name));
      show(current());
    };
    return h(
      "div",
      { class: "field" },
      h("label", { for: id }, t(name)),
      button("−", by(-1), { "aria-label": t("less", t(name)) }),
      input,
      button("+", by(1), { "aria-label": t("more", t(name)) }),
      h("span", { id: `${id}-state`, class: "note" }),
    );
  }

  function show(model: Model): void {
    const { state, error: why } = model;
    error.replaceChildren(...(why ? [h("strong", {}, why), h("span", {}, t("stays"))] : []));
    const blamed = why.match(BLAMED)?.[1];
    for (const [name, input] of inputs) {
      const given = state.options[name] !== undefined;
      // What is being typed is not written over.
      if (input !== document.activeElement) input.value = state.options[name] ?? derivedText(model, name);
      input.setAttribute("aria-invalid", `${name === blamed}`);
      const follows =
        !given && (name === "coarse" || name === "fine" || (name === "output-padding" && !!state.options.fine));
      input.classList.toggle("follows", follows);
      input.nextElementSibling!.nextElementSibling!.textContent = follows ? t("follows") : "";
    }
  }

  const examples = select(
    {
      id: "examples",
      onchange: () => {
        const found = EXAMPLES.find(({ word }) => word === examples.value);
        if (found) change({ options: found.options, view: found.view, step: null });
        examples.value = "";
        show(current());
      },
    },
    [["", t("choose")], ...EXAMPLES.map(({ word }) => [word, t(word)] as const)],
    "",
  );
  const element = h(
    "section",
    { class: "form", "aria-labelledby": "geometry" },
    h("h2", { id: "geometry" }, t("geometry")),
    h("div", { class: "field wide" }, h("label", { for: "examples" }, t("examples")), examples),
    error,
    h("div", { class: "fields" }, ...FIELDS.map(field)),
    h("p", { class: "note" }, t("hint")),
    folded(
      t("channels"),
      CHANNELS.some((name) => current().state.options[name]),
      h("div", { class: "fields" }, ...CHANNELS.map(field)),
    ),
  );
  return { element, show };
}

/** The options after a field was typed: a size that is typed is the given one, and what followed from the other goes. */
function withField({ state, geometry }: Model, name: Name, text: string): Record<string, string> {
  const options = { ...state.options, [name]: text.trim() };
  if (name === "coarse") delete options.fine;
  if (name === "fine") for (const other of ["coarse", "output-padding"]) delete options[other];
  if (name === "coarse" || name === "fine") delete options["output-size"];
  if (name === "output-padding") {
    // It says which fine size is meant, so it is the coarse size that stays.
    options.coarse ??= geometry.coarse.join("x");
    for (const other of ["fine", "output-size"]) delete options[other];
  }
  if (text.trim() === "" && !["coarse", "fine", "kernel"].includes(name)) delete options[name];
  return options;
}

/** What a field shows that was not given: what follows from the others, where they fit, and else its default. */
function derivedText({ geometry, error }: Model, name: Name): string {
  if (name === "in-channels" || name === "out-channels") return "";
  if (name === "coarse" || name === "fine") return error ? "" : geometry[name].join("x");
  if (name === "output-padding") return error ? "" : joined(geometry.output_padding);
  return name === "padding" ? "0" : "1";
}

const standing = (model: Model, name: Name) => derivedText(model, name) || "1";

/** Every number of a text one more or less; what may not be below 1 or 0 stays there. */
function counted(text: string, more: number, name: Name): string {
  const least = name === "padding" ? Number.NEGATIVE_INFINITY : name === "output-padding" ? 0 : 1;
  return text.replace(/-?\d+/g, (number) => `${Math.max(least, Number(number) + more)}`);
}
