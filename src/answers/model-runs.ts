import * as z from "zod";
import { MODEL_RUN_STATES } from "../domain/words.ts";
import {
  count,
  delivery,
  folded,
  json,
  maybeNumber,
  maybeText,
  maybeTime,
  metricValue,
  time,
  unreadable,
} from "./parts.ts";

/** What is shown of model runs. */

export const modelRunListed = z
  .object({
    model_run_id: z.string().describe("The trainer's own id."),
    state: z.enum(MODEL_RUN_STATES),
    run_name: maybeText,
    experiment_name: maybeText,
    requested_trials: maybeNumber,
    completed_trials: maybeNumber,
    search_space_version: maybeNumber,
    max_params: maybeNumber,
    best_metric: metricValue.nullable(),
    best_trial_id: maybeText,
    ...delivery.shape,
    started_at: maybeTime,
    ended_at: maybeTime,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "ModelRunListed" });
export type ModelRunListed = z.output<typeof modelRunListed>;

const trialCounts = z.object({
  total: count,
  by_status: z.object({ running: count, succeeded: count, failed: count, skipped: count, cancelled: count }),
  by_sync_state: z.object({ pending: count, waiting: count, blocked: count, synced: count }),
  by_spectral_norm: z.object({ true: count, false: count, unknown: count }),
});
export type TrialCounts = z.output<typeof trialCounts>;

export const modelRun = z
  .object({
    ...modelRunListed.shape,
    metadata: z.record(z.string(), json),
    ...folded.shape,
    unreadable,
    trials: trialCounts.describe("The model run's trials, counted."),
    counts: z.object({ events: count, undelivered_events: count, dead_letters: count, conflicts: count }),
  })
  .meta({ id: "ModelRun" });
export type ModelRun = z.output<typeof modelRun>;
