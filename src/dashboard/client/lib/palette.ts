import { type Choice, choiceOf, type FoundItem, placesFor } from "./found.ts";

/** Ctrl-K: to any model run, trial, experiment, run or page by what one knows of its name. */

const WAIT_MS = 150;

export function listenForPalette(): void {
  const opener = document.querySelector<HTMLButtonElement>("[data-palette]");
  const dialog = document.querySelector<HTMLDialogElement>("dialog.palette");
  if (!opener || !dialog) return;
  const palette = new Palette(dialog);
  opener.addEventListener("click", () => palette.open());
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    palette.open();
  });
}

class Palette {
  readonly #dialog: HTMLDialogElement;
  readonly #input: HTMLInputElement;
  readonly #list: HTMLElement;
  #choices: Choice[] = [];
  #at = 0;
  #timer = 0;
  #asked = new AbortController();

  constructor(dialog: HTMLDialogElement) {
    this.#dialog = dialog;
    this.#input = part(dialog, "input", HTMLInputElement);
    this.#list = part(dialog, "[role=listbox]", HTMLElement);
    this.#input.addEventListener("input", () => this.#look());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  open(): void {
    if (this.#dialog.open) return;
    this.#input.value = "";
    this.#dialog.showModal();
    this.#look();
  }

  /** Pages at once, and what the relay finds a moment after the last key. */
  #look(): void {
    const text = this.#input.value.trim();
    clearTimeout(this.#timer);
    this.#asked.abort();
    const places = placesFor(text);
    this.#show(places);
    if (text === "") return;
    const asked = new AbortController();
    this.#asked = asked;
    this.#timer = window.setTimeout(async () => {
      const found = await find(text, asked.signal);
      if (!asked.signal.aborted) this.#show([...found.map(choiceOf), ...places]);
    }, WAIT_MS);
  }

  #show(choices: Choice[]): void {
    this.#choices = choices;
    this.#list.replaceChildren(...choices.map(optionOf));
    this.#select(0);
  }

  #select(at: number): void {
    const { length } = this.#choices;
    this.#at = length === 0 ? 0 : (at + length) % length;
    for (const [i, option] of [...this.#list.children].entries()) {
      option.setAttribute("aria-selected", String(i === this.#at));
      if (i === this.#at) option.scrollIntoView({ block: "nearest" });
    }
    this.#input.setAttribute("aria-activedescendant", length === 0 ? "" : `choice-${this.#at}`);
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.#select(this.#at + step);
    }
    const chosen = this.#choices[this.#at];
    if (event.key === "Enter" && chosen) {
      event.preventDefault();
      location.assign(chosen.href);
    }
  }
}

function optionOf({ kind, name, about, href }: Choice, i: number): HTMLElement {
  const option = document.createElement("div");
  option.id = `choice-${i}`;
  option.role = "option";
  option.append(spanOf("kind", kind), spanOf("name", name), spanOf("about", about));
  option.addEventListener("click", () => location.assign(href));
  return option;
}

/** Names are trainers' own: always text. */
function spanOf(className: string, text: string): HTMLElement {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}

async function find(text: string, signal: AbortSignal): Promise<FoundItem[]> {
  try {
    const response = await fetch(`/api/find?${new URLSearchParams({ text })}`, { signal });
    return response.ok ? (await response.json()).found : [];
  } catch {
    return [];
  }
}

function part<T extends Element>(root: Element, selector: string, type: new () => T): T {
  const element = root.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`the palette has no ${selector}`);
}
