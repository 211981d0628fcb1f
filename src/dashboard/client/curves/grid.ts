import type { Range } from "../lib/curves/axis.ts";
import { groupMetrics } from "../lib/curves/groups.ts";
import { el } from "./dom.ts";
import { CurveFigure } from "./figure.ts";

/** So far below the window a chart is drawn already. */
const AHEAD = "300px";

type GridEvents = {
  zoom: (range: Range | null) => void;
  /** A figure is in view, and is to be drawn. */
  shown: (figure: CurveFigure) => void;
};

/** A figure for each metric, by their prefixes; drawn once it is in view. */
export class FigureGrid {
  readonly element = el("div", { className: "curve-groups" });
  readonly #events: GridEvents;
  readonly #figures = new Map<string, CurveFigure>();
  readonly #groups = new Map<
    string,
    { details: HTMLDetailsElement; count: HTMLElement; grid: HTMLElement }
  >();
  readonly #byElement = new WeakMap<Element, CurveFigure>();
  readonly #inView = new Set<CurveFigure>();
  readonly #observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const figure = this.#byElement.get(target);
        if (!figure) continue;
        if (!isIntersecting) this.#inView.delete(figure);
        else if (!this.#inView.has(figure)) {
          this.#inView.add(figure);
          this.#events.shown(figure);
        }
      }
    },
    { rootMargin: AHEAD },
  );

  constructor(events: GridEvents) {
    this.#events = events;
  }

  /** Shows these metrics and no others; figures that are there stay as they are. */
  show(keys: readonly string[]): void {
    const shown = new Set(keys);
    for (const [key, figure] of this.#figures) if (!shown.has(key)) this.#remove(key, figure);
    const groups = groupMetrics(keys);
    for (const [prefix, { details }] of this.#groups)
      if (!groups.some((group) => group.prefix === prefix)) {
        details.remove();
        this.#groups.delete(prefix);
      }
    for (const { prefix, keys } of groups) {
      const { count, grid } = this.#group(prefix);
      count.textContent = String(keys.length);
      this.#place(
        grid,
        keys.map((key) => this.#figure(key).element),
      );
    }
    this.#place(
      this.element,
      groups.map(({ prefix }) => this.#group(prefix).details),
    );
  }

  /** Draws what is in view, of these metrics or of all. */
  drawAll(keys?: readonly string[]): void {
    for (const figure of this.#inView) if (!keys || keys.includes(figure.key)) this.#events.shown(figure);
  }

  close(): void {
    this.#observer.disconnect();
    for (const [key, figure] of this.#figures) this.#remove(key, figure);
  }

  /** Moves nothing that is in its place: what is moved loses the focus. */
  #place(grid: HTMLElement, elements: readonly HTMLElement[]): void {
    for (const [i, element] of elements.entries())
      if (grid.children[i] !== element) grid.insertBefore(element, grid.children[i] ?? null);
  }

  #group(prefix: string) {
    const known = this.#groups.get(prefix);
    if (known) return known;
    const count = el("small");
    const grid = el("div", { className: "curve-grid" });
    const details = el(
      "details",
      { open: true, className: "curve-group" },
      el("summary", {}, prefix === "" ? "Metrics" : prefix, " ", count),
      grid,
    );
    const made = { details, count, grid };
    this.#groups.set(prefix, made);
    return made;
  }

  #figure(key: string): CurveFigure {
    const known = this.#figures.get(key);
    if (known) return known;
    const figure = new CurveFigure(key, this.#events.zoom);
    this.#figures.set(key, figure);
    this.#byElement.set(figure.element, figure);
    this.#observer.observe(figure.element);
    return figure;
  }

  #remove(key: string, figure: CurveFigure): void {
    this.#observer.unobserve(figure.element);
    this.#inView.delete(figure);
    this.#figures.delete(key);
    figure.close();
  }
}
