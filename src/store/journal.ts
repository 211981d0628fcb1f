import type { JournalEvent, StreamRef } from "../domain/types.ts";
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
  const firsts = new Map<string, JournalEvent>();
  for (const event of events) {
    const identity = identityOf(event.stream.key, event.id);
    if (!firsts.has(identity)) firsts.set(identity, event);
  }
  const unique = [...firsts.values()];
  const streams = streamsOf(unique);
  const written = await write(
    db,
    unique,
    streams.filter((stream) => !knownStreams.has(stream.key)),
    now,
  );
  // A database that was emptied under us: the stubs are not there after all.
  const stored = written.stored.size === unique.length ? written : await write(db, unique, streams, now);
  if (knownStreams.size > MAX_KNOWN_STREAMS) knownStreams.clear();
  for (const stream of streams) knownStreams.add(stream.key);

  const outcomes = events.map((event): Outcome => {
    const identity = identityOf(event.stream.key, event.id);
    const known = stored.stored.get(identity);
    if (!known) throw new Error(`the journal did not return event ${event.id}`);
    if (known.hash !== event.hash) return "conflict";
    return known.isNew && firsts.get(identity) === event ? "accepted" : "duplicate";
  });
  return { outcomes, pokes: stored.pokes, databaseBytes: stored.databaseBytes };
}

type Written = {
  stored: Map<string, { hash: string; isNew: boolean }>;
  pokes: Journalled["pokes"];
  databaseBytes: number;
};

/** One transaction; `stubs` are the streams that may not be there yet. */
async function write(
  db: D1Database,
  unique: readonly JournalEvent[],
  stubs: readonly StreamRef[],
  now: number,
): Promise<Written> {
  const mark = now + POKE_TRUST_MS;
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
  const pointRows = overRows(db, INSERT_POINTS, unique.flatMap(pointsOf));
  const dirty = overRows(db, MARK_DIRTY, dirtyOf(unique), now, mark);
  const results = await db.batch<Record<string, unknown>>([
    ...stubRows,
    ...eventRows,
    ...pointRows,
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
    .slice(eventRows.length + pointRows.length)
    .flatMap((result) => result.results)
    .filter((row) => row.poked_until === mark)
    .map((row) => ({ streamId: Number(row.id), urgent: urgent.has(String(row.key)) }));
  return { stored, pokes, databaseBytes: results.at(-1)?.meta.size_after ?? 0 };
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

function eventRow(event: JournalEvent) {
  return [
    event.stream.key,
    event.id,
    event.type,
    event.hash,
    event.occurredAt,
    event.acceptedAt,
    event.correlationId,
    event.facts === null ? null : JSON.stringify(event.facts),
    event.points.length + Object.keys(event.facts?.finals ?? {}).length,
  ];
}

function pointsOf(event: JournalEvent) {
  return event.points.map((point, n) => [
    event.stream.key,
    event.id,
    event.hash,
    n,
    point.key,
    point.step,
    point.timestamp,
    point.value,
  ]);
}

/** Each stream once: urgent when any of its events is, heard when any is the trainer's. */
function dirtyOf(events: readonly JournalEvent[]): [key: string, urgent: number, heard: number][] {
  const flags = new Map<string, { urgent: boolean; heard: boolean }>();
  for (const event of events) {
    const known = flags.get(event.stream.key);
    const urgent = isUrgent(event) || known?.urgent === true;
    flags.set(event.stream.key, { urgent, heard: !event.facts?.quiet || known?.heard === true });
  }
  return [...flags].map(([key, { urgent, heard }]) => [key, Number(urgent), Number(heard)]);
}

// `where true` keeps SQLite's grammar from reading "on conflict" as a join condition.
const INSERT_STREAMS = `
  insert into streams (key, kind, model_run_id, trial_id, created_at, updated_at)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2, ?2 from json_each(?1)
  where true on conflict (key) do nothing`;

const INSERT_MODEL_RUNS = `
  insert into model_runs (id, model_run_id, created_at, updated_at)
  select s.id, s.model_run_id, ?2, ?2 from json_each(?1) j join streams s on s.key = j.value
  where true on conflict do nothing`;

const INSERT_TRIALS = `
  insert into trials (id, key, model_run_id, trial_id, created_at, updated_at)
  select s.id, s.key, s.model_run_id, s.trial_id, ?2, ?2 from json_each(?1) j join streams s on s.key = j.value
  where true on conflict do nothing`;

const INSERT_EVENTS = `
  insert into events (stream_id, event_id, type, hash, occurred_at, accepted_at, correlation_id, facts, points)
  select s.id, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6, j.value ->> 7, j.value ->> 8
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  where true on conflict (stream_id, event_id) do update set repeats = repeats + 1
  returning (select key from streams where id = stream_id) as key, event_id, hash, repeats`;

/** Only the points of the events that are stored: a conflicting body has another hash. */
const INSERT_POINTS = `
  insert into metric_points (stream_id, seq, n, key, step, timestamp, value)
  select e.stream_id, e.seq, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6, j.value ->> 7
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  join events e on e.stream_id = s.id and e.event_id = j.value ->> 1 and e.hash = j.value ->> 2
  where true on conflict do nothing`;

/** A stream that was poked a moment ago is not poked again, unless this is urgent. */
const MARK_DIRTY = `
  update streams set
    last_seq = coalesce((select max(seq) from events where stream_id = streams.id), last_seq),
    updated_at = ?2,
    heard_at = case when j.heard then ?2 else heard_at end,
    poked_until = case when poked_until < ?2 or j.urgent then ?3 else poked_until end
  from (select value ->> 0 as key, value ->> 1 as urgent, value ->> 2 as heard from json_each(?1)) j
  where streams.key = j.key
  returning streams.id, streams.key, streams.poked_until`;
