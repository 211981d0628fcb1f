import { el } from "./dom.ts";
import type { Source } from "./figure.ts";

/** Whose line is which, and which are drawn. Of one alone there is nothing to say. */
export class Legend {
  readonly element = el("ul", { className: "curves-legend" });
  #shape = "";

  show(
    sources: readonly (Source & { href: string | null })[],
    hidden: readonly string[],
    change: (hidden: string[]) => void,
  ): void {
    const shape = JSON.stringify([
      sources.map(({ id, name, color, dash, href }) => [id, name, color, dash, href]),
      hidden,
    ]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.element.hidden = sources.length < 2;
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.id : null;
    this.element.replaceChildren(
      ...sources.map(({ id, name, color, dash, href }, i) => {
        const box = el("input", { type: "checkbox", checked: !hidden.includes(id), id: `curve-source-${i}` });
        box.addEventListener("change", () =>
          change(box.checked ? hidden.filter((other) => other !== id) : [...hidden, id]),
        );
        const swatch = el("span", { className: dash ? "swatch dashed" : "swatch" });
        swatch.style.setProperty("--line-color", color);
        const words = dash ? `${name} (spectral_norm)` : name;
        const label = el("label", {}, box, swatch, words);
        return el(
          "li",
          {},
          label,
          ...(href === null ? [] : [el("a", { href, textContent: "open", ariaLabel: `Open ${name}` })]),
        );
      }),
    );
    if (focused) document.getElementById(focused)?.focus();
  }
}
