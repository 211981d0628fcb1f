import { lengthOf, type Range } from "../lib/curves/axis.ts";
import { curvesCsv } from "../lib/curves/csv.ts";
import type { HeldCurve } from "../lib/curves/curve.ts";
import { drawn, markWords } from "../lib/curves/drawn.ts";
import { smooth } from "../lib/curves/smoothing.ts";
import type { CurvesState } from "../lib/curves/state.ts";
import { Chart, type Line, type Readout } from "./chart.ts";
import { download, el } from "./dom.ts";
import { picture } from "./picture.ts";
import { curveTable } from "./table.ts";

/** Whose a line is, and how it looks. */
export type Source = {
  id: string;
  name: string;
  color: string;
  dash: readonly number[] | undefined;
  origin: number;
};

const PAN = 0.2;
const ZOOM = 0.5;
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

/** One metric: its name, its chart, and the same as a table. */
export class CurveFigure {
  readonly key: string;
  readonly element: HTMLElement;
  /** Made once it is in view: of a thousand metrics few are. */
  #chart: Chart | null = null;
  readonly #plot = el("div", { className: "plot", tabIndex: 0 });
  readonly #notes = el("small");
  readonly #readout = el("output", { className: "readout" });
  readonly #table = el("div", { className: "curve-table", hidden: true, tabIndex: 0 });
  readonly #onZoom: (range: Range | null) => void;
  #shown: { source: Source; curve: HeldCurve }[] = [];
  #state: CurvesState | null = null;

  constructor(key: string, onZoom: (range: Range | null) => void) {
    this.key = key;
    this.#onZoom = onZoom;
    const table = el("button", { type: "button", className: "quiet", textContent: "Table" });
    table.setAttribute("aria-expanded", "false");
    table.addEventListener("click", () => {
      this.#table.hidden = !this.#table.hidden;
      table.setAttribute("aria-expanded", String(!this.#table.hidden));
      this.#fillTable();
    });
    const button = (text: string, onClick: () => void) => {
      const made = el("button", { type: "button", className: "quiet", textContent: text });
      made.setAttribute("aria-label", `${text} of ${key}`);
      made.addEventListener("click", onClick);
      return made;
    };
    table.setAttribute("aria-label", `Table of ${key}`);
    this.#plot.setAttribute("role", "application");
    this.#table.setAttribute("role", "region");
    this.#table.setAttribute("aria-label", `Points of ${key}`);
    this.element = el(
      "figure",
      { className: "curve" },
      el(
        "figcaption",
        {},
        el("span", { className: "curve-name", textContent: key, title: key }),
        this.#notes,
        el("span", { className: "space" }),
        ...(document.fullscreenEnabled ? [button("Full screen", () => void this.#toggleFullScreen())] : []),
        table,
        button("PNG", () => this.#savePicture()),
        button("CSV", () => this.#saveTable()),
      ),
      this.#plot,
      this.#readout,
      this.#table,
    );
    this.element.dataset.key = key;
    this.#plot.addEventListener("keydown", (event) => this.#pressed(event));
  }

  draw(shown: { source: Source; curve: HeldCurve }[], state: CurvesState): void {
    this.#shown = shown;
    this.#state = state;
    const lines = shown.map(({ source, curve }): Line => {
      const line = drawn(curve.points, { ...state, origin: source.origin, isThinned: curve.isThinned });
      const smoothed = state.smoothing > 0 ? smooth(line.xs, line.ys, state.smoothing) : null;
      return { ...source, drawn: line, smoothed };
    });
    this.#chart ??= new Chart(this.#plot, {
      zoom: this.#onZoom,
      cursor: (readout) => this.#read(readout),
      drawn: () => {
        this.element.dataset.range = JSON.stringify(this.#chart?.range);
      },
    });
    this.#chart.draw(lines, state);
    this.#say(lines);
    if (!this.#table.hidden) this.#fillTable();
  }

  close(): void {
    this.#chart?.close();
    this.element.remove();
  }

  /** What is noted beside the name: what is no number, what has no place, and what is not here. */
  #say(lines: readonly Line[]): void {
    const beyond = lines.reduce((sum, { drawn: { beyond } }) => sum + beyond, 0);
    const points = this.#shown.reduce((sum, { curve }) => sum + curve.points.length, 0);
    const missing = this.#shown.flatMap(({ curve: { unavailable } }) => unavailable ?? []);
    this.#notes.textContent = [
      markWords(lines.flatMap(({ drawn: { marks } }) => marks)),
      beyond > 0 ? `${beyond} without a place on a logarithmic axis` : "",
      points === 0 && missing.length === 0 ? "nothing here" : "",
      ...new Set(missing),
    ]
      .filter((words) => words !== "")
      .join(" · ");
    this.element.dataset.points = String(points);
    const lasts = lines.flatMap(({ name, drawn: { ys } }) => {
      const last = ys.findLast((y) => y !== null);
      return last === undefined || last === null ? [] : [`${name} ${number.format(last)}`];
    });
    this.#plot.setAttribute(
      "aria-label",
      `Chart of ${this.key}. Last: ${lasts.join(", ") || "nothing"}. Arrows move the cursor, plus and minus zoom, Escape shows all.`,
    );
  }

  #read({ x, values }: Readout): void {
    if (x === null || !this.#state) {
      this.#readout.replaceChildren();
      return;
    }
    const { axis } = this.#state;
    const place =
      axis === "step"
        ? `step ${number.format(x)}`
        : axis === "time"
          ? new Date(x * 1000).toLocaleString()
          : lengthOf(x);
    const sorted = values.toSorted((a, b) => b.y - a.y);
    this.#readout.replaceChildren(
      el("span", { textContent: place }),
      ...sorted.map(({ line, y }) => {
        const value = el("span", { textContent: number.format(y), title: line.name });
        value.style.setProperty("--line-color", line.color);
        value.className = "value";
        return value;
      }),
    );
  }

  #pressed(event: KeyboardEvent): void {
    const chart = this.#chart;
    const range = chart?.range;
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, to] = range;
    const width = to - from;
    const moved = (by: number) => this.#onZoom([from + by * width, to + by * width]);
    const scaled = (by: number) => {
      const middle = (from + to) / 2;
      this.#onZoom([middle - (width * by) / 2, middle + (width * by) / 2]);
    };
    const actions: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => (event.shiftKey ? moved(-PAN) : chart.step(-1)),
      ArrowRight: () => (event.shiftKey ? moved(PAN) : chart.step(1)),
      "+": () => scaled(ZOOM),
      "=": () => scaled(ZOOM),
      "-": () => scaled(1 / ZOOM),
      Escape: () => this.#onZoom(null),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  async #toggleFullScreen(): Promise<void> {
    if (document.fullscreenElement === this.element) await document.exitFullscreen();
    else await this.element.requestFullscreen();
  }

  #fillTable(): void {
    if (!this.#table.hidden) this.#table.replaceChildren(curveTable(this.#shown));
  }

  #saveTable(): void {
    const curves = this.#shown.map(({ source: { name }, curve: { points } }) => ({ name, points }));
    download(`${this.key}.csv`, new Blob([curvesCsv(this.key, curves)], { type: "text/csv" }));
  }

  #savePicture(): void {
    const canvas = this.#chart?.canvas;
    if (!canvas) return;
    const sources = this.#shown.map(({ source }) => source);
    picture(this.#plot, canvas, this.key, sources).toBlob((blob) => {
      if (blob) download(`${this.key}.png`, blob);
    });
  }
}
