import { tagBegins, tagEquals } from "../../mlflow/filter.ts";
import type { Run } from "../../mlflow/types.ts";
import { clearDoubt, stillLands } from "../stream/fence.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";
import { adopt, isAnothers, link } from "./adopt.ts";
import { lookAtGone } from "./experiment.ts";
import { lookAtTagged } from "./tagged-run.ts";
import type { RunWanted } from "./wanted.ts";

/** The tag by which a run is found again of whose create call nobody heard, or which was made twice. */
export const NONCE_TAG = "relay.nonce";

/** Creates of this time share a beginning, by which one search finds them all. */
const SHARED_MS = 300_000;
const SHARED = /^[0-9a-z]+\./;

/** How often a lost create call is looked for while it may still land. */
const POLL_MS = 2_000;

/** The stream's MLflow run: there already, adopted, found after an unanswered create, or made. */
export async function ensureRun(turn: Turn, wanted: RunWanted): Promise<Step> {
  if (turn.stream.mlflowRunId !== null) return proceed;
  // What was to have no run counted as delivered.
  if (turn.stream.plannedSeq > 0 && !(await turn.update({ plannedSeq: 0, deliveredSeq: 0 })))
    return stop(turn, null);
  // A create that went unanswered comes first: until it can no longer land nothing else is written.
  const isFree = await (turn.stream.createSentAt === null ? clearDoubt(turn) : findCreated(turn, wanted));
  if (!isFree.ok || turn.stream.mlflowRunId !== null) return isFree;
  if (wanted.requestedRunId !== null) {
    const adopted = await adopt(turn, wanted.requestedRunId, wanted);
    if (!adopted.ok || adopted.value) return adopted.ok ? proceed : adopted;
  }
  if (wanted.foundRunId !== null) {
    const adopted = await adoptFound(turn, wanted.foundRunId, wanted);
    if (adopted.ok && adopted.value) return proceed;
    // Gone since, or taken by another: a new one is made.
    if (!adopted.ok && adopted.end.kind !== "blocked") return adopted;
  }
  const experiment = await wanted.experimentId();
  return experiment.ok ? create(turn, wanted, experiment.value) : experiment;
}

/** Takes the run that was found by its tags; false where it is not the stream's any more. */
async function adoptFound(turn: Turn, runId: string, wanted: RunWanted): Promise<Step<boolean>> {
  const { deps, stream } = turn;
  const found = await lookAtTagged(deps, runId, stream, () => turn.call(() => deps.mlflow.getRun(runId)));
  if (!found.ok) return stop(turn, found.failure);
  return found.value === null ? { ok: true, value: false } : adopt(turn, runId, wanted);
}

/** Stores the intent, then creates. */
async function create(turn: Turn, wanted: RunWanted, experimentId: string): Promise<Step> {
  const nonce = turn.stream.createNonce ?? newNonce(turn.deps.now());
  const intent = {
    createNonce: nonce,
    createSentAt: turn.deps.now(),
    experimentName: wanted.experimentName,
    mlflowExperimentId: experimentId,
  };
  const created = await turn.write(
    { call: "runs/create" },
    (mlflow) =>
      mlflow.createRun({
        experimentId,
        runName: wanted.runName,
        startTime: wanted.startTime,
        userId: wanted.user,
        tags: [...wanted.tags, { key: NONCE_TAG, value: nonce }],
      }),
    intent,
  );
  if (created.ok) return link(turn, created.value, wanted.runName, false);
  if (created.failure === null) return stop(turn, null);
  // Only where no run can have been made, the intent is over; else it stays, and is looked for next time.
  if (turn.stream.doubt === null) await turn.update({ createSentAt: null });
  if (created.failure.kind === "gone") await lookAtGone(turn, experimentId);
  return stop(turn, created.failure);
}

/** Asks MLflow what became of a create call that may have made a run; one that is found is linked. */
async function findCreated(turn: Turn, wanted: RunWanted): Promise<Step> {
  const { stream, deps } = turn;
  const runs =
    stream.mlflowExperimentId === null
      ? { ok: true as const, value: [] }
      : await findByNonce(turn, stream.mlflowExperimentId);
  if (!runs.ok) return runs;
  const [oldest] = runs.value.toSorted(
    (a, b) =>
      Number(isDeleted(a)) - Number(isDeleted(b)) || (a.info.startTime ?? 0) - (b.info.startTime ?? 0),
  );
  const leftMs = (stream.fenceUntil ?? 0) - deps.now();
  if (!oldest && leftMs > 0) return stillLands({ call: "runs/create" }, Math.min(POLL_MS, leftMs));
  turn.noDoubt();
  // Named by another trial meanwhile: it is not to pass for a double of the one that is made now.
  if (oldest && (await isAnothers(turn, oldest.info.runId)))
    return (await turn.update({ createSentAt: null, createNonce: null })) ? proceed : stop(turn, null);
  // Its name is the one of when it was asked for.
  if (oldest) return link(turn, oldest, oldest.info.runName ?? wanted.runName, false);
  // It can no longer land; still, the cron looks once more for a double, as after every create.
  return (await turn.update({ createSentAt: null })) ? proceed : stop(turn, null);
}

function isDeleted(run: Run): boolean {
  return run.info.lifecycleStage === "deleted";
}

/** The runs that carry the stream's nonce. */
export async function findByNonce(turn: Turn, experimentId: string): Promise<Step<Run[]>> {
  const filter = tagEquals(NONCE_TAG, turn.stream.createNonce ?? "");
  if (filter === null) return { ok: true, value: [] };
  const found = await turn.call(() =>
    turn.deps.mlflow.searchRuns({ experimentIds: [experimentId], filter, viewType: "ALL", maxResults: 10 }),
  );
  return found.ok ? { ok: true, value: found.value.items } : stop(turn, found.failure);
}

/** A nonce that no other create has. */
function newNonce(now: number): string {
  return `${Math.floor(now / SHARED_MS).toString(36)}.${crypto.randomUUID()}`;
}

/** The filter that finds the runs of a nonce, and of the others that were made about then. */
export function filterOfTime(nonce: string): string | null {
  const [shared] = SHARED.exec(nonce) ?? [];
  return shared === undefined ? tagEquals(NONCE_TAG, nonce) : tagBegins(NONCE_TAG, shared);
}
