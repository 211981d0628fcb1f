import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import type { RunPlace } from "../line/runs-by-id.ts";

/**
 * Looks at the experiments of runs that MLflow does not know any more: where it was set back to an earlier time it does not
 * know them either, or has given their ids to others, in which nothing of the relay's belongs.
 * @returns whether MLflow answered for all of them
 */
export async function lookAtExperiments(deps: Deps, lost: readonly RunPlace[]): Promise<boolean> {
  for (const id of new Set(lost.map(({ experimentId }) => experimentId))) {
    const found = await deps.mlflow.getExperiment(id);
    if (found.ok) await mirrorExperiment(deps.db, found.value, deps.now());
    // One that is gone as well is missed when a run is to be made in it.
    else if (found.failure.kind !== "gone") {
      await heard(deps, found.failure);
      return false;
    }
  }
  return true;
}
