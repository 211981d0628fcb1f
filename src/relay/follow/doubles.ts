import type { Run } from "../../mlflow/types.ts";
import {
  dueForRecheck,
  forgetRechecks,
  postponeRechecks,
  type Recheck,
} from "../../store/delivery/streams.ts";
import { recordConflicts } from "../../store/mirror/conflicts.ts";
import { settleDouble } from "../../store/mirror/tagged.ts";
import { filterOfTime, findByNonce, NONCE_TAG } from "../delivery/run.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import { landingMs } from "../stream/held-stream.ts";
import type { Turn } from "../stream/turn.ts";
import { RUN_STATEMENTS, underLease } from "../stream/under-lease.ts";

/** What one pass looks at; a trial without a double takes no statement and no call of its own. */
const MAX_DUE = 2_000;
const MAX_SEARCHES = 20;
const MAX_DOUBLES = 20;
/** A search takes so many experiments at ease, and answers so many runs on a page. */
const EXPERIMENTS = 50;
const PAGE = 500;

/**
 * Looks once after every create whether it has made a second run: a call may be done though it was answered with an
 * error, and what stands between may send a request twice. One search serves all that were made about the same time.
 * The linked run stays; an empty run with our own nonce is deleted, another is a recorded conflict.
 */
export async function deleteDoubles(deps: Deps): Promise<{ checked: number; deleted: number }> {
  const counts = { checked: 0, deleted: 0 };
  let lookedAt = 0;
  const budget = { searches: MAX_SEARCHES };
  for (const group of groupsOf(await dueForRecheck(deps.db, deps.now(), MAX_DUE))) {
    if (!deps.budget.has(RUN_STATEMENTS)) break;
    const doubled = await streamsWithDoubles(deps, group, budget);
    if (doubled === null) {
      await postpone(
        deps,
        group.map(({ id }) => id),
      );
      break;
    }
    const single = group.filter(({ id }) => !doubled.has(id)).map(({ id }) => id);
    await forgetRechecks(deps.db, single, deps.now());
    counts.checked += single.length;
    // In the order in which they are due.
    const looked = group.flatMap(({ id }) => (doubled.has(id) ? [id] : [])).slice(0, MAX_DOUBLES - lookedAt);
    await postpone(deps, looked);
    for (const id of looked) {
      if (!deps.budget.has(RUN_STATEMENTS)) break;
      lookedAt++;
      counts.deleted += await underLease(deps, id, () => 0, deleteEmpty);
      counts.checked++;
    }
  }
  return counts;
}

/** Has others go first the next time, whatever comes of these now. */
async function postpone({ db, config, now }: Deps, ids: readonly number[]): Promise<void> {
  await postponeRechecks(db, ids, now() + landingMs(config.mlflow.timeoutMs));
}

/** Those that one search finds, for each search. */
function groupsOf(due: readonly Recheck[]): Recheck[][] {
  const byTime = Map.groupBy(due, ({ nonce }) => filterOfTime(nonce) ?? nonce);
  return [...byTime.values()].flatMap((group) => {
    const ids = [...new Set(group.map(({ experimentId }) => experimentId))];
    const chunk = new Map(ids.map((id, n) => [id, Math.floor(n / EXPERIMENTS)]));
    return [...Map.groupBy(group, ({ experimentId }) => chunk.get(experimentId)).values()];
  });
}

/** Which of a group have another run with their nonce; null where it was not found out. */
async function streamsWithDoubles(
  deps: Deps,
  group: readonly Recheck[],
  budget: { searches: number },
): Promise<Set<number> | null> {
  const filter = filterOfTime(group[0]?.nonce ?? "");
  if (filter === null) return new Set();
  const byNonce = new Map(group.map((stream) => [stream.nonce, stream]));
  const experimentIds = [...new Set(group.map(({ experimentId }) => experimentId))];
  const doubled = new Set<number>();
  let pageToken: string | null = null;
  do {
    if (budget.searches-- <= 0) return null;
    const found = await deps.mlflow.searchRuns({
      experimentIds,
      filter,
      maxResults: PAGE,
      ...(pageToken === null ? {} : { pageToken }),
    });
    if (!found.ok) {
      await heard(deps, found.failure);
      return null;
    }
    for (const { info, data } of found.value.items) {
      const stream = byNonce.get(data.tags.find(({ key }) => key === NONCE_TAG)?.value ?? "");
      if (stream && info.runId !== stream.runId) doubled.add(stream.id);
    }
    pageToken = found.value.nextPageToken || null;
  } while (pageToken !== null);
  return doubled;
}

/** How many doubles of a stream were deleted. What was deleted is looked at once more: it must be seen to be gone. */
async function deleteEmpty(turn: Turn): Promise<number> {
  const { stream, deps } = turn;
  const { id, mlflowExperimentId, mlflowRunId } = stream;
  if (mlflowExperimentId === null || mlflowRunId === null) return 0;
  const runs = await findByNonce(turn, mlflowExperimentId);
  if (!runs.ok) return 0;
  const doubles = runs.value.filter(
    ({ info }) => info.runId !== mlflowRunId && info.lifecycleStage === "active",
  );
  const [empty, filled] = [doubles.filter(isEmpty), doubles.filter((run) => !isEmpty(run))];
  await recordConflicts(
    deps.db,
    filled.map(({ info }) => ({
      streamId: id,
      kind: "double_run",
      field: "mlflow_run_id",
      kept: mlflowRunId,
      refused: info.runId,
      relayValue: mlflowRunId,
      mlflowValue: info.runId,
      source: "mlflow",
      createdAt: deps.now(),
    })),
  );
  for (const { info } of empty) {
    const gone = await turn.write({ call: "runs/delete" }, (mlflow) => mlflow.deleteRun(info.runId));
    if (!gone.ok) return 0;
    await settleDouble(deps.db, info.runId, id, deps.now());
    deps.log.warn("a second run of one trial was deleted", { trial_id: stream.trialId, run: info.runId });
  }
  const recheckAt = empty.length === 0 ? null : deps.now() + landingMs(deps.config.mlflow.timeoutMs);
  await turn.update({ recheckAt });
  return empty.length;
}

function isEmpty({ data }: Run): boolean {
  return data.metrics.length === 0 && data.params.length === 0;
}
