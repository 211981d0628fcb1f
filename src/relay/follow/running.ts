import type { Run } from "../../mlflow/types.ts";
import { markGone } from "../../store/mirror/runs.ts";
import { streamsToPull, type ToPull } from "../../store/mirror/to-pull.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import { MAX_IDS, runsOrLost } from "../line/runs-by-id.ts";
import type { Counts } from "./helping.ts";
import { count, type Helping, newHelping, takesPage } from "./helping.ts";
import { type Followed, followRuns } from "./page.ts";
import { followRestored } from "./restored.ts";

/** Where a pass begins, which the one before has told, and how much of the cron's time it may take. */
export type PullBudget = { afterId: number; maxRuns: number; maxMs: number };

/**
 * What a pass saw and did. `next_id` is the stream behind which the next one begins, 0 for the beginning: everything
 * up to the last one was looked at.
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
 * they need was deleted there: once an operator has restored it in MLflow, they go on. Ends early where MLflow is away,
 * or where the budget is used up; the streams are looked at in order, and the next pass goes on behind the last one, so
 * that each has its turn however much there is to do for the others.
 */
export async function pullRunning(deps: Deps, budget: PullBudget): Promise<PullReport> {
  const { afterId, maxRuns, maxMs } = budget;
  const helping = newHelping(deps.now() + maxMs);
  const counts: Counts = {};
  const streams = await streamsToPull(deps.db, afterId, maxRuns);
  let done = 0;
  while (done < streams.length && takesPage(deps, helping)) {
    const page = await followPage(deps, streams.slice(done, done + MAX_IDS), helping, counts);
    done += page.looked;
    if (!page.goesOn) break;
  }
  const { looked_at = 0, created = 0, updated = 0, merged = 0, conflicts = 0, unblocked = 0 } = counts;
  const isAll = done === streams.length && streams.length < maxRuns;
  const next_id = isAll ? 0 : (streams[done - 1]?.streamId ?? afterId);
  return { looked_at, changed: created + updated, merged, conflicts, unblocked, next_id };
}

/** How many streams of the page, from its beginning, had their turn, and whether others may have theirs. */
type Page = { looked: number; goesOn: boolean };

async function followPage(
  deps: Deps,
  page: readonly ToPull[],
  helping: Helping,
  counts: Counts,
): Promise<Page> {
  const linked = await followLinked(deps, page, helping, counts);
  if (linked === null) return { looked: 0, goesOn: false };
  const { outcome, left, shown } = linked;
  const next = left[0] ?? Number.POSITIVE_INFINITY;
  const looked = page.filter(({ streamId }) => streamId < next);
  count(counts, "looked_at", looked.filter(({ runId }) => runId !== null && shown.has(runId)).length);
  const active = new Set([...shown.values()].flatMap((run) => (isActive(run) ? run.info.runId : [])));
  const asked = await followRestored(deps, looked, active, counts);
  return { looked: looked.length, goesOn: outcome.kind === "done" && asked };
}

function isActive({ info }: Run): boolean {
  return info.lifecycleStage === "active";
}

/** The runs of the page that MLflow has, by id, once they were followed as far as the helping went; null: not found out. */
async function followLinked(
  deps: Deps,
  page: readonly ToPull[],
  helping: Helping,
  counts: Counts,
): Promise<(Followed & { shown: ReadonlyMap<string, Run> }) | null> {
  const wanted = page.flatMap(({ runId, experimentId }) =>
    runId === null || experimentId === null ? [] : [{ runId, experimentId }],
  );
  if (wanted.length === 0) return { outcome: { kind: "done" }, left: [], shown: new Map() };
  const seenAt = deps.now();
  const found = await runsOrLost(deps, wanted);
  if (!found.ok) {
    await heard(deps, found.failure);
    return null;
  }
  const { runs: shown, lost } = found;
  const followed = await followRuns(deps, [...shown.values()], seenAt, helping, counts);
  await markGone(deps.db, lost, deps.now());
  return { ...followed, shown };
}
