import { type Resolution, resolutionOf } from "../../domain/resolution.ts";
import type { Facts, JournalEvent } from "../../domain/types.ts";
import type { Side } from "../../domain/words.ts";
import { noteDouble } from "../../store/mirror/tagged.ts";
import { lock, renewLock, unlock } from "../../store/ops/locks.ts";
import { type OpenConflict, openConflicts } from "../../store/ops/open-conflicts.ts";
import { agreeOnMlflows, isLinked, markResolved } from "../../store/ops/settle-conflicts.ts";
import type { ConflictFilter } from "../../store/views/conflicts.ts";
import { whileRenewed } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { deleteDouble } from "../follow/link-found.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";
import { RUN_STATEMENTS } from "../stream/under-lease.ts";

/** What one request resolves at most. */
export const MAX_RESOLVED = 200;
/** Two operators at once must not take opposite sides of one conflict. */
const LOCK = "resolve";
const LOCK_MS = 60_000;

/** `passes`: it may be done another time; `isAway`: when MLflow is there. */
export type Undone = { conflict: OpenConflict; reason: string; passes: boolean; isAway: boolean };

export type Resolved =
  | {
      kind: "settled";
      done: OpenConflict[];
      /** What could not be settled, and whether it may be another time. */
      undone: Undone[];
      matching: number;
      /** Those that match and that this call did not come to. */
      left: number;
    }
  /** Nothing was done, and another time it may be. */
  | { kind: "later"; detail: string };

/**
 * Settles the open conflicts that match by taking one side's value: as an event of the relay's own in the journal, which
 * is later than what it outweighs, so that the fold stays the one truth and delivery brings it to MLflow. A conflict is
 * marked as resolved only when its event was kept.
 */
export async function resolveConflicts(
  deps: Deps,
  filter: ConflictFilter,
  take: Side,
  dryRun = false,
): Promise<Resolved> {
  const token = await lock(deps.db, LOCK, LOCK_MS);
  if (token === null) return { kind: "later", detail: "Other conflicts are just being resolved." };
  try {
    return await whileRenewed(
      LOCK_MS / 3,
      () => renewLock(deps.db, LOCK, token, LOCK_MS),
      () => resolveAll(deps, filter, take, dryRun),
    );
  } finally {
    await unlock(deps.db, LOCK, token);
  }
}

async function resolveAll(
  deps: Deps,
  filter: ConflictFilter,
  take: Side,
  dryRun: boolean,
): Promise<Resolved> {
  const { rows, total } = await openConflicts(deps.db, filter, take, MAX_RESOLVED);
  const proposals = rows.map((conflict) => ({ conflict, resolution: resolutionOf(conflict, take) }));
  const undone = proposals.flatMap(({ conflict, resolution }): Undone[] =>
    resolution.kind === "refused"
      ? [{ conflict, reason: resolution.reason, passes: false, isAway: false }]
      : [],
  );
  const settled = { kind: "settled" as const, matching: total, left: total - rows.length };
  if (dryRun)
    return {
      ...settled,
      undone,
      done: rows.filter((row) => undone.every(({ conflict }) => conflict !== row)),
    };
  if (!(await say(deps, proposals, take)))
    return {
      kind: "later",
      detail: "Neither the database nor the queue took the decision; nothing was resolved.",
    };
  const deleted = await deleteDoubles(deps, proposals);
  undone.push(...deleted);
  const done = rows.filter((row) => undone.every(({ conflict }) => conflict !== row));
  await markResolved(
    deps.db,
    done.map(({ id }) => id),
    take,
    deps.now(),
  );
  return { ...settled, undone, done };
}

type Proposal = { conflict: OpenConflict; resolution: Resolution };

/** Says the chosen values in the journal; false when nothing was kept. */
async function say(deps: Deps, proposals: readonly Proposal[], take: Side): Promise<boolean> {
  const said = proposals.flatMap(({ conflict, resolution }) =>
    resolution.kind === "say" ? [{ conflict, facts: resolution.facts }] : [],
  );
  if (said.length === 0) return true;
  const { kept } = await ingest(deps, eventsOf(said, take, deps.now()));
  if (kept === "full" || kept === "nowhere") return false;
  if (take === "relay")
    await agreeOnMlflows(
      deps.db,
      said.map(({ conflict }) => conflict),
    );
  return true;
}

/** Each later than all that was said of its field, also where a trainer's clock is ahead. */
function eventsOf(
  said: readonly { conflict: OpenConflict; facts: Facts }[],
  take: Side,
  now: number,
): JournalEvent[] {
  const latest = new Map<string, number>();
  return said.map(({ conflict: { id, kind, field, stream, saidAt }, facts }) => {
    const about = JSON.stringify([stream.id, kind, field]);
    const occurredAt = Math.max(now, (saidAt ?? 0) + 1, (latest.get(about) ?? 0) + 1);
    latest.set(about, occurredAt);
    const eventId = `relay:resolve:${id}:${take}:${now}`;
    return relayEvent(stream, {
      type: "relay.resolve",
      id: eventId,
      facts,
      acceptedAt: now,
      occurredAt,
    });
  });
}

/** Deletes the second runs of trials in MLflow; the answer is what was not done. */
async function deleteDoubles(deps: Deps, proposals: readonly Proposal[]): Promise<Undone[]> {
  const undone: Undone[] = [];
  for (const { conflict, resolution } of proposals) {
    if (resolution.kind !== "delete_run") continue;
    // An MLflow that is away is not asked again for each of the others.
    const away = undone.find(({ isAway }) => isAway);
    const problem =
      away ??
      (deps.budget.has(RUN_STATEMENTS)
        ? await deleteOne(deps, conflict, resolution.runId)
        : {
            reason: "One request does not do more; it can be asked for again.",
            passes: true,
            isAway: false,
          });
    if (problem !== null) undone.push({ ...problem, conflict });
  }
  return undone;
}

type Problem = Omit<Undone, "conflict">;

async function deleteOne(deps: Deps, { stream }: OpenConflict, runId: string): Promise<Problem | null> {
  const lasts = (reason: string) => ({ reason, passes: false, isAway: false });
  if (stream.mlflowRunId === null) return lasts("It has no run of its own in MLflow now.");
  if (await isLinked(deps.db, runId)) return lasts(`MLflow run ${runId} is a trial's own run now.`);
  const deleted = await deleteDouble(deps, stream.id, stream.mlflowRunId, runId);
  if (deleted === "busy") return { reason: "Delivery is just at work on it.", passes: true, isAway: false };
  if (typeof deleted === "object") {
    const isAway = deleted.kind !== "invalid";
    return { reason: `MLflow did not delete run ${runId}: ${deleted.message}`, passes: isAway, isAway };
  }
  await noteDouble(deps.db, runId, stream.id, true, deps.now());
  return null;
}
