import * as z from "zod";
import { STREAM_KINDS, VERDICTS } from "../domain/words.ts";
import { count, maybeText, maybeTime, metricValue, texts } from "./parts.ts";

/** What a comparison of the journal with MLflow found, and what is sent again for it. */

function sampled<S extends z.ZodType>(schema: S) {
  return z.object({ count, sample: z.array(schema).describe("The first few.") });
}

const point = z
  .object({
    step: z.union([z.int(), z.string()]).describe("Text beyond a double's integers."),
    timestamp: z.int().describe("Epoch milliseconds."),
    value: metricValue,
  })
  .meta({ id: "Point" });

const keyReport = z.object({
  missing: sampled(point),
  extra: sampled(point),
  different: sampled(z.object({ expected: point, found: point })),
  doubled: sampled(point),
});

const points = z
  .object({
    compared: count,
    missing: count,
    extra: count,
    different: count,
    doubled: count,
    undelivered: count,
    explained: count.describe("Missing for a reason: dead letters."),
    keys: z.record(z.string(), keyReport).describe("Of the first 100 metrics that differ."),
    differing_keys: count,
  })
  .meta({ id: "PointsReport" });

const textReport = z
  .object({
    compared: count,
    missing: sampled(z.object({ key: z.string(), expected: z.string() })),
    different: sampled(z.object({ key: z.string(), expected: z.string(), found: z.string() })),
    undelivered: count,
    explained: count,
  })
  .meta({ id: "TextsReport" });

const stateValue = z.union([z.string(), z.number(), z.null()]);
const differences = z.array(z.object({ field: z.string(), expected: stateValue, found: stateValue }));

export const report = z
  .object({
    undelivered_events: count.describe("Accepted and not delivered yet, which nobody misses in MLflow."),
    run: z.object({ id: z.string(), state: z.enum(["active", "deleted", "gone"]) }),
    double_runs: z
      .array(z.string())
      .nullable()
      .describe("Other runs with the same ids; null when they cannot be searched for."),
    points,
    params: textReport,
    tags: textReport,
    state: differences.nullable().describe("Null while events are under way, when it may change."),
  })
  .meta({ id: "Report" });

const stream = z.object({
  id: z.string().describe("The trial's public id, or the model run's."),
  kind: z.enum(STREAM_KINDS),
  model_run_id: maybeText,
  trial_id: maybeText,
});

export const verified = z
  .object({
    ...stream.shape,
    verdict: z
      .enum(VERDICTS)
      .nullable()
      .describe(
        "Null when MLflow has nothing of it, and need not have, or when the relay cannot read what it holds of it.",
      ),
    checked_at: maybeTime,
    report: report.nullable(),
  })
  .meta({ id: "Verified" });
export type Verified = z.output<typeof verified>;

const planView = z.object({
  points: count,
  keys: z.record(z.string(), sampled(point)).describe("The points by metric."),
  params: texts,
  tags: texts,
  state: differences,
  undelivered_events: count,
});
export type PlanView = z.output<typeof planView>;

export const sentAgain = z.union([
  z.object({ ...stream.shape, outcome: z.literal("impossible"), reason: z.string(), points: count }),
  z.object({
    ...stream.shape,
    outcome: z.enum(["nothing", "would_send", "queued", "busy"]),
    ...planView.shape,
  }),
]);
export type SentAgain = z.output<typeof sentAgain>;
