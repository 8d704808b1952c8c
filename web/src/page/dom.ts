// Elements in a line: `h("button", { type: "button", onclick }, "play")`.

type Child = Node | string;
type Attributes = Record<string, string | number | boolean | ((event: never) => void) | undefined>;

/** An element with its attributes, listeners ("on…") and children; an attribute that is false or undefined is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** A button that does something. */
export function button(text: string, onclick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A choice of one among some, each a value and what it is called. */
export function select(
  attributes: Attributes,
  entries: readonly (readonly [value: string, text: string])[],
  chosen: string,
): HTMLSelectElement {
  const options = entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return h("select", attributes, ...options);
}

/** A field with its label above it. */
export function labelled(text: string, field: HTMLElement): HTMLLabelElement {
  return h("label", {}, h("span", {}, text), field);
}

/** A part of the page that can be folded. */
export function folded(title: string, open: boolean, ...children: Child[]): HTMLDetailsElement {
  return h("details", { open }, h("summary", {}, h("h2", {}, title)), ...children);
}

/** What is in a list of lines, each with its name before it. */
export function facts(lines: readonly (readonly [name: string, text: string])[]): HTMLDListElement {
  const pairs = lines.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
  return h("dl", {}, ...pairs);
}
