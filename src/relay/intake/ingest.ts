import type { JournalEvent } from "../../domain/types.ts";
import { errorText } from "../../log.ts";
import { type JournalOutcome, journalEach } from "../../store/journal/each.ts";
import type { Deps, RelayMessage } from "../deps.ts";
import { withDeadline } from "../line/deadline.ts";
import { isFull, noteSize } from "./room.ts";

/** Long enough for a busy database, short enough for a trainer. */
const JOURNAL_TIMEOUT_MS = 5_000;
const SEND_TIMEOUT_MS = 2_000;
const POKE_TIMEOUT_MS = 1_000;
/** A queue message holds 128,000 bytes with about 100 of metadata; a batch 256,000 and 100 messages. */
const MAX_MESSAGE_BYTES = 120_000;
const MAX_BATCH_BYTES = 240_000;
const MAX_BATCH_MESSAGES = 100;

export type Ingested =
  | { kept: "journal"; outcomes: JournalOutcome[] }
  /** The database refused; the queue holds the events until it takes them again. */
  | { kept: "queue" }
  /** The database is past its high-water mark. */
  | { kept: "full" }
  | { kept: "nowhere" };

type IngestDeps = Pick<Deps, "db" | "budget" | "trials" | "config" | "now" | "log" | "tally">;

/** Keeps events: in the journal, else in the queue, else nowhere, and then nothing was acknowledged. */
export async function ingest(deps: IngestDeps, events: readonly JournalEvent[]): Promise<Ingested> {
  let left = events;
  let settled: JournalOutcome[] = [];
  try {
    if (await isFull(deps)) return { kept: "full" };
    const { outcomes, pokes, databaseBytes } = await withDeadline(
      JOURNAL_TIMEOUT_MS,
      journalEach(deps, events, deps.now()),
    );
    noteSize(databaseBytes, deps.now());
    settled = outcomes.filter((outcome) => outcome !== null);
    countOutcomes(deps, settled);
    await sendPokes(deps, pokes);
    left = events.slice(settled.length);
    if (left.length === 0) return { kept: "journal", outcomes: settled };
  } catch (error) {
    deps.log.warn("the database refused events; the queue is tried", {
      error: errorText(error),
      events: events.length,
    });
  }
  const sendable = toMessages(left);
  if (!sendable) return { kept: "nowhere" };
  try {
    const sends = sendable.map((batch) => deps.trials.sendBatch(batch));
    await withDeadline(SEND_TIMEOUT_MS, Promise.all(sends));
    if (settled.length === 0) return { kept: "queue" };
    const sent = left.map(({ id }): JournalOutcome => ({ kind: "accepted", eventId: id }));
    return { kept: "journal", outcomes: [...settled, ...sent] };
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

/**
 * Tells the consumer which streams are behind. All of a request's pokes have one deadline together, since a trainer
 * waits for its answer; a poke that is lost is found by the cron.
 */
export async function sendPokes(
  deps: Pick<Deps, "trials" | "config" | "log">,
  pokes: readonly { streamId: number; urgent: boolean }[],
): Promise<void> {
  const batches: MessageSendRequest<RelayMessage>[][] = [];
  for (let i = 0; i < pokes.length; i += MAX_BATCH_MESSAGES)
    batches.push(
      pokes.slice(i, i + MAX_BATCH_MESSAGES).map(({ streamId, urgent }) => ({
        body: { kind: "poke", streamId },
        delaySeconds: urgent ? 0 : deps.config.gatherWindowSeconds,
      })),
    );
  const sent = batches.map((messages) => deps.trials.sendBatch(messages));
  try {
    await withDeadline(POKE_TIMEOUT_MS, Promise.all(sent));
  } catch (error) {
    deps.log.warn("pokes were not sent; the cron will find these trials", {
      error: errorText(error),
      pokes: pokes.length,
    });
  }
}

/** Events as payload messages in sendable batches, or null when one event is too large for a message. */
function toMessages(events: readonly JournalEvent[]): MessageSendRequest<RelayMessage>[][] | null {
  const groups = grouped(events, (event) => byteLength(event), MAX_MESSAGE_BYTES, Number.POSITIVE_INFINITY);
  if (!groups) return null;
  const messages = groups.map((group) => ({ body: { kind: "journal" as const, events: group } }));
  return grouped(messages, (message) => byteLength(message.body), MAX_BATCH_BYTES, MAX_BATCH_MESSAGES);
}

/** Consecutive groups within a size and a count, or null when a single item is over the size. */
function grouped<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  maxSize: number,
  maxCount: number,
): T[][] | null {
  const groups: T[][] = [];
  let size = 0;
  for (const item of items) {
    const own = sizeOf(item);
    if (own > maxSize) return null;
    const last = groups.at(-1);
    if (!last || size + own > maxSize || last.length >= maxCount) {
      groups.push([item]);
      size = own;
    } else {
      last.push(item);
      size += own;
    }
  }
  return groups;
}

function byteLength(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length + 1;
}
