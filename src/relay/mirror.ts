import type { Run } from "../mlflow/types.ts";
import { mirrorRuns, settleMerged, type ToMerge } from "../store/mirror.ts";
import type { Deps } from "./deps.ts";
import { count, countPulled, type Helping, type Outcome, passed, takes } from "./helping.ts";
import type { Counts } from "./job-step.ts";
import { linkTagged } from "./link-tagged.ts";
import { pullStream } from "./pull.ts";

/**
 * Follows a page of runs as MLflow shows them: into the mirror, to the trials whose tags they carry, and, where a
 * linked run changed in more than its metrics, into the journal. It may be repeated at any time.
 * @param seenAt when MLflow was asked, epoch milliseconds
 * @param counts is added to
 */
export async function followRuns(
  deps: Deps,
  runs: readonly Run[],
  seenAt: number,
  helping: Helping,
  counts: Counts,
): Promise<Outcome> {
  const { toMerge, created, updated, unchanged, deleted } = await mirrorRuns(deps.db, runs, seenAt, true);
  for (const [name, by] of Object.entries({ created, updated, unchanged, deleted })) count(counts, name, by);
  const linked = await linkTagged(deps, runs, helping, counts);
  if (linked.kind !== "done") return linked;
  return mergeAll(deps, toMerge, helping, counts);
}

async function mergeAll(
  deps: Deps,
  toMerge: readonly ToMerge[],
  helping: Helping,
  counts: Counts,
): Promise<Outcome> {
  const merged: ToMerge[] = [];
  try {
    for (const each of toMerge) {
      if (!takes(helping, deps.now())) return { kind: "more" };
      const pulled = await pullStream(deps, each.streamId, each.run);
      countPulled(counts, pulled);
      if (pulled.kind === "failed") {
        const outcome = passed(deps, counts, pulled.failure, each.streamId);
        if (outcome.kind === "failed") return outcome;
      } else if (pulled.kind !== "busy") merged.push(each);
    }
    return { kind: "done" };
  } finally {
    await settleMerged(deps.db, merged);
  }
}
