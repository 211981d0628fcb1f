import { isRelays } from "../domain/status.ts";
import type { JournalEvent, StreamRef } from "../domain/types.ts";
import {
  COUNT_COPIES,
  eventRow,
  INSERT_EVENTS,
  INSERT_MODEL_RUNS,
  INSERT_POINTS,
  INSERT_STREAMS,
  INSERT_TRIALS,
  MARK_DIRTY,
  pointRows,
} from "./journal-sql.ts";
import { POKE_TRUST_MS } from "./leases.ts";
import { overRows } from "./sql.ts";

export type Outcome = "accepted" | "duplicate" | "conflict";

export type Journalled = {
  /** One outcome an event, in the order given. */
  outcomes: Outcome[];
  /** Ids of the streams that need a poke; `urgent` ones at once, the others after the gather window. */
  pokes: { streamId: number; urgent: boolean }[];
  /** The database's size after the write. */
  databaseBytes: number;
};

/** Streams that this isolate has seen written. They are never deleted, so their stubs need no second look. */
const knownStreams = new Set<string>();
const MAX_KNOWN_STREAMS = 20_000;

/**
 * Writes events in one transaction: streams and stubs of parents not seen yet, the events, their points.
 * The same event again is a duplicate, the same id with another body a conflict; neither changes anything.
 * @param now epoch milliseconds, for stubs and the poke's trust.
 * @throws what D1 throws; then nothing was written.
 */
export async function journal(
  db: D1Database,
  events: readonly JournalEvent[],
  now: number,
): Promise<Journalled> {
  const firsts = new Map<string, First>();
  for (const event of events) {
    const identity = identityOf(event.stream.key, event.id);
    const first = firsts.get(identity);
    if (!first) firsts.set(identity, { event, copies: 0 });
    else if (first.event.hash === event.hash) first.copies++;
  }
  const unique = [...firsts.values()];
  const streams = streamsOf(events);
  const unknown = streams.filter((stream) => !knownStreams.has(stream.key));
  const written = await write(db, unique, unknown, now);
  // A database that was emptied under us: the stubs are not there after all.
  const lost = unique.filter(({ event }) => !written.stored.has(identityOf(event.stream.key, event.id)));
  const stored = lost.length === 0 ? written : join(written, await write(db, lost, streams, now));
  if (knownStreams.size > MAX_KNOWN_STREAMS) knownStreams.clear();
  for (const stream of streams) knownStreams.add(stream.key);

  const outcomes = events.map((event): Outcome => {
    const identity = identityOf(event.stream.key, event.id);
    const known = stored.stored.get(identity);
    if (!known) throw new Error(`the journal did not return event ${event.id}`);
    if (known.hash !== event.hash) return "conflict";
    return known.isNew && firsts.get(identity)?.event === event ? "accepted" : "duplicate";
  });
  return { outcomes, pokes: stored.pokes, databaseBytes: stored.databaseBytes };
}

/** An event, and how often the same request holds it again. */
type First = { event: JournalEvent; copies: number };

type Written = {
  stored: Map<string, { hash: string; isNew: boolean }>;
  pokes: Journalled["pokes"];
  databaseBytes: number;
};

/** One transaction; `stubs` are the streams that may not be there yet. */
async function write(
  db: D1Database,
  firsts: readonly First[],
  stubs: readonly StreamRef[],
  now: number,
): Promise<Written> {
  const mark = now + POKE_TRUST_MS;
  const unique = firsts.map(({ event }) => event);
  const keys = (kind: StreamRef["kind"]) =>
    stubs.filter((stream) => stream.kind === kind).map((stream) => stream.key);
  const stubRows = [
    ...overRows(
      db,
      INSERT_STREAMS,
      stubs.map((s) => [s.key, s.kind, s.modelRunId, s.trialId]),
      now,
    ),
    ...overRows(db, INSERT_MODEL_RUNS, keys("model_run"), now),
    ...overRows(db, INSERT_TRIALS, keys("trial"), now),
  ];
  const eventRows = overRows(db, INSERT_EVENTS, unique.map(eventRow));
  const points = overRows(db, INSERT_POINTS, unique.flatMap(pointRows));
  const copies = overRows(
    db,
    COUNT_COPIES,
    firsts.flatMap(({ event, copies }) =>
      copies === 0 ? [] : [[event.stream.key, event.id, event.hash, copies]],
    ),
  );
  const dirty = overRows(db, MARK_DIRTY, dirtyOf(unique), now, mark);
  const results = await db.batch<Record<string, unknown>>([
    ...stubRows,
    ...eventRows,
    ...points,
    ...copies,
    ...dirty,
  ]);

  const afterStubs = results.slice(stubRows.length);
  const stored: Written["stored"] = new Map();
  for (const row of afterStubs.slice(0, eventRows.length).flatMap((result) => result.results))
    stored.set(identityOf(String(row.key), String(row.event_id)), {
      hash: String(row.hash),
      isNew: row.repeats === 0,
    });
  const urgent = new Set(unique.filter(isUrgent).map((event) => event.stream.key));
  const pokes = afterStubs
    .slice(eventRows.length + points.length + copies.length)
    .flatMap((result) => result.results)
    .filter((row) => row.poked_until === mark)
    .map((row) => ({ streamId: Number(row.id), urgent: urgent.has(String(row.key)) }));
  return { stored, pokes, databaseBytes: results.at(-1)?.meta.size_after ?? 0 };
}

function join(a: Written, b: Written): Written {
  return {
    stored: new Map([...a.stored, ...b.stored]),
    pokes: [...a.pokes, ...b.pokes],
    databaseBytes: b.databaseBytes,
  };
}

/** An end is worth an immediate delivery; so is a start, which makes the run appear. */
function isUrgent(event: JournalEvent): boolean {
  return event.facts?.announces === true;
}

function identityOf(streamKey: string, eventId: string): string {
  return `${streamKey}:${eventId}`;
}

function streamsOf(events: readonly JournalEvent[]): StreamRef[] {
  const streams = new Map<string, StreamRef>();
  for (const { stream } of events) {
    if (stream.parentKey && !streams.has(stream.parentKey))
      streams.set(stream.parentKey, {
        key: stream.parentKey,
        kind: "model_run",
        modelRunId: stream.modelRunId,
        trialId: null,
        parentKey: null,
      });
    streams.set(stream.key, stream);
  }
  return [...streams.values()];
}

/** Whether it is the trainer's voice, or says for it that it goes on: then silence begins anew. */
function isHeard(event: JournalEvent): boolean {
  return !isRelays(event) || event.facts?.resumes === true;
}

/** Each stream once: urgent when any of its events is, heard when any is the trainer's. */
function dirtyOf(events: readonly JournalEvent[]): [key: string, urgent: number, heard: number][] {
  const flags = new Map<string, { urgent: boolean; heard: boolean }>();
  for (const event of events) {
    const known = flags.get(event.stream.key);
    const urgent = isUrgent(event) || known?.urgent === true;
    flags.set(event.stream.key, { urgent, heard: isHeard(event) || known?.heard === true });
  }
  return [...flags].map(([key, { urgent, heard }]) => [key, Number(urgent), Number(heard)]);
}
