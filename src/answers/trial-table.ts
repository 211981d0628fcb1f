import * as z from "zod";
import { SYNC_STATES, TRIAL_STATUSES } from "../domain/words.ts";
import { count, maybeNumber, maybeText, maybeTime } from "./parts.ts";

/** Trials side by side, by columns: each list has a value for each trial, in the same order. */

const cell = z.union([z.string(), z.number(), z.null()]).meta({
  id: "Cell",
  description:
    "A parameter's or tag's text, cut to 200 characters unless it was asked for whole; a metric's value; null where there is none.",
});

const fields = z.object({
  id: z.array(z.string()).describe("The relay's public ids."),
  model_run_id: z.array(maybeText),
  trial_id: z.array(z.string()),
  run_name: z.array(maybeText),
  status: z.array(z.enum(TRIAL_STATUSES)),
  spectral_norm: z.array(z.boolean().nullable()),
  sync_state: z.array(z.enum(SYNC_STATES)),
  started_at: z.array(maybeTime),
  ended_at: z.array(maybeTime),
  duration_ms: z.array(maybeNumber),
  rank: z.array(maybeNumber),
  mlflow_run_id: z.array(maybeText),
});
export type TableFields = z.output<typeof fields>;

export const trialTable = z
  .object({
    trials: fields,
    columns: z.array(z.object({ name: z.string().describe("As it was asked for."), values: z.array(cell) })),
    more: z.boolean().describe("More trials fit than are here."),
  })
  .meta({ id: "TrialTable" });
export type TrialTable = z.output<typeof trialTable>;

export const trialColumns = z
  .object({
    trials: count.describe("How many trials there are."),
    columns: z.array(
      z.object({
        kind: z.enum(["params", "tags", "metrics"]),
        key: z.string(),
        trials: count.describe("How many have it."),
        differs: z.boolean().describe("Not all trials have it, or not with the same value."),
      }),
    ),
    more: z.boolean().describe("There are more columns, in fewer trials than those that are here."),
  })
  .meta({ id: "TrialColumns" });
export type TrialColumns = z.output<typeof trialColumns>;
