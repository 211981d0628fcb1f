import { expect } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { sendDue } from "../../src/relay/follow/follow.ts";
import { pullRunning as look, type PullBudget, type PullReport } from "../../src/relay/follow/running.ts";
import type { Job, JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment as sync } from "../../src/relay/jobs/sync-experiment.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { followedIn } from "../../src/store/mirror/marks.ts";
import { invocation } from "./endless.ts";
import { messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";

/** Looks at MLflow with the messages that they lead to: the queue is played, an invocation a message. */

/** What asks for a sync of an experiment, from a progress on. */
export function syncJob(target: string, progress: string | null = null) {
  return { id: "j", action: "sync_experiment" as const, target, progress, counts: {} };
}

/** Thunderline's tags, by which a run is linked to its trial. */
export function thunderlineTags(trialId: string, modelRunId: string) {
  return [
    { key: "thunderline_trial_id", value: trialId },
    { key: "thunderline_model_run_id", value: modelRunId },
  ];
}

/** One message on the queue of the jobs, as its consumer has it. */
export async function follow(deps: Deps, message: RelayMessage): Promise<void> {
  await consume(invocation(deps), [messageOf(message, 0, () => expect.fail("a message failed"))]);
}

/** Does something and then what it sent. */
async function withMessages<T>(deps: Deps, work: (deps: Deps) => Promise<T>): Promise<T> {
  const { sent, queue } = recordingQueue();
  const done = await work({ ...deps, jobs: queue });
  for (const { body } of sent) await follow(deps, body);
  return done;
}

/** One message of a job, and the runs that it has followed. */
export function syncExperiment(deps: Deps, job: Job): Promise<JobStep> {
  return withMessages(deps, (sending) => sync(sending, job));
}

/** The cron's look, and what came of the runs with news. */
export async function pullRunning(
  deps: Deps,
  budget: PullBudget,
): Promise<PullReport & { merged: number; conflicts: number }> {
  const from = deps.now();
  const report = await withMessages(deps, async (sending) => {
    const looked = await look(sending, budget);
    await sendDue(sending);
    return looked;
  });
  const time = { from, until: Number.MAX_SAFE_INTEGER };
  const { merged = 0, conflicts = 0 } = await followedIn(deps.db, time, null);
  return { ...report, merged, conflicts };
}
