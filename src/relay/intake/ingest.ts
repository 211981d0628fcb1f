import type { JournalEvent } from "../../domain/types.ts";
import { errorText } from "../../log.ts";
import { remembered } from "../../remembered.ts";
import { sizeOf } from "../../store/database/probe.ts";
import { type JournalOutcome, journalEach } from "../../store/journal/each.ts";
import { withDeadline } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { type Queues, sendEvents, sendPokes } from "../queues.ts";

/** Long enough for a busy database, short enough for a trainer. */
const JOURNAL_TIMEOUT_MS = 5_000;

/** How long a full database is believed to be full before it is measured again. */
const REMEASURE_MS = 10_000;

/** The database's size as this isolate last saw it; free pages do not count. */
const seen = remembered(() => ({ bytes: 0, at: 0 }));

export type Ingested =
  | { kept: "journal"; outcomes: JournalOutcome[] }
  /** The database refused; the queue holds the events until it takes them again. */
  | { kept: "queue" }
  /** The database is past its high-water mark. */
  | { kept: "full" }
  | { kept: "nowhere" };

type IngestDeps = Pick<Deps, "db" | "budget" | keyof Queues | "config" | "now" | "log" | "tally">;

/**
 * Keeps events: in the journal, else in the queue, else nowhere, and then nothing was acknowledged.
 * @param also what the journal does in one transaction with them, and only there
 */
export async function ingest(
  deps: IngestDeps,
  events: readonly JournalEvent[],
  also: readonly D1PreparedStatement[] = [],
): Promise<Ingested> {
  let left = events;
  let decided: JournalOutcome[] = [];
  try {
    if (await isFull(deps)) return { kept: "full" };
    const { outcomes, pokes, databaseBytes } = await withDeadline(
      JOURNAL_TIMEOUT_MS,
      journalEach(deps, events, deps.now(), also),
    );
    noteSize(databaseBytes, deps.now());
    decided = outcomes.filter((outcome) => outcome !== null);
    countOutcomes(deps, decided);
    await sendPokes(deps, pokes);
    left = events.slice(decided.length);
    if (left.length === 0) return { kept: "journal", outcomes: decided };
  } catch (error) {
    deps.log.warn("the database refused events; the queue is tried", {
      error: errorText(error),
      events: events.length,
    });
  }
  try {
    if (!(await sendEvents(deps, left))) return { kept: "nowhere" };
    if (decided.length === 0) return { kept: "queue" };
    const sent = left.map(({ id }): JournalOutcome => ({ kind: "accepted", eventId: id }));
    return { kept: "journal", outcomes: [...decided, ...sent] };
  } catch (error) {
    // What another batch took is delivered all the same: the trainer's repeat is a duplicate.
    deps.log.error("database and queue both refused events", {
      error: errorText(error),
      events: left.length,
    });
    return { kept: "nowhere" };
  }
}

/** Counts events for /metrics, by what the journal made of them. */
export function countOutcomes({ tally }: Pick<Deps, "tally">, outcomes: readonly JournalOutcome[]): void {
  for (const { kind } of outcomes) tally.add(`relay_events_total{outcome="${kind}"}`);
}

/** Notes the size that came with a result. */
export function noteSize(bytes: number, now: number): void {
  seen.value = { bytes, at: now };
}

/** Whether the database is past its high-water mark, from which on nothing new is taken. */
export async function isFull({ db, config, now }: Pick<Deps, "db" | "config" | "now">): Promise<boolean> {
  if (seen.value.bytes <= config.maxDatabaseBytes) return false;
  if (now() - seen.value.at > REMEASURE_MS) noteSize(await sizeOf(db), now());
  return seen.value.bytes > config.maxDatabaseBytes;
}
