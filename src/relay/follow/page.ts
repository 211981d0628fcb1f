import { type Counts, count } from "../../domain/counts.ts";
import type { Run } from "../../mlflow/types.ts";
import { markToFollow } from "../../store/mirror/marks.ts";
import { mirrorRuns, noteMerged, type ToMerge } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";
import { comparable, streamsWithNews } from "./news.ts";
import { runsToLink } from "./tagged.ts";

/** With fewer statements left nothing more is compared. */
const COMPARE_STATEMENTS = 40;

/**
 * Looks at a page of runs as MLflow shows them: they go into the mirror, and those that are to be linked to the trials
 * whose tags they carry, or that changed in more than their metrics, are marked. `follow.ts` does the rest, a run a
 * message. It may be repeated at any time.
 * @param seenAt when MLflow was asked, epoch milliseconds
 * @param counts is added to
 */
export async function lookAtRuns(
  deps: Deps,
  runs: readonly Run[],
  seenAt: number,
  counts: Counts,
): Promise<void> {
  let news = new Set<string>();
  const chooses = async (toMerge: readonly ToMerge[]) => {
    news = await withNews(deps, toMerge);
    return news;
  };
  const seen = await mirrorRuns(deps.db, runs, seenAt, true, chooses);
  const { toMerge, created, updated, unchanged, deleted } = seen;
  for (const [name, by] of Object.entries({ created, updated, unchanged, deleted })) count(counts, name, by);
  await markToFollow(deps.db, await runsToLink(deps, runs));
  // Not before: a look that ends here would lose what it saw.
  await noteMerged(
    deps.db,
    toMerge.filter(({ run }) => !news.has(run.info.runId)),
  );
}

/**
 * The runs whose merge would write anything down. What cannot be compared here counts as one: its merge tells. So does
 * one that is marked: an edit that its merge has just read, and that was taken back since, looks like none until then.
 */
async function withNews(deps: Deps, toMerge: readonly ToMerge[]): Promise<Set<string>> {
  const { marked = [], others = [] } = Object.groupBy(toMerge, ({ isMarked }) =>
    isMarked ? "marked" : "others",
  );
  const news = new Set(marked.map(({ run }) => run.info.runId));
  for (const group of comparable(others))
    for (const { run } of await newsAmong(deps, group)) news.add(run.info.runId);
  return news;
}

async function newsAmong(deps: Deps, group: readonly ToMerge[]): Promise<readonly ToMerge[]> {
  if (!deps.budget.has(COMPARE_STATEMENTS)) return group;
  try {
    const streams = await streamsWithNews(deps, group);
    return group.filter(({ streamId }) => streams.has(streamId));
  } catch {
    if (group.length === 1) return group;
    // One that cannot be read keeps no other back.
    const alone: ToMerge[] = [];
    for (const each of group) alone.push(...(await newsAmong(deps, [each])));
    return alone;
  }
}
