import { sameMeaning } from "../../domain/values.ts";
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
