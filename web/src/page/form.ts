// The parameters: each can be typed, or counted up and down; of the two sizes the one that was typed last is given.
import { joined } from "../core/geometry";
import type { Options } from "../core/options";
import type { Channels } from "../draw/cells";
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
  const error = h("p", { id: "error", class: "alert" });
  // It is said when typing rests: "3x" on the way to "3x3" is no fault.
  const heard = h("p", { class: "heard", role: "status" });
  let rest = 0;
  const inputs = new Map<Name, HTMLInputElement>();

  function typed(name: Name, text: string): void {
    // Digits and letters as Chinese and Japanese keyboards may write them.
    change({ options: withField(current(), name, text.normalize("NFKC")), step: null });
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
    const shown = t(model.first ? "example stays" : "stays");
    error.replaceChildren(...(why ? [h("strong", { lang: "en" }, why), h("span", {}, shown)] : []));
    window.clearTimeout(rest);
    rest = window.setTimeout(() => heard.replaceChildren(...(why ? [h("span", { lang: "en" }, why)] : [])), 700);
    const blamed = why.match(BLAMED)?.[1]?.replace("output-size", "fine");
    const example = EXAMPLES.find(({ view, options }) => view === state.view && options === state.options);
    examples.value = example?.word ?? "";
    for (const [name, input] of inputs) {
      const given = textOf(state.options, name) !== undefined;
      // What is being typed is not written over.
      if (input !== document.activeElement) input.value = textOf(state.options, name) ?? derivedText(model, name);
      // Words such as "same" cannot be counted up.
      for (const button of [input.previousElementSibling, input.nextElementSibling]) {
        (button as HTMLButtonElement).disabled = /\p{L}/u.test(input.value.replaceAll("x", ""));
      }
      input.setAttribute("aria-invalid", `${name === blamed}`);
      input.setAttribute("aria-describedby", `field-${name}-state${name === blamed ? " error" : ""}`);
      const follows =
        !given &&
        (name === "coarse" ||
          name === "fine" ||
          (name === "output-padding" && !!(state.options.fine ?? state.options["output-size"])) ||
          (isChannels(name) && state.view === "channels"));
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
    heard,
    h("div", { class: "fields" }, ...FIELDS.map(field)),
    h("p", { class: "note" }, t("hint")),
    folded(
      t("layer channels"),
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
function derivedText({ geometry, channels, error, state }: Model, name: Name): string {
  if (isChannels(name) && state.view === "channels") return error ? "" : `${channels[fieldOf(name)]}`;
  if (name === "in-channels" || name === "out-channels") return "";
  if (name === "coarse" || name === "fine") return error ? "" : geometry[name].join("x");
  if (name === "output-padding") return error ? "" : joined(geometry.output_padding);
  return name === "padding" ? "0" : "1";
}

/** What was typed; the size of the other side is that side, whichever option says it. */
function textOf(options: Options, name: Name): string | undefined {
  const other = options.fine === undefined ? "fine" : "coarse";
  return options[name] ?? (name === other ? options["output-size"] : undefined);
}

const isChannels = (name: Name): name is (typeof CHANNELS)[number] => (CHANNELS as readonly Name[]).includes(name);

const fieldOf = (name: (typeof CHANNELS)[number]) => name.replace("-", "_") as keyof Channels & `${string}s`;

const standing = (model: Model, name: Name) => derivedText(model, name) || "1";

/** Every number of a text one more or less; what may not be below 1 or 0 stays there. */
function counted(text: string, more: number, name: Name): string {
  const least = name === "padding" ? Number.NEGATIVE_INFINITY : name === "output-padding" ? 0 : 1;
  return text.replace(/-?\d+/g, (number) => `${Math.max(least, Number(number) + more)}`);
}
