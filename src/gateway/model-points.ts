import type { ShownModel } from "../mlflow/types.ts";
import type { ModelPointShown } from "./answers/model.ts";

/**
 * The points of a logged model of which some are in MLflow only, each once: what is here is as it was logged.
 * @param there under the ids that were given first
 */
export function withPointsThere(
  own: readonly ModelPointShown[],
  there: ShownModel["data"]["metrics"],
): ModelPointShown[] {
  const known = new Set(own.map(nameOf));
  const others = there.map(
    ({ key, value, timestamp, step, run_id = "", dataset_name = null, dataset_digest = null }) => ({
      key,
      value,
      timestamp,
      step,
      runId: run_id,
      datasetName: dataset_name,
      datasetDigest: dataset_digest,
    }),
  );
  return [...own, ...others.filter((point) => !known.has(nameOf(point)))].sort(inOrder);
}

/** By key, in order of time, as all points are shown. */
function inOrder(a: ModelPointShown, b: ModelPointShown): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return a.timestamp - b.timestamp || a.step - b.step;
}

function nameOf({ key, timestamp, step, runId }: ModelPointShown): string {
  return JSON.stringify([key, timestamp, step, runId]);
}
