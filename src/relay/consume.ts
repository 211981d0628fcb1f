import { shown } from "../domain/shown.ts";
import type { JournalEvent } from "../domain/types.ts";
import { errorText } from "../log.ts";
import { isOutOfStatements } from "../store/database/budget.ts";
import { bury } from "../store/delivery/dead-letters.ts";
import { journalEach } from "../store/journal/each.ts";
import { handOver } from "./artifacts/hand-over.ts";
import { deliverExperiment } from "./delivery/deliver-experiment.ts";
import { deliverModel } from "./delivery/deliver-model.ts";
import { drive } from "./delivery/drive.ts";
import { type Deps, flushTally, onShare } from "./deps.ts";
import { followRun } from "./follow/follow.ts";
import { buryEvent } from "./intake/bury-event.ts";
import { countOutcomes } from "./intake/ingest.ts";
import { runJob } from "./jobs/jobs.ts";
import { probe } from "./line/breaker.ts";
import { Looks } from "./merge/looks.ts";
import { delayOf, type RelayMessage, readMessage, sendArtifact, sendJob, sendPokes } from "./messages.ts";
import { wake } from "./stream/wake.ts";

/** A Worker has six connections at once; more calls would wait for one, with their timeouts running. */
const MAX_PARALLEL = 6;
/** A trouble that passes is over soon; one that lasts is left alone for longer. */
const FIRST_RETRY_SECONDS = 2;
const RETRY_DELAY_SECONDS = 15;
/** What each message has for certain: a turn's first steps, or a share of a job. */
const MESSAGE_STATEMENTS = 130;
/** What an invocation did not suffice for, though it was begun. */
const LEFT_DELAY_SECONDS = 1;
/** A trial whose pokes failed so often is left in peace for a while. */
const DEAD_POKE_SECONDS = 60;
const MAX_DEAD_RETRY_SECONDS = 3_600;

const NOT_UNDERSTOOD = "an event that this build does not understand";

/**
 * Handles a queue's messages, a few at once, as many as the invocation can: none is begun that may not have what it
 * needs. Every message is marked by itself, and nothing is thrown.
 */
export async function consume(deps: Deps, messages: readonly Message<RelayMessage>[]): Promise<void> {
  const waiting = [...messages];
  const looks = new Looks(deps);
  const leaveRest = async () => {
    for (const message of waiting.splice(0)) await leave(deps, message, 0);
  };
  const worker = async () => {
    for (;;) {
      // Another invocation may begin them while this one is still at work on what it has.
      if (!deps.budget.has(MESSAGE_STATEMENTS)) await leaveRest();
      const message = waiting.shift();
      if (!message) return;
      const share = deps.budget.share(MESSAGE_STATEMENTS);
      try {
        await handle(onShare(deps, share), message.body, message.attempts, looks);
        message.ack();
      } catch (error) {
        if (isOutOfStatements(error)) {
          await leave(deps, message, LEFT_DELAY_SECONDS);
          continue;
        }
        deps.log.error("a queue message failed and will come again", {
          kind: readMessage(message.body)?.kind,
          error: errorText(error),
        });
        message.retry({
          delaySeconds: message.attempts === 1 ? FIRST_RETRY_SECONDS : RETRY_DELAY_SECONDS,
        });
      } finally {
        share.close();
      }
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(MAX_PARALLEL, deps.config.maxConcurrentCalls, messages.length) }, worker),
  );
  if (deps.tally.isDue(deps.now())) await flushTally(deps);
}

/** Leaves a message to another invocation, as a new one: a retry would count towards the dead letters, and nothing failed. */
async function leave(deps: Deps, message: Message<RelayMessage>, delaySeconds: number): Promise<void> {
  const { body } = message;
  const options = { delaySeconds };
  const kind = readMessage(body)?.kind;
  try {
    await queueOf(deps, kind).send(body, options);
    message.ack();
  } catch (error) {
    deps.log.warn("a message that was left comes again", { kind, error: errorText(error) });
    message.retry(options);
  }
}

function queueOf({ trials, jobs, files }: Deps, kind: RelayMessage["kind"] | undefined): Queue<RelayMessage> {
  if (kind === "job" || kind === "follow") return jobs;
  return kind === "artifact" ? files : trials;
}

async function handle(deps: Deps, body: unknown, attempts: number, looks: Looks): Promise<void> {
  const message = readMessage(body);
  // Of another build, which runs beside this one or was rolled back: it comes again, and is recorded in the end.
  if (!message) throw new Error(`a message of a kind that is not known: ${shown(body)}`);
  switch (message.kind) {
    case "poke":
      return poke(deps, message.streamId, attempts, looks);
    case "journal":
      return keep(deps, message);
    case "experiment":
      await deliverExperiment(deps, message.id);
      return;
    case "model":
      return deliverModel(deps, message.id);
    case "probe":
      if ((await probe(deps)) === "closed") await wake(deps);
      return;
    case "artifact":
      return handOver(deps, message.id);
    case "job":
      return runJob(deps, message.jobId, attempts);
    case "follow":
      return followRun(deps, message.runId);
  }
}

type Keepable = { events: readonly JournalEvent[]; strange: readonly unknown[] };

/**
 * Journals events that went round by the queue. They were acknowledged: one that the database will never take is a
 * dead letter, and takes nobody else down; one of another build's comes again by itself.
 */
async function keep(deps: Deps, { events, strange }: Keepable): Promise<void> {
  if (events.length === 0 && strange.length > 0) throw new Error(NOT_UNDERSTOOD);
  const { outcomes, pokes } = await journalEach(deps, events, deps.now());
  const settled = outcomes.filter((outcome) => outcome !== null);
  countOutcomes(deps, settled);
  for (const [i, outcome] of settled.entries()) {
    const event = events[i];
    if (outcome.kind !== "refused" || !event) continue;
    deps.log.error("the database will never take an event; it is a dead letter", {
      event_id: event.id,
      reason: outcome.reason,
    });
    await buryEvent(deps, event, outcome.reason);
  }
  const left = events.slice(settled.length);
  // Where this invocation could settle none of them, the next one has fewer to try.
  const half = settled.length > 0 ? left.length : Math.ceil(left.length / 2);
  for (const part of [left.slice(0, half), left.slice(half)])
    if (part.length > 0) await deps.trials.send({ kind: "journal", events: part });
  if (strange.length > 0)
    await deps.trials.send({ kind: "journal", events: strange }, { delaySeconds: RETRY_DELAY_SECONDS });
  await sendPokes(deps, pokes);
}

/** A turn with a stream, and the next message for what it left. */
async function poke(deps: Deps, streamId: number, attempts: number, looks: Looks): Promise<void> {
  const driven = await drive(deps, streamId, looks);
  if ("busy" in driven) {
    // The holder pokes on release if there is more. A message that comes again hints that its first reader died.
    if (attempts > 1) await deps.trials.send({ kind: "poke", streamId }, delayOf(driven.busy));
    return;
  }
  if (driven.poke !== null) await deps.trials.send({ kind: "poke", streamId }, delayOf(driven.poke));
}

/**
 * The dead-letter queues. Events that the database refused so often go round again, for they were acknowledged, and so
 * does a job, which is its own record; a poke is recorded, and its trial is driven again. What no build understood for
 * so long is recorded.
 */
export async function consumeDead(deps: Deps, messages: readonly Message<RelayMessage>[]): Promise<void> {
  for (const message of messages) {
    try {
      await revive(deps, message.body);
      message.ack();
    } catch (error) {
      deps.log.error("a dead message could not be settled and will come again", { error: errorText(error) });
      message.retry({ delaySeconds: deadRetrySeconds(message.attempts) });
    }
  }
}

async function revive(deps: Deps, body: unknown): Promise<void> {
  const message = readMessage(body);
  if (message?.kind === "journal") {
    const { events, strange } = message;
    for (const event of strange) await buryEvent(deps, event, NOT_UNDERSTOOD);
    if (events.length > 0)
      await deps.trials.send({ kind: "journal", events }, { delaySeconds: RETRY_DELAY_SECONDS });
    return;
  }
  if (message?.kind === "job") {
    await sendJob(deps, message.jobId, DEAD_POKE_SECONDS * 1000);
    return;
  }
  // The cron finds its run.
  if (message?.kind === "follow") return;
  if (message?.kind === "artifact") return sendArtifact(deps, message.id, DEAD_POKE_SECONDS * 1000);
  const streamId = message?.kind === "poke" ? message.streamId : null;
  await bury(deps.db, {
    streamId,
    kind: "message",
    item: JSON.stringify(body ?? null),
    reason: "the message failed more often than the queue retries",
    createdAt: deps.now(),
  });
  if (streamId !== null)
    await deps.trials.send({ kind: "poke", streamId }, { delaySeconds: DEAD_POKE_SECONDS });
}

/** Longer and longer: the tries of the last queue of all must outlast an outage of database and queue at once. */
function deadRetrySeconds(attempts: number): number {
  return Math.min(MAX_DEAD_RETRY_SECONDS, RETRY_DELAY_SECONDS * 2 ** Math.min(attempts, 20));
}
