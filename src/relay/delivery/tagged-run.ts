import type { Failure } from "../../mlflow/failure.ts";
import { isTaggedAs, type TaggedIds } from "../../mlflow/tags.ts";
import type { Run } from "../../mlflow/types.ts";
import { markGone, mirrorRuns } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";

type Answered<T, F> = { ok: true; value: T } | { ok: false; failure: F };

/**
 * Reads a run that the mirror shows as active and with the tags of a trial or model run: what the mirror has may be old,
 * and a person may have said since whose it is.
 * @param read asks MLflow for it
 * @returns the run; null where it is not there, or not theirs any more, which the mirror knows then
 */
export async function lookAtTagged<F extends Failure | null>(
  { db, now }: Pick<Deps, "db" | "now">,
  runId: string,
  ids: TaggedIds,
  read: () => Promise<Answered<Run, F>>,
): Promise<Answered<Run | null, F>> {
  const seenAt = now();
  const found = await read();
  if (!found.ok) {
    if (found.failure?.kind !== "gone") return found;
    await markGone(db, [runId], now());
    return { ok: true, value: null };
  }
  const run = found.value;
  if (run.info.lifecycleStage === "active" && isTaggedAs(run, ids)) return { ok: true, value: run };
  await mirrorRuns(db, [run], seenAt);
  return { ok: true, value: null };
}
