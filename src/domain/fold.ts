import { boundedReason, type Core, coreWith, endOf } from "./core.ts";
import { isNewsTo } from "./ends.ts";
import { tagValue } from "./facts.ts";
import { type Note, olderThan, tagPath, withoutRoom } from "./notes.ts";
import {
  reasonIn,
  reasonsApart,
  reasonsWith,
  standingApart,
  standingReason,
  withoutReason,
} from "./reasons.ts";
import { after, isLater, type Register } from "./registers.ts";
import { rowBytes, takes } from "./room.ts";
import { isGateways } from "./status.ts";
import { type Summary, summaryWith } from "./summary.ts";
import type { StoredEvent } from "./types.ts";
import { fromWire, sameMeaning, type WireNumber } from "./values.ts";

/**
 * The fold: a stream's events in, its state out. Pure, and the one place where events meet. Where no parameter
 * conflicts and nobody resumes, any order of acceptance and any duplicates of the same events give the same state; a
 * resume comes after what was accepted before it.
 */

export type Param = { value: string; seq: number };
/** A value of null: it was taken away. */
export type Tag = Register<string | null> & { seq: number };
export type ParamConflict = { key: string; kept: string; refused: string; eventId: string };

/** A stream's state. The maps hold at least the keys that the events to come touch. */
export type State = {
  core: Core;
  params: Map<string, Param>;
  tags: Map<string, Tag>;
  metrics: Map<string, Summary>;
};

/** A point as stored: unique, with the `seq` of the event that brought it first. */
export type StoredPoint = { seq: number; key: string; value: WireNumber; step: number; timestamp: number };

/**
 * The state after some events, the conflicts that were met, and what of the events did not come into it.
 * `wentOnAt`: the step that every other metric's last has too, where it has none; null: it stands as it is.
 */
export type Folded = { state: State; conflicts: ParamConflict[]; notes: Note[]; wentOnAt: number | null };

/** The state after `events` (in order of `seq`) and their `points`. */
export function fold(before: State, events: readonly StoredEvent[], points: readonly StoredPoint[]): Folded {
  const room = { ...before.core.room };
  const notes: Note[] = [];
  const conflicts: ParamConflict[] = [];
  const params = new Map(before.params);
  const tags = new Map(before.tags);
  const metrics = new Map(before.metrics);
  let core = before.core;
  let wentOnAt: number | null = null;

  const foldParams = (event: StoredEvent) => {
    for (const [key, value] of Object.entries(event.facts?.params ?? {})) {
      const known = params.get(key);
      if (known && !sameMeaning(known.value, value))
        conflicts.push({ key, kept: known.value, refused: value, eventId: event.id });
      if (known) continue;
      if (takes(room, "params", rowBytes(key, value))) params.set(key, { value, seq: event.seq });
      else notes.push(withoutRoom(event.seq, ["parameters", key], value));
    }
    for (const [key, value] of Object.entries(event.facts?.corrections ?? {}))
      params.set(key, { value, seq: event.seq });
  };
  const foldDefaults = (event: StoredEvent) => {
    for (const [key, value] of Object.entries(event.facts?.defaults ?? {})) {
      const known = tags.get(key);
      const tag = { value, at: 0, id: event.id, seq: event.seq };
      if (!isLater(tag, known)) continue;
      if (known || takes(room, "tags", rowBytes(key, value))) tags.set(key, tag);
      else notes.push(withoutRoom(event.seq, [key], value));
    }
  };
  const foldTags = (event: StoredEvent) => {
    for (const [key, value] of tagChanges(event)) {
      const at = isGateways(event) ? after(event.occurredAt, tags.get(key)) : event.occurredAt;
      const tag = { value, at, id: event.id, seq: event.seq };
      const reasons = reasonsApart(core.reasons, key, { ...tag, acceptedAt: event.acceptedAt });
      if (reasons !== core.reasons) core = { ...core, reasons };
      const known = tags.get(key);
      if (isLater(tag, known)) {
        const more = rowBytes(key, value) - (known ? rowBytes(key, known.value) : 0);
        if (takes(room, "tags", more)) tags.set(key, tag);
        else notes.push(withoutRoom(event.seq, tagPath(event, key), value));
      } else if (known && known.value !== value && !Object.hasOwn(event.facts?.fields ?? {}, key))
        notes.push(olderThan(event, tagPath(event, key), value, known.at));
    }
  };
  /** What ends said without a step was after every step: once the trial goes on, it is at the last that there was. */
  const foldGoingOn = () => {
    const { reset } = core.lifecycle;
    const seq = reset?.says === null ? reset.seq : null;
    if (seq === (core.goesOn?.seq ?? null)) return;
    const step = core.maxStep ?? 0;
    core = { ...core, goesOn: seq === null ? null : { seq, step } };
    const hasEnded = Object.keys(core.lifecycle.ends).length > 0;
    // Where an end stands it came since: the word was late.
    if (seq === null || !hasEnded || endOf(core) !== null) return;
    // What these events do not touch stood so before the first of them.
    wentOnAt ??= step;
    for (const [key, known] of metrics)
      if (known.lastStep === null) metrics.set(key, { ...known, lastStep: step });
  };
  /** The step of what an event says without one: an end of before the trial went on may come late. */
  const stepOfFinals = ({ seq, id, acceptedAt, occurredAt: at }: StoredEvent) => {
    const { reset } = core.lifecycle;
    const isLate = reset !== null && !isNewsTo({ seq, id, acceptedAt, at }, reset);
    return isLate && core.goesOn?.seq === reset.seq ? core.goesOn.step : null;
  };
  /** A point's step: where it is of before the trial went on, and comes late, what an end said without one is after it. */
  const stepOf = ({ key, step, timestamp }: StoredPoint) => {
    const { reset } = core.lifecycle;
    const { goesOn } = core;
    const known = metrics.get(key);
    if (!reset?.resumed || reset.seq !== goesOn?.seq || known?.lastStep !== goesOn.step) return step;
    const { at, acceptedAt } = reset.resumed;
    const isLate = at !== acceptedAt && timestamp < at && timestamp < known.lastTimestamp;
    return isLate ? Math.min(step, goesOn.step) : step;
  };
  const observe = (seq: number, key: string, point: Parameters<typeof summaryWith>[1]) => {
    const known = metrics.get(key);
    if (known || takes(room, "metrics", rowBytes(key))) metrics.set(key, summaryWith(known, point));
    else notes.push(withoutRoom(seq, ["metrics", key], point.value));
  };
  const sorted = points.toSorted((a, b) => a.seq - b.seq);
  let taken = 0;
  const foldPoints = (upto: number) => {
    for (; taken < sorted.length; taken++) {
      const point = sorted[taken];
      if (!point || point.seq > upto) return;
      const { seq, key, value, step, timestamp } = point;
      observe(seq, key, { value: fromWire(value), step: stepOf(point), timestamp });
      if (core.maxStep === null || step > core.maxStep) core = { ...core, maxStep: step };
    }
  };

  for (const told of events) {
    const reason = reasonIn(told);
    const event = reason ? { ...told, facts: withoutReason(told.facts ?? {}, reason) } : told;
    core = coreWith(core, event, notes);
    if (reason && event.facts?.ends) {
      const reasons = reasonsWith(core.reasons, event.facts.ends, boundedReason(reason, event, notes));
      core = { ...core, reasons };
    }
    foldGoingOn();
    foldParams(event);
    foldDefaults(event);
    foldTags(event);
    for (const [key, value] of Object.entries(event.facts?.finals ?? {}))
      observe(event.seq, key, {
        value: fromWire(value),
        step: stepOfFinals(event),
        timestamp: event.occurredAt,
      });
    foldPoints(event.seq);
  }
  foldPoints(Number.POSITIVE_INFINITY);
  const seq = events.reduce((last, event) => Math.max(last, event.seq), 0);
  for (const [key, tag] of reasonTags(core, tags, seq)) tags.set(key, tag);
  return { state: { core: { ...core, room }, params, tags, metrics }, conflicts, notes, wentOnAt };
}

/** The tags that an event sets, and those that it takes away (null). */
function tagChanges({ facts }: StoredEvent): [string, string | null][] {
  return [
    ...Object.entries(facts?.tags ?? {}),
    ...(facts?.untags ?? []).map((key): [string, null] => [key, null]),
  ];
}

/** The tags of the reason that stands, and those of others taken away; where they are not so yet. */
function reasonTags(core: Core, tags: ReadonlyMap<string, Tag>, seq: number): [string, Tag][] {
  const reason = standingReason(core);
  return core.reasons.named.flatMap((key): [string, Tag][] => {
    const known = tags.get(key);
    const apart = standingApart(core, key, reason);
    if (apart !== null) {
      const { value, at, id } = apart;
      return known?.value === value && known.id === id ? [] : [[key, { value, at, id, seq }]];
    }
    const text = reason?.texts[key];
    if (reason && text !== undefined) {
      const value = tagValue(text);
      return known?.value === value && known.id === reason.id
        ? []
        : [[key, { value, at: reason.at, id: reason.id, seq }]];
    }
    return known && known.value !== null ? [[key, { ...known, value: null, seq }]] : [];
  });
}
