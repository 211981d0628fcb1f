import type { Run } from "../../mlflow/types.ts";
import { mirrorRuns, noteMerged, type ToMerge } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";
import {
  type Counts,
  count,
  countPulled,
  type Helping,
  type HelpingOutcome,
  handle,
  passed,
  takes,
  threw,
} from "./helping.ts";
import { comparable, streamsWithNews } from "./news.ts";
import { pullStream } from "./pull.ts";
import { linkTagged } from "./tagged.ts";

/** What came of a page. `left`: the streams that did not get their turn, in order of id. */
export type Followed = { outcome: HelpingOutcome; left: readonly number[] };

/**
 * Follows a page of runs as MLflow shows them: into the mirror, to the trials whose tags they carry, and, where a
 * linked run changed in more than its metrics, into the journal. It may be repeated at any time: runs that the helping
 * has handled are only mirrored then.
 * @param seenAt when MLflow was asked, epoch milliseconds
 * @param counts is added to
 */
export async function followRuns(
  deps: Deps,
  runs: readonly Run[],
  seenAt: number,
  helping: Helping,
  counts: Counts,
): Promise<Followed> {
  const { toMerge, created, updated, unchanged, deleted } = await mirrorRuns(deps.db, runs, seenAt, true);
  for (const [name, by] of Object.entries({ created, updated, unchanged, deleted })) count(counts, name, by);
  // Always the same order, in which the next helping goes on.
  const inOrder = toMerge.toSorted((a, b) => a.streamId - b.streamId);
  const waiting = () => inOrder.filter(({ run }) => !helping.handled.has(run.info.runId));
  const linked = await linkTagged(deps, runs, helping, counts);
  const outcome = linked.kind === "done" ? await mergeAll(deps, waiting(), helping, counts) : linked;
  return { outcome, left: waiting().map(({ streamId }) => streamId) };
}

async function mergeAll(
  deps: Deps,
  toMerge: readonly ToMerge[],
  helping: Helping,
  counts: Counts,
): Promise<HelpingOutcome> {
  const merged: ToMerge[] = [];
  try {
    return await mergeGroups(deps, comparable(toMerge), helping, counts, merged);
  } finally {
    await noteMerged(deps.db, merged);
  }
}

/** @param merged is added to, but for runs that are to be looked at again: they were busy, or failed */
async function mergeGroups(
  deps: Deps,
  groups: readonly ToMerge[][],
  helping: Helping,
  counts: Counts,
  merged: ToMerge[],
): Promise<HelpingOutcome> {
  for (const group of groups) {
    if (!takes(deps, helping)) return { kind: "more" };
    const news = await newsOrNull(deps, group);
    // One that cannot be compared keeps no other back.
    if (news === null && group.length > 1) {
      const alone = group.map((each) => [each]);
      const outcome = await mergeGroups(deps, alone, helping, counts, merged);
      if (outcome.kind !== "done") return outcome;
      continue;
    }
    for (const each of group) {
      if (news !== null && !news.has(each.streamId)) {
        merged.push(each);
        handle(helping, each.run.info.runId);
        continue;
      }
      const outcome = await mergeOne(deps, each, helping, counts, merged);
      if (outcome.kind === "more") return outcome;
      handle(helping, each.run.info.runId);
      if (outcome.kind === "failed") return outcome;
    }
  }
  return { kind: "done" };
}

/** Null: it was not found out; why is told by the merge of the one that it is because of. */
async function newsOrNull(deps: Deps, group: readonly ToMerge[]): Promise<Set<number> | null> {
  try {
    return await streamsWithNews(deps, group);
  } catch {
    return null;
  }
}

async function mergeOne(
  deps: Deps,
  each: ToMerge,
  helping: Helping,
  counts: Counts,
  merged: ToMerge[],
): Promise<HelpingOutcome> {
  const { streamId } = each;
  if (!takes(deps, helping)) return { kind: "more" };
  try {
    const pulled = await pullStream(deps, streamId, null);
    countPulled(counts, pulled);
    if (pulled.kind === "failed") return passed(deps, counts, pulled.failure, streamId);
    if (pulled.kind !== "busy") merged.push(each);
    return { kind: "done" };
  } catch (error) {
    return threw(deps, helping, counts, error, streamId);
  }
}
