import { withoutCredentials } from "../../config.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import {
  type Breaker,
  breakerOf,
  closeBreaker,
  countFailure,
  forgetFailures,
  keepOpen,
  openBreaker,
  takeProbe,
} from "../../store/ops/breakers.ts";
import type { Deps } from "../deps.ts";
import { type Queues, tryEnqueue } from "../queues.ts";
import { MAX_CONTROL_RUNS, writesAtAll } from "./control.ts";

/**
 * The circuit breaker of the tracking server, kept in D1 so that all isolates see one. While it is open nothing
 * is sent but a probe, and no trial spends an attempt.
 */

type BreakerDeps = Pick<Deps, "db" | "config" | "now" | "direct" | keyof Queues | "log">;

/** One prober at a time: another may try so long after the first one's call must have ended. */
const PROBE_SLACK_MS = 2_000;
/** One to read, and one to write to each run that is tried. */
const PROBE_CALLS = 1 + MAX_CONTROL_RUNS;

/** The breaker's key: the tracking server, without credentials. */
export function serverOf(deps: Pick<Deps, "config">): string {
  return withoutCredentials(deps.config.mlflow.trackingUri);
}

/** The breaker's row; null stands for closed, with nothing ever gone wrong. */
export async function readBreaker(deps: Pick<Deps, "db" | "config">): Promise<Breaker | null> {
  return breakerOf(deps.db, serverOf(deps));
}

/** A call went through: the count of failures in a row starts anew. Writes only where there is one. */
export async function recordSuccess(deps: Pick<Deps, "db" | "config" | "now">): Promise<void> {
  await forgetFailures(deps.db, serverOf(deps), deps.now());
}

/**
 * A call failed in a way that may be the server's state. Repeated failures open the breaker; what looks like a
 * wrong configuration opens it at once, with an alarm, if the probe fails too.
 * @returns whether the breaker is open now
 */
export async function recordFailure(deps: BreakerDeps, failure: Failure): Promise<boolean> {
  if (failure.kind === "held") return true;
  if (failure.kind === "misconfigured") {
    const found = await look(deps);
    if (found.ok) return false;
    return open(deps, found.failure, true);
  }
  const row = await countFailure(deps.db, serverOf(deps), failure.message, deps.now());
  if (row?.state === "open") return true;
  return row !== null && row.failures >= deps.config.breaker.failures ? open(deps, failure, false) : false;
}

async function open(deps: BreakerDeps, failure: Failure, alarm: boolean): Promise<true> {
  const now = deps.now();
  const { probeMs, probeMaxMs } = deps.config.breaker;
  const waitMs = probeWaitMs(probeMs, probeMaxMs, failure);
  const values = { probeAt: now + waitMs, alarm, lastError: failure.message };
  if (await openBreaker(deps.db, serverOf(deps), values, now)) {
    deps.log[alarm ? "error" : "warn"]("breaker opened: MLflow is left alone but for a probe", {
      error: failure.message,
      alarm,
    });
    await tryEnqueue(deps, { kind: "probe" }, waitMs);
  }
  return true;
}

/** How long to leave the server alone: as long as it asked for if that is longer, but never beyond the slowest probe. */
function probeWaitMs(ownMs: number, mostMs: number, failure: Failure): number {
  return Math.max(ownMs, Math.min(failure.retryAfterMs ?? 0, mostMs));
}

/** What a probe found. `writes` is "untold" where the relay has no run yet to write to. */
export type Found =
  | { ok: true; writes: "ok" | "untold" }
  | { ok: false; failed: "reading" | "writing"; failure: Failure };

/**
 * The cheapest call that reaches MLflow's database, since `/health` answers 200 with the database down; then a write
 * that changes nothing of anybody's, since a database that is read only still answers what is read.
 */
async function look(deps: Pick<Deps, "db" | "direct" | "now">): Promise<Found> {
  const read = await deps.direct.searchExperiments({ maxResults: 1 });
  if (!read.ok) return { ok: false, failed: "reading", failure: read.failure };
  const wrote = await writesAtAll(deps);
  if (wrote.kind === "failed") return { ok: false, failed: "writing", failure: wrote.failure };
  return { ok: true, writes: wrote.kind === "taken" ? "ok" : "untold" };
}

/**
 * Probes an open breaker that is due, and closes it when MLflow answers.
 * @returns "closed" when it has just closed; the caller then wakes the trials that wait
 */
export async function probe(deps: BreakerDeps): Promise<"closed" | "open" | "not due"> {
  const claimed = await claimProbe(deps, deps.now());
  if (claimed === null) return "not due";
  const found = await look(deps);
  await afterProbe(deps, claimed, found);
  return found.ok ? "closed" : "open";
}

/** Probes at once, whether or not the breaker is open or due, for an operator. `closed`: it was open and is not now. */
export async function probeNow(deps: BreakerDeps): Promise<Found & { closed: boolean }> {
  const claimed = await claimProbe(deps, null);
  const found = await look(deps);
  if (claimed !== null) await afterProbe(deps, claimed, found);
  return { ...found, closed: found.ok && claimed !== null };
}

/** Takes the probe of an open breaker for as long as its calls may take; null where it is not open, or not due. */
async function claimProbe(deps: BreakerDeps, dueBy: number | null): Promise<Breaker | null> {
  const until = deps.now() + PROBE_CALLS * deps.config.mlflow.timeoutMs + PROBE_SLACK_MS;
  return takeProbe(deps.db, serverOf(deps), until, dueBy);
}

async function afterProbe(deps: BreakerDeps, { probes }: Breaker, found: Found): Promise<void> {
  if (found.ok) return close(deps);
  const { failure } = found;
  const { probeMs, probeMaxMs } = deps.config.breaker;
  const wait = probeWaitMs(Math.min(probeMaxMs, probeMs * 2 ** Math.min(probes, 20)), probeMaxMs, failure);
  const alarm = failure.kind === "misconfigured";
  const now = deps.now();
  const values = { probeAt: now + wait, alarm, lastError: failure.message, updatedAt: now };
  await keepOpen(deps.db, serverOf(deps), values);
  await tryEnqueue(deps, { kind: "probe" }, wait);
}

async function close(deps: BreakerDeps): Promise<void> {
  await closeBreaker(deps.db, serverOf(deps), deps.now());
  deps.log.info("breaker closed: MLflow answers again");
}

/** Has the breaker hear of a failed call, where it may be the server's state; passes the failure on. */
export async function heard(deps: Deps, failure: Failure): Promise<{ kind: "failed"; failure: Failure }> {
  if (isAway(failure)) await recordFailure(deps, failure);
  return { kind: "failed", failure };
}
