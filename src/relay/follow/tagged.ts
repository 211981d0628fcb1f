import { type Counts, count } from "../../domain/counts.ts";
import { streamIdentity } from "../../domain/types.ts";
import type { Failure } from "../../mlflow/failure.ts";
import type { Run } from "../../mlflow/types.ts";
import { isForgotten } from "../../store/delivery/blocked.ts";
import { hasRefusedRun, recordConflicts } from "../../store/mirror/conflicts.ts";
import { markToFollow } from "../../store/mirror/marks.ts";
import {
  type Claimant,
  claimants,
  deletedTagged,
  freeTagged,
  noteDouble,
  repairLink,
  settleDouble,
  type Tagged,
  unlinkedRunOf,
} from "../../store/mirror/tagged.ts";
import { lookAtTagged } from "../delivery/tagged-run.ts";
import type { Deps } from "../deps.ts";
import { digest } from "../intake/identify.ts";
import { heard } from "../line/breaker.ts";
import { deleteSpare, linkFound } from "./link-found.ts";
import { countPulled, pullStream } from "./pull.ts";

/** A run with Thunderline's tags, and the trial or model run that they name. */
type Found = { run: Tagged; stream: Claimant };

/** Which runs with Thunderline's tags are to be linked to the trials and model runs that have none, or are a second one. */
export async function runsToLink(deps: Deps, runs: readonly Run[]): Promise<string[]> {
  const ids = runs.map(({ info }) => info.runId);
  return (await claimed(deps, ids)).map(({ run }) => run.runId);
}

/**
 * Links such a run, unless an older one is there for its trial; a second run of one that has its own is reported, and by
 * policy deleted if it adds nothing. A run that a trial had before, until an operator had it made anew, is neither
 * (`startAnew`).
 * @param counts is added to
 * @returns whether nothing is left to do
 */
export async function linkTagged(deps: Deps, runId: string, counts: Counts): Promise<boolean> {
  const isOver = await linkOrReport(deps, runId, counts);
  // What its trial had, or the mirror, was not as it was known: looked at once more, the next may be this one.
  return isOver ?? (await linkOrReport(deps, runId, counts)) ?? false;
}

/** @returns null where something else was found than was known */
async function linkOrReport(deps: Deps, runId: string, counts: Counts): Promise<boolean | null> {
  const [found] = await claimed(deps, [runId]);
  if (!found) {
    await settleDeleted(deps, runId);
    return true;
  }
  const { run, stream } = found;
  return stream.mlflowRunId === null
    ? linkOne(deps, run, stream, counts)
    : reportOther(deps, run, { ...stream, mlflowRunId: stream.mlflowRunId }, counts);
}

async function claimed(deps: Deps, runIds: readonly string[]): Promise<Found[]> {
  const tagged = await freeTagged(deps.db, runIds);
  if (tagged.length === 0) return [];
  const keys = await Promise.all(tagged.map((run) => digest(streamIdentity(run.modelRunId, run.trialId))));
  const streams = await claimants(deps.db, keys);
  return tagged.flatMap((run, i) => {
    const stream = streams.get(keys[i] ?? "");
    return stream && concerns(deps, run, stream) ? [{ run, stream }] : [];
  });
}

/** Whether the stream is to have anything to do with this run. */
function concerns({ config }: Deps, run: Tagged, stream: Claimant): boolean {
  if (isForgotten(stream)) return false;
  // Its own create call may have made this run: delivery finds that out.
  if (stream.mlflowRunId === null && stream.createSentAt !== null) return false;
  if (stream.requestedRunId !== null && stream.mlflowRunId === null)
    return stream.requestedRunId === run.runId;
  return run.trialId !== null || config.parentRuns;
}

/** Links the oldest of the stream's runs, which may be another one than this, seen on an earlier page. */
async function linkOne(deps: Deps, run: Tagged, stream: Claimant, counts: Counts): Promise<boolean | null> {
  if (await hasRefusedRun(deps.db, stream.id, run.runId)) return true;
  const oldest = stream.requestedRunId ?? (await unlinkedRunOf(deps.db, stream.id)) ?? run.runId;
  // Whoever links it may end before it is merged, and no look may have marked it.
  if (oldest !== run.runId) await markToFollow(deps.db, [oldest]);
  const linked = await linkFound(deps, stream.id, oldest);
  switch (linked.kind) {
    case "busy":
      count(counts, "skipped_busy");
      return false;
    case "not needed":
      return null;
    case "failed":
      return failed(deps, counts, linked.failure, stream.id);
    case "linked": {
      count(counts, "linked");
      const isOver = countPulled(deps, counts, await pullStream(deps, stream.id, linked.run), stream.id);
      if (oldest === run.runId || !isOver) return isOver;
      return reportOther(deps, run, { ...stream, mlflowRunId: oldest, lifecycleStage: "active" }, counts);
    }
  }
}

/**
 * A run of a stream that has one already: the same one, or a second.
 * @returns null where it is not the stream's any more
 */
async function reportOther(
  deps: Deps,
  run: Tagged,
  stream: Claimant & { mlflowRunId: string },
  counts: Counts,
): Promise<boolean | null> {
  if (stream.mlflowRunId === run.runId) {
    await repairLink(deps.db, run.runId, stream.id);
    // What was edited before the mirror knew whose it is was never compared.
    return countPulled(deps, counts, await pullStream(deps, stream.id, null), stream.id);
  }
  const found = await lookAtTagged(deps, run.runId, run, () => deps.mlflow.getRun(run.runId));
  if (!found.ok) return failed(deps, counts, found.failure, stream.id);
  if (found.value === null) return null;
  await recordConflicts(deps.db, [
    {
      streamId: stream.id,
      kind: "double_run",
      field: "mlflow_run_id",
      kept: stream.mlflowRunId,
      refused: run.runId,
      relayValue: stream.mlflowRunId,
      mlflowValue: run.runId,
      source: "mlflow",
      createdAt: deps.now(),
    },
  ]);
  // Where the linked run is deleted, the other may be all that is left.
  const deletes = deps.config.doubleRuns === "delete" && stream.lifecycleStage === "active";
  const deleted = deletes ? await deleteSpare(deps, stream.id, stream.mlflowRunId, run.runId) : "left";
  if (deleted === "busy") {
    count(counts, "skipped_busy");
    return false;
  }
  if (typeof deleted === "object") return failed(deps, counts, deleted, stream.id);
  await noteDouble(deps.db, run.runId, stream.id, deleted === "deleted", deps.now());
  count(counts, "doubles");
  if (deleted === "deleted") count(counts, "doubles_deleted");
  return true;
}

/** A second run that was deleted leaves no conflict open, though nobody heard that it was. */
async function settleDeleted({ db, now }: Deps, runId: string): Promise<void> {
  const run = await deletedTagged(db, runId);
  if (!run) return;
  const key = await digest(streamIdentity(run.modelRunId, run.trialId));
  const stream = (await claimants(db, [key])).get(key);
  if (stream) await settleDouble(db, runId, stream.id, now());
}

/** It is tried again, whatever it was. */
async function failed(deps: Deps, counts: Counts, failure: Failure, streamId: number): Promise<boolean> {
  await heard(deps, failure);
  return countPulled(deps, counts, { kind: "failed", failure }, streamId);
}
