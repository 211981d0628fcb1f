import type { Delivery } from "../../answers/parts.ts";

/** A word with a dot whose colour says what kind of word it is; nothing is said by colour alone. */

const KIND: Readonly<Record<string, string>> = {
  running: "active",
  initialized: "active",
  RUNNING: "active",
  SCHEDULED: "waiting",
  succeeded: "good",
  FINISHED: "good",
  synced: "good",
  failed: "bad",
  FAILED: "bad",
  blocked: "bad",
  waiting: "waiting",
  pending: "waiting",
  deleted: "bad",
  open: "waiting",
  queued: "waiting",
  closed: "good",
  active: "good",
};

/** A status of a trial, a model run, a run, a job, or of delivery. */
export function Badge({ word, title }: { word: string; title?: string | undefined }) {
  return (
    <span class={`badge ${KIND[word] ?? "over"}`} title={title}>
      {word.toLowerCase()}
    </span>
  );
}

type Way = Pick<Delivery, "sync_state" | "waiting_for" | "blocked_reason" | "last_error">;

/** How far something is on its way to MLflow, with the reason where it does not go on. */
export function DeliveryBadge({ of }: { of: Way }) {
  const why =
    of.blocked_reason ??
    (of.sync_state === "waiting" ? `for ${of.waiting_for}: ${of.last_error ?? ""}` : undefined);
  return <Badge word={of.sync_state} title={why} />;
}
