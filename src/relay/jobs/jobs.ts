import type { JobAction, JobState } from "../../domain/words.ts";
import { errorText } from "../../log.ts";
import { type JobRow, readJobCounts } from "../../store/jobs/columns.ts";
import { claimJob, createJob, type NewJob, overdueJobs, renewJob, storeJob } from "../../store/jobs/jobs.ts";
import { whileRenewed } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { jobMessage } from "../messages.ts";
import { enqueueAll, type Queues, tryEnqueue } from "../queues.ts";
import { afterStep, type StepEnd } from "./after-step.ts";
import { createRun, syncTrialToMlflow } from "./deliver-all.ts";
import { syncMlflowToTrial } from "./pull-all.ts";
import type { JobHandler } from "./step.ts";
import { syncExperiment } from "./sync-experiment.ts";

/** A Worker that died holds every job up for so long at most; one that lives renews it, however long its calls take. */
const LEASE_MS = 2 * 60_000;
const RENEW_MS = LEASE_MS / 4;
/** A message that comes a little before its time is sent once more; for one much too early another is on its way. */
const MAX_EARLY_MS = 2_000;
/** How soon to come back while another job is being worked on. */
const FULL_RETRY_MS = 5_000;
const DISABLED_SNOOZE_MS = 60_000;
const MAX_POKED_JOBS = 100;

const HANDLERS: Record<JobAction, JobHandler> = {
  sync_trial_to_mlflow: syncTrialToMlflow,
  sync_mlflow_to_trial: syncMlflowToTrial,
  sync_experiment: syncExperiment,
  create_run: createRun,
};

type SendDeps = Pick<Deps, keyof Queues | "log">;

/** The job that was asked for; `sent` is false when the queue refused its message, and the cron will find it. */
export type Asked = { jobId: string; state: JobState; created: boolean; sent: boolean };

/** Makes a job and has the queue told of it; while one for the same is outstanding, that one is the answer. */
export async function ask(deps: SendDeps & Pick<Deps, "db" | "now">, job: NewJob): Promise<Asked> {
  const { id, state, created, overdue } = await createJob(deps.db, job, deps.now());
  const sent = created || overdue ? await tryEnqueue(deps, jobMessage(id)) : true;
  return { jobId: id, state, created, sent };
}

/** Sends the messages again of jobs that are long due. */
export async function pokeDueJobs(deps: SendDeps & Pick<Deps, "db">): Promise<number> {
  const ids = await overdueJobs(deps.db, MAX_POKED_JOBS);
  await enqueueAll(deps, ids.map(jobMessage));
  return ids.length;
}

/**
 * One message's work on a job, and the next message for what it left.
 * @param deliveries how often this message was delivered, this time included
 * @throws what the database does at the claim or the end; the message comes again then
 */
export async function runJob(deps: Deps, jobId: string, deliveries: number): Promise<void> {
  const claimed = await claimJob(deps.db, jobId, LEASE_MS);
  switch (claimed.kind) {
    case "over":
      return;
    case "full":
      await tryEnqueue(deps, jobMessage(jobId), FULL_RETRY_MS);
      return;
    case "busy":
      // Its holder sends the next one. A message that comes again hints that its first reader died.
      if (deliveries > 1) await tryEnqueue(deps, jobMessage(jobId), claimed.ms);
      return;
    case "early":
      if (claimed.ms <= MAX_EARLY_MS) await tryEnqueue(deps, jobMessage(jobId), claimed.ms);
      return;
  }
  const { job, lease } = claimed;
  const log = deps.log.with({ job: jobId, action: job.action, target: job.target });
  const end = await whileRenewed(
    RENEW_MS,
    () => renewJob(deps.db, lease, LEASE_MS),
    () => endOf({ ...deps, log }, job),
  );
  const { values, dueInMs } = afterStep(deps, job, end);
  const stored = await storeJob(deps.db, lease, values, dueInMs ?? 0, deps.now());
  if (!stored) log.info("a job was cancelled or taken over while it ran");
  else if (dueInMs === null) {
    deps.tally.add(`relay_jobs_ended_total{state="${values.state}"}`);
    log.info("a job is over", { state: values.state });
  }
  // Not stored: it may have been cancelled and asked for anew, with a message that found it busy.
  if (!stored || dueInMs !== null) await tryEnqueue(deps, jobMessage(jobId), dueInMs ?? 0);
}

async function endOf(deps: Deps, job: JobRow): Promise<StepEnd> {
  try {
    const away = await whyAway(deps);
    if (away) return away;
    const { id, action, target, progress } = job;
    return await HANDLERS[action](deps, { id, action, target, progress, counts: readJobCounts(job.counts) });
  } catch (error) {
    deps.log.error("a job failed in the relay itself", { error: errorText(error) });
    return { kind: "failed", failure: { kind: "internal", message: errorText(error) } };
  }
}

/** Why MLflow is not to be called at all just now. */
async function whyAway(deps: Deps): Promise<StepEnd | null> {
  if (!deps.config.enabled)
    return { kind: "snooze", ms: DISABLED_SNOOZE_MS, error: "MLFLOW_ENABLED is false" };
  const breaker = await deps.guard.breaker();
  if (breaker?.state !== "open") return null;
  const untilProbeMs = Math.max(0, breaker.probeAt - deps.now());
  return {
    kind: "snooze",
    ms: untilProbeMs + Math.ceil(deps.config.breaker.probeMs * deps.random()),
    error: `MLflow is away: ${breaker.lastError}`,
  };
}
