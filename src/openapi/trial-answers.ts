import * as z from "zod";
import { conflicts, trials, verdicts } from "../store/schema.ts";
import { component } from "./components.ts";
import {
  count,
  delivery,
  folded,
  maybeNumber,
  maybeText,
  maybeTime,
  metricValue,
  nextCursor,
  time,
} from "./parts.ts";

/** What is answered about trials. */

export const conflictFields = {
  id: z.int(),
  kind: z.enum(conflicts.kind.enumValues),
  field: z.string(),
  kept: maybeText,
  refused: z.string(),
  source: z.enum(conflicts.source.enumValues).describe("Who said what was refused."),
  event_id: maybeText,
  base: maybeText.describe("What both sides last agreed on; null where it was not there."),
  relay_value: maybeText.describe("What the relay had when both sides had changed it."),
  mlflow_value: maybeText.describe("What MLflow had."),
  decision: z
    .enum(["relay", "mlflow"])
    .nullable()
    .describe("Whose value the policy took; null where there is no merge."),
  state: z.enum(conflicts.state.enumValues),
  resolution: z.enum(["relay", "mlflow"]).nullable().describe("Whose value was taken by hand."),
  created_at: time,
  resolved_at: maybeTime,
};

const conflict = component("TrialConflict", z.object(conflictFields));

const listed = {
  id: z.string().describe("The relay's public id: 32 hex digits, derived from the trainer's ids."),
  model_run_id: maybeText,
  trial_id: z.string(),
  run_name: maybeText,
  status: z.enum(trials.status.enumValues),
  spectral_norm: z.boolean().nullable(),
  ...delivery,
  experiment_name: maybeText,
  started_at: maybeTime,
  ended_at: maybeTime,
  duration_ms: maybeNumber,
  rank: maybeNumber,
  lost_contact_at: maybeTime.describe("When the trainer was last heard, if contact was lost."),
  created_at: time,
  updated_at: time,
};

export const trialList = component(
  "TrialList",
  z.object({
    trials: z.array(
      component(
        "TrialListed",
        z.object({ ...listed, metrics: z.record(z.string(), metricValue).describe("Last values.") }),
      ),
    ),
    next_cursor: nextCursor,
  }),
);

export const trial = component(
  "Trial",
  z.object({
    ...listed,
    ...folded,
    verified: z
      .object({ verdict: z.enum(verdicts.verdict.enumValues), checked_at: time, up_to_date: z.boolean() })
      .nullable()
      .describe("The last verdict; null before the first."),
    conflicts: z.array(conflict).describe("The latest 100."),
    counts: z.object({
      events: count,
      undelivered_events: count,
      dead_letters: count,
      conflicts: count,
      points: count,
    }),
  }),
);

export const summaries = component("MetricSummaries", z.object({ metrics: folded.metrics }));

export const series = component(
  "MetricHistory",
  z.object({
    key: z.string(),
    points: z.array(
      z.object({ step: z.int(), timestamp: z.int().describe("Epoch milliseconds."), value: metricValue }),
    ),
    total: count.describe("Points in the range, before any downsampling."),
    downsampled: z.boolean(),
  }),
);
