import { and, eq, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { uuidv7 } from "uuidv7";
import type { JobState } from "../../domain/words.ts";
import { ending, repeatable } from "../database/counted.ts";
import { jobs } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import { POKE_TRUST_MS } from "../stream/leases.ts";
import type { JobRow } from "./columns.ts";

export type NewJob = Pick<JobRow, "action" | "target" | "origin">;

const now = sql.raw(NOW_MS);
/** Written out, as in the indexes: with parameters in it they would not be used. */
export const outstanding = sql`${jobs.state} in ('queued', 'running')`;
/** Its message should have come long ago, and may be lost. */
const overdue = sql<number>`${jobs.dueAt} < ${now} - ${POKE_TRUST_MS} and ${jobs.leaseUntil} < ${now}`;

/** An outstanding job: made just now, or asked for before. */
export type Created = { id: string; state: JobState; created: boolean; overdue: boolean };

/** Makes a job; while one for the same action and target is outstanding, that one is the answer. */
export async function createJob(db: D1Database, job: NewJob, at: number): Promise<Created> {
  const id = uuidv7();
  const orm = drizzle(repeatable(db));
  const [, [row]] = await orm.batch([
    orm
      .insert(jobs)
      .values({ ...job, id, state: "queued", dueAt: now, createdAt: at, updatedAt: at })
      .onConflictDoNothing(),
    orm
      .select({ id: jobs.id, state: jobs.state, overdue })
      .from(jobs)
      .where(and(eq(jobs.action, job.action), eq(jobs.target, job.target), outstanding)),
  ]);
  if (!row) throw new Error(`no job ${job.action} was stored`);
  return { ...row, created: row.id === id, overdue: row.overdue === 1 };
}

/** Of one message's work on a job, by the database's clock. */
export type JobLease = { id: string; token: string };

export type JobClaim =
  | { kind: "claimed"; lease: JobLease; job: JobRow }
  /** Another message has it, for at most so long. */
  | { kind: "busy"; ms: number }
  /** Another job is being worked on. */
  | { kind: "full" }
  /** It is due in so long. */
  | { kind: "early"; ms: number }
  /** Ended, or never there. */
  | { kind: "over" };

/**
 * Takes a job that is due. One job at a time, of whatever kind: only Cloudflare holds a queue to `max_concurrency`,
 * and even there a message can come twice.
 * @param ms longer than the work of one message
 */
export async function claimJob(db: D1Database, id: string, ms: number): Promise<JobClaim> {
  const lease = { id, token: crypto.randomUUID() };
  const orm = drizzle(repeatable(db));
  const another = sql`(select 1 from jobs as other where other.lease_token is not null and other.lease_until > ${now})`;
  const [[claimed], [row]] = await orm.batch([
    orm
      .update(jobs)
      .set({ state: "running", leaseToken: lease.token, leaseUntil: sql`${now} + ${ms}` })
      .where(
        and(
          eq(jobs.id, id),
          outstanding,
          // Ours already, where the answer was lost when it was taken.
          or(
            eq(jobs.leaseToken, lease.token),
            sql`${jobs.dueAt} <= ${now} and ${jobs.leaseUntil} <= ${now} and not exists ${another}`,
          ),
        ),
      )
      .returning(),
    orm
      .select({
        isOutstanding: sql<number>`${outstanding}`,
        leasedMs: sql<number>`${jobs.leaseUntil} - ${now}`,
        dueInMs: sql<number>`${jobs.dueAt} - ${now}`,
      })
      .from(jobs)
      .where(eq(jobs.id, id)),
  ]);
  if (claimed) return { kind: "claimed", lease, job: claimed };
  if (!row || row.isOutstanding === 0) return { kind: "over" };
  if (row.leasedMs > 0) return { kind: "busy", ms: row.leasedMs };
  return row.dueInMs > 0 ? { kind: "early", ms: row.dueInMs } : { kind: "full" };
}

/** Has a job that is still held be held for so long from now. */
export async function renewJob(db: D1Database, lease: JobLease, ms: number): Promise<void> {
  await drizzle(ending(repeatable(db)))
    .update(jobs)
    .set({ leaseUntil: sql`${now} + ${ms}` })
    .where(and(eq(jobs.id, lease.id), eq(jobs.leaseToken, lease.token)));
}

/** What is written when a message's work is done. */
export type JobValues = Partial<
  Pick<JobRow, "state" | "attempts" | "snoozes" | "errors" | "progress" | "counts" | "finishedAt">
>;

/**
 * Stores what came of a message's work and gives the job back, unless it was cancelled or taken over meanwhile: then
 * nothing but the lease goes.
 * @param dueInMs when the job is to go on, if it is
 * @returns whether it was stored
 */
export async function storeJob(
  db: D1Database,
  lease: JobLease,
  values: JobValues,
  dueInMs: number,
  at: number,
): Promise<boolean> {
  const orm = drizzle(ending(repeatable(db)));
  const isHeld = and(eq(jobs.id, lease.id), eq(jobs.leaseToken, lease.token));
  const released = { leaseToken: null, leaseUntil: 0 };
  const [stored] = await orm.batch([
    orm
      .update(jobs)
      .set({ ...values, ...released, dueAt: sql`${now} + ${dueInMs}`, updatedAt: at })
      .where(and(isHeld, eq(jobs.state, "running")))
      .returning({ id: jobs.id }),
    orm.update(jobs).set(released).where(isHeld),
  ]);
  return stored.length > 0;
}

/** Outstanding jobs whose messages must be lost, the longest due first. */
export async function overdueJobs(db: D1Database, limit: number): Promise<string[]> {
  const rows = await drizzle(db)
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(outstanding, overdue))
    .orderBy(jobs.dueAt)
    .limit(limit);
  return rows.map((row) => row.id);
}
