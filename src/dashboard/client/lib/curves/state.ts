import { AXES, type Axis, type Range } from "./axis.ts";

/** How curves are shown, as the address has it: who is sent the address sees the same. */
export type CurvesState = {
  axis: Axis;
  logX: boolean;
  logY: boolean;
  /** Whether outliers may be outside of what is drawn. */
  ignoresOutliers: boolean;
  /** From 0 to 0.99. */
  smoothing: number;
  /** A regular expression for the names of metrics. */
  metrics: string;
  zoom: Range | null;
  /** Ids of sources that are not drawn. */
  hidden: readonly string[];
};

/** What the parameters of an address are called that hold it. */
export const STATE_PARAMETERS = ["x", "log", "outliers", "smooth", "metrics", "zoom", "hidden"] as const;

export const MAX_SMOOTHING = 0.99;

export const DEFAULT_STATE: CurvesState = {
  axis: "step",
  logX: false,
  logY: false,
  ignoresOutliers: false,
  smoothing: 0,
  metrics: "",
  zoom: null,
  hidden: [],
};

/** What is not understood is as if it were not there. */
export function readState(query: URLSearchParams): CurvesState {
  const axis = AXES.find((known) => known === query.get("x")) ?? DEFAULT_STATE.axis;
  const log = query.get("log") ?? "";
  const smoothing = Number(query.get("smooth") ?? 0);
  const [from, to, ...more] = (query.get("zoom") ?? "")
    .split("~")
    .map((text) => (text === "" ? Number.NaN : Number(text)));
  const isRange =
    more.length === 0 && from !== undefined && to !== undefined && Number.isFinite(to - from) && from < to;
  return {
    axis,
    logX: log.includes("x"),
    logY: log.includes("y"),
    ignoresOutliers: query.get("outliers") === "ignored",
    smoothing: smoothing > 0 ? Math.min(smoothing, MAX_SMOOTHING) : 0,
    metrics: query.get("metrics") ?? "",
    zoom: isRange ? [from, to] : null,
    hidden: (query.get("hidden") ?? "").split(",").filter((id) => id !== ""),
  };
}

/** The parameters of an address with a state in it; all others stay, and what is as always is left out. */
export function writeState(query: URLSearchParams, state: CurvesState): URLSearchParams {
  const written = new URLSearchParams(query);
  const put = (name: (typeof STATE_PARAMETERS)[number], value: string) => {
    if (value === "") written.delete(name);
    else written.set(name, value);
  };
  put("x", state.axis === DEFAULT_STATE.axis ? "" : state.axis);
  put("log", `${state.logX ? "x" : ""}${state.logY ? "y" : ""}`);
  put("outliers", state.ignoresOutliers ? "ignored" : "");
  put("smooth", state.smoothing === 0 ? "" : String(state.smoothing));
  put("metrics", state.metrics);
  put("zoom", state.zoom === null ? "" : state.zoom.map((place) => Number(place.toPrecision(15))).join("~"));
  put("hidden", state.hidden.join(","));
  return written;
}
