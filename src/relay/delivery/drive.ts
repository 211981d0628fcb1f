import { isForgotten, NOT_BLOCKED } from "../../store/delivery/blocked.ts";
import { release, type StreamRow, type StreamValues } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { Looks } from "../merge/looks.ts";
import { claimFolded, type Start } from "../stream/claim-folded.ts";
import { InHand } from "../stream/in-hand.ts";
import { Seats } from "../stream/seats.ts";
import { blockedValues, endAfterThrow, type Stage } from "../stream/stop.ts";
import { type End, Turn } from "../stream/turn.ts";
import { deliver } from "./deliver.ts";
import { restoredByPolicy } from "./experiment.ts";
import { type FirstBatch, foresee } from "./first-batch.ts";
import { whyIdle } from "./idle.ts";
import { sendFirst } from "./send.ts";

/** How soon to come back where every place among the callers was taken. */
const FULL_RETRY_MS = 2_000;

/**
 * What came of a turn. `poke`: come back after so many milliseconds; null when nothing is due, or when the breaker's
 * probe will wake the stream. `busy`: another turn has it for at most so long.
 */
export type Driven = { poke: number | null } | { busy: number };

/**
 * One turn with a stream: claim, fold, deliver, release. Never throws for what MLflow does; what the database does
 * is thrown, for the queue to retry.
 * @param company of the turns of one invocation
 */
export async function drive(deps: Deps, streamId: number, company = companyOf(deps)): Promise<Driven> {
  return company.inHand.during(streamId, () => company.looks.during(() => turnWith(deps, streamId, company)));
}

/**
 * What the turns of one invocation share: looks at MLflow, of which one serves many, places among the callers, and which
 * streams they have in hand.
 */
export type Company = { looks: Looks; seats: Seats; inHand: InHand };

export function companyOf(deps: Deps): Company {
  return { looks: new Looks(deps), seats: new Seats(deps), inHand: new InHand() };
}

async function turnWith(deps: Deps, streamId: number, company: Company): Promise<Driven> {
  const { seats } = company;
  const start = await claimFolded(deps, streamId, (ahead) => foresee(deps, ahead, seats));
  if (start.kind === "unknown") return { poke: null };
  if (start.kind === "busy") return { busy: start.ms };
  const { lease, failed, breaker, more } = start;
  if (failed) {
    const end = endAfterThrow(deps, start.stream, "folding", failed.error);
    // What an operator gave up stays so.
    const values = isForgotten(start.stream) ? {} : valuesAfter(deps, start.stream, end);
    await release(deps.db, lease, values, deps.now());
    return { poke: end.kind === "wait" ? end.ms : null };
  }
  const readAgain = isReadAgain(start.stream) ? READ_AGAIN : {};
  const stream = { ...start.stream, ...readAgain };
  const gatherMs = gatherMsOf(deps);
  const idle = start.first ? null : whyIdle(deps, stream, breaker?.state === "open");
  if (idle) {
    const released = await release(deps.db, lease, { ...readAgain, ...idle }, deps.now());
    // The poke for a later attempt may have been spent on this very turn.
    const early = stream.deliveredSeq < stream.lastSeq ? stream.nextAttemptAt - deps.now() : 0;
    return {
      poke: more ? 0 : early > 0 ? early : released === null || released.pokeNeeded ? gatherMs : null,
    };
  }
  const log = deps.log.with({ model_run_id: stream.modelRunId, trial_id: stream.trialId });
  const turn = new Turn({ ...deps, log }, lease, stream, {
    claimedAt: start.claimedAt,
    seats,
    placed: start.first ? { from: start.first.lent } : undefined,
    failuresBefore: (breaker?.failures ?? 0) > 0,
  });
  try {
    return await turnBy(turn, start, company, readAgain);
  } finally {
    turn.leave();
  }
}

/** Delivers, and gives the lease back with what came of it. */
async function turnBy(
  turn: Turn,
  start: Start<FirstBatch>,
  company: Company,
  readAgain: StreamValues,
): Promise<Driven> {
  const { deps, lease } = turn;
  const gatherMs = gatherMsOf(deps);
  const { end, delivered } = await endOf(turn, start, company);
  const values = {
    ...readAgain,
    ...turn.fence,
    ...valuesAfter(deps, { ...turn.stream, ...delivered }, end),
    ...delivered,
  };
  const after = turn.stream.deliveredSeq;
  const done = { sent: turn.sent, after, upto: delivered?.deliveredSeq ?? after };
  const released = await release(deps.db, lease, values, deps.now(), done);
  // Another may have the lease, and need no poke; or it was given back, and the answer was lost.
  if (!released) return { poke: end.kind === "wait" ? end.ms : gatherMs };
  if (delivered) deps.tally.add("relay_events_delivered_total", released.delivered);
  // What is waited for may have come while this turn found that it had not.
  if (end.kind === "wait" && end.for === "grace" && released.pokeNeeded) return { poke: gatherMs };
  if (end.kind === "wait") return { poke: end.for === "breaker" ? null : end.ms };
  if (end.kind === "full") return { poke: FULL_RETRY_MS };
  if (end.kind === "more" || start.more) return { poke: 0 };
  // What another turn folded of this stream meanwhile counts as folded, but was not sent; nor was a call made that
  // took its lease for lost and was wrong. What is not folded came with a poke of its own, or needs one.
  const behind = end.kind !== "blocked" && released.stream.deliveredSeq < released.stream.foldedSeq;
  return { poke: released.pokeNeeded || behind ? gatherMs : null };
}

/** How soon to come back for what came meanwhile. */
function gatherMsOf({ config }: Pick<Deps, "config">): number {
  return config.gatherWindowSeconds * 1000;
}

const READ_AGAIN = { ...NOT_BLOCKED, lastError: null, attempts: 0, nextAttemptAt: 0 };

/** Whether it was blocked because it could not be folded, and now it was. */
function isReadAgain({ blockedKind, blockedOn }: StreamRow): boolean {
  const stage: Stage = "folding";
  return blockedKind === "unreadable" && blockedOn === stage;
}

/** What the row says once MLflow has it all. */
type Delivered = { plannedSeq: number; deliveredSeq: number; deliveredAt?: number };

async function endOf(
  turn: Turn,
  start: Start<FirstBatch>,
  company: Company,
): Promise<{ end: End; delivered: Delivered | null }> {
  try {
    const step = await (start.first ? sendFirst(turn, start.first) : deliver(turn, start, company));
    if (step.ok) {
      const upto = step.value;
      const at = turn.stream.mlflowRunId === null ? {} : { deliveredAt: turn.deps.now() };
      return { end: { kind: "done" }, delivered: { plannedSeq: upto, deliveredSeq: upto, ...at } };
    }
    const { end } = step;
    const isRestored = end.kind === "blocked" && (await restoredByPolicy(turn, end.block));
    return { end: isRestored ? { kind: "more" } : end, delivered: null };
  } catch (error) {
    turn.forgetAnswer();
    return { end: endAfterThrow(turn.deps, turn.stream, "delivery", error), delivered: null };
  }
}

function valuesAfter(deps: Deps, stream: StreamRow, end: End): StreamValues {
  const rested: StreamValues = { ...NOT_BLOCKED, attempts: 0, nextAttemptAt: 0, waitingFor: null };
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
        attempts: end.for === "retry" && !end.isFree ? stream.attempts + 1 : stream.attempts,
        ...(end.error === undefined ? {} : { lastError: end.error }),
      };
    case "full":
    case "lost":
      return {};
  }
}
