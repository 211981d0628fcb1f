import type { Facts, TerminalStatus } from "./facts-schema.ts";
import type { JournalEvent, Point, StreamRef } from "./journal-event.ts";
import { EVENT_TYPES, type EventType, type RelayEventType } from "./words.ts";

/** The relay's own words. Shapes only; no I/O, no clock. Times are epoch milliseconds. */

export type { EventType, Facts, JournalEvent, Point, RelayEventType, StreamRef, TerminalStatus };
export { EVENT_TYPES };

export type TrialStatus = "running" | TerminalStatus;

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

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
