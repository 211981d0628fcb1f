import type { Config } from "../config.ts";
import { errorText, type Log } from "../log.ts";
import { withDeadline } from "../waiting.ts";
import { pokeMessage, type RelayMessage, readMessage } from "./messages.ts";

/** The queues. Messages are sent in this file only, which knows what a queue holds. */
export type Queues = {
  /** Live delivery. */
  trials: Queue<RelayMessage>;
  /** What operators and the cron ask for, and runs that are followed, one at a time. */
  jobs: Queue<RelayMessage>;
  /** Files on their way to MLflow. */
  files: Queue<RelayMessage>;
};

/** Which queue carries a kind of message. */
const QUEUE_OF: Record<RelayMessage["kind"], keyof Queues> = {
  poke: "trials",
  journal: "trials",
  experiment: "trials",
  model: "trials",
  probe: "trials",
  artifact: "files",
  job: "jobs",
  follow: "jobs",
};

/** A queue message holds 128,000 bytes with about 100 of metadata; a batch 256,000 and 100 messages. */
const MAX_MESSAGE_BYTES = 120_000;
const MAX_BATCH_BYTES = 240_000;
const MAX_BATCH_MESSAGES = 100;
/** The platform's longest delay of a message. */
const MAX_DELAY_SECONDS = 86_400;

/** A trainer waits for its answer meanwhile. */
const EVENTS_TIMEOUT_MS = 2_000;
const TRY_TIMEOUT_MS = 1_000;

/**
 * Puts a message that was read back into its queue, as a new one. It may be of a kind that another build knows: any queue does.
 * @throws what the queue does
 */
export async function enqueueAgain(queues: Queues, body: RelayMessage, ms: number): Promise<void> {
  const known = readMessage(body);
  await (known ? queues[QUEUE_OF[known.kind]] : queues.trials).send(body, delayOf(ms));
}

/**
 * Sends a message.
 * @param ms the consumer has it after so long at the earliest
 * @throws what the queue does
 */
export async function enqueue(queues: Queues, message: RelayMessage, ms = 0): Promise<void> {
  await queues[QUEUE_OF[message.kind]].send(message, delayOf(ms));
}

/**
 * Sends messages of one kind.
 * @throws what the queue does; it may hold some of them then
 */
export async function enqueueAll(queues: Queues, messages: readonly RelayMessage[], ms = 0): Promise<void> {
  await sendBatches(
    queues,
    messages.map((body) => (ms === 0 ? { body } : { body, ...delayOf(ms) })),
  );
}

/**
 * Sends a message where somebody may be waiting meanwhile, and where it is no loss if the queue is slow or refuses: the
 * cron finds what the message is about.
 * @returns whether the queue took it
 */
export function tryEnqueue(deps: Queues & { log: Log }, message: RelayMessage, ms = 0): Promise<boolean> {
  return isTaken(deps, message.kind, enqueue(deps, message, ms));
}

/** The same of many, of one kind. */
export function tryEnqueueAll(
  deps: Queues & { log: Log },
  messages: readonly RelayMessage[],
  ms = 0,
): Promise<boolean> {
  return isTaken(deps, messages[0]?.kind, enqueueAll(deps, messages, ms));
}

/**
 * Tells the consumer in the same way which streams are behind, those that are not urgent once there was time for company.
 * All of a request's pokes have one deadline together.
 */
export async function sendPokes(
  deps: Queues & { config: Config; log: Log },
  pokes: readonly { streamId: number; urgent: boolean }[],
): Promise<void> {
  const messages = pokes.map(({ streamId, urgent }) => ({
    body: pokeMessage(streamId),
    delaySeconds: urgent ? 0 : deps.config.gatherWindowSeconds,
  }));
  await isTaken(deps, "poke", sendBatches(deps, messages));
}

async function isTaken(
  { log }: { log: Log },
  kind: RelayMessage["kind"] | undefined,
  sent: Promise<void>,
): Promise<boolean> {
  try {
    await withDeadline(TRY_TIMEOUT_MS, sent);
    return true;
  } catch (error) {
    const about = { kind, error: errorText(error) };
    log.warn("the queue did not take a message; the cron will find what it is about", about);
    return false;
  }
}

type Sent = MessageSendRequest<RelayMessage>;

async function sendBatches(queues: Queues, messages: readonly Sent[]): Promise<void> {
  await Promise.all(
    chunksOf(messages).map((chunk) => queues[QUEUE_OF[chunk[0]?.body.kind ?? "poke"]].sendBatch(chunk)),
  );
}

/**
 * Gives events to the queue, all with one deadline together.
 * @returns false when one of them is too large for a message; then none was sent
 * @throws what the queue does; it may hold some of them then
 */
export async function sendEvents(
  { trials }: Pick<Queues, "trials">,
  events: readonly unknown[],
): Promise<boolean> {
  const groups = grouped(events, byteLength, MAX_MESSAGE_BYTES, Number.POSITIVE_INFINITY);
  const messages = groups?.map((group) => ({ body: { kind: "journal" as const, events: group } }));
  const batches =
    messages && grouped(messages, ({ body }) => byteLength(body), MAX_BATCH_BYTES, MAX_BATCH_MESSAGES);
  if (!batches) return false;
  await withDeadline(EVENTS_TIMEOUT_MS, Promise.all(batches.map((batch) => trials.sendBatch(batch))));
  return true;
}

/** A delay in whole seconds, as a queue takes it. */
function delayOf(ms: number): { delaySeconds: number } {
  return { delaySeconds: Math.min(MAX_DELAY_SECONDS, Math.ceil(ms / 1000)) };
}

function chunksOf<T>(items: readonly T[]): T[][] {
  const chunks = Array.from(
    { length: Math.ceil(items.length / MAX_BATCH_MESSAGES) },
    (_, i) => i * MAX_BATCH_MESSAGES,
  );
  return chunks.map((from) => items.slice(from, from + MAX_BATCH_MESSAGES));
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
