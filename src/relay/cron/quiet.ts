import type { QuietStatus } from "../../domain/facts-schema.ts";
import type { JournalEvent, RelayEventType } from "../../domain/types.ts";
import { doubtfullyEnded, orphanedTrials, type Silent, silentTrials } from "../../store/journal/quiet.ts";
import type { Deps } from "../deps.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";

const MAX_FOUND = 500;
/** How long a trial may outlive its model run, or an end that may be its own, in silence, where no silence is set. */
const GRACE_MS = 10 * 60_000;

const AS: Record<"leave" | "fail" | "kill", QuietStatus> = {
  leave: "left",
  fail: "failed",
  kill: "cancelled",
};

/**
 * Marks trials whose trainer fell silent. The finding is an event of the relay's own in the trial's journal; whatever
 * the trainer says that it did not know of outweighs it, in whatever order the two are accepted. Where the trainer's
 * last word was an end of which only its clock says that it is from before a resume, that end stands by it, whatever
 * the policy.
 * @returns how many were found
 */
export async function findQuiet(deps: Deps): Promise<number> {
  const { afterMs, policy } = deps.config.quiet;
  const ended = await doubtfullyEnded(deps.db, deps.now() - (afterMs || GRACE_MS), MAX_FOUND);
  const found = await say(deps, ended, "relay.trial.quiet", "left");
  if (afterMs === 0) return found;
  const silent = await silentTrials(deps.db, deps.now() - afterMs, MAX_FOUND);
  return found + (await say(deps, silent, "relay.trial.quiet", AS[policy]));
}

/**
 * Closes trials that still run, in silence, after their model run ended. Like any silent trial such a one is back when
 * it is heard, and its own later end stands.
 * @returns how many were closed
 */
export async function closeOrphans(deps: Deps): Promise<number> {
  if (deps.config.orphans === "leave") return 0;
  const now = deps.now();
  const graceMs = deps.config.quiet.afterMs || GRACE_MS;
  const orphaned = await orphanedTrials(deps.db, now - graceMs, now, MAX_FOUND);
  return say(deps, orphaned, "relay.trial.orphaned", "cancelled");
}

async function say(
  deps: Deps,
  silent: readonly Silent[],
  type: RelayEventType,
  as: QuietStatus,
): Promise<number> {
  if (silent.length === 0) return 0;
  const ingested = await ingest(
    deps,
    silent.map((trial) => finding(trial, type, as, deps.now())),
  );
  return ingested.kept === "journal"
    ? ingested.outcomes.filter((outcome) => outcome.kind === "accepted").length
    : 0;
}

/** Of one state of a trial there is one finding of a kind, however often it is made. */
function finding(trial: Silent, type: RelayEventType, as: QuietStatus, acceptedAt: number): JournalEvent {
  const { heardAt, lastSeq } = trial;
  return relayEvent(
    { ...trial, kind: "trial" },
    {
      type,
      id: `${type}:${lastSeq}`,
      facts: { quiet: { heardAt, as }, over: lastSeq },
      acceptedAt,
      occurredAt: heardAt,
    },
  );
}
