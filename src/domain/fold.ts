import { endedAt, isRelays, type Lifecycle, lifecycleWith, noLifecycle } from "./status.ts";
import { type Summary, summaryWith } from "./summary.ts";
import type { Json, StoredEvent } from "./types.ts";
import { fromWire, sameMeaning, type WireNumber } from "./values.ts";

/**
 * The fold: a stream's events in, its state out. Pure, and the one place where events meet. Where no
 * parameter conflicts, any order and any duplicates of the same events give the same state.
 */

/** The latest value by event time, then event id. */
export type Register<T> = { value: T; at: number; id: string };

export type Param = { value: string; seq: number };
/** A value of null: it was taken away. */
export type Tag = Register<string | null> & { seq: number };
export type ParamConflict = { key: string; kept: string; refused: string; eventId: string };

/** The part of the state that is loaded and stored whole. */
export type Core = {
  announced: boolean;
  /** The start itself has come. */
  started: boolean;
  startedAt: number | null;
  maxStep: number | null;
  lifecycle: Lifecycle;
  fields: Record<string, Register<Json>>;
};

/** A stream's state. The maps hold at least the keys that the events to come touch. */
export type State = {
  core: Core;
  params: Map<string, Param>;
  tags: Map<string, Tag>;
  metrics: Map<string, Summary>;
};

/** A point as stored: unique, with the `seq` of the event that brought it first. */
export type StoredPoint = { seq: number; key: string; value: WireNumber; step: number; timestamp: number };

export const emptyCore: Core = {
  announced: false,
  started: false,
  startedAt: null,
  maxStep: null,
  lifecycle: noLifecycle,
  fields: {},
};

/** The state after `events` (in order of `seq`) and their `points`, with the conflicts that were met. */
export function fold(
  before: State,
  events: readonly StoredEvent[],
  points: readonly StoredPoint[],
): { state: State; conflicts: ParamConflict[] } {
  const params = new Map(before.params);
  const tags = new Map(before.tags);
  const metrics = new Map(before.metrics);
  const conflicts: ParamConflict[] = [];
  let core = before.core;
  for (const event of events) {
    core = coreWith(core, event);
    for (const [key, value] of Object.entries(event.facts?.params ?? {})) {
      const kept = params.get(key);
      if (!kept) params.set(key, { value, seq: event.seq });
      else if (!sameMeaning(kept.value, value))
        conflicts.push({ key, kept: kept.value, refused: value, eventId: event.id });
    }
    for (const [key, value] of Object.entries(event.facts?.corrections ?? {}))
      params.set(key, { value, seq: event.seq });
    for (const [key, value] of tagChanges(event)) {
      const tag = { value, at: event.occurredAt, id: event.id, seq: event.seq };
      if (isLater(tag, tags.get(key))) tags.set(key, tag);
    }
    for (const [key, value] of Object.entries(event.facts?.finals ?? {}))
      metrics.set(
        key,
        summaryWith(metrics.get(key), { value: fromWire(value), step: null, timestamp: event.occurredAt }),
      );
  }
  for (const { key, value, step, timestamp } of points) {
    metrics.set(key, summaryWith(metrics.get(key), { value: fromWire(value), step, timestamp }));
    if (core.maxStep === null || step > core.maxStep) core = { ...core, maxStep: step };
  }
  return { state: { core, params, tags, metrics }, conflicts };
}

/** The tags that an event sets, and those that it takes away (null). */
function tagChanges({ facts }: StoredEvent): [string, string | null][] {
  return [
    ...Object.entries(facts?.tags ?? {}),
    ...(facts?.untags ?? []).map((key): [string, null] => [key, null]),
  ];
}

function coreWith(core: Core, event: StoredEvent): Core {
  const facts = event.facts ?? {};
  const lifecycle = lifecycleWith(core.lifecycle, event);
  // The relay's own findings are no news of the trainer's.
  if (facts.quiet) return { ...core, lifecycle };
  const fields = { ...core.fields };
  for (const [name, value] of Object.entries(facts.fields ?? {})) {
    const register = { value, at: event.occurredAt, id: event.id };
    if (isLater(register, fields[name])) fields[name] = register;
  }
  return {
    ...core,
    announced: core.announced || facts.announces === true,
    started: core.started || facts.starts === true,
    // What the relay itself writes says nothing of when the trainer began.
    startedAt: isRelays(event)
      ? core.startedAt
      : Math.min(core.startedAt ?? event.occurredAt, event.occurredAt),
    lifecycle,
    fields,
  };
}

/** Whether `a` comes after `b` in event time, ties broken by event id. */
function isLater(a: { at: number; id: string }, b: { at: number; id: string } | undefined): boolean {
  return !b || a.at > b.at || (a.at === b.at && a.id > b.id);
}

/** The value of a field, or null. */
export function fieldOf(core: Core, name: string): Json {
  return core.fields[name]?.value ?? null;
}

/** When the stream ended, or null while it runs. */
export function endOf(core: Core): number | null {
  return endedAt(core.lifecycle);
}
