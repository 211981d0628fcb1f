import { and, eq, gt, lte, ne, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { withoutCredentials } from "../../config.ts";
import type { Failure } from "../../mlflow/failure.ts";
import { ending } from "../../store/database/counted.ts";
import { breakers } from "../../store/schema.ts";
import type { Breaker, Deps } from "../deps.ts";
import { MAX_CONTROL_RUNS, writesAtAll } from "./control.ts";

/**
 * The circuit breaker of the tracking server, kept in D1 so that all isolates see one. While it is open nothing
 * is sent but a probe, and no trial spends an attempt.
 */

type BreakerDeps = Pick<Deps, "db" | "config" | "now" | "direct" | "trials" | "log">;

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
  const [row] = await breakerRow(drizzle(deps.db), deps);
  return row ?? null;
}

/** The query for that row. */
export function breakerRow(orm: DrizzleD1Database, deps: Pick<Deps, "config">) {
  return orm
    .select()
    .from(breakers)
    .where(eq(breakers.server, serverOf(deps)));
}

/** A call went through: the count of failures in a row starts anew. Writes only where there is one. */
export async function recordSuccess(deps: Pick<Deps, "db" | "config" | "now">): Promise<void> {
  await drizzle(ending(deps.db))
    .update(breakers)
    .set({ failures: 0, updatedAt: deps.now() })
    .where(and(eq(breakers.server, serverOf(deps)), eq(breakers.state, "closed"), gt(breakers.failures, 0)));
}

/**
 * A call failed in a way that may be the server's state. Repeated failures open the breaker; what looks like a
 * wrong configuration opens it at once, with an alarm, if the probe fails too.
 * @returns whether the breaker is open now
 */
export async function recordFailure(deps: BreakerDeps, failure: Failure): Promise<boolean> {
  const now = deps.now();
  if (failure.kind === "held") return true;
  if (failure.kind === "misconfigured") {
    const found = await look(deps);
    if (found.ok) return false;
    return open(deps, found.failure, true);
  }
  const [row] = await drizzle(ending(deps.db))
    .insert(breakers)
    .values({ server: serverOf(deps), failures: 1, lastError: failure.message, updatedAt: now })
    .onConflictDoUpdate({
      target: breakers.server,
      set: { failures: sql`${breakers.failures} + 1`, lastError: failure.message, updatedAt: now },
    })
    .returning();
  if (row?.state === "open") return true;
  return row !== undefined && row.failures >= deps.config.breaker.failures
    ? open(deps, failure, false)
    : false;
}

async function open(deps: BreakerDeps, failure: Failure, alarm: boolean): Promise<true> {
  const now = deps.now();
  const { probeMs, probeMaxMs } = deps.config.breaker;
  const waitMs = probeWaitMs(probeMs, probeMaxMs, failure);
  const probeAt = now + waitMs;
  const opened = {
    state: "open" as const,
    openedAt: now,
    probeAt,
    probes: 0,
    alarm,
    lastError: failure.message,
    updatedAt: now,
  };
  const rows = await drizzle(ending(deps.db))
    .insert(breakers)
    .values({ server: serverOf(deps), ...opened })
    .onConflictDoUpdate({ target: breakers.server, set: opened, setWhere: ne(breakers.state, "open") })
    .returning();
  if (rows.length > 0) {
    deps.log[alarm ? "error" : "warn"]("breaker opened: MLflow is left alone but for a probe", {
      error: failure.message,
      alarm,
    });
    await scheduleProbe(deps, waitMs);
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
  const claimed = await claimProbe(deps, lte(breakers.probeAt, deps.now()));
  if (claimed === null) return "not due";
  const found = await look(deps);
  await settle(deps, claimed, found);
  return found.ok ? "closed" : "open";
}

/** Probes at once, whether or not the breaker is open or due, for an operator. `closed`: it was open and is not now. */
export async function probeNow(deps: BreakerDeps): Promise<Found & { closed: boolean }> {
  const claimed = await claimProbe(deps);
  const found = await look(deps);
  if (claimed !== null) await settle(deps, claimed, found);
  return { ...found, closed: found.ok && claimed !== null };
}

/** Takes the probe of an open breaker for as long as its calls may take; null where it is not open, or not due. */
async function claimProbe(deps: BreakerDeps, due?: SQL): Promise<Breaker | null> {
  const [claimed] = await drizzle(deps.db)
    .update(breakers)
    .set({
      probeAt: deps.now() + PROBE_CALLS * deps.config.mlflow.timeoutMs + PROBE_SLACK_MS,
      probes: sql`${breakers.probes} + 1`,
    })
    .where(and(eq(breakers.server, serverOf(deps)), eq(breakers.state, "open"), due))
    .returning();
  return claimed ?? null;
}

async function settle(deps: BreakerDeps, { probes }: Breaker, found: Found): Promise<void> {
  if (found.ok) return close(deps);
  const { failure } = found;
  const { probeMs, probeMaxMs } = deps.config.breaker;
  const wait = probeWaitMs(Math.min(probeMaxMs, probeMs * 2 ** Math.min(probes, 20)), probeMaxMs, failure);
  const alarm = failure.kind === "misconfigured";
  await drizzle(deps.db)
    .update(breakers)
    .set({ probeAt: deps.now() + wait, alarm, lastError: failure.message, updatedAt: deps.now() })
    .where(and(eq(breakers.server, serverOf(deps)), eq(breakers.state, "open")));
  await scheduleProbe(deps, wait);
}

async function close(deps: BreakerDeps): Promise<void> {
  await drizzle(deps.db)
    .update(breakers)
    .set({ state: "closed", failures: 0, probes: 0, openedAt: null, alarm: false, updatedAt: deps.now() })
    .where(eq(breakers.server, serverOf(deps)));
  deps.log.info("breaker closed: MLflow answers again");
}

/** The probe's alarm clock is a delayed message; if it is lost, the cron probes. */
async function scheduleProbe(deps: BreakerDeps, ms: number): Promise<void> {
  try {
    await deps.trials.send({ kind: "probe" }, { delaySeconds: Math.ceil(ms / 1000) });
  } catch {
    deps.log.warn("the probe was not scheduled; the cron will probe");
  }
}
