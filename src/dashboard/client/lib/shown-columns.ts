import type { TrialColumns } from "../../../answers/trial-table.ts";
import { bestIs, columnOf, nameOf, type TableField } from "../../../domain/table-columns.ts";
import type { TableState } from "./table-state.ts";

type Known = TrialColumns["columns"][number];

const FIRST_FIELDS: readonly TableField[] = [
  "trial_id",
  "status",
  "spectral_norm",
  "sync_state",
  "duration_ms",
];
const FIRST_METRICS = 5;
const FIRST_PARAMS = 6;
/** What the relay itself writes as tags, and what is a field already. */
const OWN_TAGS = /^(?:mlflow\.|relay\.|spectral_norm$|candidate_id$|pulse_id$|duration_ms$)/;

/** The columns that a reader sees who has chosen none: a few fields, metrics of most trials, parameters that differ. */
export function firstColumns(known: readonly Known[]): string[] {
  const of = (kind: Known["kind"]) => known.filter((column) => column.kind === kind);
  const metrics = of("metrics").slice(0, FIRST_METRICS);
  const params = of("params");
  const differing = params.filter(({ differs }) => differs);
  return [
    ...FIRST_FIELDS,
    ...metrics.map(({ key }) => nameOf({ kind: "metrics", key })),
    ...(differing.length > 0 ? differing : params)
      .slice(0, FIRST_PARAMS)
      .map(({ key }) => nameOf({ kind: "params", key })),
  ];
}

/** Every column that may be chosen. */
export function allColumns(known: readonly Known[]): string[] {
  return known.flatMap(({ kind, key }) => {
    if (kind === "tags") return OWN_TAGS.test(key) ? [] : [nameOf({ kind, key })];
    if (kind === "params") return [nameOf({ kind, key })];
    return (["metrics", "best", "min", "max"] as const).map((of) => nameOf({ kind: of, key }));
  });
}

/**
 * The columns that are shown, from left to right, pinned ones first.
 * @param known null while they are not known yet
 */
export function shownColumns(
  { columns, pins, differs, group }: TableState,
  known: readonly Known[] | null,
  first: readonly string[],
): string[] {
  const asked = (columns ?? first).filter((name) => columnOf(name) !== null);
  const same = new Set(
    known?.flatMap(({ kind, key, differs: does }) =>
      does ? [] : [`${kind === "metrics" ? "metrics" : kind}.${key}`],
    ),
  );
  const isSame = (name: string) => {
    const column = columnOf(name);
    if (!column || column.kind === "field") return false;
    const kind = column.kind === "params" || column.kind === "tags" ? column.kind : "metrics";
    return same.has(`${kind}.${column.key}`);
  };
  const pinned = pins.filter((name) => columnOf(name) !== null);
  const leading = group !== null && columnOf(group) ? [group, ...pinned] : pinned;
  const left = asked.filter((name) => !differs || !isSame(name));
  return [...new Set([...leading, ...left])];
}

const FIELD_LABELS: Record<TableField, string> = {
  trial_id: "Trial",
  run_name: "Name",
  status: "Status",
  spectral_norm: "Spectral norm",
  sync_state: "In MLflow",
  started_at: "Started",
  ended_at: "Ended",
  duration_ms: "Duration",
  rank: "Rank",
  mlflow_run_id: "MLflow run",
};

/** A column's heading: what it is of, and which value. */
export function labelOf(name: string): { text: string; kind: string } {
  const column = columnOf(name);
  if (column === null) return { text: name, kind: "" };
  if (column.kind === "field") return { text: FIELD_LABELS[column.key], kind: "" };
  const kinds = { params: "param", tags: "tag", metrics: "last", min: "min", max: "max" } as const;
  const kind = column.kind === "best" ? `best (${bestIs(column.key)})` : kinds[column.kind];
  return { text: column.key, kind };
}

/** Whether a first press on a heading puts the greatest first. */
export function greatestFirst(name: string): boolean {
  const column = columnOf(name);
  if (column === null || column.kind === "params" || column.kind === "tags") return false;
  if (column.kind === "field") return column.key === "started_at" || column.key === "ended_at";
  return bestIs(column.key) === "max";
}
