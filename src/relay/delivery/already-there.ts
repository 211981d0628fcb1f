import { fromWire, sameMeaning } from "../../domain/values.ts";
import { historyPages } from "../../mlflow/history.ts";
import { storedValue } from "../../mlflow/json.ts";
import type { Items } from "../../mlflow/plan.ts";
import { recordConflicts } from "../../store/mirror/conflicts.ts";
import { stop } from "../stream/stop.ts";
import type { Step, Turn } from "../stream/turn.ts";

/**
 * The items without the parameters that the run has. Equal in meaning (`1` and `1.0`, `True` and `true`) is equal;
 * a different value is recorded as a conflict, and MLflow's stands, since a parameter cannot be changed.
 */
export async function unconflicted(turn: Turn, runId: string, items: Items): Promise<Step<Items>> {
  const { db, mlflow, now } = turn.deps;
  const run = await turn.call(() => mlflow.getRun(runId));
  if (!run.ok) return stop(turn, run.failure);
  const have = new Map(run.value.data.params.map((param) => [param.key, param.value]));
  const different = items.params.flatMap(({ key, value }) => {
    const kept = have.get(key);
    return kept !== undefined && !sameMeaning(kept, value) ? [{ key, kept, refused: value }] : [];
  });
  await recordConflicts(
    db,
    different.map(({ key, kept, refused }) => ({
      streamId: turn.stream.id,
      kind: "param",
      field: key,
      kept,
      refused,
      source: "mlflow",
      createdAt: now(),
    })),
  );
  return { ok: true, value: { ...items, params: items.params.filter(({ key }) => !have.has(key)) } };
}

/**
 * The items without the metric points that the run's history has already. Needed where MLflow refuses a repeat: a
 * NaN on every SQL server, and a wide batch on servers before 3.10.
 */
export async function unstored(turn: Turn, runId: string, items: Items): Promise<Step<Items>> {
  const stored = new Set<string>();
  for (const key of new Set(items.metrics.map((metric) => metric.key))) {
    const pages = historyPages((pageToken) =>
      turn.call(() => turn.deps.mlflow.getMetricHistory({ runId, key, ...(pageToken && { pageToken }) })),
    );
    for await (const page of pages) {
      if (!page.ok) return stop(turn, page.failure);
      for (const point of page.value)
        stored.add(identity(point.key, point.value, point.timestamp, point.step));
    }
  }
  const metrics = items.metrics.filter(
    (metric) =>
      !stored.has(identity(metric.key, storedValue(fromWire(metric.value)), metric.timestamp, metric.step)),
  );
  return { ok: true, value: { ...items, metrics } };
}

function identity(key: string, value: number, timestamp: number, step: number | bigint): string {
  return `${step} ${timestamp} ${value} ${key}`;
}
