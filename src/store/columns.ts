import * as z from "zod";
import type { Facts } from "../domain/types.ts";
import type { Items } from "../mlflow/plan.ts";

/** The JSON columns, checked as they are read. */

const wire = z.union([z.number(), z.string()]);
const texts = z.record(z.string(), z.string());
const quietStatus = z.enum(["left", "failed", "cancelled"]);

const facts = z.object({
  announces: z.literal(true).optional(),
  starts: z.literal(true).optional(),
  ends: z.enum(["succeeded", "failed", "skipped", "cancelled"]).optional(),
  endedAt: z.number().optional(),
  resumes: z.literal(true).optional(),
  over: z.number().optional(),
  fields: z.record(z.string(), z.json()).optional(),
  params: texts.optional(),
  corrections: texts.optional(),
  tags: texts.optional(),
  untags: z.array(z.string()).optional(),
  finals: z.record(z.string(), wire).optional(),
  quiet: z.object({ heardAt: z.number(), as: quietStatus }).optional(),
  about: z.record(z.string(), z.json()).optional(),
});

const items = z.object({
  metrics: z.array(z.object({ key: z.string(), value: wire, timestamp: z.number(), step: z.number() })),
  params: z.array(z.object({ key: z.string(), value: z.string() })),
  tags: z.array(z.object({ key: z.string(), value: z.string() })),
});

const sentState = z.object({
  status: z.enum(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
  endTime: z.number().nullable(),
  runName: z.string(),
  statusTag: z.string().nullable(),
  lostContactAt: z.number().nullable().default(null),
});

/** What MLflow last took from us of a run's own state. `statusTag`: the status that MLflow has no word for. */
export type SentState = z.output<typeof sentState>;

export function readFacts(text: string | null): Facts | null {
  return text === null ? null : facts.parse(JSON.parse(text));
}

export function readItems(text: string): Items {
  return items.parse(JSON.parse(text));
}

export function readSentState(text: string | null): SentState | null {
  return text === null ? null : sentState.parse(JSON.parse(text));
}
