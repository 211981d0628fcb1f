import { isRelays } from "../../domain/status.ts";
import type { JournalEvent, StreamRef } from "../../domain/types.ts";
import { overRows } from "../sql.ts";
import { POKE_TRUST_MS } from "../stream/leases.ts";
import * as saidAgain from "./said-again.ts";
import * as journal from "./sql.ts";

/** An event, and how often the same request holds it again. */
export type First = { event: JournalEvent; copies: number };

/** Ids of the streams that need a poke; `urgent` ones at once, the others after the gather window. */
export type Poke = { streamId: number; urgent: boolean };

export type Written = {
  /** What the journal has now, by `identityOf`: the body's hash, and the id under which it is known. */
  stored: Map<string, { hash: string; isNew: boolean; eventId: string }>;
  pokes: Poke[];
  databaseBytes: number;
};

type Row = Record<string, unknown>;

/** One transaction; `stubs` are the streams that may not be there yet. */
export async function write(
  db: D1Database,
  firsts: readonly First[],
  stubs: readonly StreamRef[],
  now: number,
  also: readonly D1PreparedStatement[],
): Promise<Written> {
  const mark = now + POKE_TRUST_MS;
  const unique = firsts.map(({ event }) => event);
  const rows = (query: string, list: readonly unknown[], ...more: unknown[]) =>
    overRows(db, query, list, ...more);
  const contents = firsts.flatMap(({ event, copies }) =>
    event.byContent ? [[...idRow(event), copies]] : [],
  );
  const dirty = dirtyOf(unique);
  const keys = JSON.stringify(dirty.map(([key]) => key));
  const done = await inOneBatch(db, {
    stubs: [
      ...rows(
        journal.INSERT_STREAMS,
        stubs.map((s) => [s.key, s.kind, s.modelRunId, s.trialId]),
        now,
      ),
      ...rows(journal.INSERT_MODEL_RUNS, keysOf(stubs, "model_run"), now),
      ...rows(journal.INSERT_TRIALS, keysOf(stubs, "trial"), now),
    ],
    events: rows(journal.INSERT_EVENTS, unique.map(journal.eventRow)),
    points: [
      ...rows(saidAgain.KEEP_CONTENTS, contents),
      ...rows(journal.INSERT_POINTS, unique.flatMap(journal.pointRows)),
    ],
    marked: rows(saidAgain.MARK_SAID_AGAIN, contents),
    noted: rows(saidAgain.NOTE_SAID_AGAIN, contents),
    takenBack: rows(saidAgain.TAKE_BACK, contents),
    keptEnds: rows(saidAgain.KEEP_ENDED, contents),
    late: rows(saidAgain.SAY_AFTER_ALL, unique.filter((event) => event.type !== "ml.run.metric").map(idRow)),
    ahead: [db.prepare(journal.STAY_AHEAD.byKey).bind(keys)],
    copies: rows(
      journal.COUNT_COPIES,
      firsts.flatMap(({ event, copies }) => (copies === 0 ? [] : [[...idRow(event), event.hash, copies]])),
    ),
    dirty: rows(journal.MARK_DIRTY, dirty, now, mark),
    also: [...also],
  });

  const stored: Written["stored"] = new Map();
  for (const { key, event_id, hash, repeats } of done.rows("events"))
    stored.set(identityOf(String(key), String(event_id)), {
      hash: String(hash),
      isNew: repeats === 0,
      eventId: String(event_id),
    });
  const saidFirst = new Map(
    done
      .rows("noted")
      .map(({ key, hash, event_id }) => [identityOf(String(key), String(hash)), String(event_id)]),
  );
  for (const { key, event_id, hash } of done.rows("takenBack"))
    stored.set(identityOf(String(key), String(event_id)), {
      hash: String(hash),
      isNew: false,
      eventId: saidFirst.get(identityOf(String(key), String(hash))) ?? String(event_id),
    });
  const urgent = new Set(unique.filter(isUrgent).map((event) => event.stream.key));
  const pokes = done
    .rows("dirty")
    .filter((row) => row.poked_until === mark)
    .map((row) => ({ streamId: Number(row.id), urgent: urgent.has(String(row.key)) }));
  return { stored, pokes, databaseBytes: done.databaseBytes };
}

/** Runs groups of statements as one transaction, in their order, and gives the rows of each. */
async function inOneBatch<Name extends string>(db: D1Database, groups: Record<Name, D1PreparedStatement[]>) {
  const named = Object.entries<D1PreparedStatement[]>(groups).flatMap(([name, statements]) =>
    statements.map((statement) => ({ name, statement })),
  );
  const results = await db.batch<Row>(named.map(({ statement }) => statement));
  return {
    rows: (name: Name) => results.flatMap((result, i) => (named[i]?.name === name ? result.results : [])),
    databaseBytes: results.at(-1)?.meta.size_after ?? 0,
  };
}

const idRow = (event: JournalEvent) => [event.stream.key, event.id];

function keysOf(streams: readonly StreamRef[], kind: StreamRef["kind"]): string[] {
  return streams.filter((stream) => stream.kind === kind).map((stream) => stream.key);
}

/** An end is worth an immediate delivery; so is a start, which makes the run appear. */
function isUrgent(event: JournalEvent): boolean {
  return event.facts?.announces === true;
}

/** An event within the journal: ids are the trainer's own, so they are told apart by their stream. */
export function identityOf(streamKey: string, eventId: string): string {
  return `${streamKey}:${eventId}`;
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
