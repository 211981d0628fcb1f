import type { JobView } from "../../answers/jobs.ts";
import { HttpFailure } from "../../errors.ts";
import { NAME_TARGET } from "../../relay/jobs/sync-experiment.ts";
import { jobMessage } from "../../relay/messages.ts";
import { tryEnqueue } from "../../relay/queues.ts";
import { cancelJob, listJobs, readJob, retryJob } from "../../store/jobs/records.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { askForModelRun, askForTrial, askNow } from "./ask.ts";
import { sync } from "./contract.ts";
import { oneExperiment } from "./which-experiment.ts";

export const syncRoutes = routes(sync, {
  syncTrial: (asked) => askForTrial(asked, "sync_trial_to_mlflow"),
  pullTrial: (asked) => askForTrial(asked, "sync_mlflow_to_trial"),
  createTrialRun: (asked) => askForTrial(asked, "create_run"),
  syncModelRun: (asked) => askForModelRun(asked, "sync_trial_to_mlflow"),
  pullModelRun: (asked) => askForModelRun(asked, "sync_mlflow_to_trial"),
  syncExperiment: async ({ c, readBody }) => {
    const which = oneExperiment(await readBody());
    const id = "experimentId" in which ? which.experimentId : null;
    const name = "experimentName" in which ? which.experimentName : null;
    const target = id ?? `${NAME_TARGET}${name}`;
    const job = await askNow(c, "sync_experiment", target, "The experiment's runs will be read from MLflow");
    return {
      success: true as const,
      action: "sync_experiment" as const,
      experiment_id: id,
      experiment_name: name,
      ...job,
    };
  },
  listJobs: async ({ c, relay, query: { limit, cursor, ...filter } }) => {
    const page = toPage(c, await listJobs(relay.db, filter, readCursor(c, cursor), limit), limit);
    return { jobs: page.rows, next_cursor: page.next_cursor };
  },
  getJob: async ({ relay, path: { id } }) => jobOf(relay.db, id),
  cancelJob: async ({ relay: { db, now, log, tally }, path: { id } }) => {
    const cancelled = await cancelJob(db, id, now());
    const job = await jobOf(db, id);
    if (!cancelled) throw conflict(`Job ${id} is over: it is ${job.state}.`);
    tally.add('relay_jobs_ended_total{state="cancelled"}');
    log.info("a job was cancelled by an operator", { job: id });
    return job;
  },
  retryJob: async ({ relay, path: { id } }) => {
    const retried = await retryJob(relay.db, id, relay.now());
    const job = await jobOf(relay.db, id);
    if (!retried) throw conflict(whyNotRetried(job));
    await tryEnqueue(relay, jobMessage(id));
    relay.log.info("a job was retried by an operator", { job: id });
    return job;
  },
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
