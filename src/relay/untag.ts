import { agree, tagsToDelete } from "../store/agreed.ts";
import { proceed, type Step, type Turn } from "./turn.ts";

/**
 * Takes tags away in MLflow that were taken away here, after the last batch, which may still have set one. What both
 * sides agreed on tells which are left to do, also after a turn that ended between.
 */
export async function untag(turn: Turn, runId: string): Promise<Step> {
  const { deps, lease, stream } = turn;
  for (const key of await tagsToDelete(deps.db, stream.id)) {
    if (turn.exhausted) return { ok: false, end: { kind: "more" } };
    const deleted = await turn.write({ call: "runs/delete-tag" }, (mlflow) =>
      mlflow.deleteTag({ runId, key }),
    );
    // A tag that is not there is what was wanted.
    if (!deleted.ok && deleted.failure?.kind !== "missing") return turn.stop(deleted.failure);
    await agree(deps.db, lease, { tags: new Map([[key, null]]), params: new Map() });
  }
  return proceed;
}
