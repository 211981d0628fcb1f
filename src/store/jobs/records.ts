import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import type { JobView } from "../../answers/jobs.ts";
import { iso } from "../listing/common.ts";
import { behind, type Order, orderTerms, type Position } from "../listing/order.ts";
import { jobs } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import { type JobRow, readJobCounts, readJobErrors } from "./columns.ts";
import { outstanding } from "./jobs.ts";

/** How many failed attempts a job has. */
export const MAX_JOB_ATTEMPTS = 5;

const SHOWN_MS = 30 * 86_400_000;
const CANCELLED_BY_HAND = "cancelled by an operator";

const order: Order = { by: jobs.createdAt, id: jobs.id, descending: true, nullable: false };

const OUTSTANDING = sql`(select id from jobs where ${outstanding})`;

/** As in the index of those. */
const FAILED = sql.raw("jobs.state in ('failed', 'cancelled')");

/** Which jobs. */
export type JobFilter = { state?: JobRow["state"] | undefined; action?: JobRow["action"] | undefined };

/** The latest jobs of a page, and one more. */
export async function listJobs(db: D1Database, filter: JobFilter, after: Position | null, limit: number) {
  const rows = await drizzle(db)
    .select()
    .from(jobs)
    .where(
      and(
        filter.state === undefined ? undefined : eq(jobs.state, filter.state),
        // By the index of these few.
        filter.state === "queued" || filter.state === "running"
          ? sql`${jobs.id} in ${OUTSTANDING}`
          : undefined,
        filter.state === "failed" || filter.state === "cancelled" ? FAILED : undefined,
        filter.action === undefined ? undefined : eq(jobs.action, filter.action),
        behind(order, after),
      ),
    )
    .orderBy(orderTerms(order))
    .limit(limit + 1);
  return rows.map((row) => ({ ...jobView(row), position: { value: row.createdAt, id: row.id } }));
}

/** One job as the API shows it; null when there is none. */
export async function readJob(db: D1Database, id: string) {
  const row = await drizzle(db).select().from(jobs).where(eq(jobs.id, id)).get();
  return row ? jobView(row) : null;
}

function jobView(row: JobRow): JobView {
  return {
    id: row.id,
    action: row.action,
    target: row.target,
    origin: row.origin,
    state: row.state,
    attempts: row.attempts,
    max_attempts: MAX_JOB_ATTEMPTS,
    snoozes: row.snoozes,
    errors: readJobErrors(row.errors).map((error) => ({ ...error, at: iso(error.at) })),
    counts: readJobCounts(row.counts),
    progress: row.progress === null ? null : plain(row.progress),
    due_at: row.state === "queued" ? iso(row.dueAt) : null,
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
    finished_at: iso(row.finishedAt),
  };
}

/** A handler's progress is its own text, JSON where it is more than a word. */
function plain(progress: string) {
  try {
    return z.json().parse(JSON.parse(progress));
  } catch {
    return progress;
  }
}

/**
 * Cancels an outstanding job. One that is being worked on keeps its lease, so that no other begins before its step
 * has ended.
 * @returns false when it was over already
 */
export async function cancelJob(db: D1Database, id: string, at: number): Promise<boolean> {
  const entry = sql`json_object('attempt', ${jobs.attempts} + 1, 'at', ${at}, 'kind', 'cancelled', 'error', ${CANCELLED_BY_HAND})`;
  const rows = await drizzle(db)
    .update(jobs)
    .set({
      state: "cancelled",
      errors: sql`json_insert(${jobs.errors}, '$[#]', ${entry})`,
      updatedAt: at,
      finishedAt: at,
    })
    .where(and(eq(jobs.id, id), outstanding))
    .returning({ id: jobs.id });
  return rows.length > 0;
}

/**
 * Has a failed or cancelled job begin anew, with all its attempts; what went wrong before stays on record.
 * @returns false when it is neither, or another for the same action and target is outstanding
 */
export async function retryJob(db: D1Database, id: string, at: number): Promise<boolean> {
  const other = sql`(select 1 from jobs as other where other.action = ${jobs.action}
    and other.target = ${jobs.target} and other.state in ('queued', 'running'))`;
  const rows = await drizzle(db)
    .update(jobs)
    .set({
      state: "queued",
      attempts: 0,
      snoozes: 0,
      progress: null,
      counts: "{}",
      dueAt: sql.raw(NOW_MS),
      updatedAt: at,
      finishedAt: null,
    })
    .where(and(eq(jobs.id, id), sql`${jobs.state} in ('failed', 'cancelled')`, sql`not exists ${other}`))
    .returning({ id: jobs.id });
  return rows.length > 0;
}

/** Deletes jobs that ended long ago, at most so many; how many went. */
export async function pruneJobs(db: D1Database, at: number, limit: number): Promise<number> {
  const result = await db
    .prepare(PRUNE)
    .bind(at - SHOWN_MS, limit)
    .run();
  return result.meta.changes;
}

/** By the time of making, which has an index: what ended so long ago was made before. */
const PRUNE = `
  delete from jobs where id in (
    select id from jobs where created_at < ?1 and finished_at < ?1 order by created_at limit ?2)`;
