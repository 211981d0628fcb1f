import { type Block, isRetried } from "../../domain/blocked.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { isOfTheDatabase } from "../../store/database/transient.ts";
import { blockValues } from "../../store/delivery/blocked.ts";
import { mirrorLifecycle } from "../../store/delivery/own-runs.ts";
import { isLasting, reasonOf } from "../../store/stream/lasting.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import { backoffMs } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { recordFailure } from "../line/breaker.ts";
import { writesAtAll } from "../line/control.ts";
import { retryMs } from "../line/retry-after.ts";
import { control } from "./control.ts";
import type { End, Turn } from "./turn.ts";

/** What makes no sense is tried so often, over some minutes, before it counts as lasting. */
const PERSISTENT_ATTEMPTS = 10;
/** What the relay itself fails over, and may pass, is tried so often. */
const MAX_TRIES = 10;
/** How soon a stream that is blocked by what may pass is tried again, at the earliest; the cron's pass does it. */
const BLOCKED_RETRY_MS = 60_000;

/** What a failure that a stage cannot mend means for the turn. Null: the call was not made. */
export async function stop(turn: Turn, failure: Failure | null): Promise<{ ok: false; end: End }> {
  if (failure === null) return { ok: false, end: { kind: turn.foundNoPlace ? "full" : "lost" } };
  turn.deps.log.warn("MLflow call failed", {
    stream: turn.stream.key,
    kind: failure.kind,
    status: failure.status,
    error: failure.message,
  });
  return { ok: false, end: await endAfter(turn, failure) };
}

/**
 * How a turn ends with a failure that its stage cannot mend. Only what MLflow itself said of this very item blocks
 * at once, and only while it answers sensibly to something else; whatever may pass is tried again.
 */
async function endAfter(turn: Turn, failure: Failure): Promise<End> {
  const error = `${failure.kind}: ${failure.message}`;
  if (failure.kind === "held") return { kind: "wait", for: "breaker", ms: 0, error };
  if (isAway(failure) && (await recordFailure(turn.deps, failure)))
    return { kind: "wait", for: "breaker", ms: 0, error };
  switch (failure.kind) {
    case "transient":
    case "ambiguous":
    // A duplicate where none was looked for is a race lost against another writer, and over.
    case "duplicate":
      return again(turn, failure);
    case "gone":
      return gone(turn, failure);
    case "invalid":
      return refused(turn, failure);
    default:
      return unlessItLasts(turn, failure, { kind: failure.kind, on: null, reason: error });
  }
}

function again({ deps, stream }: Turn, failure: Failure): End {
  deps.tally.add("relay_retries_total");
  const ms = retryMs(deps, stream.attempts, failure);
  return { kind: "wait", for: "retry", ms, error: `${failure.kind}: ${failure.message}` };
}

/** An answer that should not be: tried again, and blocked once it has lasted. */
function unlessItLasts(turn: Turn, failure: Failure, block: Block): End {
  return turn.stream.attempts < PERSISTENT_ATTEMPTS ? again(turn, failure) : { kind: "blocked", block };
}

/** Another server in MLflow's place knows no run of ours: what is gone is looked at once more. */
async function gone(turn: Turn, failure: Failure): Promise<End> {
  const { mlflowRunId, experimentName } = turn.stream;
  const reason = `gone: ${failure.message}`;
  if (mlflowRunId === null)
    return unlessItLasts(turn, failure, { kind: "gone_experiment", on: experimentName, reason });
  const run = await turn.call(() => turn.deps.mlflow.getRun(mlflowRunId));
  if (!run.ok && run.failure === null) return { kind: "lost" };
  if (!run.ok && run.failure !== null && isAway(run.failure)) return endAfter(turn, run.failure);
  if (run.ok && run.value.info.lifecycleStage === "deleted") {
    const { db, now } = turn.deps;
    await turn.update({}, [mirrorLifecycle(db, turn.lease, mlflowRunId, "deleted", now())]);
  }
  const isThere = run.ok && run.value.info.lifecycleStage === "active";
  if (isThere) return unlessItLasts(turn, failure, { kind: "misconfigured", on: null, reason });
  const block: Block = { kind: "gone_run", on: mlflowRunId, reason };
  // Deleted is MLflow's own word of this very run; that it knows none may come from a replica that lags behind.
  return run.ok ? { kind: "blocked", block } : unlessItLasts(turn, failure, block);
}

/** A refusal counts only while the server takes other writes: to the same run, or where it has none, to another. */
async function refused(turn: Turn, failure: Failure): Promise<End> {
  const block: Block = { kind: "invalid", on: null, reason: `invalid: ${failure.message}` };
  // Found out before anything was sent.
  if (failure.status === null) return { kind: "blocked", block };
  if (failure.code === null) return unlessItLasts(turn, failure, block);
  const { mlflowRunId } = turn.stream;
  const controlled =
    mlflowRunId === null ? await writesAtAll(turn.deps) : await control(turn, mlflowRunId, "afresh");
  if (controlled.kind === "taken") return { kind: "blocked", block };
  if (controlled.kind === "lost") return { kind: "lost" };
  if (controlled.kind === "failed" && isAway(controlled.failure)) return endAfter(turn, controlled.failure);
  return unlessItLasts(turn, failure, block);
}

/** What the row of a stream says after its turn, or another's for it, has ended so. */
export function blockedValues({ now }: Pick<Deps, "now">, stream: StreamRow, block: Block) {
  const retried = isRetried(block.kind);
  return {
    ...blockValues(block),
    lastError: block.reason,
    waitingFor: null,
    attempts: retried ? stream.attempts : 0,
    nextAttemptAt: retried ? now() + BLOCKED_RETRY_MS : 0,
  };
}

/** What the relay was at when it failed over a stream. */
export type Stage = "folding" | "delivery";

/**
 * How a turn ends in which the relay itself failed: a stream that it cannot read, plan or fold is blocked, so that it is
 * seen and holds nobody else up. What may pass is tried again first; that the database has a bad time says nothing of it.
 */
export function endAfterThrow(deps: Deps, stream: StreamRow, stage: Stage, error: unknown): End {
  if (isOutOfStatements(error)) return { kind: "more" };
  const text = reasonOf(error);
  deps.log.error("a stream failed in the relay itself", { stream: stream.key, stage, error: text });
  const isOver = stream.attempts >= MAX_TRIES && !isOfTheDatabase(error);
  if (isLasting(error) || isOver)
    return {
      kind: "blocked",
      block: { kind: "unreadable", on: stage, reason: `unreadable: ${stage} failed: ${text}` },
    };
  return {
    kind: "wait",
    for: "retry",
    ms: backoffMs(stream.attempts, deps.config.retry, deps.random),
    error: text,
  };
}
