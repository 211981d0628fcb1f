import * as z from "zod";
import type { Config } from "../config.ts";
import { isJournalEvent, type JournalEvent } from "../domain/journal-event.ts";
import { errorText, type Log } from "../log.ts";
import { withDeadline } from "../waiting.ts";

/**
 * What the queues carry: a reference to a stream that is behind, events on their way round a database that refuses,
 * an experiment or a logged model that changed, the breaker's alarm clock; on the jobs queue what operators and the cron ask for and the runs
 * that are to be followed, and on one
 * of their own files on their way to MLflow: a large one must hold up neither a metric nor a job. `events` are journal
 * events, but another build may have sent them: `readMessage` tells.
 */
export type RelayMessage =
  | { kind: "poke"; streamId: number }
  | { kind: "journal"; events: readonly unknown[] }
  | { kind: "experiment"; id: string }
  | { kind: "model"; id: string }
  | { kind: "probe" }
  | { kind: "artifact"; id: number }
  | { kind: "job"; jobId: string }
  | { kind: "follow"; runId: string };

/** `strange`: events that this build does not understand. */
type Journal = { kind: "journal"; events: JournalEvent[]; strange: unknown[] };

const journal = z.object({ kind: z.literal("journal"), events: z.array(z.unknown()) }).transform(
  ({ kind, events }): Journal => ({
    kind,
    events: events.filter(isJournalEvent),
    strange: events.filter((event) => !isJournalEvent(event)),
  }),
);

const message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("poke"), streamId: z.int() }),
  journal,
  z.object({ kind: z.literal("experiment"), id: z.string() }),
  z.object({ kind: z.literal("model"), id: z.string() }),
  z.object({ kind: z.literal("probe") }),
  z.object({ kind: z.literal("artifact"), id: z.int() }),
  z.object({ kind: z.literal("job"), jobId: z.string() }),
  z.object({ kind: z.literal("follow"), runId: z.string() }),
]);

/**
 * A queue's message as this build understands it; null for one that it does not: while two builds run side by side,
 * either takes what the other sent.
 */
export function readMessage(body: unknown): z.output<typeof message> | null {
  return message.safeParse(body).data ?? null;
}

/** A queue message holds 128,000 bytes with about 100 of metadata; a batch 256,000 and 100 messages. */
const MAX_MESSAGE_BYTES = 120_000;
const MAX_BATCH_BYTES = 240_000;
const MAX_BATCH_MESSAGES = 100;
/** The platform's longest delay of a message. */
const MAX_DELAY_SECONDS = 86_400;

/** A trainer waits for its answer meanwhile. */
const EVENTS_TIMEOUT_MS = 2_000;
const POKE_TIMEOUT_MS = 1_000;
const JOB_TIMEOUT_MS = 2_000;

type Trials = { trials: Queue<RelayMessage> };
type Jobs = { jobs: Queue<RelayMessage>; log: Log };
type Files = { files: Queue<RelayMessage>; log: Log };

/** A delay in whole seconds, as a queue takes it. */
export function delayOf(ms: number): { delaySeconds: number } {
  return { delaySeconds: Math.min(MAX_DELAY_SECONDS, Math.ceil(ms / 1000)) };
}

/**
 * Tells the consumer which streams are behind. All of a request's pokes have one deadline together, since a trainer
 * waits for its answer; a poke that is lost is found by the cron.
 */
export async function sendPokes(
  { trials, config, log }: Trials & { config: Config; log: Log },
  pokes: readonly { streamId: number; urgent: boolean }[],
): Promise<void> {
  const messages = pokes.map(({ streamId, urgent }) => ({
    body: { kind: "poke" as const, streamId },
    delaySeconds: urgent ? 0 : config.gatherWindowSeconds,
  }));
  const sent = chunksOf(messages).map((chunk) => trials.sendBatch(chunk));
  try {
    await withDeadline(POKE_TIMEOUT_MS, Promise.all(sent));
  } catch (error) {
    log.warn("pokes were not sent; the cron will find these trials", {
      error: errorText(error),
      pokes: pokes.length,
    });
  }
}

/**
 * Pokes streams after so many seconds.
 * @throws what the queue does
 */
export async function pokeAll(
  { trials }: Trials,
  ids: readonly number[],
  delaySeconds: number,
): Promise<void> {
  for (const chunk of chunksOf(ids))
    await trials.sendBatch(chunk.map((streamId) => ({ body: { kind: "poke", streamId }, delaySeconds })));
}

/**
 * Gives events to the queue, all with one deadline together.
 * @returns false when one of them is too large for a message; then none was sent
 * @throws what the queue does; it may hold some of them then
 */
export async function sendEvents({ trials }: Trials, events: readonly unknown[]): Promise<boolean> {
  const groups = grouped(events, byteLength, MAX_MESSAGE_BYTES, Number.POSITIVE_INFINITY);
  const messages = groups?.map((group) => ({ body: { kind: "journal" as const, events: group } }));
  const batches =
    messages && grouped(messages, ({ body }) => byteLength(body), MAX_BATCH_BYTES, MAX_BATCH_MESSAGES);
  if (!batches) return false;
  await withDeadline(EVENTS_TIMEOUT_MS, Promise.all(batches.map((batch) => trials.sendBatch(batch))));
  return true;
}

/** Tells the consumer that an experiment of an MLflow client's changed. If the message is lost, the cron finds it. */
export async function sendExperiment(
  { trials, log }: Trials & { log: Log },
  id: string,
  ms = 0,
): Promise<void> {
  try {
    await withDeadline(POKE_TIMEOUT_MS, trials.send({ kind: "experiment", id }, delayOf(ms)));
  } catch (error) {
    log.warn("an experiment's message was not sent; the cron will find it", { error: errorText(error) });
  }
}

/**
 * The same of many at once.
 * @throws what the queue does
 */
export async function sendExperiments({ trials }: Trials, ids: readonly string[]): Promise<void> {
  for (const chunk of chunksOf(ids))
    await trials.sendBatch(chunk.map((id) => ({ body: { kind: "experiment", id } })));
}

/** Tells the consumer that a logged model changed. If the message is lost, the cron finds it. */
export async function sendModel({ trials, log }: Trials & { log: Log }, id: string, ms = 0): Promise<void> {
  try {
    await withDeadline(POKE_TIMEOUT_MS, trials.send({ kind: "model", id }, delayOf(ms)));
  } catch (error) {
    log.warn("a logged model's message was not sent; the cron will find it", { error: errorText(error) });
  }
}

/**
 * The same of many at once.
 * @throws what the queue does
 */
export async function sendModels({ trials }: Trials, ids: readonly string[]): Promise<void> {
  for (const chunk of chunksOf(ids))
    await trials.sendBatch(chunk.map((id) => ({ body: { kind: "model", id } })));
}

/** Has a file brought to MLflow. If the message is lost, the cron finds the file. */
export async function sendArtifact({ files, log }: Files, id: number, ms = 0): Promise<void> {
  try {
    await withDeadline(POKE_TIMEOUT_MS, files.send({ kind: "artifact", id }, delayOf(ms)));
  } catch (error) {
    log.warn("a file's message was not sent; the cron will find the file", { error: errorText(error) });
  }
}

/**
 * The same of many at once.
 * @throws what the queue does
 */
export async function sendArtifacts({ files }: Pick<Files, "files">, ids: readonly number[]): Promise<void> {
  for (const chunk of chunksOf(ids))
    await files.sendBatch(chunk.map((id) => ({ body: { kind: "artifact", id } })));
}

/** Sends a job's message; false when the queue refused it. It is not lost: the cron finds the job. */
export async function sendJob({ jobs, log }: Jobs, jobId: string, ms: number): Promise<boolean> {
  try {
    await withDeadline(JOB_TIMEOUT_MS, jobs.send({ kind: "job", jobId }, delayOf(ms)));
    return true;
  } catch (error) {
    log.warn("a job's message was not sent; the cron will find the job", {
      job: jobId,
      error: errorText(error),
    });
    return false;
  }
}

/**
 * Sends the messages of jobs at once.
 * @throws what the queue does
 */
export async function sendJobs({ jobs }: Pick<Jobs, "jobs">, ids: readonly string[]): Promise<void> {
  for (const chunk of chunksOf(ids))
    await jobs.sendBatch(chunk.map((jobId) => ({ body: { kind: "job", jobId } })));
}

/** Has runs followed, each by a message. If one is lost, the cron finds its run. */
export async function sendFollows({ jobs, log }: Jobs, runIds: readonly string[]): Promise<void> {
  try {
    for (const chunk of chunksOf(runIds))
      await jobs.sendBatch(chunk.map((runId) => ({ body: { kind: "follow", runId } })));
  } catch (error) {
    log.warn("runs' messages were not sent; the cron will find them", { error: errorText(error) });
  }
}

/** Sets the breaker's alarm clock. If the message is lost, the cron probes. */
export async function sendProbe({ trials, log }: Trials & { log: Log }, ms: number): Promise<void> {
  try {
    await trials.send({ kind: "probe" }, delayOf(ms));
  } catch {
    log.warn("the probe was not scheduled; the cron will probe");
  }
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
