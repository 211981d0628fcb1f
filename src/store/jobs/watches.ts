import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { WatchView } from "../../answers/jobs.ts";
import { iso } from "../listing/common.ts";
import { jobs, watches } from "../schema/index.ts";
import { readJobCounts, readJobErrors } from "./columns.ts";

/** Each is a job on every pass of the cron, one after the other. */
export const MAX_WATCHES = 200;

/** The experiment to follow: by MLflow's id, or by name. */
export type Watched = { experimentId: string } | { experimentName: string };

export type Watch = typeof watches.$inferSelect;

/** All experiments that are followed, in the order in which they were asked for. */
export async function allWatches(db: D1Database): Promise<Watch[]> {
  return drizzle(db).select().from(watches).orderBy(asc(watches.id));
}

/**
 * Follows an experiment from now on.
 * @returns the watch, and whether it was made just now; null when there are as many as may be
 */
export async function addWatch(
  db: D1Database,
  watched: Watched,
  now: number,
): Promise<{ id: number; created: boolean } | null> {
  const orm = drizzle(db);
  const isById = "experimentId" in watched;
  const known = isById
    ? eq(watches.mlflowExperimentId, watched.experimentId)
    : eq(watches.name, watched.experimentName);
  const find = () => orm.select({ id: watches.id }).from(watches).where(known).get();
  const before = await find();
  if (before) return { id: before.id, created: false };
  if ((await orm.$count(watches)) >= MAX_WATCHES) return null;
  const [made] = await orm
    .insert(watches)
    .values({
      mlflowExperimentId: isById ? watched.experimentId : null,
      name: isById ? null : watched.experimentName,
      createdAt: now,
    })
    .onConflictDoNothing()
    .returning({ id: watches.id });
  if (made) return { id: made.id, created: true };
  const other = await find();
  return other ? { id: other.id, created: false } : null;
}

/** Follows it no more; what the mirror has of it stays. False: there was no such watch. */
export async function removeWatch(db: D1Database, id: number): Promise<boolean> {
  const rows = await drizzle(db).delete(watches).where(eq(watches.id, id)).returning({ id: watches.id });
  return rows.length > 0;
}

/** Notes the job that was last asked for. */
export async function noteJob(db: D1Database, id: number, jobId: string): Promise<void> {
  await drizzle(db).update(watches).set({ lastJobId: jobId }).where(eq(watches.id, id));
}

/** The watches as the API shows them, each with its last job; or one of them. */
export async function watchViews(db: D1Database, id?: number): Promise<WatchView[]> {
  const rows = await drizzle(db)
    .select({ watch: watches, job: jobs })
    .from(watches)
    .leftJoin(jobs, eq(jobs.id, watches.lastJobId))
    .where(id === undefined ? undefined : eq(watches.id, id))
    .orderBy(asc(watches.id));
  return rows.map(({ watch, job }) => ({
    id: watch.id,
    experiment_id: watch.mlflowExperimentId,
    experiment_name: watch.name,
    created_at: iso(watch.createdAt),
    last_job:
      job === null
        ? null
        : {
            id: job.id,
            state: job.state,
            counts: readJobCounts(job.counts),
            error: readJobErrors(job.errors).at(-1)?.error ?? null,
            updated_at: iso(job.updatedAt),
            finished_at: iso(job.finishedAt),
          },
  }));
}
