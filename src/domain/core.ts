import { fieldPath, type Note, olderThan, outweighed, tooLarge } from "./notes.ts";
import { noReasons, type Reason, type Reasons, standingReason } from "./reasons.ts";
import { after, type Fields, isLater } from "./registers.ts";
import { allRoom, bounded, type Room } from "./room.ts";
import { type RunRegister, registerWith } from "./run-register.ts";
import {
  endedAt,
  isGateways,
  isRelays,
  type Lifecycle,
  lifecycleWith,
  noLifecycle,
  whyOutweighed,
} from "./status.ts";
import type { Json, StoredEvent } from "./types.ts";

/** The core of a stream's state: what is one of its kind, beside parameters, tags and metrics. */

/** Loaded and stored whole. */
export type Core = {
  announced: boolean;
  /** The start itself has come. */
  started: boolean;
  startedAt: number | null;
  maxStep: number | null;
  lifecycle: Lifecycle;
  /** The word that it goes on, where that is the last of its kind, and the highest step before it. */
  goesOn: { seq: number; step: number } | null;
  /** As MLflow's own client left it; null where none did. */
  run: RunRegister | null;
  fields: Fields;
  reasons: Reasons;
  room: Room;
};

export const emptyCore: Core = {
  announced: false,
  started: false,
  startedAt: null,
  maxStep: null,
  lifecycle: noLifecycle,
  goesOn: null,
  run: null,
  fields: {},
  reasons: noReasons,
  room: allRoom,
};

/**
 * What every metric moves: the highest step, and the last event by which the trainer was heard. Nothing depends on it
 * before something was said of an end, of going on or of silence.
 */
export type Marks = { maxStep: number | null; heardSeq: number };

export function marksOf({ maxStep, lifecycle: { heardSeq } }: Core): Marks {
  return { maxStep, heardSeq };
}

/** The core with marks that have gone on without it. Neither of them ever goes back. */
export function withMarks(core: Core, { maxStep, heardSeq }: Marks): Core {
  const { lifecycle } = core;
  const highest = maxStep === null || core.maxStep === null ? null : Math.max(core.maxStep, maxStep);
  return {
    ...core,
    maxStep: highest ?? core.maxStep ?? maxStep,
    lifecycle: { ...lifecycle, heardSeq: Math.max(lifecycle.heardSeq, heardSeq) },
  };
}

/** Whether a fold moved nothing but the marks, and nothing depends on them yet. */
export function isMarksOnly(before: Core, after: Core): boolean {
  const { reset, quiet, ends } = after.lifecycle;
  if (reset !== null || quiet !== null || Object.keys(ends).length > 0) return false;
  return JSON.stringify(withMarks(before, marksOf(after))) === JSON.stringify(after);
}

/** The core after an event; what of it did not come in is noted. */
export function coreWith(core: Core, event: StoredEvent, notes: Note[]): Core {
  const facts = event.facts ?? {};
  const lifecycle = lifecycleWith(core.lifecycle, core.run === null ? event : leftRunning(event));
  // The relay's own findings are no news of the trainer's.
  if (facts.quiet) return { ...core, lifecycle };
  const run = registerWith(core.run, event, core.lifecycle, lifecycle);
  const why = whyOutweighed(lifecycle, event);
  if (why !== null) notes.push(outweighed(event, ["event"], event.type, why));
  const fields = { ...core.fields };
  for (const [name, value] of Object.entries(facts.fields ?? {})) {
    const known = fields[name];
    const at = isGateways(event) ? after(event.occurredAt, known) : event.occurredAt;
    const register = { value, at, id: event.id };
    if (isLater(register, known))
      fields[name] = { ...register, value: boundedField(event, name, value, notes) };
    else if (known && JSON.stringify(known.value) !== JSON.stringify(bounded(value).value))
      notes.push(olderThan(event, fieldPath(name), value, known.at));
  }
  return {
    ...core,
    announced: core.announced || facts.announces === true,
    started: core.started || facts.starts === true,
    startedAt: startWith(core.startedAt, event),
    lifecycle,
    run,
    fields,
  };
}

/** Only a client of MLflow closes its own run: silence says no more than that it is silent. */
function leftRunning(event: StoredEvent): StoredEvent {
  const { facts } = event;
  return facts?.quiet ? { ...event, facts: { ...facts, quiet: { ...facts.quiet, as: "left" } } } : event;
}

/** What the relay itself writes says nothing of when the trainer began; a client of MLflow says it in so many words. */
function startWith(startedAt: number | null, event: StoredEvent): number | null {
  const said = event.facts?.run?.startTime;
  if (said !== undefined) return said;
  if (isRelays(event) || isGateways(event)) return startedAt;
  return Math.min(startedAt ?? event.occurredAt, event.occurredAt);
}

/** A reason, its texts as long as there is room for. */
export function boundedReason(reason: Reason, event: StoredEvent, notes: Note[]): Reason {
  const texts = Object.entries(reason.texts).map(([name, value]) => [
    name,
    boundedField(event, name, value, notes),
  ]);
  return { ...reason, texts: Object.fromEntries(texts) };
}

function boundedField(event: StoredEvent, name: string, sent: Json, notes: Note[]): Json {
  const { value, action } = bounded(sent);
  if (action) notes.push(tooLarge(event, name, sent, action));
  return value;
}

/** The value of a field, or null. */
export function fieldOf(core: Core, name: string): Json {
  return core.fields[name]?.value ?? null;
}

/** A text field of the fold, or null. */
export function textOf(core: Core, name: string): string | null {
  const value = fieldOf(core, name);
  return typeof value === "string" ? value : null;
}

/** Every field, with the reason of the end that stands. */
export function fieldsOf(core: Core): Record<string, Json> {
  const fields = Object.entries(core.fields).map(([name, { value }]) => [name, value]);
  return { ...Object.fromEntries(fields), ...standingReason(core)?.texts };
}

/** When the stream ended, or null while it runs. */
export function endOf(core: Core): number | null {
  return endedAt(core.lifecycle);
}
