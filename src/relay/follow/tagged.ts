import { streamIdentity } from "../../domain/types.ts";
import type { Run } from "../../mlflow/types.ts";
import { isForgotten } from "../../store/delivery/blocked.ts";
import { hasRefusedRun, recordConflicts } from "../../store/mirror/conflicts.ts";
import {
  type Claimant,
  claimants,
  freeTagged,
  noteDouble,
  repairLink,
  type Tagged,
  unlinkedRunOf,
} from "../../store/mirror/tagged.ts";
import type { Deps } from "../deps.ts";
import { digest } from "../intake/identify.ts";
import { heard } from "../line/breaker.ts";
import {
  type Counts,
  count,
  countPulled,
  type Helping,
  type HelpingOutcome,
  handle,
  passed,
  takes,
  threw,
} from "./helping.ts";
import { deleteSpare, linkFound } from "./link-found.ts";
import { pullStream } from "./pull.ts";

/**
 * Links runs with Thunderline's tags to the trials and model runs that have none, the oldest run first; a second run
 * of one that has its own is reported, and by policy deleted if it adds nothing. A run that a trial had before, until
 * an operator had it made anew, is neither (`startAnew`).
 */
export async function linkTagged(
  deps: Deps,
  runs: readonly Run[],
  helping: Helping,
  counts: Counts,
): Promise<HelpingOutcome> {
  const tagged = await freeTagged(
    deps.db,
    runs.map((run) => run.info.runId),
  );
  if (tagged.length === 0) return { kind: "done" };
  const keys = await Promise.all(tagged.map((run) => digest(streamIdentity(run.modelRunId, run.trialId))));
  const streams = await claimants(deps.db, keys);
  for (const [i, run] of tagged.entries()) {
    const stream = streams.get(keys[i] ?? "");
    if (!stream || helping.handled.has(run.runId) || !concerns(deps, run, stream)) continue;
    if (!takes(deps, helping)) return { kind: "more" };
    const outcome = await linkOrReport(deps, run, stream, helping, counts);
    if (outcome.kind === "more") return outcome;
    handle(helping, run.runId);
    if (outcome.kind === "failed") return outcome;
  }
  return { kind: "done" };
}

async function linkOrReport(
  deps: Deps,
  run: Tagged,
  stream: Claimant,
  helping: Helping,
  counts: Counts,
): Promise<HelpingOutcome> {
  try {
    return stream.mlflowRunId === null
      ? await linkOne(deps, run, stream, counts)
      : await reportOther(deps, run, { ...stream, mlflowRunId: stream.mlflowRunId }, counts);
  } catch (error) {
    return threw(deps, helping, counts, error, stream.id);
  }
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
async function linkOne(deps: Deps, run: Tagged, stream: Claimant, counts: Counts): Promise<HelpingOutcome> {
  if (await hasRefusedRun(deps.db, stream.id, run.runId)) return { kind: "done" };
  const oldest = stream.requestedRunId ?? (await unlinkedRunOf(deps.db, stream.id)) ?? run.runId;
  const linked = await linkFound(deps, stream.id, oldest);
  switch (linked.kind) {
    case "busy":
      count(counts, "skipped_busy");
      return { kind: "done" };
    case "not needed":
      return { kind: "done" };
    case "failed":
      await heard(deps, linked.failure);
      return passed(deps, counts, linked.failure, stream.id);
    case "linked": {
      // For the other runs of this page that are the same trial's.
      stream.mlflowRunId = oldest;
      stream.lifecycleStage = "active";
      count(counts, "linked");
      const pulled = await pullStream(deps, stream.id, linked.run);
      countPulled(counts, pulled);
      if (pulled.kind === "failed") return passed(deps, counts, pulled.failure, stream.id);
      return oldest === run.runId
        ? { kind: "done" }
        : reportOther(deps, run, { ...stream, mlflowRunId: oldest }, counts);
    }
  }
}

/** A run of a stream that has one already: the same one, or a second. */
async function reportOther(
  deps: Deps,
  run: Tagged,
  stream: Claimant & { mlflowRunId: string },
  counts: Counts,
): Promise<HelpingOutcome> {
  if (stream.mlflowRunId === run.runId) {
    await repairLink(deps.db, run.runId, stream.id);
    return { kind: "done" };
  }
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
  const deleted = deletes ? await deleteSpare(deps, stream.id, stream.mlflowRunId, run.runId) : "kept";
  if (deleted === "busy") {
    count(counts, "skipped_busy");
    return { kind: "done" };
  }
  if (typeof deleted === "object") {
    await heard(deps, deleted);
    return passed(deps, counts, deleted, stream.id);
  }
  await noteDouble(deps.db, run.runId, stream.id, deleted === "deleted", deps.now());
  count(counts, "doubles");
  if (deleted === "deleted") count(counts, "doubles_deleted");
  return { kind: "done" };
}
