import { runIdIn } from "../mlflow/filter.ts";
import { markGone } from "../store/mirror.ts";
import { streamsToPull, type ToPull } from "../store/to-pull.ts";
import type { Deps } from "./deps.ts";
import { count, type Helping, heard } from "./helping.ts";
import type { Counts } from "./job-step.ts";
import { followRuns } from "./mirror.ts";
import { pace } from "./pace.ts";
import { followRestored } from "./restored.ts";

/** MLflow takes so many ids in a filter at ease, and answers them on one page. */
const PAGE = 100;
/** Each costs up to ten statements; an invocation has a thousand. */
const MAX_STREAMS = 40;

/** Where a pass begins, which the one before has told, and how much of the cron's time it may take. */
export type PullBudget = { afterId: number; maxRuns: number; maxMs: number };

/**
 * What a pass saw and did. `next_id` is where the next one begins, 0 for the beginning: everything was looked at.
 * `changed` of the runs that were looked at were not as the mirror had them.
 */
export type PullReport = {
  looked_at: number;
  changed: number;
  merged: number;
  conflicts: number;
  unblocked: number;
  next_id: number;
};

/**
 * Follows in MLflow the linked runs that have not ended on both sides, and the streams that stand still because what
 * they need was deleted there: once an operator has restored it in MLflow, they go on. Ends early where MLflow is away.
 */
export async function pullRunning(deps: Deps, { afterId, maxRuns, maxMs }: PullBudget): Promise<PullReport> {
  const helping = { streams: MAX_STREAMS, untilMs: deps.now() + maxMs };
  const counts: Counts = {};
  const streams = await streamsToPull(deps.db, afterId, maxRuns);
  let done = 0;
  while (done < streams.length && deps.now() < helping.untilMs) {
    const page = streams.slice(done, done + PAGE);
    const active = await followLinked(deps, page, helping, counts);
    // This page is looked at again by the next pass.
    if (active === null || !(await followRestored(deps, page, active, counts))) break;
    done += page.length;
  }
  const { looked_at = 0, created = 0, updated = 0, merged = 0, conflicts = 0, unblocked = 0 } = counts;
  const isAll = done === streams.length && streams.length < maxRuns;
  const next_id = isAll ? 0 : (streams[done - 1]?.streamId ?? afterId);
  return { looked_at, changed: created + updated, merged, conflicts, unblocked, next_id };
}

/** The ids of those runs of the page that are active in MLflow; null: not all of them could be followed. */
async function followLinked(
  deps: Deps,
  page: readonly ToPull[],
  helping: Helping,
  counts: Counts,
): Promise<Set<string> | null> {
  const ids = page.flatMap(({ runId }) => runId ?? []);
  if (ids.length === 0) return new Set();
  await pace(deps);
  const seenAt = deps.now();
  const found = await deps.mlflow.searchRuns({
    experimentIds: [...new Set(page.flatMap(({ experimentId }) => experimentId ?? []))],
    filter: runIdIn(ids),
    viewType: "ALL",
    maxResults: PAGE,
  });
  if (!found.ok) {
    await heard(deps, found.failure);
    return null;
  }
  const { items } = found.value;
  const followed = await followRuns(deps, items, seenAt, helping, counts);
  if (followed.kind !== "done") return null;
  count(counts, "looked_at", items.length);
  const there = new Set(items.map(({ info }) => info.runId));
  await markGone(
    deps.db,
    ids.filter((id) => !there.has(id)),
    deps.now(),
  );
  return new Set(items.flatMap(({ info }) => (info.lifecycleStage === "active" ? info.runId : [])));
}
