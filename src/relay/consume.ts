import { shown } from "../domain/shown.ts";
import { errorText } from "../log.ts";
import { isOutOfStatements } from "../store/database/budget.ts";
import { handOver } from "./artifacts/hand-over.ts";
import { deliverExperiment } from "./delivery/deliver-experiment.ts";
import { deliverModel } from "./delivery/deliver-model.ts";
import { type Company, companyOf, drive } from "./delivery/drive.ts";
import { type Deps, flushTally, onShare } from "./deps.ts";
import { followRun } from "./follow/follow.ts";
import { keepSent } from "./intake/sent-round.ts";
import { runJob } from "./jobs/jobs.ts";
import { probe } from "./line/breaker.ts";
import { pokeMessage, type RelayMessage, readMessage } from "./messages.ts";
import { enqueue, enqueueAgain } from "./queues.ts";
import { wake } from "./stream/wake.ts";

/** A Worker has six connections at once; more calls would wait for one, with their timeouts running. */
const MAX_PARALLEL = 6;
/** Where one may call at a time another gets ready meanwhile, so that MLflow need not wait for the database. */
const MIN_IN_HAND = 2;
/** A trouble that passes is over soon; one that lasts is left alone for longer. */
const FIRST_RETRY_SECONDS = 2;
const RETRY_DELAY_SECONDS = 15;
/** What each message has for certain: a turn's first steps, or a share of a job. */
const MESSAGE_STATEMENTS = 130;
/** What an invocation did not suffice for, though it was begun. */
const LEFT_DELAY_SECONDS = 1;

/**
 * Handles a queue's messages, a few at once, as many as the invocation can: none is begun that may not have what it
 * needs. Every message is marked by itself, and nothing is thrown.
 */
export async function consume(deps: Deps, messages: readonly Message<RelayMessage>[]): Promise<void> {
  const waiting = [...messages];
  const company = companyOf(deps);
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
        await handle(onShare(deps, share), message.body, message.attempts, company);
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
  const inHand = Math.min(MAX_PARALLEL, Math.max(MIN_IN_HAND, deps.config.maxConcurrentCalls));
  await Promise.all(Array.from({ length: Math.min(inHand, messages.length) }, worker));
  if (deps.tally.isDue(deps.now())) await flushTally(deps);
}

/** Leaves a message to another invocation, as a new one: a retry would count towards the dead letters, and nothing failed. */
async function leave(deps: Deps, message: Message<RelayMessage>, delaySeconds: number): Promise<void> {
  try {
    await enqueueAgain(deps, message.body, delaySeconds * 1000);
    message.ack();
  } catch (error) {
    const kind = readMessage(message.body)?.kind;
    deps.log.warn("a message that was left comes again", { kind, error: errorText(error) });
    message.retry({ delaySeconds });
  }
}

async function handle(deps: Deps, body: unknown, attempts: number, company: Company): Promise<void> {
  const message = readMessage(body);
  // Of another build, which runs beside this one or was rolled back: it comes again, and is recorded in the end.
  if (!message) throw new Error(`a message of a kind that is not known: ${shown(body)}`);
  switch (message.kind) {
    case "poke":
      return poke(deps, message.streamId, attempts, company);
    case "journal":
      return keepSent(deps, message);
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

/** A turn with a stream, and the next message for what it left. */
async function poke(deps: Deps, streamId: number, attempts: number, company: Company): Promise<void> {
  const driven = await drive(deps, streamId, company);
  if ("busy" in driven) {
    // The holder pokes on release if there is more. A message that comes again hints that its first reader died.
    if (attempts > 1) await enqueue(deps, pokeMessage(streamId), driven.busy);
    return;
  }
  if (driven.poke !== null) await enqueue(deps, pokeMessage(streamId), driven.poke);
}
