import { type FailureKind, isAway } from "../../mlflow/failure.ts";
import { type JobError, type JobRow, readJobErrors } from "../../store/jobs/columns.ts";
import type { JobValues } from "../../store/jobs/jobs.ts";
import { MAX_JOB_ATTEMPTS } from "../../store/jobs/records.ts";
import { backoffMs } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import type { JobStep } from "./step.ts";

/** As a handler's step, with failures in the relay itself. */
export type StepEnd =
  | Exclude<JobStep, { kind: "failed" }>
  | { kind: "failed"; failure: { kind: FailureKind | "internal"; message: string } };

/** What is to be stored of a step, and in how many milliseconds the job goes on; null when it is over. */
export type AfterStep = { values: JobValues; dueInMs: number | null };

/** What a step means for its job. An MLflow that is away costs no attempt, however long it is away. */
export function afterStep(
  { config, random, now }: Pick<Deps, "config" | "random" | "now">,
  job: JobRow,
  end: StepEnd,
): AfterStep {
  const withError = (kind: JobError["kind"], error: string) => {
    const errors = readJobErrors(job.errors);
    // Of waiting the latest reason is enough: there is no end to how often a job may wait.
    const earlier = kind === "snoozed" && errors.at(-1)?.kind === "snoozed" ? errors.slice(0, -1) : errors;
    return JSON.stringify([...earlier, { attempt: job.attempts + 1, at: now(), kind, error }]);
  };
  const snoozed = (dueInMs: number, error: string): AfterStep => ({
    values: { state: "queued", snoozes: job.snoozes + 1, errors: withError("snoozed", error) },
    dueInMs,
  });
  switch (end.kind) {
    case "done":
      return over({ state: "succeeded", counts: JSON.stringify(end.counts) });
    case "continue": {
      const { progress, counts, delayMs } = end;
      return { values: { progress, counts: JSON.stringify(counts) }, dueInMs: delayMs };
    }
    case "cancel":
      return over({ state: "cancelled", errors: withError("cancelled", end.reason) });
    case "snooze":
      return snoozed(end.ms, end.error);
    case "failed": {
      const { kind, message } = end.failure;
      if (kind !== "internal" && isAway({ kind }))
        return snoozed(backoffMs(job.snoozes, config.retry, random), `${kind}: ${message}`);
      const failed = { attempts: job.attempts + 1, errors: withError(kind, message) };
      if (failed.attempts >= MAX_JOB_ATTEMPTS) return over({ ...failed, state: "failed" });
      return {
        values: { ...failed, state: "queued" },
        dueInMs: backoffMs(job.attempts, config.retry, random),
      };
    }
  }

  function over(values: JobValues): AfterStep {
    return { values: { ...values, finishedAt: now() }, dueInMs: null };
  }
}
