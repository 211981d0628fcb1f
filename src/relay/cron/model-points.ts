import type { ShownModel } from "../../mlflow/types.ts";
import {
  modelsToPrune,
  postponePoints,
  prunePoints,
  type SeenPoint,
} from "../../store/gateway/model-points-pruned.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";

/** What one pass looks at in MLflow; the next one goes on. */
const MAX_MODELS = 20;
/** What one of them takes at most, but for points by the ten thousands. */
const MODEL_STATEMENTS = 20;
/** One of which MLflow lacks something does not come up on every pass. */
const LOOK_AGAIN_MS = 86_400_000;

/**
 * Prunes the points of logged models that MLflow has had all of for longer than the retention, each only after MLflow
 * was seen to have it. Who reads them from then on asks MLflow.
 * @returns how many went
 */
export async function pruneModelPoints(deps: Deps): Promise<number> {
  let pruned = 0;
  for (const model of await modelsToPrune(deps.db, deps.now(), MAX_MODELS)) {
    if (!deps.budget.has(MODEL_STATEMENTS)) break;
    const there = await deps.mlflow.getShownModel(model.mlflowId, true);
    const again = deps.now() + LOOK_AGAIN_MS;
    if (there.ok)
      pruned += await prunePoints(deps.db, model, pointsOf(there.value), { now: deps.now(), again });
    else if (there.failure.kind === "gone") await postponePoints(deps.db, model, again);
    else {
      await heard(deps, there.failure);
      break;
    }
  }
  return pruned;
}

function pointsOf({ data }: ShownModel): SeenPoint[] {
  return data.metrics.flatMap(({ run_id: runId, key, timestamp, step, value }) =>
    runId === undefined ? [] : [{ key, timestamp, step, runId, value }],
  );
}
