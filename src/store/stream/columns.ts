import * as z from "zod";
import { type Facts, factsSchema, wireNumber } from "../../domain/facts-schema.ts";
import { type Warning, warningSchema } from "../../domain/warnings.ts";
import type { Items } from "../../mlflow/plan.ts";

/** The JSON columns, checked as they are read. */

const items = z.object({
  metrics: z.array(z.object({ key: z.string(), value: wireNumber, timestamp: z.number(), step: z.number() })),
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

const doubt = z.object({
  call: z.string(),
  token: z.string().nullable(),
  state: sentState.extend({ lostContactAt: z.number().nullable() }).partial(),
  untag: z.string().optional(),
});

/**
 * A write to MLflow that was begun: its endpoint, and that by which its effect is known again. `token`: of a batch;
 * `state`: the fields of the run's own state that it sets; `untag`: the tag that it takes away.
 */
export type Doubt = z.output<typeof doubt>;

export function readFacts(text: string | null): Facts | null {
  return text === null ? null : factsSchema.parse(JSON.parse(text));
}

export function readWarnings(text: string): Warning[] {
  return z.array(warningSchema).parse(JSON.parse(text));
}

/** Only the `finals` of an event's facts. */
export function readFinals(text: string | null): NonNullable<Facts["finals"]> {
  return text === null ? {} : (factsSchema.shape.finals.parse(JSON.parse(text)) ?? {});
}

export function readItems(text: string): Items {
  return items.parse(JSON.parse(text));
}

const unconfirmed = z.array(z.object({ slot: z.number(), token: z.string(), after: z.number() }));

/** A batch that was sent: the tag and its token, and up to where everything was delivered before. */
export type Unconfirmed = z.output<typeof unconfirmed>[number];

export function readUnconfirmed(text: string | null): Unconfirmed[] {
  return text === null ? [] : unconfirmed.parse(JSON.parse(text));
}

export function readDoubt(text: string | null): Doubt | null {
  return text === null ? null : doubt.parse(JSON.parse(text));
}

export function readSentState(text: string | null): SentState | null {
  return text === null ? null : sentState.parse(JSON.parse(text));
}
