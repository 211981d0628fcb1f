import { isRetried } from "../domain/blocked.ts";
import { isForgotten, NOT_BLOCKED } from "../store/blocked.ts";
import { type Claim, claim, release, type StreamRow } from "../store/leases.ts";
import type { streams } from "../store/schema.ts";
import { deliver } from "./deliver.ts";
import type { Deps } from "./deps.ts";
import { restoredByPolicy } from "./experiment.ts";
import { foldStream } from "./fold-stream.ts";
import { Looks } from "./looks.ts";
import { blockedValues } from "./stop.ts";
import { type End, leaseMs, Turn } from "./turn.ts";
import { endAfterThrow, type Stage } from "./unreadable.ts";

const FULL_POLL_MS = 250;
const MAX_FULL_POLLS = 60;
const FULL_RETRY_MS = 2_000;
/** Waiting must not take what the turn itself is to have. */
const POLL_STATEMENTS = 100;

/**
 * What came of a turn. `poke`: come back after so many milliseconds; null when nothing is due, or when the breaker's
 * probe will wake the stream. `busy`: another turn has it for at most so long.
 */
export type Driven = { poke: number | null } | { busy: number };

/**
 * One turn with a stream: claim, fold, deliver, release. Never throws for what MLflow does; what the database does
 * is thrown, for the queue to retry.
 * @param looks shared by the turns of one invocation, so that one look at MLflow serves many
 */
export async function drive(deps: Deps, streamId: number, looks: Looks = new Looks(deps)): Promise<Driven> {
  return looks.during(() => turnWith(deps, streamId, looks));
}

async function turnWith(deps: Deps, streamId: number, looks: Looks): Promise<Driven> {
  const [claimed, breaker] = await Promise.all([claimInTurn(deps, streamId), deps.guard.breaker()]);
  if (claimed.kind === "unknown") return { poke: null };
  if (claimed.kind === "busy") return { busy: claimed.ms };
  if (claimed.kind === "full") return { poke: FULL_RETRY_MS };
  const { lease } = claimed;
  const folded = await foldOrEnd(deps, claimed.stream);
  if ("end" in folded) {
    // What an operator gave up stays so.
    const values = isForgotten(claimed.stream) ? {} : valuesAfter(deps, claimed.stream, folded.end);
    await release(deps.db, lease, values, deps.now());
    return { poke: folded.end.kind === "wait" ? folded.end.ms : null };
  }
  const readAgain = isReadAgain(claimed.stream) ? READ_AGAIN : {};
  const stream = { ...claimed.stream, ...readAgain, foldedSeq: folded.foldedSeq };
  const gatherMs = deps.config.gatherWindowSeconds * 1000;
  const idle = whyIdle(deps, stream, breaker?.state === "open");
  if (idle) {
    const released = await release(deps.db, lease, { ...readAgain, ...idle }, deps.now());
    // The poke for a later attempt may have been spent on this very turn.
    const early = stream.deliveredSeq < stream.lastSeq ? stream.nextAttemptAt - deps.now() : 0;
    return {
      poke: folded.more ? 0 : early > 0 ? early : released === null || released.pokeNeeded ? gatherMs : null,
    };
  }
  const log = deps.log.with({ model_run_id: stream.modelRunId, trial_id: stream.trialId });
  const turn = new Turn({ ...deps, log }, lease, stream, (breaker?.failures ?? 0) > 0);
  const end = await endOf(turn, looks);
  const values = { ...readAgain, ...turn.fence, ...valuesAfter(turn.deps, turn.stream, end) };
  const released = await release(deps.db, lease, values, deps.now());
  // Another may have the lease, and need no poke; or it was given back, and the answer was lost.
  if (!released) return { poke: end.kind === "wait" ? end.ms : gatherMs };
  if (end.kind === "wait") return { poke: end.for === "breaker" ? null : end.ms };
  if (end.kind === "more" || folded.more) return { poke: 0 };
  // What another turn folded of this stream meanwhile counts as folded, but was not sent; nor was a call made that
  // took its lease for lost and was wrong.
  const behind = end.kind !== "blocked" && released.stream.deliveredSeq < released.stream.lastSeq;
  return { poke: released.pokeNeeded || behind ? gatherMs : null };
}

const READ_AGAIN = { ...NOT_BLOCKED, lastError: null, attempts: 0, nextAttemptAt: 0 };

/** Whether it was blocked because it could not be folded, and now it was. */
function isReadAgain({ blockedKind, blockedOn }: StreamRow): boolean {
  const stage: Stage = "folding";
  return blockedKind === "unreadable" && blockedOn === stage;
}

/** Folds the stream; where that fails in the relay itself, how the turn ends. */
async function foldOrEnd(deps: Deps, stream: StreamRow): Promise<Folded | { end: End }> {
  try {
    return await foldStream(deps, stream);
  } catch (error) {
    return { end: endAfterThrow(deps, stream, "folding", error) };
  }
}

type Folded = Awaited<ReturnType<typeof foldStream>>;

/** Waits for a place among the streams that may call MLflow at once; those behind this one wait in the queue. */
async function claimInTurn(deps: Deps, streamId: number): Promise<Claim> {
  const { mlflow, maxConcurrentCalls } = deps.config;
  for (let i = 0; ; i++) {
    const claimed = await claim(deps.db, streamId, leaseMs(mlflow.timeoutMs), maxConcurrentCalls);
    if (claimed.kind !== "full" || i >= MAX_FULL_POLLS || !deps.budget.has(POLL_STATEMENTS)) return claimed;
    await new Promise((resolve) => setTimeout(resolve, FULL_POLL_MS * (1 + deps.random())));
  }
}

async function endOf(turn: Turn, looks: Looks): Promise<End> {
  try {
    const step = await deliver(turn, looks);
    if (step.ok) return { kind: "done" };
    const { end } = step;
    return end.kind === "blocked" && (await restoredByPolicy(turn, end.block)) ? { kind: "more" } : end;
  } catch (error) {
    turn.takeBack();
    return endAfterThrow(turn.deps, turn.stream, "delivery", error);
  }
}

/** Whether it waits for somebody to act. */
function isStopped({ blockedKind }: StreamRow): boolean {
  return blockedKind !== null && !isRetried(blockedKind);
}

type Values = Partial<typeof streams.$inferInsert>;

/** Null when the stream is to be delivered now; else what the row should say of why not. */
function whyIdle(deps: Deps, stream: StreamRow, breakerOpen: boolean): Values | null {
  const { config, now } = deps;
  if (stream.deliveredSeq >= stream.lastSeq) return { forced: false, waitingFor: null };
  if (!config.enabled || !(config.autoSync || stream.forced) || isStopped(stream)) return {};
  if (breakerOpen) return { waitingFor: "breaker" };
  // A stream that waits for an announcement may just have got it; another has its own poke on the way.
  return stream.waitingFor !== "grace" && stream.nextAttemptAt > now() ? {} : null;
}

function valuesAfter(deps: Deps, stream: StreamRow, end: End): Values {
  const rested: Values = { ...NOT_BLOCKED, attempts: 0, nextAttemptAt: 0, waitingFor: null };
  switch (end.kind) {
    case "done":
      return { ...rested, lastError: null, forced: stream.forced && stream.deliveredSeq < stream.lastSeq };
    case "more":
      return { ...rested, lastError: null };
    case "blocked":
      deps.log.error("trial blocked", { reason: end.block.reason });
      return blockedValues(deps, stream, end.block);
    case "wait":
      return {
        waitingFor: end.for,
        nextAttemptAt: end.for === "breaker" ? 0 : deps.now() + end.ms,
        attempts: end.for === "retry" ? stream.attempts + 1 : stream.attempts,
        ...(end.error === undefined ? {} : { lastError: end.error }),
      };
    case "lost":
      return {};
  }
}
