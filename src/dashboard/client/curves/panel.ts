import type { CurveSource } from "../../../answers/curves.ts";
import type { Range } from "../lib/curves/axis.ts";
import { sourceId } from "../lib/curves/curve.ts";
import { readFilter } from "../lib/curves/filter.ts";
import { colorAt, dashOf } from "../lib/curves/look.ts";
import { type CurvesState, readState, writeState } from "../lib/curves/state.ts";
import { type Live, watch } from "../lib/live.ts";
import { CurvesApi, type Listed } from "./api.ts";
import { CurveData } from "./data.ts";
import { el } from "./dom.ts";
import type { CurveFigure, Source } from "./figure.ts";
import { FigureGrid } from "./grid.ts";
import { Legend } from "./legend.ts";
import { Toolbar } from "./toolbar.ts";

/** How long a slider may move before the address follows. */
const ADDRESS_MS = 200;

/** All curves of some trials: what to draw by, whose line is which, and a chart for each metric that is in view. */
export class CurvesPanel {
  readonly #section: HTMLElement;
  readonly #data: CurveData;
  readonly #grid: FigureGrid;
  readonly #legend = new Legend();
  readonly #toolbar: Toolbar;
  readonly #trouble = el("p", { className: "problem", hidden: true });
  readonly #empty = el("p", { className: "hint", hidden: true, textContent: "No metrics yet." });
  readonly #live: Live;
  readonly #over = new AbortController();
  #state: CurvesState = readState(new URLSearchParams(location.search));
  #listed: Listed = { sources: [], metrics: [], truncated: false };
  #timer = 0;
  #frame = 0;

  /** Fills a section that names trials and runs. */
  static mount(section: HTMLElement): CurvesPanel {
    return new CurvesPanel(section);
  }

  private constructor(section: HTMLElement) {
    const ids = (text: string | undefined) => (text ?? "").split(",").filter((id) => id !== "");
    const [trials, runs] = [ids(section.dataset.trials), ids(section.dataset.runs)];
    const api = new CurvesApi(trials, runs);
    this.#section = section;
    this.#data = new CurveData(api, {
      change: (keys) => this.#grid.drawAll(keys),
      trouble: (words) => this.#say(words),
    });
    this.#grid = new FigureGrid({
      zoom: (range) => this.#change({ zoom: range }),
      shown: (figure) => this.#draw(figure),
    });
    this.#toolbar = new Toolbar(this.#state, (changes) => this.#change(changes));
    this.#trouble.setAttribute("role", "alert");
    section.replaceChildren(
      this.#toolbar.element,
      this.#legend.element,
      this.#trouble,
      this.#empty,
      this.#grid.element,
    );
    const again = () => this.#grid.drawAll();
    const { signal } = this.#over;
    document.addEventListener("relay:theme", again, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again, { signal });
    void this.#data.zoom(this.#part(this.#state));
    this.#live =
      trials.length + runs.length === 0
        ? { ask: () => {}, stop: () => {} }
        : watch(api.listAddress, (response) => this.#list(response));
  }

  close(): void {
    this.#live.stop();
    this.#data.close();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#over.abort();
    this.#grid.close();
    this.#section.replaceChildren();
  }

  /** The list changes whenever anything came: then what came is asked for too. */
  async #list(response: Response): Promise<void> {
    this.#listed = await response.json();
    this.#data.setSources(this.#listed.sources);
    this.#arrange();
    this.#grid.drawAll();
    // Then the list is read again, and so is this.
    if (!(await this.#data.refresh())) throw new Error("what came could not be read");
  }

  #arrange(): void {
    const filter = readFilter(this.#state.metrics);
    const keys = this.#listed.metrics.map(({ key }) => key);
    this.#grid.show(filter.ok ? keys.filter(filter.test) : keys);
    this.#empty.hidden = keys.length > 0;
    this.#legend.show(
      this.#listed.sources.map((source, i) => ({ ...lookOf(source, i), href: hrefOf(source) })),
      this.#state.hidden,
      (hidden) => this.#change({ hidden }),
    );
    this.#toolbar.show(this.#state);
  }

  #draw(figure: CurveFigure): void {
    this.#data.wish(figure.key);
    const curves = this.#data.curves(figure.key);
    if (!curves) return;
    const shown = this.#listed.sources.flatMap((source, i) => {
      const look = lookOf(source, i);
      const curve = curves.get(look.id);
      return curve && !this.#state.hidden.includes(look.id) ? [{ source: look, curve }] : [];
    });
    figure.draw(shown, this.#state);
  }

  #change(changes: Partial<CurvesState>): void {
    const before = this.#state;
    this.#state = { ...before, ...changes };
    if (changes.zoom !== undefined && !isSame(changes.zoom, before.zoom))
      void this.#data.zoom(this.#part(this.#state));
    if (changes.metrics !== undefined || changes.hidden !== undefined) this.#arrange();
    this.#toolbar.show(this.#state);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#grid.drawAll();
    });
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      const query = writeState(new URLSearchParams(location.search), this.#state).toString();
      history.replaceState(history.state, "", query === "" ? location.pathname : `?${query}`);
    }, ADDRESS_MS);
  }

  #part({ axis, zoom }: CurvesState): { axis: CurvesState["axis"]; zoom: Range } | null {
    return zoom === null ? null : { axis, zoom };
  }

  #say(words: string | null): void {
    this.#trouble.hidden = words === null;
    this.#trouble.textContent = words === null ? "" : `Curves could not be read: ${words}`;
  }
}

const isSame = (a: Range | null, b: Range | null) => a === b || (a?.[0] === b?.[0] && a?.[1] === b?.[1]);

function lookOf(source: CurveSource, index: number): Source {
  return {
    id: sourceId(source),
    name: source.run_name ?? source.trial_id ?? source.run ?? "",
    color: colorAt(index),
    dash: dashOf(source.spectral_norm),
    origin: Date.parse(source.origin),
  };
}

function hrefOf({ trial, run }: CurveSource): string {
  return trial === null ? `/runs/${encodeURIComponent(run ?? "")}` : `/trials/${encodeURIComponent(trial)}`;
}
