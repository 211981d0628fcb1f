import type { QuietStatus } from "./status.ts";
import type { WireNumber } from "./values.ts";
import type { Warning } from "./warnings.ts";

/** The relay's own words. Shapes only; no I/O, no clock. Times are epoch milliseconds. */

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

export type TerminalStatus = "succeeded" | "failed" | "skipped" | "cancelled";
export type TrialStatus = "running" | TerminalStatus;
export type ModelRunState = "initialized" | "running" | "succeeded" | "failed" | "cancelled";

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One metric observation. */
export type Point = { key: string; value: WireNumber; step: number; timestamp: number };

/**
 * What one event says about its trial or model run, in the terms of the fold. Everything but `finals`
 * combines in any order.
 */
export type Facts = {
  /** A start or an end: the stream is more than a stub. */
  announces?: true | undefined;
  /** A start: it names what cannot be changed later, as the experiment. */
  starts?: true | undefined;
  /** An end, and of which kind. */
  ends?: TerminalStatus | undefined;
  /** When it ended, where that is not the event's own time. */
  endedAt?: number | undefined;
  /** The trainer says that an ended trial goes on. */
  resumes?: true | undefined;
  /** What the relay itself found or took over: the last event that it knew of. Whatever came later is news to it. */
  over?: number | undefined;
  /** Latest by event time wins, field by field. */
  fields?: Record<string, Json> | undefined;
  /** The first accepted value stands. */
  params?: Record<string, string> | undefined;
  /** An operator's corrections of parameters: each replaces the first accepted value. */
  corrections?: Record<string, string> | undefined;
  /** Latest by event time wins, tag by tag. */
  tags?: Record<string, string> | undefined;
  /** Tags that were taken away; against `tags` the latest by event time wins, tag by tag. */
  untags?: string[] | undefined;
  /** Metrics of a terminal event without a step: they take the highest step at their first delivery. */
  finals?: Record<string, WireNumber> | undefined;
  /** The relay's own finding that the trainer is silent, and what the policy makes of it. */
  quiet?: { heardAt: number; as: QuietStatus } | undefined;
  /** Metadata of a metric event: kept in the journal, sent nowhere. */
  about?: Record<string, Json> | undefined;
};

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
