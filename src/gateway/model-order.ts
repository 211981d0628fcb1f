import { fromWire } from "../domain/values.ts";
import { invalid } from "./refusal.ts";

/** MLflow's order of logged models, over models as they are shown, whoever has them. */

/** What is sorted by: an attribute, or the latest value of `metrics.<key>`, on a dataset where one is named. */
export type ModelTerm = {
  field: string;
  ascending: boolean;
  datasetName: string;
  datasetDigest: string;
};

/** As much of a shown model as is looked at. */
export type Sortable = {
  info: Readonly<Record<string, unknown>> & { model_id: string; creation_timestamp_ms: number };
  data: { metrics?: readonly SortablePoint[] };
};

type SortablePoint = {
  key: string;
  value: number | string;
  timestamp: number;
  step: number;
  run_id?: string | undefined;
  dataset_name?: string | undefined;
  dataset_digest?: string | undefined;
};

const FIELDS: Readonly<Record<string, string>> = {
  name: "name",
  model_id: "model_id",
  model_type: "model_type",
  source_run_id: "source_run_id",
  experiment_id: "experiment_id",
  artifact_location: "artifact_uri",
  status: "status",
  creation_time: "creation_timestamp_ms",
  creation_timestamp: "creation_timestamp_ms",
  creation_timestamp_ms: "creation_timestamp_ms",
  last_updated_timestamp: "last_updated_timestamp_ms",
  last_updated_timestamp_ms: "last_updated_timestamp_ms",
};
const METRICS = "metrics.";

/** @throws Refusal for what there is no order by */
export function checkTerms(terms: readonly ModelTerm[]): void {
  for (const { field } of terms) {
    if (field.startsWith(METRICS) || FIELDS[field] !== undefined) continue;
    const hint = field.includes(".") ? ". Only metrics are supported." : "";
    throw invalid(`Invalid order by field name: ${field}${hint}`);
  }
}

/** The metrics that are sorted by. */
export function metricsIn(terms: readonly ModelTerm[]): string[] {
  return terms.flatMap(({ field }) => (field.startsWith(METRICS) ? field.slice(METRICS.length) : []));
}

/** Whether the latest come first, as they do where nothing else is asked for: so the database has them. */
export function isLatestFirst(terms: readonly ModelTerm[]): boolean {
  const [term, ...others] = terms;
  if (term === undefined) return true;
  return others.length === 0 && !term.ascending && FIELDS[term.field] === "creation_timestamp_ms";
}

/** Whether a model comes behind a place in that order. */
export function isBehind({ info }: Sortable, { by, id }: { by: number; id: string }): boolean {
  const latest = info.creation_timestamp_ms;
  return latest < by || (latest === by && info.model_id > id);
}

/** What is not there comes last, whichever way; ties are broken by the latest, then by id. */
export function compareModels(terms: readonly ModelTerm[]): (a: Sortable, b: Sortable) => number {
  return (a, b) => {
    for (const term of terms) {
      const [x, y] = [keyOf(a, term), keyOf(b, term)];
      const order = x === null || y === null ? Number(x === null) - Number(y === null) : compare(x, y, term);
      if (order !== 0) return order;
    }
    const latest = b.info.creation_timestamp_ms - a.info.creation_timestamp_ms;
    return latest || (a.info.model_id < b.info.model_id ? -1 : 1);
  };
}

function compare(x: number | string, y: number | string, { ascending }: ModelTerm): number {
  const order = x < y ? -1 : x > y ? 1 : 0;
  return ascending ? order : -order;
}

function keyOf({ info, data }: Sortable, term: ModelTerm): number | string | null {
  const { field } = term;
  if (field.startsWith(METRICS)) return latestOf(data.metrics ?? [], field.slice(METRICS.length), term);
  const value = info[FIELDS[field] ?? ""];
  return typeof value === "number" || typeof value === "string" ? value : null;
}

function latestOf(points: readonly SortablePoint[], key: string, term: ModelTerm): number | null {
  const { datasetName, datasetDigest } = term;
  const [latest] = points
    .filter(
      (point) =>
        point.key === key &&
        (datasetName === "" || point.dataset_name === datasetName) &&
        (datasetDigest === "" || point.dataset_digest === datasetDigest),
    )
    .toSorted(
      (a, b) =>
        b.timestamp - a.timestamp || b.step - a.step || ((a.run_id ?? "") < (b.run_id ?? "") ? -1 : 1),
    );
  return latest ? fromWire(latest.value) || 0 : null;
}
