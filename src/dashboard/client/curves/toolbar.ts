import { AXES, AXIS_NAMES } from "../lib/curves/axis.ts";
import { readFilter } from "../lib/curves/filter.ts";
import { type CurvesState, MAX_SMOOTHING } from "../lib/curves/state.ts";
import { el } from "./dom.ts";

/** What curves are drawn by, and where a reader changes it. */
export class Toolbar {
  readonly element: HTMLElement;
  readonly #reset = el("button", { type: "button", textContent: "Whole range" });
  readonly #rule = el("small", { className: "bad", id: "curves-rule" });

  /** @param change has what the reader changed */
  constructor(state: CurvesState, change: (changes: Partial<CurvesState>) => void) {
    const axis = el(
      "select",
      {},
      ...AXES.map((value) => el("option", { value, textContent: AXIS_NAMES[value] })),
    );
    axis.value = state.axis;
    axis.addEventListener("change", () => {
      const chosen = AXES.find((known) => known === axis.value);
      // A place on one axis is none on another.
      if (chosen) change({ axis: chosen, zoom: null });
    });
    const logX = box(state.logX, (logX) => change({ logX }));
    const logY = box(state.logY, (logY) => change({ logY }));
    const outliers = box(state.ignoresOutliers, (ignoresOutliers) => change({ ignoresOutliers }));
    const smoothing = el("input", {
      type: "range",
      min: "0",
      max: String(MAX_SMOOTHING),
      step: "0.01",
      value: String(state.smoothing),
    });
    const much = el("output", { textContent: state.smoothing.toFixed(2) });
    smoothing.addEventListener("input", () => {
      much.textContent = smoothing.valueAsNumber.toFixed(2);
      change({ smoothing: smoothing.valueAsNumber });
    });
    const metrics = el("input", {
      type: "search",
      value: state.metrics,
      placeholder: "Metrics, as loss|acc",
      maxLength: 100,
      spellcheck: false,
    });
    metrics.setAttribute("aria-label", "Metrics by a regular expression");
    metrics.setAttribute("aria-describedby", this.#rule.id);
    metrics.addEventListener("input", () => {
      this.#judge(metrics);
      change({ metrics: metrics.value });
    });
    this.#judge(metrics);
    this.#reset.addEventListener("click", () => change({ zoom: null }));
    this.element = el(
      "div",
      { className: "curves-toolbar" },
      metrics,
      el("label", {}, "Over ", axis),
      el("label", {}, logX, " log x"),
      el("label", {}, logY, " log y"),
      el("label", {}, outliers, " ignore outliers"),
      el("label", {}, "Smoothing ", smoothing, much),
      this.#reset,
      this.#rule,
    );
    this.show(state);
  }

  show({ zoom }: CurvesState): void {
    this.#reset.hidden = zoom === null;
  }

  #judge(input: HTMLInputElement): void {
    const filter = readFilter(input.value);
    this.#rule.textContent = filter.ok ? "" : `The expression ${filter.rule}.`;
    input.setAttribute("aria-invalid", String(!filter.ok));
  }
}

function box(checked: boolean, onChange: (checked: boolean) => void): HTMLInputElement {
  const input = el("input", { type: "checkbox", checked });
  input.addEventListener("change", () => onChange(input.checked));
  return input;
}
