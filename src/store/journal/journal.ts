import type { JournalEvent, StreamRef } from "../../domain/types.ts";
import { remembered } from "../../remembered.ts";
import { overRows } from "../sql.ts";
import { FIND_PRUNED } from "./sql.ts";
import { type First, identityOf, type Poke, type Written, write } from "./write.ts";

/** What became of an event, and under which id it is known: a repeat's may be that of the first. */
export type EventOutcome = { kind: "accepted" | "duplicate" | "conflict"; eventId: string };

export type Journalled = {
  /** One outcome an event, in the order given. */
  outcomes: EventOutcome[];
  pokes: Poke[];
  /** The database's size after the write. */
  databaseBytes: number;
};

/** Streams that this isolate has seen written. They are never deleted, so their stubs need no second look. */
const known = remembered(() => new Set<string>());
const MAX_KNOWN_STREAMS = 20_000;

/**
 * Writes events in one transaction: streams and stubs of parents not seen yet, the events, their points.
 * The same event again is a duplicate, the same id with another body a conflict; neither changes anything.
 * @param now epoch milliseconds, for stubs and the poke's trust.
 * @param also what is to be done with them or not at all
 * @throws what D1 throws; then nothing was written.
 */
export async function journal(
  db: D1Database,
  events: readonly JournalEvent[],
  now: number,
  also: readonly D1PreparedStatement[] = [],
): Promise<Journalled> {
  const { unique, firstOf } = firstsOf(events);
  const streams = streamsOf(events);
  const knownStreams = known.value;
  const unknown = streams.filter((stream) => !knownStreams.has(stream.key));
  const written = await write(db, unique, unknown, now, also);
  await addPruned(db, written, missing(unique, written));
  // A database that was emptied under us: the stubs are not there after all.
  const lost = missing(unique, written);
  const { stored, pokes, databaseBytes } =
    lost.length === 0 ? written : join(written, await write(db, lost, streams, now, also));
  if (knownStreams.size > MAX_KNOWN_STREAMS) knownStreams.clear();
  for (const stream of streams) knownStreams.add(stream.key);

  const outcomes = events.map((event): EventOutcome => {
    const first = firstOf.get(event)?.event ?? event;
    const known = stored.get(identityOf(first.stream.key, first.id));
    if (!known) throw new Error(`the journal did not return event ${event.id}`);
    if (known.hash !== event.hash) return { kind: "conflict", eventId: event.id };
    return { kind: known.isNew && first === event ? "accepted" : "duplicate", eventId: known.eventId };
  });
  return { outcomes, pokes, databaseBytes };
}

/** Each event once. What is known by its content is the same as the word before it, if that has the same content. */
function firstsOf(events: readonly JournalEvent[]) {
  const firsts = new Map<string, First>();
  const lastWords = new Map<string, First>();
  const firstOf = new Map<JournalEvent, First>();
  for (const event of events) {
    const { key } = event.stream;
    const word = lastWords.get(key);
    const isSaidAgain = event.byContent && word?.event.byContent && word.event.hash === event.hash;
    const first = isSaidAgain ? word : firsts.get(identityOf(key, event.id));
    if (first?.event.hash === event.hash) first.copies++;
    const own = first ?? { event, copies: 0 };
    if (!first) firsts.set(identityOf(key, event.id), own);
    if (event.type !== "ml.run.metric") lastWords.set(key, own);
    firstOf.set(event, own);
  }
  return { unique: [...firsts.values()], firstOf };
}

function missing(unique: readonly First[], { stored }: Written): First[] {
  return unique.filter(({ event }) => !stored.has(identityOf(event.stream.key, event.id)));
}

/** What was pruned is known by its identity alone. */
async function addPruned(db: D1Database, written: Written, missed: readonly First[]): Promise<void> {
  if (missed.length === 0) return;
  const results = await db.batch<{ key: string; event_id: string; hash: string | null }>(
    overRows(
      db,
      FIND_PRUNED,
      missed.map(({ event }) => [event.stream.key, event.id]),
    ),
  );
  const hashes = new Map(
    results.flatMap(({ results: rows }) =>
      rows.map((row) => [identityOf(row.key, row.event_id), row.hash] as const),
    ),
  );
  for (const { event } of missed) {
    const identity = identityOf(event.stream.key, event.id);
    if (!hashes.has(identity)) continue;
    // Without a hash the id itself says what it is.
    const hash = hashes.get(identity) || event.hash;
    written.stored.set(identity, { hash, isNew: false, eventId: event.id });
  }
}

function join(a: Written, b: Written): Written {
  return {
    stored: new Map([...a.stored, ...b.stored]),
    pokes: [...a.pokes, ...b.pokes],
    databaseBytes: b.databaseBytes,
  };
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
