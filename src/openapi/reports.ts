import * as z from "zod";
import { component } from "./components.ts";
import { count, metricValue } from "./parts.ts";

/** What a comparison of the journal with MLflow found. */

export function sampled(schema: z.ZodType) {
  return z.object({ count, sample: z.array(schema).describe("The first few.") });
}

export const point = component(
  "Point",
  z.object({
    step: z.union([z.int(), z.string()]).describe("Text beyond a double's integers."),
    timestamp: z.int().describe("Epoch milliseconds."),
    value: metricValue,
  }),
);

const pointCounts = {
  compared: count,
  missing: count,
  extra: count,
  different: count,
  doubled: count,
  undelivered: count,
  explained: count.describe("Missing for a reason: dead letters."),
};

const points = component(
  "PointsReport",
  z.object({
    ...pointCounts,
    keys: z
      .record(
        z.string(),
        z.object({
          missing: sampled(point),
          extra: sampled(point),
          different: sampled(z.object({ expected: point, found: point })),
          doubled: sampled(point),
        }),
      )
      .describe("Of the first 100 metrics that differ."),
    differing_keys: count,
  }),
);

const texts = component(
  "TextsReport",
  z.object({
    compared: count,
    missing: sampled(z.object({ key: z.string(), expected: z.string() })),
    different: sampled(z.object({ key: z.string(), expected: z.string(), found: z.string() })),
    undelivered: count,
    explained: count,
  }),
);

const stateValue = z.union([z.string(), z.number(), z.null()]);
export const stateDifferences = z.array(
  z.object({ field: z.string(), expected: stateValue, found: stateValue }),
);

export const report = component(
  "Report",
  z.object({
    undelivered_events: count,
    run: z.object({ id: z.string(), state: z.enum(["active", "deleted", "gone"]) }),
    double_runs: z.array(z.string()).nullable().describe("Null when they cannot be searched for."),
    points,
    params: texts,
    tags: texts,
    state: stateDifferences.nullable().describe("Null while events are under way."),
  }),
);
