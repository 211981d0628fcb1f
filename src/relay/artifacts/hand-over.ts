import { servedRoot } from "../../mlflow/artifacts.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import {
  type ClaimedArtifact,
  claimArtifact,
  noteDelivered,
  noteUndelivered,
} from "../../store/artifacts/hand-over.ts";
import { renewRow, whileHeld } from "../../store/database/leased-row.ts";
import { backoffMs, whileRenewed } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { waitAfter } from "../line/retry-after.ts";
import { artifactMessage } from "../messages.ts";
import { tryEnqueue } from "../queues.ts";
import { landingMs, leaseMs } from "../stream/held-stream.ts";
import { isThere, isThereAlready } from "./in-mlflow.ts";
import { openObject } from "./pieces.ts";
import { putInMlflow } from "./put.ts";

/** What MLflow will not take as things stand is tried again by the cron, in the end only after this. */
const BLOCKED_MS = 600_000;
/** MLflow writes what it has taken into its store, wherever that is, with ten megabytes a second at least. */
const LANDING_BYTES_A_MS = 10_000;

const RUN_DELETED = "its run is deleted in MLflow: restore it there, or have its trial sent to a new one";

/** Why a file is not in MLflow: it waits, or stands still until somebody acts. */
type Undone =
  | { kind: "waits"; error: string }
  | { kind: "blocked"; error: string }
  | { kind: "misconfigured"; error: string }
  | { kind: "failed"; failure: Failure };

/**
 * Brings a file to MLflow, or removes it there, as it is now. Each call may be done again: a file is written over itself.
 * What fails here says nothing of MLflow's tracking part, so that the breaker is listened to, and not told.
 */
export async function handOver(deps: Deps, id: number): Promise<void> {
  const { db, config, now } = deps;
  const forMs = leaseMs(config.mlflow.timeoutMs);
  const claimed = await claimArtifact(db, id, forMs, now());
  if (!claimed) return;
  const held = <T>(work: () => Promise<T>) => whileHeld(db, "artifacts", claimed, work);
  const undone = await whileRenewed(
    forMs / 3,
    () => renewRow(db, "artifacts", claimed, forMs),
    () => held(() => bring(deps, claimed)),
  );
  if (undone === null) {
    deps.tally.add('relay_artifacts_total{outcome="handed_over"}');
    const isBehind = await held(() => noteDelivered(db, claimed, claimed.version, now()));
    if (isBehind) await tryEnqueue(deps, artifactMessage(id));
    return;
  }
  await note(deps, claimed, undone);
}

async function note(deps: Deps, claimed: ClaimedArtifact, undone: Undone): Promise<void> {
  const { config, now } = deps;
  const failure = undone.kind === "failed" ? undone.failure : null;
  const error = "error" in undone ? undone.error : `${undone.failure.kind}: ${undone.failure.message}`;
  // What waits for its run waits for the server, where that is left alone.
  const isHeld = failure?.kind === "held" || (undone.kind === "waits" && (await deps.guard.held()) !== null);
  const isMisconfigured = undone.kind === "misconfigured";
  const isBlocked = undone.kind === "blocked" || isMisconfigured || (failure !== null && !isAway(failure));
  const landsForMs =
    failure?.kind === "ambiguous"
      ? landingMs(config.mlflow.timeoutMs) + Math.ceil(claimed.bytes / LANDING_BYTES_A_MS)
      : 0;
  const retry = isBlocked ? { ...config.retry, maxMs: BLOCKED_MS } : config.retry;
  const backoff = backoffMs(claimed.attempts, retry, deps.random);
  const waitMs = waitAfter(failure, Math.max(backoff, landsForMs));
  await noteUndelivered(deps.db, claimed, {
    error,
    blockedReason: isBlocked ? error : null,
    // Once the breaker closes it is woken.
    nextAttemptAt: isHeld ? 0 : now() + waitMs,
    landsForMs,
  });
  if (isBlocked) deps.log.warn("a file cannot go to MLflow as things stand", { path: claimed.path, error });
  // Something between that answers in MLflow's place is over soon; what lasts is the cron's.
  const isOverSoon = isMisconfigured && waitMs <= config.retry.maxMs;
  if (isOverSoon || !(isBlocked || isHeld)) await tryEnqueue(deps, artifactMessage(claimed.id), waitMs);
}

/** Null: MLflow has it. */
async function bring(deps: Deps, claimed: ClaimedArtifact): Promise<Undone | null> {
  const { mlflowRunId: runId, modelUri, isModels, path, isRemoved, isRunDeleted } = claimed;
  if (isModels && modelUri === null) return { kind: "waits", error: "its logged model is not in MLflow yet" };
  if (!isModels && runId === null) return { kind: "waits", error: "its run is not in MLflow yet" };
  if (isRunDeleted && !isRemoved) return { kind: "blocked", error: RUN_DELETED };
  const uri = modelUri ?? (await uriOf(deps, claimed, runId ?? ""));
  if (typeof uri !== "string") return uri;
  const root = servedRoot(uri);
  if (root === null) return { kind: "blocked", error: notServed(uri) };
  if (isRemoved) {
    const deleted = await deps.writes.deleteArtifact({ root, path });
    return deleted.ok ? null : undoneBy(deleted.failure);
  }
  const { bytes, sha256 } = claimed;
  // Every other time only, so that there is one with all of its invocation's time for sending.
  const isLookedFor = runId !== null && claimed.attempts % 2 === 1;
  if (isLookedFor && (await isThereAlready(deps, { runId, path, bytes, sha256 }))) return null;
  const put = await upload(deps, claimed, root);
  if (put !== null) return put;
  const seen = await isThere(deps, { runId, root, path, bytes, sha256 });
  if (!seen.ok) return undoneBy(seen.failure);
  return seen.value ? null : { kind: "waits", error: "MLflow took it and does not have it as it was sent" };
}

async function upload(
  deps: Deps,
  { objectKey, path, bytes, contentType }: ClaimedArtifact,
  root: string,
): Promise<Undone | null> {
  const { bucket } = deps;
  const body =
    objectKey === null || bucket === null
      ? null
      : await openObject(bucket, objectKey, { offset: 0, length: bytes });
  if (!body)
    return {
      kind: "blocked",
      error: "the bucket does not have its bytes: bind it again, or send the file again",
    };
  const put = await putInMlflow(deps, { root, path, body, bytes, contentType });
  return put.ok ? null : undoneBy(put.failure);
}

async function uriOf(deps: Deps, { artifactUri }: ClaimedArtifact, runId: string): Promise<string | Undone> {
  if (artifactUri !== null) return artifactUri;
  const run = await deps.mlflow.getRun(runId);
  if (!run.ok) return undoneBy(run.failure);
  return run.value.info.artifactUri ?? "";
}

function undoneBy(failure: Failure): Undone {
  if (failure.kind !== "misconfigured") return { kind: "failed", failure };
  const remedy = "start MLflow with --serve-artifacts, and let the relay's credentials write artifacts";
  return { kind: "misconfigured", error: `MLflow does not take artifacts: ${failure.message}; ${remedy}` };
}

function notServed(uri: string): string {
  return `MLflow keeps this run's files at ${uri || "a place that it does not tell"}, which is not served by it: start MLflow with --serve-artifacts and --artifacts-destination in place of --default-artifact-root, for experiments that are made from then on; this file stays in the relay, and can be read there`;
}
