import { and, eq, ne } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { tagEquals } from "../mlflow/filter.ts";
import type { Run, Tag } from "../mlflow/types.ts";
import type { SentState } from "../store/columns.ts";
import { recordConflicts } from "../store/conflicts.ts";
import { mlflowRuns, streams } from "../store/schema.ts";
import { ensureExperiment, forgetExperiment } from "./experiment.ts";
import { landingMs, proceed, type Step, type Turn } from "./turn.ts";

/** What a run is to be when it is made. Times in epoch milliseconds. */
export type Wanted = {
  experimentName: string;
  runName: string;
  startTime: number;
  user: string;
  tags: Tag[];
  /** The trainer's own run, to be adopted. */
  requestedRunId: string | null;
};

/** The tag by which a run whose create call went unanswered is found again. */
export const NONCE_TAG = "relay.nonce";
/** How often a lost create call is looked for while it may still land. */
const POLL_MS = 2_000;

/** The stream's MLflow run: there already, adopted, found after an unanswered create, or made. */
export async function ensureRun(turn: Turn, wanted: Wanted): Promise<Step> {
  if (turn.stream.mlflowRunId !== null) return proceed;
  if (wanted.requestedRunId !== null && turn.stream.createSentAt === null) {
    const adopted = await adopt(turn, wanted.requestedRunId, wanted);
    if (!adopted.ok || adopted.value) return adopted.ok ? proceed : adopted;
  }
  const experiment = await ensureExperiment(turn, wanted.experimentName);
  if (!experiment.ok) return experiment;
  if (turn.stream.createSentAt !== null) {
    const settled = await settle(turn, wanted, experiment.value, turn.stream.createSentAt);
    if (!settled.ok || settled.value) return settled.ok ? proceed : settled;
  }
  return create(turn, wanted, experiment.value);
}

/** Stores the intent, then creates. */
async function create(turn: Turn, wanted: Wanted, experimentId: string): Promise<Step> {
  const nonce = turn.stream.createNonce ?? crypto.randomUUID();
  const intent = { createNonce: nonce, createSentAt: turn.deps.now(), experimentName: wanted.experimentName };
  if (!(await turn.update({ ...intent, mlflowExperimentId: experimentId }))) return turn.stop(null);
  const created = await turn.callUnderLease(() =>
    turn.deps.mlflow.createRun({
      experimentId,
      runName: wanted.runName,
      startTime: wanted.startTime,
      userId: wanted.user,
      tags: [...wanted.tags, { key: NONCE_TAG, value: nonce }],
    }),
  );
  if (created.ok) return link(turn, created.value, wanted.runName, false);
  // Only an answer says that the call is over; without one the intent stays and is settled next time.
  if (created.failure.kind !== "ambiguous") await turn.update({ createSentAt: null });
  if (created.failure.kind === "gone") {
    await forgetExperiment(turn, experimentId);
    return { ok: false, end: { kind: "wait", for: "retry", ms: 0, error: created.failure.message } };
  }
  return turn.stop(created.failure);
}

/** Asks MLflow what became of an unanswered create; true when its run was found and linked. */
async function settle(
  turn: Turn,
  wanted: Wanted,
  experimentId: string,
  sentAt: number,
): Promise<Step<boolean>> {
  const runs = await findByNonce(turn, experimentId);
  if (!runs.ok) return runs;
  const [oldest] = runs.value.toSorted((a, b) => (a.info.startTime ?? 0) - (b.info.startTime ?? 0));
  if (oldest) {
    const linked = await link(turn, oldest, wanted.runName, false);
    return linked.ok ? { ok: true, value: true } : linked;
  }
  const { now, config } = turn.deps;
  const landsUntil = sentAt + landingMs(config.mlflow.timeoutMs);
  if (now() < landsUntil)
    return {
      ok: false,
      end: {
        kind: "wait",
        for: "retry",
        ms: Math.min(POLL_MS, landsUntil - now()),
        error: "a create call went unanswered",
      },
    };
  // It can no longer land; still, the cron looks once more for a double.
  const recheckAt = now() + landingMs(config.mlflow.timeoutMs);
  return (await turn.update({ createSentAt: null, recheckAt }))
    ? { ok: true, value: false }
    : turn.stop(null);
}

/** The active runs that carry the stream's nonce. */
export async function findByNonce(turn: Turn, experimentId: string): Promise<Step<Run[]>> {
  const filter = tagEquals(NONCE_TAG, turn.stream.createNonce ?? "");
  if (filter === null) return { ok: true, value: [] };
  const found = await turn.call(() =>
    turn.deps.mlflow.searchRuns({ experimentIds: [experimentId], filter, viewType: "ALL", maxResults: 10 }),
  );
  return found.ok ? { ok: true, value: found.value.items } : turn.stop(found.failure);
}

/** Takes the trainer's own run; false when another trial has it, which is a recorded conflict. */
async function adopt(turn: Turn, runId: string, wanted: Wanted): Promise<Step<boolean>> {
  const { db, mlflow, now } = turn.deps;
  const owner = await drizzle(db)
    .select({ id: streams.id })
    .from(streams)
    .where(and(eq(streams.mlflowRunId, runId), ne(streams.id, turn.stream.id)))
    .get();
  if (owner) {
    const conflict = {
      streamId: turn.stream.id,
      kind: "run_id" as const,
      field: "mlflow_run_id",
      kept: null,
    };
    await recordConflicts(db, [{ ...conflict, refused: runId, source: "journal", createdAt: now() }]);
    return { ok: true, value: false };
  }
  const found = await turn.call(() => mlflow.getRun(runId));
  if (!found.ok && found.failure?.kind === "gone")
    return {
      ok: false,
      end: { kind: "blocked", reason: `gone: the trial names MLflow run ${runId}, which does not exist` },
    };
  if (!found.ok) return turn.stop(found.failure);
  if (found.value.info.lifecycleStage === "deleted")
    return { ok: false, end: { kind: "blocked", reason: `gone: MLflow run ${runId} is deleted` } };
  const have = new Set(found.value.data.tags.map((tag) => tag.key));
  const tags = wanted.tags.filter((tag) => !have.has(tag.key) || tag.key.startsWith("thunderline_"));
  const tagged = await turn.call(() => mlflow.logBatch({ runId, metrics: [], params: [], tags }));
  if (!tagged.ok) return turn.stop(tagged.failure);
  const linked = await link(turn, found.value, found.value.info.runName ?? wanted.runName, true);
  return linked.ok ? { ok: true, value: true } : linked;
}

/** Writes the run down as the stream's own. */
async function link(turn: Turn, run: Run, runName: string, adopted: boolean): Promise<Step> {
  const { info } = run;
  const sent: SentState = {
    status: info.status,
    endTime: info.endTime,
    runName,
    statusTag: null,
    lostContactAt: null,
  };
  const linked = await turn.update({
    mlflowRunId: info.runId,
    mlflowExperimentId: info.experimentId,
    createSentAt: null,
    adopted,
    sentState: JSON.stringify(sent),
  });
  if (!linked) return turn.stop(null);
  const row = {
    mlflowExperimentId: info.experimentId,
    streamId: turn.stream.id,
    runName,
    status: info.status,
    startTime: info.startTime,
    endTime: info.endTime,
    lifecycleStage: info.lifecycleStage,
    artifactUri: info.artifactUri,
    syncedAt: turn.deps.now(),
  };
  await drizzle(turn.deps.db)
    .insert(mlflowRuns)
    .values({ mlflowRunId: info.runId, ...row })
    .onConflictDoUpdate({ target: mlflowRuns.mlflowRunId, set: row });
  return proceed;
}
