import { type Merged, merge, type Sides } from "../../domain/merge.ts";
import type { JournalEvent } from "../../domain/types.ts";
import type { Run } from "../../mlflow/types.ts";
import {
  agree,
  agreeing,
  agreeingOnState,
  readSides,
  type StoredSides,
} from "../../store/delivery/agreed.ts";
import { type Conflict, recordConflicts } from "../../store/mirror/conflicts.ts";
import { markTakenOver } from "../../store/mirror/marks.ts";
import type { Deps } from "../deps.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";
import { confirm } from "../stream/confirm.ts";
import { foldStream } from "../stream/fold.ts";
import { stop } from "../stream/stop.ts";
import { RETRY_SOON_MS, type Step, type Turn, waitFree } from "../stream/turn.ts";
import { agreedTags, sentAfter, sidesOf, type Taken, takenOf } from "./run-sides.ts";

/** A run as both sides have it, and what a merge of them comes to. Changes nothing. */
export function mergeOf(
  { config, now }: Pick<Deps, "config" | "now">,
  stored: StoredSides,
  run: Run,
): { sides: Sides; merged: Merged } {
  const sides = sidesOf(stored, run);
  return { sides, merged: merge(sides, config.merge, now()) };
}

/** What both sides changed, as it is recorded. */
export function conflictsOf(streamId: number, { conflicts }: Merged, createdAt: number): Conflict[] {
  return conflicts.map(({ kind, field, base, relay, mlflow, decision }) => {
    const [kept, refused] = decision === "relay" ? [relay, mlflow] : [mlflow, relay];
    const values = { base, relayValue: relay, mlflowValue: mlflow, decision };
    return { streamId, kind, field, kept, refused: refused ?? "", ...values, source: "mlflow", createdAt };
  });
}

/**
 * Merges the run as MLflow shows it into the stream, under the stream's lease. What is accepted from MLflow becomes an
 * event in the journal, so that the fold stays the one truth; what both changed is recorded. What the relay has to
 * say is left to delivery.
 * @returns how many fields were accepted, and how many conflicts are news
 */
export async function mergeRun(turn: Turn, run: Run): Promise<Step<{ accepted: number; conflicts: number }>> {
  const { deps, lease } = turn;
  // What MLflow never heard of would be taken for taken back there.
  const confirmed = await confirm(turn, run);
  if (!confirmed.ok) return confirmed;
  const folded = await foldStream(deps, turn.stream);
  turn.stream = { ...turn.stream, foldedSeq: folded.foldedSeq };
  // What is not folded yet may be what an edit meets.
  if (folded.more) return { ok: false, end: { kind: "more" } };
  const stored = await readSides(deps.db, turn.stream.id);
  if (!stored) return { ok: true, value: { accepted: 0, conflicts: 0 } };
  // Another may have written to the run since it was seen: what it did would be taken for MLflow's own.
  if (stored.stream.leaseToken !== lease.token) return stop(turn, null);
  const { sides, merged } = mergeOf(deps, stored, run);
  const conflicts = await recordConflicts(deps.db, conflictsOf(turn.stream.id, merged, deps.now()));
  const known = { core: stored.core, over: stored.stream.foldedSeq, seenAt: deps.now() };
  const events = takenOf(sides, merged, deps.config.merge, known).map((taken) => eventOf(turn, taken));
  const agreement = { tags: agreedTags(sides, merged), params: merged.accepted.params };
  const sentState = JSON.stringify(sentAfter(stored.sent, sides, merged));
  if (events.length > 0) {
    const mark = markTakenOver(deps.db, lease, run.info.runId, deps.now());
    if (!(await turn.update({}, [mark]))) return stop(turn, null);
    // In one transaction: what was accepted and not agreed on would pass for the relay's own word, which MLflow has yet to hear.
    const agreed = [...agreeing(deps.db, lease, agreement), agreeingOnState(deps.db, lease, sentState)];
    const ingested = await ingest(deps, events, agreed);
    if (ingested.kept !== "journal")
      return waitFree(RETRY_SOON_MS, "the journal did not take MLflow's changes");
    const refolded = await foldStream(deps, turn.stream);
    turn.stream = { ...turn.stream, foldedSeq: refolded.foldedSeq };
  } else await agree(deps.db, lease, agreement);
  if (sentState !== JSON.stringify(stored.sent) && !(await turn.update({ sentState })))
    return stop(turn, null);
  const { name, status, tags, params } = merged.accepted;
  const accepted = tags.size + params.size + Number(name !== null) + Number(status !== null);
  return { ok: true, value: { accepted, conflicts } };
}

function eventOf({ stream, deps }: Turn, { facts, occurredAt }: Taken): JournalEvent {
  const id = `relay:mlflow:${crypto.randomUUID()}`;
  return relayEvent(stream, { type: "relay.mlflow", id, facts, acceptedAt: deps.now(), occurredAt });
}
