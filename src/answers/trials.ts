import * as z from "zod";
import {
  CONFLICT_KINDS,
  CONFLICT_SOURCES,
  CONFLICT_STATES,
  SIDES,
  TRIAL_STATUSES,
  VERDICTS,
} from "../domain/words.ts";
import {
  count,
  delivery,
  folded,
  maybeNumber,
  maybeText,
  maybeTime,
  metricValue,
  owner,
  time,
  unreadable,
} from "./parts.ts";

/** What is shown of trials, and of what was said of them twice and differently. */

const summary = z.object({
  id: z.string().describe("The relay's public id: 32 hex digits, derived from the trainer's ids."),
  model_run_id: maybeText,
  trial_id: z.string(),
  run_name: maybeText,
  status: z.enum(TRIAL_STATUSES),
  spectral_norm: z.boolean().nullable(),
  ...delivery.shape,
  experiment_name: maybeText,
  started_at: maybeTime,
  ended_at: maybeTime,
  duration_ms: maybeNumber,
  rank: maybeNumber,
  lost_contact_at: maybeTime.describe("When the trainer was last heard, if contact was lost."),
  created_at: time,
  updated_at: time,
});
export type TrialSummary = z.output<typeof summary>;

export const trialListed = z
  .object({ ...summary.shape, metrics: z.record(z.string(), metricValue).describe("Last values.") })
  .meta({ id: "TrialListed" });

const trialConflict = z
  .object({
    id: z.int(),
    kind: z.enum(CONFLICT_KINDS),
    field: z.string(),
    kept: maybeText,
    refused: z.string(),
    source: z.enum(CONFLICT_SOURCES).describe("Who said what was refused."),
    event_id: maybeText,
    base: maybeText.describe("What both sides last agreed on; null where it was not there."),
    relay_value: maybeText.describe("What the relay had when both sides had changed it."),
    mlflow_value: maybeText.describe("What MLflow had."),
    decision: z.enum(SIDES).nullable().describe("Whose value the policy took; null where there is no merge."),
    state: z.enum(CONFLICT_STATES),
    resolution: z.enum(SIDES).nullable().describe("Whose value was taken by hand."),
    created_at: time,
    resolved_at: maybeTime,
  })
  .meta({ id: "TrialConflict" });
export type TrialConflict = z.output<typeof trialConflict>;

export const conflict = z.object({ ...trialConflict.shape, ...owner.shape }).meta({ id: "Conflict" });
export type Conflict = z.output<typeof conflict>;

/** What the last reading back found. */
export const verdictBrief = z.object({
  verdict: z.enum(VERDICTS),
  checked_at: time,
  up_to_date: z.boolean().describe("Nothing was accepted after what it covers."),
});
export type VerdictBrief = z.output<typeof verdictBrief>;

export const trial = z
  .object({
    ...summary.shape,
    ...folded.shape,
    unreadable,
    verified: verdictBrief.nullable().describe("The last verdict; null before the first."),
    conflicts: z.array(trialConflict).describe("The latest 100."),
    counts: z.object({
      events: count,
      undelivered_events: count,
      dead_letters: count,
      conflicts: count,
      points: count,
    }),
  })
  .meta({ id: "Trial" });
export type Trial = z.output<typeof trial>;

/** A metric's history. Of a run in MLflow a step may be one that no double holds exactly. */
export const series = z.object({
  points: z.array(
    z.object({
      step: z.number().describe("A whole number, rounded beyond what a double holds exactly."),
      timestamp: z.int().describe("Epoch milliseconds."),
      value: metricValue,
    }),
  ),
  total: count.describe("Points in the range, before any downsampling."),
  downsampled: z.boolean(),
});
export type Series = z.output<typeof series>;
