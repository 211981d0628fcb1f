import * as z from "zod";
import { RUN_STATUSES, TRIAL_STATUSES } from "../domain/words.ts";
import { count, maybeText, metricValue, time } from "./parts.ts";

/** What is drawn of metrics. */

export const curveSource = z.object({
  trial: maybeText.describe("The trial's public id; null for a run that only MLflow knows."),
  run: maybeText.describe("MLflow's id of the run."),
  model_run_id: maybeText,
  trial_id: maybeText,
  run_name: maybeText,
  status: z.enum([...TRIAL_STATUSES, ...RUN_STATUSES]),
  spectral_norm: z.boolean().nullable(),
  origin: time.describe("From where relative time counts: its start, else its first point."),
});
export type CurveSource = z.output<typeof curveSource>;

export const curveList = z
  .object({
    sources: z.array(curveSource).describe("In the order in which they were asked for."),
    metrics: z.array(z.object({ key: z.string(), sources: count.describe("How many have it.") })),
    truncated: z.boolean().describe("There are more metrics than are listed."),
  })
  .meta({ id: "CurveList" });

const curve = z.object({
  trial: maybeText,
  run: maybeText,
  key: z.string(),
  steps: z.array(z.number()),
  timestamps: z.array(z.int()).describe("Epoch milliseconds."),
  values: z.array(metricValue),
  thinned: z.boolean().describe("There are more points than these."),
  unavailable: maybeText.describe("Why its points, which are in MLflow only, are not here just now."),
});
export type CurveShown = z.output<typeof curve>;

export const curves = z
  .object({
    seq: z
      .string()
      .describe(
        "For `after`, with the same trials in the same order, to read what comes from now on: the last event of each.",
      ),
    reset: z
      .boolean()
      .describe(
        "More came after `after` than is read like this, or it is of other trials: read the whole again.",
      ),
    curves: z.array(curve).describe("Those that have points, by columns: one of each list makes a point."),
  })
  .meta({ id: "Curves" });
export type Curves = z.output<typeof curves>;
