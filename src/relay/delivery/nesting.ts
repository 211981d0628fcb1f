import { isRetried } from "../../domain/blocked.ts";
import { type Core, fieldOf } from "../../domain/fold.ts";
import { MODEL_RUN_TAG, PARENT_TAG, TRIAL_TAG } from "../../mlflow/tags.ts";
import { isForgotten, NOT_BLOCKED } from "../../store/delivery/blocked.ts";
import { coreOf, modelRunStream, type ParentRow } from "../../store/delivery/parents.ts";
import { readCore } from "../../store/stream/core-column.ts";
import { isLasting, reasonOf } from "../../store/stream/lasting.ts";
import type { ClaimedFold, StreamRow } from "../../store/stream/leases.ts";
import { type Above, readAbove, readHome } from "../../store/turn/places.ts";
import { poll, sleep } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { claimWith, readAhead } from "../stream/claim-folded.ts";
import { foldStream } from "../stream/fold.ts";
import { blockedValues } from "../stream/stop.ts";
import type { End, Step, Turn } from "../stream/turn.ts";
import { letGo } from "../stream/under-lease.ts";
import type { RunWanted } from "./adopt.ts";
import { askForExperiment, ensureExperiment, ensureKnownExperiment } from "./experiment.ts";
import { renest } from "./renest.ts";
import { ensureRun } from "./run.ts";

const PARENT_LOOK_MS = 100;
const PARENT_LOOKS = 20;
/** How soon to come back for a parent run that another turn is still making. */
const PARENT_POLL_MS = 1_000;
/** How soon where an operator has to act first; unblocking a model run wakes its trials. */
const BLOCKED_PARENT_POLL_MS = 60_000;

/** The model run as a parent run; false when model runs are not to be runs, or this one is a stub. */
export async function modelRun(turn: Turn, core: Core): Promise<Step<boolean>> {
  // Nothing of it belongs in MLflow: it is delivered as soon as it is folded.
  if (!turn.deps.config.parentRuns || !core.announced) return { ok: true, value: false };
  if (turn.stream.mlflowRunId !== null) return nested(turn);
  const grace = graceLeft(turn, core.started);
  if (grace) return grace;
  const { deps, stream } = turn;
  const modelRunId = stream.modelRunId ?? "";
  const experimentName = text(core, "experiment_name") ?? deps.config.defaultExperiment;
  const { foundRunId, experimentId } = await readHome(deps.db, stream.id, experimentName);
  const made = await ensureRun(turn, {
    ...common(turn, core, modelRunId),
    experimentName,
    experimentId: async () =>
      experimentId === null ? askForExperiment(turn, experimentName) : { ok: true, value: experimentId },
    requestedRunId: null,
    foundRunId,
    tags: [...identity(turn, core), { key: MODEL_RUN_TAG, value: modelRunId }],
  });
  return made.ok ? nested(turn) : made;
}

async function nested(turn: Turn): Promise<Step<boolean>> {
  const told = await renest(turn);
  return told.ok ? { ok: true, value: true } : told;
}

/** The trial's run, nested under its model run's where that was announced. */
export async function trialRun(turn: Turn, core: Core, above: Above | null): Promise<Step<boolean>> {
  if (turn.stream.mlflowRunId !== null) return { ok: true, value: true };
  const { deps, stream } = turn;
  const trialId = stream.trialId ?? "";
  const found = await parentOf(turn, above ?? (await readAbove(deps.db, stream.id)));
  if (!found.ok) return found;
  const { parent, foundRunId } = found.value;
  const grace = graceLeft(turn, core.started && parent?.core?.started !== false);
  if (grace) return grace;
  let home: Home | null = null;
  if (parent?.core?.announced && deps.config.parentRuns && !isForgotten(parent.stream)) {
    const made = await ensureParent(turn, parent, parent.core);
    if (!made.ok) return made;
    home = made.value;
  }
  const own = text(core, "experiment_name");
  const made = await ensureRun(turn, {
    ...common(turn, core, trialId),
    ...(own === null && home?.experiment
      ? homeIn(turn, home.experiment)
      : byName(turn, own ?? parent?.experimentName ?? deps.config.defaultExperiment)),
    requestedRunId: text(core, "mlflow_run_id"),
    foundRunId,
    tags: [
      ...identity(turn, core),
      { key: TRIAL_TAG, value: trialId },
      ...(stream.modelRunId === null ? [] : [{ key: MODEL_RUN_TAG, value: stream.modelRunId }]),
      ...(home === null ? [] : [{ key: PARENT_TAG, value: home.runId }]),
    ],
  });
  return made.ok ? { ok: true, value: true } : made;
}

type Place = Pick<RunWanted, "experimentName" | "experimentId">;

function byName(turn: Turn, experimentName: string): Place {
  return { experimentName, experimentId: () => ensureExperiment(turn, experimentName) };
}

/** Where the parent's run is: its trials go there too, though the experiment may have another name by now. */
function homeIn(turn: Turn, { name, id, isSure }: NonNullable<Home["experiment"]>): Place {
  const experimentId = async (): Promise<Step<string>> => {
    if (isSure) return { ok: true, value: id };
    const known = await ensureKnownExperiment(turn, id);
    if (!known.ok) return known;
    return known.value === null ? ensureExperiment(turn, name) : { ok: true, value: known.value };
  };
  return { experimentName: name, experimentId };
}

/** A run can change neither its experiment nor its start later, so a start that has not come yet is waited for. */
function graceLeft({ deps, stream }: Turn, started: boolean): { ok: false; end: End } | null {
  const ms = deps.config.announceGraceMs - (deps.now() - stream.createdAt);
  return started || ms <= 0 ? null : { ok: false, end: { kind: "wait", for: "grace", ms } };
}

type Parent = {
  stream: StreamRow;
  /** Null where it cannot be read, and was given up. */
  core: Core | null;
  experimentName: string | null;
  /** Its fold, where that is still to be written. */
  fold: ClaimedFold | null;
};

type FoundParent = {
  parent: Parent | null;
  /** A run in MLflow that carries the trial's tags and that nobody has. */
  foundRunId: string | null;
};

/** The trial's model run, folded. One that cannot be read is blocked by its own turn, and its trials wait for it. */
async function parentOf({ deps }: Turn, { parent: row, foundRunId }: Above): Promise<Step<FoundParent>> {
  if (row === null) return { ok: true, value: { parent: null, foundRunId } };
  try {
    return { ok: true, value: { parent: await foldedParent(deps, row), foundRunId } };
  } catch (error) {
    if (!isLasting(error)) throw error;
    const parent = { ...row, core: null, fold: null };
    if (isForgotten(row.stream)) return { ok: true, value: { parent, foundRunId } };
    const end = { kind: "wait" as const, for: "parent" as const, ms: BLOCKED_PARENT_POLL_MS };
    return { ok: false, end: { ...end, error: `the model run cannot be read: ${reasonOf(error)}` } };
  }
}

async function foldedParent(deps: Deps, { stream, core: stored }: ParentRow): Promise<Parent> {
  const as = (core: Core, fold: ClaimedFold | null = null) => ({
    stream,
    core,
    experimentName: text(core, "experiment_name"),
    fold,
  });
  if (stream.foldedSeq >= stream.lastSeq) return as(readCore(stored));
  // Where it is to be claimed for its run, its fold is written with that.
  if (stream.mlflowRunId === null && deps.config.parentRuns) {
    const ahead = await readAhead(deps, stream.id);
    if (ahead.known !== null && !ahead.more) return as(ahead.known.core, ahead.fold);
  }
  const folded = await foldStream(deps, stream);
  return as(folded.core ?? readCore(await coreOf(deps.db, stream)));
}

/** The parent's run and its experiment. `isSure`: it was made or found in this very turn. */
type Home = { runId: string; experiment: { name: string; id: string; isSure: boolean } | null };

function homeOf(
  runId: string,
  { experimentName: name, mlflowExperimentId: id }: StreamRow,
  isSure: boolean,
): Home {
  return { runId, experiment: name === null || id === null ? null : { name, id, isSure } };
}

/** The parent's run; it is made here, under the parent's own lease, when it is not there yet. */
async function ensureParent(turn: Turn, { stream, fold }: Parent, core: Core): Promise<Step<Home>> {
  const { deps } = turn;
  if (stream.mlflowRunId !== null) return { ok: true, value: homeOf(stream.mlflowRunId, stream, false) };
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
  const claimed = await claimWith(deps, stream.id, fold);
  if (claimed.kind !== "claimed") {
    const made = await runMadeMeanwhile(deps, stream.modelRunId ?? "");
    return made === null ? wait(null) : { ok: true, value: made };
  }
  const parentTurn = turn.branch(claimed.lease, claimed.stream, claimed.claimedAt);
  let values = {};
  try {
    const made = await modelRun(parentTurn, core);
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
  return runId === null
    ? wait(null)
    : { ok: true, value: homeOf(runId, parentTurn.stream, claimed.stream.mlflowRunId === null) };
}

/** Another turn is just making the run, which takes a moment: waiting for it here beats coming back later. */
async function runMadeMeanwhile({ db }: Deps, modelRunId: string): Promise<Home | null> {
  await sleep(PARENT_LOOK_MS);
  return poll(
    PARENT_LOOKS - 1,
    () => PARENT_LOOK_MS,
    async () => {
      const stream = (await modelRunStream(db, modelRunId))?.stream;
      return stream && stream.mlflowRunId !== null ? homeOf(stream.mlflowRunId, stream, false) : null;
    },
  );
}

function common(turn: Turn, core: Core, id: string): Pick<RunWanted, "runName" | "startTime" | "user"> {
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
