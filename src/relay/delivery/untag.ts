import { agree, readTagsToDelete } from "../../store/delivery/agreed.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";

/**
 * Takes tags away in MLflow that were taken away here, after the last batch, which may still have set one. What both
 * sides agreed on tells which are left to do, also after a turn that ended between.
 */
export async function untag(turn: Turn, runId: string): Promise<Step> {
  const { deps, lease, stream } = turn;
  // What the last batch set is agreed on as it is forgotten.
  if (turn.sent !== null && !(await turn.update({}))) return stop(turn, null);
  for (const key of await readTagsToDelete(deps.db, stream.id)) {
    if (turn.exhausted) return { ok: false, end: { kind: "more" } };
    const deleted = await turn.write({ call: "runs/delete-tag" }, (mlflow) =>
      mlflow.deleteTag({ runId, key }),
    );
    // A tag that is not there is what was wanted.
    if (!deleted.ok && deleted.failure?.kind !== "missing") return stop(turn, deleted.failure);
    await agree(deps.db, lease, { tags: new Map([[key, null]]), params: new Map() });
  }
  return proceed;
}
