import type { Facts, TerminalStatus } from "./facts-schema.ts";
import type { WireNumber } from "./values.ts";
import type { Warning } from "./warnings.ts";

/** The relay's own words. Shapes only; no I/O, no clock. Times are epoch milliseconds. */

export type { Facts, TerminalStatus };

export const EVENT_TYPES = [
  "ml.run.start",
  "ml.run.stop",
  "ml.run.metric",
  "ml.trial.start",
  "ml.trial.complete",
  "ml.trial.failed",
  "ml.trial.skipped",
  "ml.trial.cancelled",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What the relay itself finds out about a trial goes through the journal too, so that the fold stays the one truth. */
export type RelayEventType =
  | "relay.trial.quiet"
  | "relay.trial.orphaned"
  | "relay.replay"
  | "relay.parent"
  | "relay.resolve"
  | "relay.mlflow"
  | "relay.summary";

export type TrialStatus = "running" | TerminalStatus;

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One metric observation. */
export type Point = { key: string; value: WireNumber; step: number; timestamp: number };

/** Which journal an event belongs to. `key` is the public id, `parentKey` the model run's. */
export type StreamRef = {
  key: string;
  kind: "trial" | "model_run";
  modelRunId: string | null;
  trialId: string | null;
  parentKey: string | null;
};

/** An event as the journal takes it: checked, normalised, its id and times fixed for good. */
export type JournalEvent = {
  stream: StreamRef;
  id: string;
  type: EventType | RelayEventType;
  hash: string;
  occurredAt: number;
  acceptedAt: number;
  correlationId: string;
  facts: Facts | null;
  points: Point[];
  /**
   * It has a step, and neither an id nor a time: the same body again brings no points, and says something new only
   * if something else was said in between. Absent: its id tells.
   */
  byContent?: boolean;
  /** What was not taken as the trainer sent it; absent when all was. */
  warnings?: Warning[];
};

/** An event as the journal gives it back to the fold and to delivery. */
export type StoredEvent = {
  seq: number;
  id: string;
  type: string;
  occurredAt: number;
  acceptedAt: number;
  facts: Facts | null;
};

/** The model run's own stream carries no trial id, so that the two can never share a key. */
export function streamIdentity(modelRunId: string | null, trialId: string | null): string {
  return JSON.stringify([modelRunId, trialId]);
}
