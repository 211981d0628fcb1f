import { joinList, splitList } from "../../../domain/table-columns.ts";
import { type Brush, readBrushes, writeBrushes } from "./brushes.ts";

/** What a reader has chosen of a comparison, as it stands in the page's address. */
export type CompareState = {
  /** The metric that trials are judged by; null: the first that most of them have. */
  metric: string | null;
  x: string | null;
  y: string | null;
  /** Columns whose axis is log for linear, or the other way round. */
  toggled: readonly string[];
  /** What is brushed of the parallel axes. */
  brushes: readonly Brush[];
};

export function readCompareState(query: URLSearchParams): CompareState {
  return {
    metric: query.get("metric") || null,
    x: query.get("across") || null,
    y: query.get("up") || null,
    toggled: splitList(query.get("scale") ?? ""),
    brushes: readBrushes(query.get("brush") ?? ""),
  };
}

/** The query of a state, with what the address has besides. */
export function writeCompareState(state: CompareState, before: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams(before);
  const entries = {
    metric: state.metric,
    across: state.x,
    up: state.y,
    scale: joinList(state.toggled),
    brush: writeBrushes(state.brushes),
  };
  for (const [name, value] of Object.entries(entries))
    if (value) query.set(name, value);
    else query.delete(name);
  return query;
}
