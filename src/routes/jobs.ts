import { Hono } from "hono";
import { JOB_ACTIONS, JOB_STATES } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import { sendJob } from "../relay/jobs.ts";
import { cancelJob, type JobView, listJobs, readJob, retryJob } from "../store/job-records.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, oneOf, paging, readQuery } from "./query.ts";

const listQuery = {
  ...paging,
  state: oneOf(JOB_STATES).optional(),
  action: oneOf(JOB_ACTIONS).optional(),
};

/** `/api/sync/jobs`: what was asked for, and what became of it. */
export const jobs = new Hono<AppEnv>()
  .get("/", requireScope("read"), async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const page = toPage(c, await listJobs(c.var.relay.db, filter, readCursor(c, cursor), limit), limit);
    return c.json({ jobs: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", requireScope("read"), async (c) => {
    readQuery(c, {});
    return c.json(await jobOf(c.var.relay.db, c.req.param("id")));
  })
  .post("/:id/cancel", requireScope("admin"), async (c) => {
    readQuery(c, {});
    const { db, now, log, tally } = c.var.relay;
    const id = c.req.param("id");
    const cancelled = await cancelJob(db, id, now());
    const job = await jobOf(db, id);
    if (!cancelled) throw conflict(`Job ${id} is over: it is ${job.state}.`);
    tally.add('relay_jobs_ended_total{state="cancelled"}');
    log.info("a job was cancelled by an operator", { job: id });
    return c.json(job);
  })
  .post("/:id/retry", requireScope("admin"), async (c) => {
    readQuery(c, {});
    const { db, now, log } = c.var.relay;
    const id = c.req.param("id");
    const retried = await retryJob(db, id, now());
    const job = await jobOf(db, id);
    if (!retried) throw conflict(whyNotRetried(job));
    await sendJob(c.var.relay, id, 0);
    log.info("a job was retried by an operator", { job: id });
    return c.json(job, 202);
  });

async function jobOf(db: D1Database, id: string): Promise<JobView> {
  return found(await readJob(db, id), `job ${id}`);
}

function conflict(detail: string): HttpFailure {
  return new HttpFailure({ kind: "conflict", detail });
}

function whyNotRetried({ id, state, action, target }: JobView): string {
  return state === "failed" || state === "cancelled"
    ? `Another job ${action} for ${target} is outstanding.`
    : `Job ${id} is ${state}; only a failed or cancelled one can be retried.`;
}
