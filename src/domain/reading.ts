import type * as z from "zod";
import type { Findings } from "./facts.ts";
import { MAX_RUN_NAME_CHARS } from "./limits.ts";
import { withGoodSides } from "./side-fields.ts";
import { readText } from "./text.ts";
import type { EventType, Facts } from "./types.ts";
import type { WireNumber } from "./values.ts";
import type { Warning } from "./warnings.ts";

/** A body that was found good. `occurredAt` is null when the trainer gave no time of its own. */
export type CheckedEvent = {
  type: EventType;
  eventId: string | null;
  occurredAt: number | null;
  correlationId: string | null;
  modelRunId: string;
  trialId: string | null;
  facts: Facts | null;
  points: { key: string; value: WireNumber; step: number }[];
  /** True when the body carries a step of its own: then the same body again is a repeat. */
  hasStep: boolean;
  /** What was not taken as it was sent. */
  warnings: Warning[];
  /** How many more there were. */
  unsaid: number;
};

export type Read =
  | { ok: true; event: Omit<CheckedEvent, "type" | "warnings" | "unsaid"> }
  | { ok: false; issues: z.core.$ZodIssue[] };
export type Body = Record<string, unknown>;

/** Makes a reader: parses by the schema, then says what the event means. */
export function reader<S extends z.ZodObject>(
  shape: S,
  meaning: (event: z.output<S>, findings: Findings) => Omit<CheckedEvent, "type" | "warnings" | "unsaid">,
): (body: Body, findings: Findings) => Read {
  return (body, findings) => {
    const asSent = shape.safeParse(body);
    const parsed = asSent.success ? asSent : shape.safeParse(withGoodSides(body, shape.shape, findings));
    if (!parsed.success) return { ok: false, issues: parsed.error.issues };
    return { ok: true, event: meaning(parsed.data, findings) };
  };
}

export type Envelope = {
  event_id?: string | undefined;
  occurred_at?: number | undefined;
  correlation_id?: string | undefined;
  actor?: { id?: string | number | undefined } | undefined;
  metadata?: Record<string, unknown> | undefined;
  model_run_id: string;
  trial_id?: string;
  step?: number | undefined;
};

/** What every event carries. */
export function envelope(event: Envelope) {
  return {
    eventId: event.event_id ?? null,
    occurredAt: event.occurred_at ?? null,
    correlationId: event.correlation_id ?? null,
    modelRunId: event.model_run_id,
    trialId: event.trial_id ?? null,
    hasStep: event.step !== undefined,
  };
}

/** Who runs it, for mlflow.user: the metadata's `user_id` (the original's place for it), else the actor. */
export function user(event: Envelope): string | undefined {
  const id = [event.metadata?.user_id, event.actor?.id].find(
    (id) => (typeof id === "string" && id !== "") || typeof id === "number" || typeof id === "bigint",
  );
  return id === undefined ? undefined : readText(String(id), MAX_RUN_NAME_CHARS).text;
}

/** Metrics as points of one step. */
export function toPoints(metrics: Record<string, WireNumber>, step: number) {
  return Object.entries(metrics).map(([key, value]) => ({ key, value, step }));
}
