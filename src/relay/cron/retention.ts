import { isWhole, type Report } from "../../domain/report.ts";
import { errorText } from "../../log.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { coreOf } from "../../store/delivery/parents.ts";
import {
  beginPruning,
  deleteSettledLetters,
  forget,
  postponePruning,
  prune,
  type Retirable,
  retirable,
  type Seen,
  unfinishedPruning,
} from "../../store/journal/retention.ts";
import { deleteResolved } from "../../store/mirror/conflicts.ts";
import { goneSince } from "../../store/mirror/runs.ts";
import { readCore } from "../../store/stream/core-column.ts";
import type { Deps } from "../deps.ts";
import { pullStream } from "../follow/pull.ts";
import { verifyStream } from "../repair/verify.ts";
import { RUN_STATEMENTS } from "../stream/under-lease.ts";

/** Reading back is the dear part of it. */
const MAX_RETIRED = 20;
/** What one pass deletes at most; the next one goes on. */
const MAX_PRUNED_ROWS = 200_000;
const MAX_FORGOTTEN_ROWS = 100_000;
const MAX_FORGOTTEN_LETTERS = 1_000;
const MAX_FORGOTTEN_CONFLICTS = 1_000;
/** However short the retention: what was settled, and the only copy of what was deleted in MLflow, for second thoughts. */
const MIN_RETENTION_MS = 30 * 86_400_000;
/** Streams in a row that cannot be read back: then it is not they, but MLflow. */
const MAX_UNREACHABLE = 3;
const UNREACHABLE_AGAIN_MS = 3_600_000;
/** A stream of which MLflow was found to lack something, or that cannot be read, does not come up on every pass. */
const LOOK_AGAIN_MS = 86_400_000;

type Retired = { trials: number; rows: number };

/**
 * Prunes the journals of trials that ended, or were abandoned, longer ago than the retention, each only after reading
 * MLflow back has confirmed that nothing of it is missing there. What is not confirmed stays, and its verdict says why;
 * but where somebody deleted the run for good, the journal follows it after some time. What an earlier pass left half-way comes first; one that cannot be read back holds nobody else up.
 */
export async function retire(deps: Deps): Promise<Retired> {
  const done: Retired = { trials: 0, rows: 0 };
  for (const unfinished of await unfinishedPruning(deps.db, MAX_RETIRED)) {
    if (done.rows >= MAX_PRUNED_ROWS || !deps.budget.has(RUN_STATEMENTS)) return done;
    await pruneOn(deps, unfinished, done);
  }
  let unreachable = 0;
  for (const stream of await retirable(deps.db, deps.now(), deps.config.retentionMs, MAX_RETIRED)) {
    if (done.rows >= MAX_PRUNED_ROWS || unreachable >= MAX_UNREACHABLE) break;
    if (!deps.budget.has(RUN_STATEMENTS)) break;
    const confirmed = await confirm(deps, stream);
    unreachable = confirmed === "unreachable" ? unreachable + 1 : 0;
    if (typeof confirmed === "string") continue;
    const forgetAt = deps.now() + deps.config.identitiesMs;
    if (!(await beginPruning(deps.db, stream.id, confirmed, deps.now(), forgetAt))) continue;
    done.trials++;
    await pruneOn(deps, { id: stream.id, seq: confirmed.seq }, done);
  }
  return done;
}

/**
 * Forgets what nobody asks for any more: identities of what was pruned long ago, dead letters settled as long ago
 * whose points are pruned, and conflicts resolved as long ago. Asks nothing of MLflow.
 * @returns how many rows went
 */
export async function forgetOld({ db, config, now }: Pick<Deps, "db" | "config" | "now">): Promise<number> {
  const before = now() - longRetentionMs(config);
  const letters = await deleteSettledLetters(db, before, MAX_FORGOTTEN_LETTERS);
  const conflicts = await deleteResolved(db, before, MAX_FORGOTTEN_CONFLICTS);
  // Last: of very many trials it takes whatever statements there are.
  return letters + conflicts + (await forget(db, now(), MAX_FORGOTTEN_ROWS));
}

function longRetentionMs({ retentionMs }: Pick<Deps["config"], "retentionMs">): number {
  return Math.max(retentionMs, MIN_RETENTION_MS);
}

async function pruneOn(deps: Deps, stream: { id: number; seq: number }, done: Retired): Promise<void> {
  done.rows += await prune(deps.db, stream, MAX_PRUNED_ROWS - done.rows);
}

/** Up to where a stream may be pruned, since MLflow was seen to have everything or lost it long ago, or why that cannot be said now. */
async function confirm(deps: Deps, stream: Retirable): Promise<Seen | "not confirmed" | "unreachable"> {
  // Where model runs are no runs, there is nothing to look for.
  if (stream.isRunless && !deps.config.parentRuns) return { seq: stream.lastSeq, runId: null };
  const later = (ms: number) => postponePruning(deps.db, stream.id, deps.now() + ms);
  try {
    const verified = await verifyStream(deps, stream.id);
    if (verified.kind === "unreachable") {
      await later(UNREACHABLE_AGAIN_MS);
      return "unreachable";
    }
    if (verified.kind === "checked" && (await mayGo(deps, verified.report))) {
      // A record that cannot be read may be made anew from the journal, and from nothing else.
      readCore(await coreOf(deps.db, stream));
      return { seq: verified.seq, runId: verified.report.run.id };
    }
    await later(LOOK_AGAIN_MS);
    // An edit made in MLflow after the end differs until it is taken over; then a later pass finds it confirmed.
    if (verified.kind === "checked" && !isLoss(verified.report)) await pullStream(deps, stream.id, null);
  } catch (error) {
    if (isOutOfStatements(error)) throw error;
    const what = { stream: stream.id, error: errorText(error) };
    deps.log.error("a journal cannot be read back; others are pruned without it", what);
    await later(LOOK_AGAIN_MS);
  }
  return "not confirmed";
}

/** Whether MLflow has everything, or somebody deleted it there for good so long ago that nobody will want it back. */
async function mayGo({ db, config, now }: Deps, report: Report): Promise<boolean> {
  if (report.run.state !== "gone") return isWhole(report);
  const since = await goneSince(db, report.run.id, now());
  return since !== null && since <= now() - longRetentionMs(config);
}

/** Whether MLflow lacks what nobody can take away there: then its tags and state are no edits either. */
function isLoss({ run, points, params }: Report): boolean {
  return run.state === "gone" || points.missing + params.missing.count > 0;
}
