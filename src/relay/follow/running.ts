import { type Counts, count } from "../../domain/counts.ts";
import type { Failure } from "../../mlflow/failure.ts";
import type { Run } from "../../mlflow/types.ts";
import { markGone } from "../../store/mirror/runs.ts";
import { streamsToPull, type ToPull } from "../../store/mirror/to-pull.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import { MAX_IDS, type RunPlace, runsOrLost } from "../line/runs-by-id.ts";
import { lookAtExperiments } from "./experiments.ts";
import { lookAtRuns } from "./page.ts";
import { followRestored } from "./restored.ts";

/** Where a pass begins, which the one before has told, and how much of the cron's time it may take. */
export type PullBudget = { afterId: number; maxRuns: number; maxMs: number };

/**
 * What a pass saw and did. `next_id` is the stream behind which the next one begins, 0 for the beginning: everything
 * up to the last one was looked at.
 * `changed` of the runs that were looked at were not as the mirror had them.
 */
export type PullReport = { looked_at: number; changed: number; unblocked: number; next_id: number };

/** With fewer statements left no other page is begun. */
const PAGE_STATEMENTS = 100;

/**
 * Looks in MLflow at the linked runs that have not ended on both sides, and at the streams that stand still because what
 * they need was deleted there: once an operator has restored it in MLflow, they go on. Ends early where MLflow is away,
 * or where the budget is used up; the streams are looked at in order, and the next pass goes on behind the last one.
 */
export async function pullRunning(deps: Deps, budget: PullBudget): Promise<PullReport> {
  const { afterId, maxRuns, maxMs } = budget;
  const untilMs = deps.now() + maxMs;
  const counts: Counts = {};
  const streams = await streamsToPull(deps.db, afterId, maxRuns);
  let done = 0;
  while (done < streams.length && deps.now() < untilMs && deps.budget.has(PAGE_STATEMENTS)) {
    const page = streams.slice(done, done + MAX_IDS);
    const active = await lookAtLinked(deps, page, untilMs, counts);
    if (active === null) break;
    done += page.length;
    if (!(await followRestored(deps, page, active, counts))) break;
  }
  const { looked_at = 0, created = 0, updated = 0, unblocked = 0 } = counts;
  const isAll = done === streams.length && streams.length < maxRuns;
  const next_id = isAll ? 0 : (streams[done - 1]?.streamId ?? afterId);
  return { looked_at, changed: created + updated, unblocked, next_id };
}

/**
 * Looks at the runs of a page that MLflow has. Where it answers for others but not for these, they are asked for in
 * smaller and smaller groups: one that it always fails for keeps no other from being looked at, nor the pass at its page.
 * @returns the ids of the active ones; null: MLflow is away
 */
async function lookAtLinked(
  deps: Deps,
  page: readonly ToPull[],
  untilMs: number,
  counts: Counts,
): Promise<ReadonlySet<string> | null> {
  const active = new Set<string>();
  const places = page.flatMap(({ runId, experimentId }) =>
    runId === null || experimentId === null ? [] : [{ runId, experimentId }],
  );
  const groups: RunPlace[][] = places.length > 0 ? [places] : [];
  for (let group = groups.shift(); group; group = groups.shift()) {
    const failure = await lookAtGroup(deps, group, active, counts);
    if (failure !== null) {
      const there = await deps.mlflow.searchExperiments({ maxResults: 1 });
      if (!there.ok) {
        await heard(deps, failure);
        return null;
      }
      const runs = group.length;
      deps.log.warn("runs could not be looked at", { first: group[0]?.runId, runs, error: failure.message });
      const half = Math.ceil(runs / 2);
      if (runs > 1) groups.push(group.slice(0, half), group.slice(half));
    }
    // What there is no time for is left out, or every pass would end here.
    if (deps.now() >= untilMs || !deps.budget.has(PAGE_STATEMENTS)) break;
  }
  return active;
}

/** One search, and what it shows. @returns why it could not be asked, or null */
async function lookAtGroup(
  deps: Deps,
  group: readonly RunPlace[],
  active: Set<string>,
  counts: Counts,
): Promise<Failure | null> {
  const seenAt = deps.now();
  const found = await runsOrLost(deps, group);
  if (!found.ok) return found.failure;
  const shown = [...found.runs.values()];
  await lookAtRuns(deps, shown, seenAt, counts);
  const lost = new Set(found.lost);
  // First: what is marked is not looked for again.
  const isSeen = await lookAtExperiments(
    deps,
    group.filter(({ runId }) => lost.has(runId)),
  );
  if (isSeen) await markGone(deps.db, found.lost, deps.now());
  count(counts, "looked_at", shown.length);
  for (const { info } of shown.filter(isActive)) active.add(info.runId);
  return null;
}

function isActive({ info }: Run): boolean {
  return info.lifecycleStage === "active";
}
