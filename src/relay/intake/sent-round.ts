import type { JournalEvent } from "../../domain/types.ts";
import { type JournalOutcome, journalEach } from "../../store/journal/each.ts";
import type { Deps } from "../deps.ts";
import { enqueue, sendPokes } from "../queues.ts";
import { buryEvents } from "./bury-event.ts";
import { countOutcomes } from "./ingest.ts";

/** Why an event that no build understood for so long is a dead letter. */
export const NOT_UNDERSTOOD = "an event that this build does not understand";
/** How soon what another build understands, or the database refused, comes again. */
export const AGAIN_MS = 15_000;

/** `strange`: events of another build's. */
type Sent = { events: readonly JournalEvent[]; strange: readonly unknown[] };

/**
 * Journals events that went round by the queue. They were acknowledged: one that the journal will never take is a
 * dead letter, and takes nobody else down; one of another build's comes again by itself.
 */
export async function keepSent(deps: Deps, { events, strange }: Sent): Promise<void> {
  if (events.length === 0 && strange.length > 0) throw new Error(NOT_UNDERSTOOD);
  const { outcomes, pokes } = await journalEach(deps, events, deps.now());
  const decided = outcomes.filter((outcome) => outcome !== null);
  countOutcomes(deps, decided);
  const refused = decided.flatMap((outcome, i) => {
    const event = events[i];
    const reason = whyNever(outcome);
    return event && reason !== null ? [{ event, reason }] : [];
  });
  for (const { event, reason } of refused)
    deps.log.error("the journal will never take an event; it is a dead letter", {
      event_id: event.id,
      reason,
    });
  await buryEvents(deps, refused);
  const left = events.slice(decided.length);
  // Where this invocation could decide on none of them, the next one has fewer to try.
  const half = decided.length > 0 ? left.length : Math.ceil(left.length / 2);
  for (const part of [left.slice(0, half), left.slice(half)])
    if (part.length > 0) await enqueue(deps, { kind: "journal", events: part });
  if (strange.length > 0) await enqueue(deps, { kind: "journal", events: strange }, AGAIN_MS);
  await sendPokes(deps, pokes);
}

/** Why an event is in the journal neither now nor ever; null where it is. Who sent it was told that it was kept. */
function whyNever(outcome: JournalOutcome): string | null {
  if (outcome.kind === "refused") return outcome.reason;
  return outcome.kind === "conflict" ? "its event_id was used before with another body" : null;
}
