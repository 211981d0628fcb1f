import { isRetried } from "../../domain/blocked.ts";
import { type Core, textOf } from "../../domain/core.ts";
import { isForgotten, NOT_BLOCKED } from "../../store/delivery/blocked.ts";
import { coreOf, modelRunStream, type ParentRow } from "../../store/delivery/parents.ts";
import type { ClaimedFold } from "../../store/stream/claims.ts";
import { readCore } from "../../store/stream/core-column.ts";
import { isLasting, reasonOf } from "../../store/stream/lasting.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import type { Above } from "../../store/turn/places.ts";
import { poll, sleep } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { claimWith, readAhead } from "../stream/claim-folded.ts";
import { foldStream } from "../stream/fold.ts";
import { blockedValues } from "../stream/stop.ts";
import type { End, Step, Turn } from "../stream/turn.ts";
import { letGo } from "../stream/under-lease.ts";
import { modelRun } from "./model-run.ts";

const PARENT_LOOK_MS = 100;
const PARENT_LOOKS = 20;
/** How soon to come back for a parent run that another turn is still making. */
const PARENT_POLL_MS = 1_000;
/** How soon, at the latest, for one that waits for its next attempt, or for an operator: unblocking it wakes its trials. */
const WAITING_PARENT_POLL_MS = 60_000;

type Parent = {
  stream: StreamRow;
  /** Null where it cannot be read, and was given up. */
  core: Core | null;
  experimentName: string | null;
  /** Whether the experiment that its run is in is known to be active. */
  isHomeActive: boolean;
  /** Its fold, where that is still to be written. */
  fold: ClaimedFold | null;
};

type FoundParent = {
  parent: Parent | null;
  /** A run in MLflow that carries the trial's tags and that nobody has. */
  foundRunId: string | null;
};

/** The trial's model run, folded. One that cannot be read is blocked by its own turn, and its trials wait for it. */
export async function parentOf(
  { deps }: Turn,
  { parent: row, foundRunId }: Above,
): Promise<Step<FoundParent>> {
  if (row === null) return { ok: true, value: { parent: null, foundRunId } };
  try {
    return { ok: true, value: { parent: await foldedParent(deps, row), foundRunId } };
  } catch (error) {
    if (!isLasting(error)) throw error;
    const parent = { ...row, core: null, fold: null };
    if (isForgotten(row.stream)) return { ok: true, value: { parent, foundRunId } };
    const end = { kind: "wait" as const, for: "parent" as const, ms: WAITING_PARENT_POLL_MS };
    return { ok: false, end: { ...end, error: `the model run cannot be read: ${reasonOf(error)}` } };
  }
}

async function foldedParent(deps: Deps, { stream, core: stored, isHomeActive }: ParentRow): Promise<Parent> {
  const as = (core: Core, fold: ClaimedFold | null = null) => ({
    stream,
    core,
    experimentName: textOf(core, "experiment_name"),
    isHomeActive,
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

/** The parent's run and its experiment. `isSure`: it was made or found in this very turn, or is known to be active. */
export type Home = { runId: string; experiment: { name: string; id: string; isSure: boolean } | null };

function homeOf(
  runId: string,
  { experimentName: name, mlflowExperimentId: id }: StreamRow,
  isSure: boolean,
): Home {
  return { runId, experiment: name === null || id === null ? null : { name, id, isSure } };
}

/** The parent's run; it is made here, under the parent's own lease, when it is not there yet. */
export async function ensureParent(
  turn: Turn,
  { stream, isHomeActive, fold }: Parent,
  core: Core,
): Promise<Step<Home>> {
  const { deps } = turn;
  if (stream.mlflowRunId !== null)
    return { ok: true, value: homeOf(stream.mlflowRunId, stream, isHomeActive) };
  const wait = (ms: number, error?: string): { ok: false; end: End } => ({
    ok: false,
    end: { kind: "wait", for: "parent", ms, ...(error === undefined ? {} : { error }) },
  });
  const waitBlocked = (reason: string | null) =>
    wait(WAITING_PARENT_POLL_MS, `the model run is blocked: ${reason}`);
  const waitsMs = stream.nextAttemptAt - deps.now();
  if (standsStill(deps, stream)) return waitBlocked(stream.blockedReason);
  // Its own turn has failed, and MLflow may have said when to come again.
  if (stream.waitingFor === "retry" && waitsMs > 0) return wait(Math.min(waitsMs, WAITING_PARENT_POLL_MS));
  const claimed = await claimWith(deps, stream.id, fold);
  if (claimed.kind !== "claimed") {
    const made = await runMadeMeanwhile(deps, stream.modelRunId ?? "");
    return made === null ? wait(PARENT_POLL_MS) : { ok: true, value: made };
  }
  // It was read before it was claimed, and an operator may have given it up since.
  if (standsStill(deps, claimed.stream)) {
    await letGo(deps, claimed.lease, {});
    return waitBlocked(claimed.stream.blockedReason);
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
      return waitBlocked(made.end.block.reason);
    }
  } finally {
    parentTurn.leave();
    await letGo(deps, claimed.lease, { ...parentTurn.fence, ...values });
  }
  const runId = parentTurn.stream.mlflowRunId;
  return runId === null
    ? wait(PARENT_POLL_MS)
    : { ok: true, value: homeOf(runId, parentTurn.stream, claimed.stream.mlflowRunId === null) };
}

/** Whether it waits for an operator, or for the next attempt at what may pass. */
function standsStill({ now }: Deps, { blockedKind, nextAttemptAt }: StreamRow): boolean {
  return blockedKind !== null && (!isRetried(blockedKind) || nextAttemptAt > now());
}

/** Another turn is just making the run, which takes a moment: waiting for it here beats coming back later. */
async function runMadeMeanwhile({ db }: Deps, modelRunId: string): Promise<Home | null> {
  await sleep(PARENT_LOOK_MS);
  return poll(
    PARENT_LOOKS - 1,
    () => PARENT_LOOK_MS,
    async () => {
      const parent = await modelRunStream(db, modelRunId);
      const runId = parent?.stream.mlflowRunId ?? null;
      return parent && runId !== null ? homeOf(runId, parent.stream, parent.isHomeActive) : null;
    },
  );
}
