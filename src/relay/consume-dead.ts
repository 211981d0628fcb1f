import { errorText } from "../log.ts";
import { bury } from "../store/delivery/dead-letters.ts";
import type { Deps } from "./deps.ts";
import { buryEvents } from "./intake/bury-event.ts";
import { AGAIN_MS, NOT_UNDERSTOOD } from "./intake/sent-round.ts";
import { artifactMessage, jobMessage, pokeMessage, type RelayMessage, readMessage } from "./messages.ts";
import { putOff } from "./put-off.ts";
import { enqueue, tryEnqueue } from "./queues.ts";

/** A stream, a job or a file whose messages failed so often is left in peace for a while. */
const PEACE_MS = 60_000;

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
      putOff([message]);
    }
  }
}

async function revive(deps: Deps, body: unknown): Promise<void> {
  const message = readMessage(body);
  if (message?.kind === "journal") {
    const { events, strange } = message;
    await buryEvents(
      deps,
      strange.map((event) => ({ event, reason: NOT_UNDERSTOOD })),
    );
    if (events.length > 0) await enqueue(deps, { kind: "journal", events }, AGAIN_MS);
    return;
  }
  if (message?.kind === "job") {
    await tryEnqueue(deps, jobMessage(message.jobId), PEACE_MS);
    return;
  }
  // The cron finds its run.
  if (message?.kind === "follow") return;
  if (message?.kind === "artifact") {
    await tryEnqueue(deps, artifactMessage(message.id), PEACE_MS);
    return;
  }
  const streamId = message?.kind === "poke" ? message.streamId : null;
  await bury(deps.db, {
    streamId,
    kind: "message",
    item: JSON.stringify(body ?? null),
    reason: "the message failed more often than the queue retries",
    createdAt: deps.now(),
  });
  if (streamId !== null) await enqueue(deps, pokeMessage(streamId), PEACE_MS);
}
