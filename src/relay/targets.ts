import { isRetried } from "../domain/blocked.ts";
import { type Core, fieldOf } from "../domain/fold.ts";
import { MODEL_RUN_TAG, PARENT_TAG, TRIAL_TAG } from "../mlflow/tags.ts";
import { isForgotten, NOT_BLOCKED } from "../store/blocked.ts";
import { readCore } from "../store/core-column.ts";
import { isLasting, reasonOf } from "../store/lasting.ts";
import { claim } from "../store/leases.ts";
import { modelRunStream, runIdOf } from "../store/parents.ts";
import { unlinkedRunOf } from "../store/tagged.ts";
import type { Deps } from "./deps.ts";
import { foldStream } from "./fold-stream.ts";
import { letGo } from "./let-go.ts";
import { renest } from "./renest.ts";
import { ensureRun, type Wanted } from "./run.ts";
import { blockedValues } from "./stop.ts";
import { type End, leaseMs, type Step, type Turn } from "./turn.ts";

const PARENT_LOOK_MS = 100;
const MAX_PARENT_LOOKS = 20;
/** How soon to come back for a parent run that another turn is still making. */
const PARENT_POLL_MS = 1_000;
/** How soon where an operator has to act first; unblocking a model run wakes its trials. */
const BLOCKED_PARENT_POLL_MS = 60_000;

/** The model run as a parent run; false when model runs are not to be runs, or this one is a stub. */
export async function modelRun(turn: Turn, core: Core): Promise<Step<boolean>> {
  if (!turn.deps.config.parentRuns || !core.announced) {
    const { foldedSeq } = turn.stream;
    // Nothing of it belongs in MLflow: it is delivered as soon as it is folded.
    return (await turn.update({ deliveredSeq: foldedSeq, plannedSeq: foldedSeq }))
      ? { ok: true, value: false }
      : turn.stop(null);
  }
  const grace = graceLeft(turn, core.started);
  if (grace) return grace;
  const modelRunId = turn.stream.modelRunId ?? "";
  const before = turn.stream.mlflowRunId;
  const made = await ensureRun(turn, {
    ...common(turn, core, modelRunId),
    experimentName: text(core, "experiment_name") ?? turn.deps.config.defaultExperiment,
    experimentId: null,
    requestedRunId: null,
    foundRunId: await unlinkedRunOf(turn.deps.db, turn.stream),
    tags: [...identity(turn, core), { key: MODEL_RUN_TAG, value: modelRunId }],
  });
  const { mlflowRunId } = turn.stream;
  if (before === null && mlflowRunId !== null) await renest(turn, mlflowRunId);
  return made.ok ? { ok: true, value: true } : made;
}

/** The trial's run, nested under its model run's where that was announced. */
export async function trialRun(turn: Turn, core: Core): Promise<Step<boolean>> {
  if (turn.stream.mlflowRunId !== null) return { ok: true, value: true };
  const { deps, stream } = turn;
  const trialId = stream.trialId ?? "";
  const found = await parentOf(turn);
  if (!found.ok) return found;
  const { parent, parentCore } = found.value;
  const grace = graceLeft(turn, core.started && parentCore?.started !== false);
  if (grace) return grace;
  let parentRunId: string | null = null;
  let home: Home | null = null;
  if (parent?.announced && deps.config.parentRuns && !isForgotten(parent.stream)) {
    const made = await ensureParent(turn, parent);
    if (!made.ok) return made;
    parentRunId = made.value;
    home = await homeOf(turn, parent);
  }
  const own = text(core, "experiment_name");
  const made = await ensureRun(turn, {
    ...common(turn, core, trialId),
    ...(own === null && home !== null
      ? home
      : {
          experimentName: own ?? parent?.experimentName ?? deps.config.defaultExperiment,
          experimentId: null,
        }),
    requestedRunId: text(core, "mlflow_run_id"),
    foundRunId: await unlinkedRunOf(deps.db, stream),
    tags: [
      ...identity(turn, core),
      { key: TRIAL_TAG, value: trialId },
      ...(stream.modelRunId === null ? [] : [{ key: MODEL_RUN_TAG, value: stream.modelRunId }]),
      ...(parentRunId === null ? [] : [{ key: PARENT_TAG, value: parentRunId }]),
    ],
  });
  return made.ok ? { ok: true, value: true } : made;
}

/** A run can change neither its experiment nor its start later, so a start that has not come yet is waited for. */
function graceLeft({ deps, stream }: Turn, started: boolean): { ok: false; end: End } | null {
  const ms = deps.config.announceGraceMs - (deps.now() - stream.createdAt);
  return started || ms <= 0 ? null : { ok: false, end: { kind: "wait", for: "grace", ms } };
}

type Parent = NonNullable<Awaited<ReturnType<typeof modelRunStream>>>;

type FoundParent = { parent: Parent | null; parentCore: Core | null };

/** The trial's model run, folded. One that cannot be read is blocked by its own turn, and its trials wait for it. */
async function parentOf({ deps, stream }: Turn): Promise<Step<FoundParent>> {
  const { modelRunId } = stream;
  if (modelRunId === null) return { ok: true, value: { parent: null, parentCore: null } };
  try {
    const parent = await foldedParent(deps, modelRunId);
    return { ok: true, value: { parent, parentCore: parent ? readCore(parent.core) : null } };
  } catch (error) {
    if (!isLasting(error)) throw error;
    const parent = await modelRunStream(deps.db, modelRunId);
    if (parent && isForgotten(parent.stream)) return { ok: true, value: { parent, parentCore: null } };
    const end = { kind: "wait" as const, for: "parent" as const, ms: BLOCKED_PARENT_POLL_MS };
    return { ok: false, end: { ...end, error: `the model run cannot be read: ${reasonOf(error)}` } };
  }
}

async function foldedParent(deps: Deps, modelRunId: string): Promise<Parent | null> {
  const parent = await modelRunStream(deps.db, modelRunId);
  if (!parent || parent.stream.foldedSeq >= parent.stream.lastSeq) return parent;
  await foldStream(deps, parent.stream);
  return modelRunStream(deps.db, modelRunId);
}

type Home = Pick<Wanted, "experimentName" | "experimentId">;

/** Where the parent's run is: its trials go there too, though the experiment may have another name by now. */
async function homeOf({ deps }: Turn, parent: Parent): Promise<Home | null> {
  const { stream } =
    parent.stream.mlflowRunId === null
      ? ((await modelRunStream(deps.db, parent.stream.modelRunId ?? "")) ?? parent)
      : parent;
  const { experimentName, mlflowExperimentId } = stream;
  return experimentName === null || mlflowExperimentId === null
    ? null
    : { experimentName, experimentId: mlflowExperimentId };
}

/** The parent's run id; its run is made here, under the parent's own lease, when it is not there yet. */
async function ensureParent(turn: Turn, parent: Parent): Promise<Step<string>> {
  const { deps } = turn;
  const { stream } = parent;
  if (stream.mlflowRunId !== null) return { ok: true, value: stream.mlflowRunId };
  const wait = (blocked: string | null): { ok: false; end: End } => ({
    ok: false,
    end: {
      kind: "wait",
      for: "parent",
      ms: blocked === null ? PARENT_POLL_MS : BLOCKED_PARENT_POLL_MS,
      ...(blocked === null ? {} : { error: `the model run is blocked: ${blocked}` }),
    },
  });
  const { blockedKind, nextAttemptAt } = stream;
  if (blockedKind !== null && (!isRetried(blockedKind) || nextAttemptAt > deps.now()))
    return wait(stream.blockedReason);
  // The trial's own lease rests meanwhile, so one more does not mean one more call at once.
  const claimed = await claim(
    deps.db,
    stream.id,
    leaseMs(deps.config.mlflow.timeoutMs),
    Number.MAX_SAFE_INTEGER,
  );
  if (claimed.kind !== "claimed") {
    const made = await runMadeMeanwhile(deps, stream.id);
    return made === null ? wait(null) : { ok: true, value: made };
  }
  const parentTurn = turn.branch(claimed.lease, claimed.stream);
  let values = {};
  try {
    const made = await modelRun(parentTurn, readCore(parent.core));
    // Made: what it waited for is over, and its own poke may have come while it was held here.
    if (made.ok) values = { ...NOT_BLOCKED, nextAttemptAt: 0, waitingFor: null, lastError: null };
    else if (made.end.kind !== "blocked") {
      // Its trial tries for it, and it is the model run that could not be made.
      if (made.end.kind === "wait" && made.end.error !== undefined)
        values = { waitingFor: made.end.for, lastError: made.end.error };
      return made;
    } else {
      values = blockedValues(deps, claimed.stream, made.end.block);
      return wait(made.end.block.reason);
    }
  } finally {
    parentTurn.takeBack();
    await letGo(deps, claimed.lease, { ...parentTurn.fence, ...values });
  }
  const runId = parentTurn.stream.mlflowRunId;
  return runId === null ? wait(null) : { ok: true, value: runId };
}

/** Another turn is just making the run, which takes a moment: waiting for it here beats coming back later. */
async function runMadeMeanwhile({ db }: Deps, streamId: number): Promise<string | null> {
  for (let i = 0; i < MAX_PARENT_LOOKS; i++) {
    await new Promise((resolve) => setTimeout(resolve, PARENT_LOOK_MS));
    const runId = await runIdOf(db, streamId);
    if (runId !== null) return runId;
  }
  return null;
}

function common(turn: Turn, core: Core, id: string): Pick<Wanted, "runName" | "startTime" | "user"> {
  return {
    runName: text(core, "run_name") ?? id,
    startTime: core.startedAt ?? turn.stream.createdAt,
    user: text(core, "user") ?? "trial-relay",
  };
}

/** MLflow's own tags for where a run comes from. */
function identity(turn: Turn, core: Core) {
  const { runName, user } = common(turn, core, turn.stream.trialId ?? turn.stream.modelRunId ?? "");
  return [
    { key: "mlflow.runName", value: runName },
    { key: "mlflow.user", value: user },
    { key: "mlflow.source.name", value: "trial-relay" },
    { key: "mlflow.source.type", value: "JOB" },
  ];
}

/** A text field of the fold, or null. */
export function text(core: Core, name: string): string | null {
  const value = fieldOf(core, name);
  return typeof value === "string" ? value : null;
}
